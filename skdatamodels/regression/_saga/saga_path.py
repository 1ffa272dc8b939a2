"""The LASSO paths of many targets by SAGA, streaming over packed masks."""

import os

import numpy as np

from skdatamodels._random import entropy_from
from skdatamodels.masks import as_masks
from skdatamodels.regression._checks import check_limits
from skdatamodels.regression._convergence import warn_unless_converged
from skdatamodels.regression._saga import minibatch
from skdatamodels.regression._solver import Settings
from skdatamodels.regression._targets import Paths, Targets, check_arrays

# Rounding errors of the average add up: after at most this many epochs, an exact pass
# computes it again.
_MOST_EPOCHS = 10
_LEAST_DECAY = 0.02


def saga_path(
    masks,
    y,
    *,
    lams,
    sample_weight=None,
    tol=1e-4,
    max_iter=1000,
    batch_size=None,
    penalty_factors=None,
    coef_init=None,
    table_dtype=None,
    table_folder=None,
    random_state=None,
    ops=None,
):
    r"""Solve the LASSO for many targets on a stream of masks.

    For each target j and each of its lams this minimises, over weights w and intercept
    b, with U the runs whose output for the target is not NaN, s_i the weight of a run,
    and m their sum over U,

    .. math:: \frac{1}{2m} \sum_{i \in U} s_i (y_{ij} - \mathrm{mask}_i^\top w - b)^2
              + \lambda \textstyle\sum_k p_k |w_k| .

    Use it where :func:`lasso_path` does not work: if the Gram matrix is too large for
    memory, or if each target has its own usable runs.

    Parameters
    ----------
    masks : PackedMasks or array-like of shape (n_runs, d)
        Masks of the training subsets. Packed masks may be a memory map; a batch of rows
        is read at a time.
    y : array of shape (n_runs, n_targets)
        Outputs, NaN where a run is not to be used for a target. The computation is in
        float32 if y is float32 or float16, else in float64.
    lams : array of shape (n_lams,) or (n_targets, n_lams)
        Strengths, decreasing along the path, in units of the output.
    sample_weight : array of shape (n_runs,), optional
        Weight of each run. Default all 1. A run of weight 2 counts as two runs.
    tol : float, default=1e-4
        Duality gap to reach, relative to the loss of the model without weights, which
        is half the variance of the target's usable outputs.
    max_iter : int, default=1000
        Maximum number of epochs for each lam.
    batch_size : int, optional
        Number of runs in a step. Default about d/2, between 64 and 1024.
    penalty_factors : array of shape (d,) or (n_targets, d), optional
        Positive factors p of the penalty of each coefficient. inf keeps a coefficient
        at 0. Default all 1.
    coef_init : array of shape (n_targets, d), optional
        Initial coefficients. Default 0.
    table_dtype : {"float16", "float32", "float64"}, optional
        Type of the table of residuals. Default: that of the computation. float16 is
        precise enough for the default `tol`, and for much smaller ones.
    table_folder : path, optional
        Existing folder for a temporary file that holds the table. Default: the table is
        in memory.
    random_state : int, RandomState instance, Generator or None, default=None
        Seed of the order of the runs. An int makes the result reproducible, up to the
        rounding of products, which may depend on the number of threads.
    ops : object, optional
        Device to compute on, with the methods of
        ``skdatamodels.regression._saga.kernels.NumpyOps``, which is the default.

    Returns
    -------
    coefs : array of shape (n_targets, n_lams, d)
        Coefficients along the path of each target.
    intercepts : array of shape (n_targets, n_lams)
        Intercepts, optimal for these coefficients.
    gaps : float64 array of shape (n_targets, n_lams)
        Relative duality gaps reached.
    n_epochs : int array of shape (n_targets, n_lams)
        Number of epochs used, without the exact passes between them.

    Raises
    ------
    ValueError
        If shapes do not match, an array contains inf (or NaN, except y), a target has
        no usable run, weights or lams are negative, lams increase, penalty factors are
        not positive, or a parameter is out of its range.

    Warns
    -----
    ConvergenceWarning
        If a gap is above `tol` after `max_iter` epochs. The smaller lams of the target
        are then not tried: they get the same weights, with their gaps at these lams.

    See Also
    --------
    lasso_path : Faster if one Gram matrix can be used for all targets.

    Notes
    -----
    The method is minibatch SAGA. All targets step on the same batch, by matrix
    products, and a table of the last residual of each run reduces the noise of the
    batches. The step size is computed from the spectrum of the masks. Every few epochs
    an exact pass computes all residuals, the duality gaps and the table again. A target
    whose gap is small enough then goes on to its next lam, from its current weights, or
    is finished. A constant target gets coefficients of 0.

    Memory: the result; y and the table, both of shape (n_runs, n_targets), y in the
    dtype of the computation and the table in `table_dtype`, in a file if there is a
    `table_folder`; three matrices (n_targets, d) for weights, average gradient and the
    gradient of a batch, and a fourth if some outputs are NaN; a batch of dense masks.

    References
    ----------
    Ilyas et al., "Datamodels: Predicting Predictions from Training Data", 2022,
    appendix E.1.

    Defazio, Bach, Lacoste-Julien, "SAGA: a fast incremental gradient method with
    support for non-strongly convex composite objectives", NeurIPS 2014.

    Gazagnadou, Gower, Salmon, "Optimal mini-batch and step sizes for SAGA", ICML 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.regression import saga_path
    >>> masks = np.random.default_rng(0).random((500, 20)) < 0.5
    >>> y = masks[:, [0]] - 2.0 * masks[:, [1]] + 3.0
    >>> y[masks[:, 2]] = np.nan  # runs that this target cannot use
    >>> coefs, intercepts, gaps, n_epochs = saga_path(
    ...     masks, y, lams=[0.1, 0.01], random_state=0
    ... )
    >>> coefs[0, 1, :4].round(1) + 0.0
    array([ 1., -2.,  0.,  0.])
    >>> bool((gaps <= 1e-4).all())
    True
    """
    check_limits(tol, max_iter)
    _check_parameters(batch_size, table_dtype, table_folder)
    found = solve(
        as_masks(masks),
        y,
        sample_weight,
        lams=lams,
        penalty_factors=penalty_factors,
        coef_init=coef_init,
        settings=Settings(
            tol=tol, max_iter=max_iter, seed=entropy_from(random_state), ops=ops
        ),
        batch_size=batch_size,
        table_dtype=table_dtype,
        table_folder=table_folder,
    )
    warn_unless_converged(found[2], tol, max_iter)
    return found


