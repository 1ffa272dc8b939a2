"""Debiased weights and their standard errors, from a fit and its runs."""

import warnings

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdatamodels.inference._debias import LEAST_FREEDOM, Debiased, FittedRuns
from skdatamodels.inference._mask_covariance import MaskCovariance, check_alpha
from skdatamodels.inference._weight_inference import WeightInference
from skdatamodels.masks import as_masks
from skdatamodels.masks._varied import find_varied_pairs
from skdatamodels.regression import DatamodelRegressor
from skdatamodels.regression._checks import check_outputs
from skdatamodels.runs import TrainingRuns
from skdatamodels.runs._training_runs import outputs_of
from skdatamodels.runs._usable_runs import check_exclude

# Targets of a block: unpacking masks takes as long as products with this many.
_LEAST_BLOCK = 64
_BLOCK_ENTRIES = 2**22


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
        Estimates, standard errors, p-values, intervals and selections. A 1-d y is one
        target.

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
    standard errors are stored as one number a target and stratum, and their
    correlations as a float32 array of shape (n_targets, n_runs). If a fraction is not
    1/2, there are also ratios of variances, float32 of shape (n_targets, n_train).
    Work is done in blocks of 64 targets or more, for which some ten float64 arrays of
    shape (n_runs, 64) or (n_train, 64) are held. For less memory, take some `targets`
    at a time.

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
    masks, Y, seeds = _check_runs(model, X, y)
    (m, d), n_targets = masks.shape, Y.shape[1]
    alpha, strata = check_alpha(alpha, m), _check_strata(strata, d)
    targets = _check_targets(targets, n_targets)
    exclude = check_exclude(model.exclude, n_targets, d)
    design = MaskCovariance.of(masks, seeds, strata, alpha)
    runs = FittedRuns(model, masks, Y, exclude, design, design.correlation(masks))
    found = Debiased(
        np.empty((len(targets), d), model.coef_.dtype),
        np.empty((len(targets), len(design.n_columns))),
        np.empty(len(targets)),
        np.empty((len(targets), m), np.float32),
        np.empty((len(targets), d), np.float32) if runs.unlike else None,
        offset=[],
    )
    stratum_of = np.full(len(targets), -1)  # of the excluded column
    if exclude is not None:
        own = exclude[targets]
        stratum_of = np.where(own >= 0, design.stratum[own], -1)
    step = max(_LEAST_BLOCK, _BLOCK_ENTRIES // max(m, d))
    for stratum in np.unique(stratum_of).tolist():
        same = np.flatnonzero(stratum_of == stratum)
        variances = design.variances(None if stratum < 0 else stratum)
        for some in np.split(same, range(step, len(same), step)):
            *parts, offset = runs.debias(targets[some], variances)
            for whole, part in zip(found, parts, strict=False):
                if whole is not None:
                    whole[some] = part
            found.offset.extend(offset)
    _check_fitted_on(found.offset)
    _warn_if_used_up(targets[found.freedom < LEAST_FREEDOM], n_targets)
    return WeightInference(
        *found[:3],
        design.stratum,
        design.n_columns if design.fixed else None,
        None if exclude is None else exclude[targets],
        None if model.target_ids_ is None else model.target_ids_[targets],
        model.player_ids_,
        found.noise,
        found.variance_ratio,
        runs.spread,
    )


def _check_fitted_on(offset):
    if len(offset) and np.median(offset) > 0.1:
        raise ValueError(
            "The residuals of these runs do not have mean 0, so the model was fitted "
            "on others, or with sample_weight. Pass the runs that it was fitted on."
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
    if find_varied_pairs(packed, seeds) is not None:
        raise ValueError(
            "Only a few examples vary within pairs of these runs, which therefore say "
            "little about the others. Use infer_varied(runs) instead."
        )
    return packed, Y, seeds


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
