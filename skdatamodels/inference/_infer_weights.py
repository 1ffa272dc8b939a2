"""Debiased weights and their standard errors, from a fit and its runs."""

import warnings

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from skdatamodels._numbers import as_real
from skdatamodels.inference._mask_covariance import MaskCovariance
from skdatamodels.inference._weight_inference import WeightInference
from skdatamodels.masks import as_masks
from skdatamodels.masks._packed import row_blocks
from skdatamodels.regression import DatamodelRegressor
from skdatamodels.regression._checks import check_outputs
from skdatamodels.runs import TrainingRuns
from skdatamodels.runs._training_runs import outputs_of
from skdatamodels.runs._usable_runs import check_exclude, usable_runs

_LEAST_FREEDOM = 2  # runs less degrees of freedom


def infer_weights(model, X, y=None, *, targets=None, strata=None, alpha=None):
    r"""Compute how certain the weights of fitted datamodels are.

    The masks were drawn at random, so their covariance is known exactly, and standard
    errors need no assumption on the weights and next to no time: no model is trained,
    and nothing is fitted again.

    A regressor shrinks weights, so each is biased. The estimate of the inference is
    the *debiased* weight, whose errors are normal with mean 0, whether or not the
    regressor kept the example.

    Parameters
    ----------
    model : DatamodelRegressor
        Fitted on these runs, with either penalty, with or without a prior, and without
        `sample_weight`.
    X : TrainingRuns, PackedMasks or array-like of shape (n_runs, n_train)
        The runs that `model` was fitted on, all of them. Their subsets must have been
        drawn at random, as by :func:`~skdatamodels.masks.sample_masks`.
    y : array-like of shape (n_runs, n_targets) or (n_runs,), default=None
        Outputs. By default, those of X.
    targets : array-like of int of shape (n_inferred,), default=None
        Targets to infer weights of. By default, all.
    strata : array-like of shape (n_train,), default=None
        Class of each training example, if subsets were stratified.
    alpha : array-like of shape (n_runs,), default=None
        Fraction of each run. Needed only if fractions varied and sizes were random
        within a fraction, as in the Bernoulli design.

    Returns
    -------
    inference : WeightInference
        Estimates, standard errors, p-values, intervals and selections.

    Raises
    ------
    TypeError
        If `model` is not a DatamodelRegressor.
    ValueError
        If the model was not fitted on these runs, or if the masks do not look as if
        they were drawn at random.

    Warns
    -----
    UserWarning
        If the fit of a target has used up the runs (as many degrees of freedom as
        runs), so that nothing is left to estimate the noise.

    See Also
    --------
    knockoff_filter : Selection with exact control for the Bernoulli design.
    skdatamodels.regression.DatamodelRegressor.posterior_variance : Variances that
        are right if the prior is.

    Notes
    -----
    Let θ̂ be the weights, r the residuals of the m runs, X the centred masks, Σ their
    covariance in the design, with variance v for each example, and s the degrees of
    freedom: for the LASSO, the number of weights that differ from the prior's; for the
    ridge, the trace of its hat matrix. Then

    .. math:: u = \hat\theta + \frac{\Sigma^{-1} X^\top r / m}{1 - s/m} , \qquad
              \mathrm{se} = \frac{\sqrt{\|r\|^2 / m}}{(1 - s/m) \sqrt{m v}} ,

    where m is the number of runs less one, for the intercept.
    r / (1 - s/m) are the residuals of runs that are left out of the fit one at a time,
    and each is independent of its mask: so u is unbiased, and its noise is that of a
    mean. Intervals are those of Student's t with m - s degrees of freedom.

    The weights are those of the best linear approximation of the outputs over the
    subsets of the design. What is not linear is noise, and is in the standard errors.

    With subsets of fixed size, masks sum to a constant, and weights are known only up
    to a constant. Estimates are then centred: 0 is the typical example, and a weight
    compares an example with it. In the stratified design, with the typical example of
    the class. In the Bernoulli design 0 is an example without any effect.

    A subset and its complement are one observation: the difference of their outputs.
    Runs of several fractions are centred within each fraction.

    Estimates have the type of `coef_` and take as much memory as the dense matrix;
    standard errors are stored as one number a target and stratum. Other work is done
    in blocks of 64 MB. For less memory, take some `targets` at a time.

    References
    ----------
    Javanmard, Montanari, "Confidence Intervals and Hypothesis Testing for
    High-Dimensional Regression", Journal of Machine Learning Research 15, 2014.

    Bellec, Zhang, "De-biasing Convex Regularized Estimators and Interval Estimation in
    Linear Models", Annals of Statistics 51(2), 2023.

    Celentano, Montanari, Wei, "The Lasso with General Gaussian Designs with
    Applications to Hypothesis Testing", Annals of Statistics 51(5), 2023.

    Examples
    --------
    >>> from skdatamodels import DatamodelRegressor
    >>> from skdatamodels.datasets import make_linear_runs
    >>> from skdatamodels.inference import infer_weights
    >>> runs, coef = make_linear_runs(200, n_train=50, n_informative=2, noise=0.5)
    >>> model = DatamodelRegressor(random_state=0).fit(runs)
    >>> inference = infer_weights(model, runs)
    >>> low, high = inference.interval(0.95)[..., 0], inference.interval(0.95)[..., 1]
    >>> centred = coef - coef.mean(axis=1, keepdims=True)
    >>> bool(((low < centred) & (centred < high)).mean() > 0.9)
    True
    >>> bool(inference.select(fdr=0.1)[abs(coef) > 0.5].all())
    True
    """
    if not isinstance(model, DatamodelRegressor):
        raise TypeError(f"model must be a DatamodelRegressor, got {type(model)}.")
    check_is_fitted(model)
    packed, Y, seeds = _check_runs(model, X, y)
    m, d = packed.shape
    n_targets = Y.shape[1]
    alpha = _check_alpha(alpha, m)
    strata = _check_strata(strata, d)
    targets = _check_targets(targets, n_targets)
    exclude = check_exclude(model.exclude, n_targets, d)
    covariance = MaskCovariance.of(packed, seeds, strata, alpha)
    work = _Work(model, packed, Y, exclude, covariance, covariance.correlation(packed))
    estimate = np.empty((len(targets), d), model.coef_.dtype)
    scale = np.empty((len(targets), len(covariance.n_columns)))
    freedom = np.empty(len(targets))
    of_stratum = np.full(len(targets), -1)
    if exclude is not None:
        own = exclude[targets]
        of_stratum = np.where(own >= 0, covariance.stratum[own], -1)
    offsets = []
    for excluded in np.unique(of_stratum).tolist():
        same = np.flatnonzero(of_stratum == excluded)
        variances = covariance.variances(None if excluded < 0 else excluded)
        for part in row_blocks(len(same), 8 * 4 * max(m, d)):
            rows = same[part]
            found = work.infer(targets[rows], variances)
            estimate[rows], scale[rows], freedom[rows], offset = found
            offsets.append(offset)
    _check_fitted_on(np.concatenate(offsets))
    _warn_if_used_up(targets[freedom < _LEAST_FREEDOM], n_targets)
    return WeightInference(
        estimate,
        scale,
        freedom,
        covariance.stratum,
        covariance.n_columns if covariance.fixed else None,
        None if exclude is None else exclude[targets],
        target_ids=_some(model.target_ids_, targets),
        player_ids=model.player_ids_,
    )


