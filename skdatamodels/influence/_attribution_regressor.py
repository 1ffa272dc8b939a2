"""AttributionRegressor: an attribution matrix scaled to runs, as an estimator."""

import warnings

import numpy as np
from scipy import sparse

from skdatamodels._attribution_matrix import AttributionMatrix
from skdatamodels._scaling import exponents, scaled
from skdatamodels._shrunken_scales import centred_sums, shrunken_scales
from skdatamodels._sklearn_compat import fit_context
from skdatamodels.influence._attribution import Attribution
from skdatamodels.influence._mask_regressor import MaskRegressor

# Standard errors below 0 of the pooled scale. Random weights do not reach this.
_SURELY_REVERSED = 4


class AttributionRegressor(MaskRegressor):
    r"""Predict runs with an attribution matrix that is scaled to them.

    This allows influence functions, similarities and other attributions to be used
    wherever a :class:`~skdatamodels.regression.DatamodelRegressor` can be used: at the
    end of a pipeline, in a search, or in an application. The weights τ are converted to
    the unit of the outputs by one non-negative scale and one intercept per target:

    .. math:: y_{ij} \approx b_j + s_j \sum_k \mathrm{mask}_{ik} \tau_{jk} .

    Parameters
    ----------
    attribution : Attribution, AttributionMatrix, array-like or sparse matrix
        The weights τ, of shape (n_targets, n_train), in any unit. They must be positive
        if the presence of the example raises the output. An
        :class:`~skdatamodels.influence.Attribution` computes them in `fit`, and its
        parameters can be set here, for example as ``attribution__damping``. Wrap a
        large matrix in an :class:`~skdatamodels.regression.AttributionMatrix`, which
        clones share.
    exclude : array-like of int of shape (n_targets,), optional
        The training example that each target is, -1 for none. The target is scaled on
        the runs that did not see that example, and gives it no weight.

    Attributes
    ----------
    coef_ : float64 array of shape (n_targets, n_train), or (n_train,) for 1-d `y`
        Attribution matrix, in the unit of the output: `scale_` times the attribution. A
        CSR array (n_targets, n_train) if the attribution is sparse.
    intercept_ : float64 array of shape (n_targets,), or float for 1-d `y`
        Intercepts. The mean prediction over the fitted runs equals the mean output.
    scale_ : float64 array of shape (n_targets,), or float for 1-d `y`
        Scale of each target, in units of the output per unit of the attribution.
    pooled_scale_ : float
        The common scale that the scales are shrunk to.
    output_info_ : OutputInfo
        What the outputs measure, if X was TrainingRuns with this information.
    target_classes_ : array of shape (n_targets,) or None
        Class of each target, if X was TrainingRuns with this information.
    player_ids_ : array of shape (n_train,) or None
        Names of the columns, ids of training examples or labels of groups, if X was
        TrainingRuns with this information.
    target_ids_ : array of shape (n_targets,) or None
        Names of the targets, if X was TrainingRuns with this information.
    n_features_in_ : int
        Number of training examples.

    See Also
    --------
    skdatamodels.regression.DatamodelRegressor : Uses an attribution matrix as `prior`,
        and fits the remainder to the runs.
    DifferenceOfMeans : Computes weights from the runs only.

    Notes
    -----
    The scales are an empirical Bayes estimate. Let tᵢⱼ be the sum of the attributions
    of the examples that run i used, m the number of runs of target j, and S the sums of
    squares and products about the means over these runs. The least-squares scale of
    target j is ŝⱼ = Sₜᵧ/Sₜₜ, with variance vⱼ = (Sᵧᵧ - ŝⱼSₜᵧ)/((m - 2)·Sₜₜ). The true
    scales are assumed to vary about a pooled scale s with variance ω², so that ŝⱼ has
    variance vⱼ + ω². The moments of the ŝⱼ give ω² [1]_. With s₀ the mean of the ŝⱼ
    with weights 1/vⱼ,

    .. math:: \omega^2 = \max\left(0, \frac{\sum_j (\hat s_j - s_0)^2 / v_j - (n - 1)}
              {\sum_j 1/v_j - \sum_j 1/v_j^2 \,/\, \sum_j 1/v_j}\right),

    where n is the number of targets. Given ω² and the noise variances σⱼ² = vⱼSₜₜ, the
    pooled scale, the scales and the intercepts minimise the ridge objective

    .. math:: \sum_{ij} (y_{ij} - b_j - s_j t_{ij})^2 / \sigma_j^2
              + \sum_j (s_j - s)^2 / \omega^2 ,

    whose minimum is at s = Σ wⱼŝⱼ/Σ wⱼ with wⱼ = 1/(vⱼ + ω²), and
    sⱼ = s + (ŝⱼ - s)·ω²/(ω² + vⱼ). A negative pooled scale is set to 0, and then
    negative scales are set to 0, because the sign of an attribution is meaningful and
    must not be reversed. A target with fewer than three runs, or whose attributions
    predict the same for all runs, has the pooled scale. A target whose outputs are all
    equal has scale 0.

    With one target, the scale is that of least squares.

    References
    ----------
    .. [1] DerSimonian and Laird, "Meta-analysis in clinical trials", Controlled
       Clinical Trials 7, 1986.

    Examples
    --------
    The weights are correct except for their unit:

    >>> from skdatamodels.datasets import make_linear_runs
    >>> from skdatamodels.influence import AttributionRegressor
    >>> runs, coef = make_linear_runs(n_runs=500, n_train=20, n_informative=2)
    >>> model = AttributionRegressor(100 * coef).fit(runs[:400])
    >>> round(model.pooled_scale_, 3)
    0.01
    >>> round(model.score(runs[400:]), 1)
    0.9
    """

    _parameter_constraints = {
        "attribution": "no_validation",
        "exclude": ["array-like", None],
    }

    def __init__(self, attribution, *, exclude=None):
        self.attribution = attribution
        self.exclude = exclude

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, groups=None, sample_weight=None):
        """Compute the attributions, unless they are given, and scale them.

        Parameters
        ----------
        X : array-like of shape (n_runs, n_train), PackedMasks or TrainingRuns
            Masks, 0/1 or bool: which training examples each run used.
        y : array-like of shape (n_runs, n_targets) or (n_runs,), default=None
            Outputs. Not needed if X is TrainingRuns. If given, y is fitted instead of
            the outputs of the runs, and their output information is ignored. NaN means
            that a run has no output for the target; such runs are left out.
        groups : Ignored
            Not used, present for searches that hand groups to each of their candidates.
        sample_weight : array-like of shape (n_runs,), default=None
            Number of runs that each run counts as. Must not be negative. Weights that
            sum to less than (Σw)²/Σw² count as this number of runs; for n equal weights
            it is n.

        Returns
        -------
        self : AttributionRegressor
            The fitted regressor.

        Raises
        ------
        ValueError
            If an entry of the masks is neither 0 nor 1, lengths differ, an output is
            infinite, no target has an output, weights are negative or all 0, the
            attributions are not a finite matrix (n_targets, n_train), or excluded
            examples do not fit the data.
        TypeError
            If `attribution` is a function. Wrap it in an Attribution.

        Warns
        -----
        UserWarning
            If some targets have no output: their weights are 0 and their intercepts
            NaN. If the attributions of all targets together have the wrong sign: most
            scales are then 0. There is no warning for single targets whose scales are
            0 because their own sign is wrong; see `scale_`.
        """
        masks, outputs, known, one = self._check_runs(X, y, sample_weight, self.exclude)
        tau = _weights_of(self.attribution, (outputs.shape[1], masks.shape[1]))
        fitted = masks.dot(tau.T)
        # The same power of two for all targets, because their scales are compared.
        size, unit = exponents(outputs).max(), exponents(fitted).max()
        n_runs, x_mean, y_mean, *sums = centred_sums(
            known, scaled(fitted, unit), scaled(outputs, size)
        )
        scale, pooled, z = shrunken_scales(n_runs, *sums)
        intercept = np.where(n_runs > 0, y_mean - scale * x_mean, np.nan)
        _warn_if_reversed(z)
        coef = _rescaled(tau, scale, size - unit)
        if self.exclude is not None:
            _set_zero(coef, np.asarray(self.exclude))
        self._set_weights(coef, np.ldexp(intercept, size), one)
        scale = np.ldexp(scale, size - unit)
        self.scale_ = float(scale[0]) if one else scale
        self.pooled_scale_ = float(np.ldexp(pooled, size - unit))
        return self