def solve(
    masks,
    y,
    sample_weight,
    *,
    lams,
    penalty_factors,
    coef_init,
    settings,
    batch_size=None,
    table_dtype=None,
    table_folder=None,
):
    """Solve like :func:`saga_path`, without checks of parameters and warnings."""
    masks, y, sample_weight, lams, penalty, w0 = check_arrays(
        masks, y, sample_weight, lams, penalty_factors, coef_init
    )
    targets = Targets.make(y, sample_weight)
    paths = _Paths.make(targets, lams, masks.n_train)
    ops, dtype = settings.ops, targets.z.dtype
    if ops is None:
        from skdatamodels.regression._saga.kernels import NumpyOps

        ops = NumpyOps(dtype)
    if (targets.scale > 0).any():
        rng = np.random.default_rng(settings.seed)
        weight = None if sample_weight is None else targets.weight
        # A step that is too long may make numbers overflow before it is halved.
        with np.errstate(over="ignore", invalid="ignore"):
            stream = minibatch.Stream(masks, weight, dtype, ops, batch_size)
            if stream.variance > 0:
                table = np.dtype(table_dtype or dtype), table_folder
                block = _start(stream, targets, penalty, w0, table, rng)
                _follow(stream, block, paths, settings.tol, settings.max_iter, rng)
    return paths.restored()


class _Paths(Paths):
    """Solutions, and the positions of the targets of a block on their paths."""

    def lam(self, block):
        """Return the current lam of each target, the last one if it is done."""
        return self.lams[block.target, np.minimum(block.k, self.lams.shape[1] - 1)]

    def working(self, block):
        """Return which targets are not done."""
        return block.k < self.lams.shape[1]

    def epochs(self, block):
        """Return the number of epochs of each target at its current lam."""
        return self.n_epochs[block.target, np.minimum(block.k, self.lams.shape[1] - 1)]


def _start(stream, targets, penalty, w0, table, rng):
    """Put all targets that are not constant into a block."""
    ops, dtype, d = stream.ops, stream.dtype, stream.d
    active = np.flatnonzero(targets.scale > 0)
    z = targets.z if len(active) == len(targets.scale) else targets.z[:, active].copy()
    n, total = len(active), targets.total[active].astype(np.float64)
    penalty = penalty if len(penalty) == 1 else penalty[active]
    w = np.zeros((n, d), dtype)
    if w0 is not None:
        w[:] = np.where(penalty < np.inf, targets.standardised(w0, active), 0)
    mask_mean = minibatch.mask_means(stream, z, total)
    step = minibatch.step_sizes(stream, total, mask_mean, rng)
    return minibatch.Block(
        target=active,
        k=np.zeros(n, np.int64),
        resolution=np.full(n, np.finfo(table[0]).eps, np.float64),
        total=total,
        step=step,
        longest_step=step.copy(),
        lam=np.zeros(n),
        gap=np.full(n, np.inf),
        objective=np.full(n, np.inf),
        decay=np.ones(n),
        given_up=np.zeros(n, bool),
        w=ops.asarray(w),
        average=ops.zeros((n, d)),
        intercept=ops.zeros(n),
        table_mean=ops.zeros(n),
        mask_mean=ops.asarray(mask_mean.astype(dtype)),
        penalty=ops.asarray(penalty.astype(dtype)),
        y=ops.asarray(z),
        table=minibatch.make_table(ops, z.shape, *table),
    )


