"""Knockoffs: selection of examples against copies that no model has seen."""

from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import check_random_state

from skdatamodels._sklearn_compat import HasMethods, Interval, validate_params
from skdatamodels.inference._mask_covariance import MaskCovariance, check_alpha
from skdatamodels.masks import PackedMasks, as_masks
from skdatamodels.masks._packed import row_blocks
from skdatamodels.runs import TrainingRuns
from skdatamodels.runs._training_runs import outputs_of


@validate_params(
    {
        "regressor": [HasMethods(["fit", "get_params"])],
        "X": "no_validation",
        "y": "no_validation",
        "fdr": [Interval(Real, 0, 1, closed="neither")],
        "alpha": "no_validation",
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def knockoff_filter(regressor, X, y=None, *, fdr=0.1, alpha=None, random_state=None):
    r"""Select training examples whose weights beat those of examples that do not exist.

    Each training example gets a *knockoff*: a column of fresh masks from the same
    design, which no model has seen. The regressor is fitted on both. An example is
    selected if its weight is larger than its knockoff's by more than chance gives. The
    false-discovery rate of each target is controlled whatever the noise and the
    regressor are, and however few the runs; masks that are drawn independently are
    what knockoffs need. It costs a fit with twice as many columns.

    Parameters
    ----------
    regressor : estimator
        Has `coef_` after ``fit(masks, outputs)``, such as
        :class:`~skdatamodels.regression.DatamodelRegressor`, without a prior or penalty
        factors. It is cloned.
    X : TrainingRuns, PackedMasks or array-like of shape (n_runs, n_train)
        Runs of the Bernoulli design: each example is in a subset with the same
        probability, independently.
    y : array-like of shape (n_runs, n_targets) or (n_runs,), default=None
        Outputs. By default, those of X.
    fdr : float, default=0.1
        Expected share of the selected examples of a target that have no effect. At
        least 1 / fdr examples must stand out for any to be selected.
    alpha : array-like of shape (n_runs,), default=None
        Fraction of each run, if it varied.
    random_state : int, RandomState instance or None, default=None
        Seed of the knockoffs.

    Returns
    -------
    selected : bool array of shape (n_targets, n_train)
        The selection of each target.

    Raises
    ------
    ValueError
        If subsets are not of the Bernoulli design, or the regressor has a prior.

    See Also
    --------
    WeightInference.select : Selection for every design, without another fit.

    Notes
    -----
    With W = \|weight\| - \|weight of the knockoff\|, an example is selected if W is at
    least the smallest t > 0 for which
    (1 + number of W ≤ -t) / number of W ≥ t is at most `fdr`. W of an example without
    effect is as likely to be negative as positive.

    References
    ----------
    Candès, Fan, Janson, Lv, "Panning for Gold: Model-X Knockoffs for High-Dimensional
    Controlled Variable Selection", Journal of the Royal Statistical Society B 80(3),
    2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels import DatamodelRegressor, sample_masks
    >>> from skdatamodels.inference import knockoff_filter
    >>> masks = sample_masks(400, 60, 0.5, design="bernoulli")
    >>> coef = np.zeros((1, 60))
    >>> coef[:, :20] = 1
    >>> noise = np.random.default_rng(0).normal(size=(400, 1))
    >>> regressor = DatamodelRegressor(random_state=0)
    >>> selected = knockoff_filter(
    ...     regressor, masks, masks.dot(coef.T) + noise, random_state=0
    ... )
    >>> bool(selected[:, :20].all()), bool(selected[:, 20:].sum() < 6)
    (True, True)
    """
    params = regressor.get_params(deep=False)
    for name in ("prior", "penalty_factors"):
        if params.get(name) is not None:
            raise ValueError(
                f"The regressor has {name}, which treats examples and their knockoffs "
                f"differently. Set {name}=None."
            )
    Y, seeds = outputs_of(X, y), getattr(X, "seeds", None)
    packed = X.packed if isinstance(X, TrainingRuns) else as_masks(X)
    alpha = check_alpha(alpha, len(packed))
    design = MaskCovariance.of(packed, seeds, None, alpha)
    if design.fixed or len(design.pairs):
        raise ValueError(
            "Knockoffs need subsets of the Bernoulli design; these have a fixed size, "
            "or are complements. Use infer_weights and its select instead."
        )
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
    both = _with_knockoffs(packed, design.alpha[design.level], rng)
    coef = clone(regressor).fit(both, Y).coef_
    size = abs(np.atleast_2d(coef.toarray() if sparse.issparse(coef) else coef))
    return knockoff_selection(np.subtract(*np.hsplit(size, 2)), fdr)


def knockoff_selection(W, fdr):
    """Return which statistics W (n_targets, d) are selected at a rate."""
    selected = np.zeros(W.shape, bool)
    for row, found in zip(W, selected, strict=True):
        order = np.argsort(-abs(row), kind="stable")
        size, positive = abs(row[order]), row[order] > 0
        n_positive = np.cumsum(positive)
        n_negative = np.cumsum(~positive & (size > 0))
        last = np.append(size[1:] < size[:-1], True)  # of equal ones
        share = (1 + n_negative) / np.maximum(n_positive, 1)
        good = np.flatnonzero(last & (size > 0) & (share <= fdr))
        if len(good):
            found[order[: good[-1] + 1]] = positive[: good[-1] + 1]
    return selected


def _with_knockoffs(packed, alpha, rng):
    """Return masks and as many fresh ones (m, 2d), of the fraction of each run."""
    m, d = packed.shape
    bits = np.empty((m, -(-2 * d // 8)), np.uint8)
    for rows in row_blocks(m, 16 * d):
        block = packed.dense(rows)
        fresh = rng.random(block.shape) < alpha[rows, None]
        bits[rows] = np.packbits(np.hstack([block, fresh]), axis=1)
    return PackedMasks(bits, 2 * d)