class _Work:
    """The fit and its runs."""

    def __init__(self, model, packed, Y, exclude, covariance, correlation):
        self.model, self.packed, self.Y = model, packed, Y
        self.exclude, self.covariance = exclude, covariance
        self.correlation = correlation
        self.intercept = np.atleast_1d(model.intercept_)

    def infer(self, targets, variances):
        """Infer the weights of some targets, which exclude a column of one stratum.

        Parameters
        ----------
        targets : int array of shape (n,)
        variances : float64 array of shape (n_strata, m)
            Of the masks of each run.

        Returns
        -------
        estimate : float64 array of shape (n, d)
        scale : float64 array of shape (n, n_strata)
            Standard errors, but for what centring takes.
        freedom : float64 array of shape (n,)
            Independent observations less degrees of freedom.
        offset : float64 array of shape (n,)
            Mean residual by its standard error if runs were new.
        """
        packed, design = self.packed, self.covariance
        coef = self._rows("coef_", targets).astype(np.float64)
        Y = np.float64(self.Y[:, targets])
        exclude = None if self.exclude is None else self.exclude[targets]
        usable = usable_runs(packed, Y, exclude)
        usable = np.ones(Y.shape, bool) if usable is None else usable
        fitted = np.isfinite(self.intercept[targets])
        usable &= fitted
        R = Y - packed.dot(np.ascontiguousarray(coef.T)) - self.intercept[targets]
        R = np.where(usable, R, 0)
        m = usable.sum(axis=0)
        offset = _mean_by_error(R, np.where(usable, Y, 0), m)
        used = self._degrees_of_freedom(targets, coef, R, m)
        G, n_units, n_levels = _left_out(R, usable, used, m, design)
        freedom = n_units - n_levels - used
        if self.correlation != 1:
            G /= _correction(used, n_units - n_levels, self.correlation)
        enough = freedom >= _LEAST_FREEDOM
        G[:, ~enough] = 0
        total = variances @ usable  # (n_strata, n): m·v
        total = np.where(total > 0, total, np.nan)
        single, G_units = _by_unit(G, usable, design.pairs)
        scale = np.sqrt(
            variances @ single + variances[:, design.pairs[:, 0]] @ G_units
        ) / total
        scale[:, ~enough] = np.nan
        correction = packed.T_dot(G) / total[design.stratum]
        absent = None
        if exclude is not None:
            absent = exclude[:, None] == np.arange(packed.n_train)
        estimate = design.centred(coef + np.nan_to_num(correction.T), absent)
        return estimate, scale.T, freedom, offset[fitted]

    def _rows(self, name, targets):
        matrix = getattr(self.model, name)
        if sparse.issparse(matrix):
            return matrix[targets].toarray()
        return np.atleast_2d(matrix)[targets]

    def _degrees_of_freedom(self, targets, coef, R, m):
        """Return degrees of freedom (n,) beyond the intercept."""
        model = self.model
        if model.penalty_ == "l2":
            # its noise is the sum of squares by the runs less degrees of freedom
            noise = model.noise_variance_[targets]
            left = np.divide((R**2).sum(axis=0), noise, where=noise > 0, out=0.0 * m)
            return np.maximum(m - left - 1, 0)
        if hasattr(model, "prior_coef_"):
            share = model.prior_strength_[targets, 0]
            prior = share[:, None] * self._rows("prior_coef_", targets)
            size = np.maximum(abs(prior), abs(coef))
            eps = np.finfo(model.coef_.dtype).eps
            return (abs(coef - prior) > 4 * eps * size).sum(axis=1)
        return np.count_nonzero(coef, axis=1)