def _weights_of(attribution, shape):
    """Return the matrix, given or computed; check its shape before computing."""
    if callable(attribution) and not isinstance(attribution, Attribution):
        raise TypeError(
            f"attribution is the function {attribution!r}, which needs its data. Pass "
            "Attribution(function, train, targets) from skdatamodels.influence, with "
            "other arguments by name."
        )
    computed = isinstance(attribution, Attribution)
    if not computed:
        attribution = AttributionMatrix.weights_of(attribution, "attribution")
    if attribution.shape != shape:
        raise ValueError(
            f"attribution has shape {attribution.shape}, but the runs have (n_targets, "
            f"n_train) = {shape}."
        )
    weights = attribution() if computed else attribution
    return weights.astype(np.float64, copy=False)


def _rescaled(tau, scale, exponent):
    """Multiply rows by scale·2ᵏ, where the factor alone may overflow."""
    if sparse.issparse(tau):
        coef = sparse.csr_array(sparse.diags_array(scale) @ tau)
        np.ldexp(coef.data, exponent, out=coef.data)
        return coef
    coef = scale[:, None] * tau
    return np.ldexp(coef, exponent, out=coef)


def _set_zero(coef, exclude):
    """Set the weight of one example of each target to 0, of none where it is -1."""
    if sparse.issparse(coef):
        example = np.repeat(exclude, np.diff(coef.indptr))
        coef.data[coef.indices == example] = 0
        coef.eliminate_zeros()
    else:
        targets = np.flatnonzero(exclude >= 0)
        coef[targets, exclude[targets]] = 0


def _warn_if_reversed(z):
    if z < -_SURELY_REVERSED:
        warnings.warn(
            "The attributions predict larger outputs where the outputs are smaller, so "
            "most scales are 0. They must be positive if the presence of an example "
            "raises the output. Attributions for a loss have the opposite sign of "
            "those for a margin.",
            UserWarning,
            stacklevel=4,
        )
