"""The LASSO paths of many targets on few runs, by descent on residuals."""

import numpy as np
from joblib import Parallel, delayed

from skdatamodels.masks import as_masks
from skdatamodels.regression._checks import check_limits
from skdatamodels.regression._convergence import warn_unless_converged
from skdatamodels.regression._solver import Settings
from skdatamodels.regression._targets import Paths, Targets, check_arrays

# joblib looks every 10 ms whether threads are done. Fewer lookups than this, for each
# target and lam a byte of the packed columns, do not take long enough to gain by them.
_LITTLE = 4_000_000


def residual_path(
    masks,
    y,
    *,
    lams,
    sample_weight=None,
    tol=1e-4,
    max_iter=1000,
    penalty_factors=None,
    coef_init=None,
    n_jobs=None,
):
    r"""Solve the LASSO for many targets, on fewer runs than training examples.

    For each target j and each of its lams this minimises, over weights w and intercept
    b, with U the runs whose output for the target is not NaN, s_i the weight of a run,
    and m their sum over U,

    .. math:: \frac{1}{2m} \sum_{i \in U} s_i (y_{ij} - \mathrm{mask}_i^\top w - b)^2
              + \lambda \textstyle\sum_k p_k |w_k| .

    No d × d matrix is formed.

    Parameters
    ----------
    masks : PackedMasks or array-like of shape (n_runs, d)
        Masks of the training subsets.
    y : array of shape (n_runs, n_targets)
        Outputs, NaN where a run is not to be used for a target. Weights are in float32
        if y is float32 or float16, else in float64.
    lams : array of shape (n_lams,) or (n_targets, n_lams)
        Strengths, decreasing along the path, in units of the output.
    sample_weight : array of shape (n_runs,), optional
        Weight of each run. Default all 1. A run of weight 2 counts as two runs.
    tol : float, default=1e-4
        Duality gap to reach, relative to the loss of the model without weights, which
        is half the variance of the target's usable outputs.
    max_iter : int, default=1000
        Maximum number of passes over the columns of a working set, for each lam.
    penalty_factors : array of shape (d,) or (n_targets, d), optional
        Positive factors p of the penalty of each coefficient. inf keeps a coefficient
        at 0. Default all 1.
    coef_init : array of shape (n_targets, d), optional
        Initial coefficients. Default 0.
    n_jobs : int, optional
        Number of threads, as in joblib. The result does not depend on it.

    Returns
    -------
    coefs : array of shape (n_targets, n_lams, d)
        Coefficients along the path of each target.
    intercepts : array of shape (n_targets, n_lams)
        Intercepts, optimal for these coefficients.
    gaps : float64 array of shape (n_targets, n_lams)
        Relative duality gaps reached, over all columns.
    n_iter : int array of shape (n_targets, n_lams)
        Number of passes used.

    Raises
    ------
    ValueError
        If shapes do not match, an array contains inf (or NaN, except y), a target has
        no usable run, weights or lams are negative, lams increase, or penalty factors,
        tol or max_iter are not positive.

    Warns
    -----
    ConvergenceWarning
        If a gap is above `tol` after `max_iter` passes. The smaller lams of the target
        are then not tried: they get the same weights, with their gaps at these lams.

    See Also
    --------
    lasso_path : Faster with more runs, as long as one Gram matrix fits into memory.

    Notes
    -----
    The method is cyclic coordinate descent on the Gram matrix of a working set. The set
    contains the columns with nonzero weights. When the gap of all columns is too large,
    at most as many others join (or 64, if that is more), those that violate their bound
    most. Each target has a solution with no more weights than runs, so the sets are
    small if there are few runs. Memory: the result, a copy of the packed masks by
    column, and in each thread 5 vectors of length d and 8 bytes for each pair of
    columns of a working set, which has up to about four times as many as weights.

    References
    ----------
    Massias, Gramfort, Salmon, "Celer: a fast solver for the LASSO with dual
    extrapolation", ICML 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.regression import residual_path
    >>> masks = np.random.default_rng(0).random((50, 2000)) < 0.5
    >>> y = masks[:, [0]] - 2.0 * masks[:, [1]] + 3.0
    >>> coefs, *_ = residual_path(masks, y, lams=[0.1, 0.01])
    >>> coefs[0, 1, :4].round(1) + 0.0
    array([ 1., -2.,  0.,  0.])
    """
    check_limits(tol, max_iter)
    found = solve(
        as_masks(masks),
        y,
        sample_weight,
        lams=lams,
        penalty_factors=penalty_factors,
        coef_init=coef_init,
        settings=Settings(tol=tol, max_iter=max_iter, n_jobs=n_jobs),
    )
    warn_unless_converged(found[2], tol, max_iter)
    return found


def solve(masks, y, sample_weight, *, lams, penalty_factors, coef_init, settings):
    """Solve like :func:`residual_path`, without checks of limits and warnings."""
    from skdatamodels.masks._popcount import pack_columns
    from skdatamodels.regression._residual.kernels import follow_path

    masks, y, sample_weight, lams, penalty, start = check_arrays(
        masks, y, sample_weight, lams, penalty_factors, coef_init
    )
    targets = Targets.make(y, sample_weight)
    paths = Paths.make(targets, lams, masks.n_train)
    words = pack_columns(np.ascontiguousarray(masks.bits), masks.n_train)
    penalty = penalty.astype(np.float64)
    root_of = np.sqrt(targets.weight)

    def follow(j):
        z, root = np.zeros((2, 64 * words.shape[1]))
        usable = np.flatnonzero(~np.isnan(targets.z[:, j]))
        root[usable] = root_of[usable]
        z[usable] = targets.z[usable, j] * root[usable]
        w = np.zeros(masks.n_train) if start is None else targets.standardised(start, j)
        found, factors = tuple(a[j] for a in paths[:4]), penalty[j % len(penalty)]
        limits = settings.tol, settings.max_iter
        follow_path(words, z, root, paths.lams[j], factors, w, *limits, found)
        paths.coefs[j] *= targets.scale[j]
        paths.intercepts[j] = targets.mean[j] + targets.scale[j] * paths.intercepts[j]

    each = np.flatnonzero(targets.scale > 0)
    little = len(each) * paths.lams.shape[1] * words.nbytes < _LITTLE
    Parallel(1 if little else settings.n_jobs, require="sharedmem")(
        delayed(follow)(j) for j in each
    )
    return paths.restored()