def _left_out(R, usable, used, m, design):
    """Return residuals of runs, or of pairs, that are left out of the fit.

    Parameters
    ----------
    R : float64 array of shape (n_runs, n)
        Residuals, 0 where a run is not usable.
    usable : bool array of shape (n_runs, n)
    used : array of shape (n,)
        Degrees of freedom.
    m : int array of shape (n,)
        Number of usable runs.
    design : MaskCovariance

    Returns
    -------
    G : float64 array of shape (n_runs, n)
    n_units : int array of shape (n,)
        Pairs and single runs.
    n_levels : int array of shape (n,)
        Means that the single runs have lost.
    """
    G, m = R.copy(), np.maximum(m, 1)
    first, second = design.pairs.T
    both = usable[first] & usable[second]
    single = usable.copy()
    single[first] &= ~both
    single[second] &= ~both
    n_levels = np.zeros(len(m), int)
    for level in range(len(design.alpha)):
        own = single & (design.level == level)[:, None]
        n = own.sum(axis=0)
        mean = (R * own).sum(axis=0) / np.maximum(n, 1)
        G -= own * mean
        n_levels += n > 0
    # leverages of a run, and of a pair, which has twice as much
    with np.errstate(divide="ignore", invalid="ignore"):
        G /= np.maximum(1 - (used + n_levels) / m, 0)
        half = (R[first] - R[second]) / 2 / np.maximum(1 - 2 * used / m, 0)
    G[first] = np.where(both, half, G[first])
    G[second] = np.where(both, -half, G[second])
    G[~usable] = 0
    return G, m - both.sum(axis=0), n_levels


