"""Weights at several fractions: Shapley values, and which rows are redundant."""

from collections.abc import Mapping
from numbers import Integral

import numpy as np
from sklearn.base import clone

from skdatamodels._numbers import as_real
from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels.inference._alpha_comparison import AlphaComparison
from skdatamodels.inference._infer_weights import infer_weights
from skdatamodels.inference._mask_covariance import check_alpha
from skdatamodels.influence._semivalues import check_share
from skdatamodels.masks import as_masks
from skdatamodels.regression import DatamodelRegressor
from skdatamodels.regression._checks import check_outputs
from skdatamodels.runs import TrainingRuns

_LEAST_RUNS = 10  # at each fraction


@validate_params(
    {
        "runs": "no_validation",
        "alpha": ["array-like", None],
        "regressor": [DatamodelRegressor, None],
        "degree": [Interval(Integral, 1, 3, closed="both"), None],
    },
    prefer_skip_nested_validation=True,
)
def compare_alphas(runs, *, alpha=None, regressor=None, degree=None):
    r"""Compare the weights of runs on small and on large subsets.

    The weight of a row at alpha is its mean effect on a random subset that has each
    other row with probability alpha. A row that has copies, or others like it, matters
    if these are missing, so its weight falls with alpha: it is *redundant*. A row that
    only has an effect together with others matters if these are present, so its weight
    rises. A polynomial in alpha is fitted to the weights of each row. Its integral from
    0 to 1 is the row's Shapley value.

    Parameters
    ----------
    runs : TrainingRuns, pair (masks, outputs), or dict of float to these
        Runs at two fractions or more, in one pool, such as those of
        ``SubsetTrainer(alpha=(0.1, 0.5, 0.9), design="bernoulli")``, or by fraction.
    alpha : array-like of shape (n_runs,), default=None
        Fraction of each run in a pool, ``np.resize(trainer.alpha, n_runs)`` for runs 0
        to n_runs - 1 of a trainer. None finds it if all subsets of one fraction have
        the same size.
    regressor : DatamodelRegressor, default=None
        Cloned and fitted to the runs of each fraction. None is
        ``DatamodelRegressor(random_state=0)``.
    degree : {1, 2, 3}, default=None
        Degree of the polynomial, less than the number of fractions. None means 2, or 1
        if there are two fractions.

    Returns
    -------
    comparison : AlphaComparison
        Weights by alpha, Shapley values with intervals, and trends.

    Raises
    ------
    TypeError, ValueError
        Before any fit, if there are less than two fractions, or less than ten runs at
        one; if the fractions are not known or do not match the masks; if runs differ in
        their training set, targets or output; if subsets have a fixed size at some
        fractions only; or if `degree` is too high.

    See Also
    --------
    infer_weights : Weights at one fraction, with their standard errors.
    skdatamodels.influence.shapley_values : Shapley and Beta-Shapley values by
        interpolation, without errors.
    skdatamodels.plotting.AlphaDisplay : Weights as curves over alpha.

    Notes
    -----
    Let F(p) be the mean output if row i is in the subset with probability
    p\ :sub:`i`, independently: the multilinear extension. The weight of row i at
    alpha is its derivative in p\ :sub:`i` at (alpha, ..., alpha). Then

    .. math:: \phi_i = \int_0^1 w_i(\alpha)\, d\alpha , \qquad
              \sum_i \phi_i = F(1, \ldots, 1) - F(0, \ldots, 0) .

    The weights at each alpha are the debiased ones of :func:`infer_weights`. The fit
    over alpha is by plain least squares: with weights by precision, the noisy fractions
    would hardly count, and the integral is then biased if the curve is not a polynomial
    of this degree. The curve is extrapolated to 0 and 1, so choose fractions that come
    near to both ends. Errors contain what is random in the runs, not the misfit of the
    polynomial.

    Subsets of a fixed size tell weights up to a constant (see :func:`infer_weights`).
    Weights, Shapley values and trends then compare a row with the typical one, and
    Shapley values sum to 0. In the Bernoulli design they do not.

    References
    ----------
    Owen, "Multilinear Extensions of Games", Management Science 18, 1972.

    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions from
    Training Data", ICML 2022, section 5, appendices B and K.4.

    Examples
    --------
    The first two are copies: one of them is enough. The next two need each other.

    >>> import numpy as np
    >>> from skdatamodels.inference import compare_alphas
    >>> from skdatamodels.masks import sample_masks
    >>> alphas = (0.1, 0.5, 0.9)
    >>> masks = sample_masks(3000, 6, alphas, design="bernoulli").dense()
    >>> a, b, c, d, e, _ = masks.T
    >>> outputs = 1.0 * (a | b) + 1.0 * (c & d) + 0.5 * e
    >>> comparison = compare_alphas((masks, outputs), alpha=np.resize(alphas, 3000))
    >>> comparison.shapley.round(1) + 0.0
    array([[0.5, 0.5, 0.5, 0.5, 0.5, 0. ]])
    >>> comparison.trends()
    array([[-1, -1,  1,  1,  0,  0]], dtype=int8)
    """
    by_alpha = _by_alpha(runs, alpha)
    alphas = np.array(list(by_alpha))
    degree = min(2, len(alphas) - 1) if degree is None else degree
    if degree >= len(alphas):
        raise ValueError(
            f"A polynomial of degree {degree} needs {degree + 1} fractions or more, "
            f"got {len(alphas)}: {alphas.tolist()}."
        )
    if regressor is None:
        regressor = DatamodelRegressor(random_state=0)
    parts = [_infer(regressor, *pair) for pair in by_alpha.items()]
    found, errors, errors_of_sums = zip(*parts, strict=True)
    first = found[0]
    return AlphaComparison(
        alphas,
        np.array([len(part) for part in by_alpha.values()]),
        np.stack([part.estimate.astype(np.float64) for part in found]),
        np.stack(errors),
        np.stack(errors_of_sums),
        np.min([part.freedom for part in found], axis=0),
        degree,
        first.n_columns is not None,
        first.player_ids,
        first.target_ids,
    )


