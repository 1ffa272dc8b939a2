"""Weights of a few examples, from pairs of runs that differ in these only."""

import warnings

import numpy as np

from skdatamodels.inference._debias import LEAST_FREEDOM
from skdatamodels.inference._weight_inference import WeightInference
from skdatamodels.masks._varied import find_varied_pairs
from skdatamodels.runs import TrainingRuns
from skdatamodels.runs._usable_runs import check_exclude, usable_runs

_ROUNDING = 4  # units in the last place of an output that are no effect


def infer_varied(runs, *, exclude=None):
    r"""Infer the weights of a few examples from pairs of runs that vary only these.

    ``SubsetTrainer(vary=rows)`` trains such pairs. What the two runs share, which are
    the seed and all other examples, cancels in the difference of their outputs.
    Therefore, the standard errors are often much smaller than those of
    :func:`infer_weights` from as many runs, if only a few examples vary; see
    :ref:`a_few_rows`.

    Parameters
    ----------
    runs : TrainingRuns
        Runs of ``SubsetTrainer(vary=...)``, both runs of each pair, in any order.
    exclude : array-like of int of shape (n_targets,), default=None
        The column of the masks that each target is, -1 for none: pairs that saw it are
        not used for this target. A target that varies itself has no weights.

    Returns
    -------
    inference : WeightInference
        Estimates, standard errors, p-values, intervals and selections of the k examples
        that vary, in the order of their columns: `estimate` has shape (n_targets, k).
        Their names, or else their columns, are in `player_ids`. 0 is an example without
        any effect.

    Raises
    ------
    TypeError
        If `runs` are not TrainingRuns.
    ValueError
        If they are not all in pairs of runs that share a seed and differ in the same
        examples, or if there are fewer than k + 2 pairs.

    Warns
    -----
    UserWarning
        If some targets have too few usable pairs, because of `exclude` or outputs that
        are NaN, or because two examples are always together, or always apart. Their
        standard errors are NaN.

    See Also
    --------
    infer_weights : Weights of all training examples, from ordinary runs.

    Notes
    -----
    Let d be the difference of the outputs of a pair, and z the signs of the examples
    that vary: 1 if the first run has it, and -1 if the second has. The estimates are
    those of the least-squares fit of d on z without an intercept, with the usual
    intervals of Student's t with n_pairs - k degrees of freedom.

    A weight is the mean change of the output if the example is added to a random
    subset: each of the others that vary is in it with probability 1/2, and the rest is
    drawn by `alpha` and `design`. It is the weight of the best linear approximation
    over these subsets. The subset is larger by one with the example than without it.
    In :func:`infer_weights` with subsets of a fixed size, it takes the place of a
    typical example instead, whose weight is subtracted.

    What is not linear is noise, and is in the standard errors. Interactions of two of
    the varying examples cancel in the difference. Those of three do not, but they are
    independent noise of the pairs, since signs are.

    If all pairs show the same effect, but for rounding, its standard error is 0 or
    nearly so, and its p-value 0. An effect of 0 in all pairs has a p-value of NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdatamodels import Examples, SubsetTrainer
    >>> from skdatamodels.inference import infer_varied
    >>> X, y = load_wine(return_X_y=True)
    >>> train, targets = Examples(X[::2], y[::2]), Examples(X[1::2], y[1::2])
    >>> model = make_pipeline(StandardScaler(), LogisticRegression())
    >>> trainer = SubsetTrainer(model, train, targets, vary=[7, 30], random_state=0)
    >>> inference = infer_varied(trainer.fit_transform(np.arange(40)))
    >>> inference.estimate.shape, inference.player_ids
    ((89, 2), array([ 7, 30]))
    >>> low, high = inference.interval(0.95)[0].T
    >>> bool((low < high).all())
    True
    """
    if not isinstance(runs, TrainingRuns):
        raise TypeError(f"runs must be TrainingRuns, got {type(runs).__name__}.")
    pairs = find_varied_pairs(runs.packed, runs.seeds)
    if pairs is None:
        raise ValueError(
            "These runs are not pairs that share a training seed and differ in the "
            "same few examples, both runs of each. SubsetTrainer(vary=...) trains such "
            "pairs, as runs 2i and 2i + 1; infer_weights is for all others."
        )
    n_pairs, k = pairs.signs.shape
    if n_pairs < k + LEAST_FREEDOM:
        raise ValueError(
            f"{k} examples vary in {n_pairs} pairs of runs. Their weights need "
            f"{k + LEAST_FREEDOM} pairs or more: {2 * (k + LEAST_FREEDOM)} runs."
        )
    found = _least_squares(runs, pairs, exclude)
    names = pairs.columns
    if runs.player_ids is not None:
        names = runs.player_ids[pairs.columns]
    return WeightInference(
        *found,
        stratum=np.arange(k),
        target_ids=runs.target_ids,
        player_ids=names,
    )


def _least_squares(runs, pairs, exclude):
    """Return estimates (n_targets, k), standard errors, and degrees of freedom."""
    Y = np.asarray(runs.outputs)
    exclude = check_exclude(exclude, runs.n_targets, runs.n_train)
    usable = usable_runs(runs.packed, Y, exclude)
    if usable is None:
        usable = np.ones(Y.shape, bool)
    both = usable[pairs.first] & usable[pairs.second]
    difference = np.subtract(Y[pairs.first], Y[pairs.second], dtype=np.float64)
    k, largest = len(pairs.columns), np.max(abs(Y), axis=0, where=usable, initial=0)
    estimate = np.zeros((runs.n_targets, k))
    error = np.full((runs.n_targets, k), np.nan)
    patterns, group = np.unique(both, axis=1, return_inverse=True)
    for number, used in enumerate(patterns.T):
        targets, Z = np.flatnonzero(group.reshape(-1) == number), pairs.signs[used]
        freedom = len(Z) - k
        if freedom < LEAST_FREEDOM or np.linalg.matrix_rank(Z) < k:
            continue
        inverse, D = np.linalg.inv(Z.T @ Z), difference[used][:, targets]
        coef = inverse @ (Z.T @ D)
        variance = ((D - Z @ coef) ** 2).sum(axis=0) / freedom
        tiny = _ROUNDING * np.finfo(Y.dtype).eps * largest[targets]
        rounded = (np.sqrt(variance) < tiny) & (abs(coef) < tiny)
        errors = np.sqrt(np.outer(np.diagonal(inverse), variance))
        estimate[targets] = np.where(rounded, 0, coef).T
        error[targets] = np.where(rounded, 0, errors).T
    _warn_of_too_few(np.flatnonzero(np.isnan(error[:, 0])), runs.n_targets)
    return estimate, error, both.sum(axis=0) - float(k)


def _warn_of_too_few(targets, n_targets):
    if len(targets):
        some = f"{targets[:10].tolist()}{' and more' if len(targets) > 10 else ''}"
        warnings.warn(
            f"{len(targets)} of {n_targets} targets have no standard errors (NaN), for "
            f"too few pairs of runs can be used for them: {some}. Train more pairs; a "
            "target that varies itself has none.",
            UserWarning,
            stacklevel=4,
        )