def _follow(stream, block, paths, tol, max_iter, rng):
    """Solve the path of every target of the block."""
    epochs = 0
    while True:
        terms = _measure_finite(stream, block, paths)
        if epochs:
            _learn(block, paths, terms, epochs, tol)
        _advance(stream, block, paths, terms, tol, max_iter)
        working = paths.working(block)
        if not working.any():
            return
        if working.sum() <= len(working) / 2:
            block.keep(np.flatnonzero(working))
            working = paths.working(block)
        # After this number of epochs, half of the targets should have reached their
        # gap. To measure sooner is not worth it: that costs as much as an epoch.
        need = np.median(np.log(block.gap[working] / tol) / block.decay[working])
        left = max_iter - paths.epochs(block)[working].max()
        most, epochs, finite = min(max(np.ceil(need), 1), _MOST_EPOCHS, left), 0, True
        while finite and epochs < most:
            finite = minibatch.run_epoch(stream, block, rng)
            epochs += 1


def _measure_finite(stream, block, paths):
    """Measure; reset targets that have diverged to their last solution."""
    terms = minibatch.measure(stream, block)
    diverged = np.flatnonzero(~np.isfinite(np.sum(terms, axis=0)))
    if len(diverged):
        ops, t, k = stream.ops, block.target[diverged], block.k[diverged]
        last = paths.coefs[t, np.maximum(k, 1) - 1] / paths.scale[t, None]
        block.w[diverged] = ops.asarray(last.astype(stream.dtype))
        block.intercept[diverged] = ops.zeros(len(diverged))
        block.longest_step[diverged] /= 4
        block.step = np.minimum(block.step, block.longest_step)
        terms = minibatch.measure(stream, block)
    return terms


def _relative_gap(lam, square, largest, product, l1):
    """Return the duality gap divided by 1/2, the loss of the model without weights.

    With residuals r of mean 0 and q their correlations, yᵀr/m = ‖r‖²/m + q·w. At the
    dual point s·r, with the largest s ≤ 1 for which abs(s·q) ≤ lam·p, the gap is
    (1 - s)²‖r‖²/2m + lam·Σ p·abs(w) - s·q·w.
    """
    with np.errstate(divide="ignore"):
        excess = np.divide(largest, lam, out=np.zeros_like(lam), where=largest > 0)
    s = 1 / np.maximum(excess, 1)
    return (1 - s) ** 2 * square + 2 * (lam * l1 - s * product)


def _learn(block, paths, terms, epochs, tol):
    """Count the epochs since the last measurement, and adapt the steps."""
    working = np.flatnonzero(paths.working(block))
    paths.n_epochs[block.target[working], block.k[working]] += epochs
    gap = _relative_gap(block.lam, *terms)
    objective = terms[0] / 2 + block.lam * terms[3]
    # SAGA need not descend in every step, but it should over an epoch.
    noise = 0.1 * tol + 10 * np.finfo(paths.coefs.dtype).eps
    block.longest_step[objective > block.objective + noise] /= 2
    # A gap below the resolution of the table may be noise, proportional to the step.
    stalled = (gap > 0.95 * block.gap) & (gap < block.resolution)
    change = np.where(stalled, 0.5, 1.4)
    block.step = np.minimum(change * block.step, block.longest_step)
    fell = (gap > 0) & (block.gap > 0) & np.isfinite(block.gap)
    rate = np.log(block.gap[fell] / gap[fell]) / epochs
    block.decay[fell] = np.maximum(rate, _LEAST_DECAY)


def _advance(stream, block, paths, terms, tol, max_iter):
    """Record the targets that are solved; one measurement may solve several lams.

    A target that did not reach its gap gives up, because its smaller lams would take
    even longer. They get the same weights, with their gaps at these lams.
    """
    while True:
        block.lam = paths.lam(block)
        block.gap = _relative_gap(block.lam, *terms)
        block.objective = terms[0] / 2 + block.lam * terms[3]
        block.given_up |= (paths.epochs(block) >= max_iter) & ~(block.gap <= tol)
        solved = (block.gap <= tol) | block.given_up
        rows = np.flatnonzero(solved & paths.working(block))
        if len(rows) == 0:
            return
        _record(stream, block, paths, rows)
        block.k[rows] += 1


def _record(stream, block, paths, rows):
    """Store solutions in units of the outputs, for masks that are not centred."""
    t, k = block.target[rows], block.k[rows]
    w = stream.ops.to_numpy(block.w[rows])
    b = stream.ops.to_numpy(block.intercept[rows]).astype(np.float64)
    b -= w @ stream.centre.astype(np.float64)
    paths.coefs[t, k] = w * paths.scale[t, None]
    paths.intercepts[t, k] = paths.mean[t] + paths.scale[t] * b
    paths.gaps[t, k] = block.gap[rows]


def _check_parameters(batch_size, table_dtype, table_folder):
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
    if table_dtype is not None and np.dtype(table_dtype).name not in (
        "float16",
        "float32",
        "float64",
    ):
        raise ValueError(
            f"table_dtype must be float16, float32 or float64, got {table_dtype}."
        )
    if table_folder is not None and not os.path.isdir(table_folder):
        raise ValueError(f"table_folder {os.fspath(table_folder)!r} is not a folder.")