def _infer(regressor, alpha, runs):
    """Return the WeightInference of the runs at a fraction, and standard errors.

    The errors are of the weights (n_targets, n_train) and of their sums (n_targets,).
    """
    model = clone(regressor).fit(runs)
    inference = infer_weights(model, runs, alpha=np.full(len(runs), alpha))
    of_sum = inference.effect_of_removal(np.ones(runs.n_train)).standard_error[:, 0]
    inference.estimate[np.isnan(inference.scale[:, 0])] = np.nan  # there was no fit
    return inference, inference.standard_error, of_sum


def _n_present(runs):
    """Return the size of each subset, float64 (n_runs,)."""
    return runs.packed.dot(np.ones((runs.n_train, 1)))[:, 0].astype(np.float64)


def _by_alpha(runs, alpha):
    """Return TrainingRuns by fraction, in increasing order; raise if they are bad."""
    if isinstance(runs, Mapping):
        if alpha is not None:
            raise ValueError("alpha is for a pool of runs: the dict has the fractions.")
        parts = {_fraction(a): _as_runs(part) for a, part in runs.items()}
    else:
        runs = _as_runs(runs)
        alpha = _sizes(runs) if alpha is None else check_alpha(alpha, len(runs))
        parts = {a: runs[alpha == a] for a in np.unique(alpha).tolist()}
    if len(parts) < 2:
        raise ValueError(
            f"All runs have one fraction, {list(parts)}. Give runs at two or more, such"
            ' as those of SubsetTrainer(alpha=(0.1, 0.5, 0.9), design="bernoulli").'
        )
    parts = dict(sorted(parts.items()))
    first = next(iter(parts.values()))
    for a, part in parts.items():
        _check_like(a, part, first)
        if len(part) < _LEAST_RUNS:
            raise ValueError(
                f"There are {len(part)} runs at alpha={a:g}, but {_LEAST_RUNS} or more "
                "are needed. Add runs, or leave this fraction out."
            )
        check_share(part.packed, a)
    if len({np.ptp(_n_present(part)) == 0 for part in parts.values()}) > 1:
        raise ValueError(
            "Subsets have a fixed size at some fractions and not at others, so that "
            "weights cannot be compared. Use one design at all fractions."
        )
    return parts


def _as_runs(runs):
    if isinstance(runs, TrainingRuns):
        return runs
    if not (isinstance(runs, tuple) and len(runs) == 2):
        raise TypeError(
            "runs must be TrainingRuns, a pair (masks, outputs), or a dict from alpha "
            f"to these; got {type(runs).__name__}."
        )
    masks, outputs = as_masks(runs[0]), check_outputs(runs[1])
    return TrainingRuns(masks, outputs.reshape(len(outputs), -1).astype(np.float64))


def _fraction(alpha):
    if not 0 < as_real(alpha, "alpha of runs").astype(float) < 1:
        raise ValueError(f"alpha must be a fraction between 0 and 1, got {alpha}.")
    return float(alpha)


def _sizes(runs):
    """Return the fraction of each run, if subsets of one fraction have one size."""
    sizes = _n_present(runs).round().astype(int)
    found = np.unique(sizes)
    if np.isin(found + 1, found).any():  # random sizes are without gaps
        raise ValueError(
            f"The subsets have {len(found)} sizes, some next to each other, so their "
            "fractions are not known. Pass alpha, the fraction of each run: "
            "np.resize(trainer.alpha, len(runs)) for the first runs of a trainer."
        )
    return sizes / runs.n_train


def _check_like(alpha, runs, first):
    """Raise if runs are not of the training set, targets and output of the first."""
    if (runs.n_train, runs.n_targets) != (first.n_train, first.n_targets):
        raise ValueError(
            f"The runs at alpha={alpha:g} are of {runs.n_train} training examples and "
            f"{runs.n_targets} targets, others of {first.n_train} and "
            f"{first.n_targets}. All must have the same."
        )
    for name in ("player_ids", "target_ids"):
        one, other = getattr(runs, name), getattr(first, name)
        if not (one is None or other is None or np.array_equal(one, other)):
            raise ValueError(f"The runs at alpha={alpha:g} have other {name}.")
    if runs.output_info != first.output_info:
        raise ValueError(
            f"The runs at alpha={alpha:g} measure the output {runs.output_info.name!r},"
            f" others {first.output_info.name!r}."
        )