def _by_unit(G, usable, pairs):
    """Return squares of single runs (m, n), and of sums over pairs (n_pairs, n)."""
    first, second = pairs.T
    single, both = G**2, usable[first] & usable[second]
    single[first] *= ~both
    single[second] *= ~both
    return single, (G[first] - G[second]) ** 2 * both


def _correction(used, n, ratio):
    """Return how left-out residuals change if columns are not quite independent.

    x_jᵀP_S·x_j / x_jᵀx_j, the share of a column in the span of s others, is s times the
    mean squared correlation to first order.
    """
    return (1 - used * ratio / n) / (1 - used / n)


def _mean_by_error(R, Y, m):
    """Return mean residuals, by their standard error if runs were new."""
    m = np.maximum(m, 1)
    spread = np.sqrt((R**2).sum(axis=0) / m)
    rounding = 1e-4 * np.sqrt((Y**2).sum(axis=0) / m)
    return abs(R.sum(axis=0) / m) * np.sqrt(m) / np.maximum(spread + rounding, 1e-300)


def _check_fitted_on(offset):
    if len(offset) and np.median(offset) > 0.1:
        raise ValueError(
            "The residuals of these runs do not have mean 0, so the model was not "
            "fitted on them, or with sample_weight. Pass the runs that it was fitted on."
        )


def _warn_if_used_up(targets, n_targets):
    if len(targets):
        warnings.warn(
            f"{len(targets)} of {n_targets} targets have no standard errors (NaN), for "
            "their fits have as many degrees of freedom as runs, or there was no fit: "
            f"{targets[:10].tolist()}{' and more' if len(targets) > 10 else ''}. Use "
            "more runs or a larger lam.",
            UserWarning,
            stacklevel=3,
        )


def _check_runs(model, X, y):
    """Return PackedMasks, outputs (n_runs, n_targets) and seeds or None."""
    Y = check_outputs(outputs_of(X, y))
    Y = Y.reshape(len(Y), -1)
    seeds = getattr(X, "seeds", None)
    packed = X.packed if isinstance(X, TrainingRuns) else as_masks(X)
    d, n_targets = model.n_features_in_, np.size(model.intercept_)
    if packed.n_train != d or Y.shape != (len(packed), n_targets):
        raise ValueError(
            f"The model has weights of {d} examples for {n_targets} targets, got masks "
            f"of shape {packed.shape} and outputs of shape {Y.shape}."
        )
    return packed, Y, seeds


def _check_alpha(alpha, m):
    if alpha is None:
        return None
    alpha = as_real(alpha, "alpha").astype(np.float64)
    if alpha.ndim == 0:
        alpha = np.full(m, alpha)
    if alpha.shape != (m,) or not ((alpha > 0) & (alpha < 1)).all():
        raise ValueError(
            f"alpha must be a fraction between 0 and 1 for each of the {m} runs, got "
            f"shape {alpha.shape}."
        )
    return alpha


def _check_strata(strata, d):
    if strata is None:
        return None
    strata = np.asarray(strata)
    if strata.shape != (d,):
        raise ValueError(
            f"strata must have one class for each of the {d} training examples, got "
            f"shape {strata.shape}."
        )
    return np.unique(strata, return_inverse=True)[1]


def _check_targets(targets, n_targets):
    if targets is None:
        return np.arange(n_targets)
    targets = np.atleast_1d(np.asarray(targets))
    if targets.dtype.kind not in "iu" or targets.ndim != 1 or not len(targets):
        raise ValueError("targets must be a list of target numbers.")
    if not ((targets >= 0) & (targets < n_targets)).all():
        raise ValueError(
            f"targets must be between 0 and {n_targets - 1}, got {targets.min()} to "
            f"{targets.max()}."
        )
    return targets


def _some(names, targets):
    return None if names is None else names[targets]
