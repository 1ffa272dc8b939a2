"""The LASSO path of many targets by SAGA, streaming over packed masks."""

import os
from typing import NamedTuple

import numpy as np

from skdatamodels._random import entropy_from
from skdatamodels._scaling import exponents, scaled
from skdatamodels.masks import as_masks
from skdatamodels.masks.packed import row_blocks
from skdatamodels.regression import _saga
from skdatamodels.regression.convergence import warn_unless_converged

# Rounding errors of the average add up; an exact pass after this many epochs mends it.
_MOST_EPOCHS = 10
_LEAST_DECAY = 0.02


def saga_path(
    masks,
    y,
    *,
    lams,
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
    b, with U the m runs whose output for the target is not NaN,

    .. math:: \frac{1}{2m} \sum_{i \in U} (y_{ij} - \mathrm{mask}_i^\top w - b)^2
              + \lambda \textstyle\sum_k p_k |w_k| .

    It is for what :func:`lasso_path` can not hold: a Gram matrix too large for memory,
    or targets that each have usable runs of their own.

    Parameters
    ----------
    masks : PackedMasks or array-like of shape (n_runs, d)
        Packed masks may lie on a memory map; a batch of rows is read at a time.
    y : array of shape (n_runs, n_targets)
        Outputs, NaN where a run is not to be used for a target. The computation is in
        float32 if y is float32 or float16, else in float64.
    lams : array of shape (n_lams,) or (n_targets, n_lams)
        Strengths, decreasing along the path, in units of the output.
    tol : float, default=1e-4
        Stop at this duality gap, relative to the loss of the empty model, half the
        variance of the target's usable outputs.
    max_iter : int, default=1000
        Most epochs for each lam.
    batch_size : int, optional
        Number of runs in a step; by default about d/2, between 64 and 1024.
    penalty_factors : array of shape (d,) or (n_targets, d), optional
        Factors p of the penalty of each coefficient; positive, inf keeps a
        coefficient at 0. Default all 1.
    coef_init : array of shape (n_targets, d), optional
        Where to start; default 0.
    table_dtype : {"float16", "float32", "float64"}, optional
        How the table of residuals is stored; by default as it is computed. float16
        reaches the default `tol` and a good deal less.
    table_folder : path, optional
        Existing folder for a temporary file that holds the table instead of memory.
    random_state : int, RandomState instance, Generator or None, default=None
        Order of the runs. With the inputs it determines the result, up to the rounding
        of products, which may depend on the number of threads.
    ops : object, optional
        Device to compute on, with the methods of
        ``skdatamodels.regression._saga_kernels.NumpyOps``, which is the default.

    Returns
    -------
    coefs : array of shape (n_targets, n_lams, d)
    intercepts : array of shape (n_targets, n_lams)
        Optimal for these coefficients.
    gaps : float64 array of shape (n_targets, n_lams)
        Relative duality gaps reached.
    n_epochs : int array of shape (n_targets, n_lams)
        Epochs used, not counting the exact passes between them.

    Raises
    ------
    ValueError
        If shapes do not fit one another, an array holds inf (or NaN, but for y), a
        target has no usable run, lams are negative or increase, penalty factors are not
        positive, or a parameter is out of its range.

    Warns
    -----
    ConvergenceWarning
        If a gap is above `tol` after `max_iter` epochs.

    See Also
    --------
    lasso_path : Faster wherever one Gram matrix serves all targets.

    Notes
    -----
    Minibatch SAGA: all targets step on the same batch, by products of matrices, and a
    table of the residual that each run had last keeps the noise of the batches from
    mattering. The step size follows from the spectrum of the masks. Every few epochs an
    exact pass computes all residuals, duality gaps and the table anew; then a target
    whose gap is small enough goes on to its next lam, from where it is, or leaves.
    A constant target gets coefficients of 0.

    Memory: the result; y and the table, each (n_runs, n_targets), y in the dtype of the
    computation and the table in its own, in a file if there is a `table_folder`; three
    matrices (n_targets, d) for weights, average gradient and the gradient of a batch, a
    fourth if some outputs are NaN; a batch of dense masks.

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
    >>> y[masks[:, 2]] = np.nan  # runs that this target can not use
    >>> coefs, intercepts, gaps, n_epochs = saga_path(
    ...     masks, y, lams=[0.1, 0.01], random_state=0
    ... )
    >>> coefs[0, 1, :4].round(1) + 0.0
    array([ 1., -2.,  0.,  0.])
    >>> bool((gaps <= 1e-4).all())
    True
    """
    masks = as_masks(masks)
    _check_parameters(tol, max_iter, batch_size, table_dtype, table_folder)
    y, lams, penalty, w0 = _check_arrays(masks, y, lams, penalty_factors, coef_init)
    targets = _Targets.make(y)
    paths = _Paths.make(targets, lams, masks.n_train)
    if ops is None:
        from skdatamodels.regression._saga_kernels import NumpyOps

        ops = NumpyOps(targets.z.dtype)
    if (targets.scale > 0).any():
        rng = np.random.default_rng(entropy_from(random_state))
        # A step too long makes numbers overflow before it is halved.
        with np.errstate(over="ignore", invalid="ignore"):
            stream = _saga.Stream(masks, targets.z.dtype, ops, batch_size)
            if stream.variance > 0:
                table = np.dtype(table_dtype or targets.z.dtype), table_folder
                block = _start(stream, targets, penalty, w0, table, rng)
                _follow(stream, block, paths, tol, max_iter, rng)
    warn_unless_converged(paths.gaps, tol, max_iter)
    return paths.restored()


class _Targets(NamedTuple):
    """Outputs standardised, so that a table of float16 suits any unit."""

    z: np.ndarray  # (n_runs, n_targets), mean 0 and variance 1, NaN where not usable
    size: np.ndarray  # (n_targets,), exponents of 2 that the rest is in units of
    mean: np.ndarray  # (n_targets,)
    scale: np.ndarray  # (n_targets,), standard deviation; 0 for a constant target
    n_usable: np.ndarray  # (n_targets,)

    @classmethod
    def make(cls, y):
        blocks = list(row_blocks(len(y), 8 * y.shape[1]))
        n_usable = sum((~np.isnan(y[rows])).sum(axis=0) for rows in blocks)
        if (n_usable == 0).any():
            raise ValueError(f"Target {n_usable.argmin()} has no usable run: all NaN.")
        size = exponents(y)

        def average(power, shift):
            terms = (scaled(y[rows], size) - shift for rows in blocks)
            return sum(np.nansum(term**power, axis=0) for term in terms) / n_usable

        mean = average(1, 0)
        variance = average(2, mean)
        # What rounding the mean leaves of a constant is no variance.
        scale = np.sqrt(np.where(variance > 1e-24 * mean**2, variance, 0))
        z = np.empty(y.shape, np.float32 if y.dtype.itemsize <= 4 else np.float64)
        for rows in blocks:
            z[rows] = (scaled(y[rows], size) - mean) / np.where(scale > 0, scale, 1)
        return cls(z, size, mean, scale, n_usable)


class _Paths(NamedTuple):
    """What is found, to be filled in, and what leads from it back to the outputs."""

    coefs: np.ndarray  # (n_targets, n_lams, d)
    intercepts: np.ndarray  # (n_targets, n_lams)
    gaps: np.ndarray  # (n_targets, n_lams)
    n_epochs: np.ndarray  # (n_targets, n_lams)
    lams: np.ndarray  # (n_targets, n_lams), in units of the standardised output
    mean: np.ndarray  # (n_targets,), of the output; like `scale` in units of `size`
    scale: np.ndarray  # (n_targets,), of the output
    size: np.ndarray  # (n_targets,), exponents of 2

    @classmethod
    def make(cls, targets, lams, d):
        """Start from what is right for a constant target, or constant masks."""
        intercepts = np.repeat(targets.mean[:, None], lams.shape[1], axis=1)
        return cls(
            np.zeros((*lams.shape, d), targets.z.dtype),
            intercepts.astype(targets.z.dtype),
            np.zeros(lams.shape),
            np.zeros(lams.shape, np.int64),
            scaled(lams, targets.size[:, None])
            / np.where(targets.scale > 0, targets.scale, 1)[:, None],
            targets.mean,
            targets.scale,
            targets.size,
        )

    def restored(self):
        """Return what is found, weights and intercepts in units of the output."""
        for a in (self.coefs, self.intercepts):
            np.ldexp(a.T, self.size, out=a.T)
        return self.coefs, self.intercepts, self.gaps, self.n_epochs

    def lam(self, block):
        """Return the lam that each target is at (its last one, if it is done)."""
        return self.lams[block.target, np.minimum(block.k, self.lams.shape[1] - 1)]

    def working(self, block):
        """Say which targets are not done."""
        return block.k < self.lams.shape[1]

    def epochs(self, block):
        """Return the epochs that each target has spent at its lam."""
        return self.n_epochs[block.target, np.minimum(block.k, self.lams.shape[1] - 1)]


def _start(stream, targets, penalty, w0, table, rng):
    """Put all targets that are not constant into a block."""
    ops, dtype, d = stream.ops, stream.dtype, stream.d
    active = np.flatnonzero(targets.scale > 0)
    z = targets.z if len(active) == len(targets.scale) else targets.z[:, active].copy()
    n, n_usable = len(active), targets.n_usable[active].astype(np.float64)
    penalty = penalty if len(penalty) == 1 else penalty[active]
    w = np.zeros((n, d), dtype)
    if w0 is not None:
        start = scaled(w0[active], targets.size[active, None])
        w[:] = np.where(penalty < np.inf, start / targets.scale[active, None], 0)
    mask_mean = _saga.mask_means(stream, z)
    step = _saga.step_sizes(stream, n_usable, mask_mean, rng)
    return _saga.Block(
        target=active,
        k=np.zeros(n, np.int64),
        resolution=np.full(n, np.finfo(table[0]).eps, np.float64),
        n_usable=n_usable,
        step=step,
        longest_step=step.copy(),
        lam=np.zeros(n),
        gap=np.full(n, np.inf),
        objective=np.full(n, np.inf),
        decay=np.ones(n),
        w=ops.asarray(w),
        average=ops.zeros((n, d)),
        intercept=ops.zeros(n),
        table_mean=ops.zeros(n),
        mask_mean=ops.asarray(mask_mean.astype(dtype)),
        penalty=ops.asarray(penalty.astype(dtype)),
        y=ops.asarray(z),
        table=_saga.make_table(ops, z.shape, *table),
    )


def _follow(stream, block, paths, tol, max_iter, rng):
    """Lead every target of the block down its path."""
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
        # By then half of them should be there. It does not pay to measure sooner: that
        # costs as much as an epoch.
        need = np.median(np.log(block.gap[working] / tol) / block.decay[working])
        left = max_iter - paths.epochs(block)[working].max()
        most, epochs, finite = min(max(np.ceil(need), 1), _MOST_EPOCHS, left), 0, True
        while finite and epochs < most:
            finite = _saga.run_epoch(stream, block, rng)
            epochs += 1


def _measure_finite(stream, block, paths):
    """Measure; put a target that has diverged back to its last solution."""
    terms = _saga.measure(stream, block)
    diverged = np.flatnonzero(~np.isfinite(np.sum(terms, axis=0)))
    if len(diverged):
        ops, t, k = stream.ops, block.target[diverged], block.k[diverged]
        last = paths.coefs[t, np.maximum(k, 1) - 1] / paths.scale[t, None]
        block.w[diverged] = ops.asarray(last.astype(stream.dtype))
        block.intercept[diverged] = ops.zeros(len(diverged))
        block.longest_step[diverged] /= 4
        block.step = np.minimum(block.step, block.longest_step)
        terms = _saga.measure(stream, block)
    return terms


def _relative_gap(lam, square, largest, product, l1):
    """Duality gap divided by the loss of the empty model, 1/2.

    With residuals r of mean 0 and q their correlations, yᵀr/m = ‖r‖²/m + q·w. At the
    dual point s·r, with the largest s ≤ 1 for which abs(s·q) ≤ lam·p, the gap is
    (1 - s)²‖r‖²/2m + lam·Σ p·abs(w) - s·q·w.
    """
    with np.errstate(divide="ignore"):
        excess = np.divide(largest, lam, out=np.zeros_like(lam), where=largest > 0)
    s = 1 / np.maximum(excess, 1)
    return (1 - s) ** 2 * square + 2 * (lam * l1 - s * product)


def _learn(block, paths, terms, epochs, tol):
    """Count the epochs since the last measurement and judge them."""
    working = np.flatnonzero(paths.working(block))
    paths.n_epochs[block.target[working], block.k[working]] += epochs
    gap = _relative_gap(block.lam, *terms)
    objective = terms[0] / 2 + block.lam * terms[3]
    # SAGA need not descend at every step, but over an epoch it should.
    noise = 0.1 * tol + 10 * np.finfo(paths.coefs.dtype).eps
    block.longest_step[objective > block.objective + noise] /= 2
    # Gaps below the resolution of the table may be noise, in proportion to the step.
    stalled = (gap > 0.95 * block.gap) & (gap < block.resolution)
    change = np.where(stalled, 0.5, 1.4)
    block.step = np.minimum(change * block.step, block.longest_step)
    fell = (gap > 0) & (block.gap > 0) & np.isfinite(block.gap)
    rate = np.log(block.gap[fell] / gap[fell]) / epochs
    block.decay[fell] = np.maximum(rate, _LEAST_DECAY)


def _advance(stream, block, paths, terms, tol, max_iter):
    """Record what is solved; one measurement may do for several lams."""
    while True:
        block.lam = paths.lam(block)
        block.gap = _relative_gap(block.lam, *terms)
        block.objective = terms[0] / 2 + block.lam * terms[3]
        solved = (block.gap <= tol) | (paths.epochs(block) >= max_iter)
        rows = np.flatnonzero(solved & paths.working(block))
        if len(rows) == 0:
            return
        _record(stream, block, paths, rows)
        block.k[rows] += 1


def _record(stream, block, paths, rows):
    """Write solutions down in units of the outputs, for masks that are not centred."""
    t, k = block.target[rows], block.k[rows]
    w = stream.ops.to_numpy(block.w[rows])
    b = stream.ops.to_numpy(block.intercept[rows]).astype(np.float64)
    b -= w @ stream.centre.astype(np.float64)
    paths.coefs[t, k] = w * paths.scale[t, None]
    paths.intercepts[t, k] = paths.mean[t] + paths.scale[t] * b
    paths.gaps[t, k] = block.gap[rows]


def _check_parameters(tol, max_iter, batch_size, table_dtype, table_folder):
    if not tol > 0 or max_iter < 1 or (batch_size is not None and batch_size < 1):
        raise ValueError(
            "tol must be positive, max_iter and batch_size at least 1; got "
            f"{tol}, {max_iter} and {batch_size}."
        )
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


def _check_arrays(masks, y, lams, penalty, w0):
    y = y if isinstance(y, np.ndarray) else np.asarray(y)
    y = y if y.dtype.kind == "f" else y.astype(np.float64)
    if y.ndim != 2 or len(y) != len(masks):
        raise ValueError(
            f"y must be ({len(masks)}, n_targets) for these masks, got {y.shape}."
        )
    n, d = y.shape[1], masks.n_train
    lams = np.atleast_2d(np.asarray(lams, np.float64))
    lams = np.repeat(lams, n, axis=0) if len(lams) == 1 else lams
    penalty = np.atleast_2d(np.ones(d) if penalty is None else penalty)
    w0 = w0 if w0 is None else np.asarray(w0)
    if lams.ndim != 2 or len(lams) != n or (w0 is not None and w0.shape != (n, d)):
        raise ValueError(
            f"For {n} targets and d={d}, lams must be ({n}, n_lams) or (n_lams,), "
            f"coef_init ({n}, {d}); got {lams.shape}, {np.shape(w0)}."
        )
    if penalty.shape not in ((1, d), (n, d)) or not (penalty > 0).all():
        raise ValueError(
            f"penalty_factors must be positive, of shape ({d},) or ({n}, {d}); got "
            f"shape {penalty.shape}, minimum {penalty.min()}."
        )
    if any(np.isinf(y[rows]).any() for rows in row_blocks(len(y), 8 * n)):
        raise ValueError("y holds infinity; NaN stands for an output not to be used.")
    for name, array in {"lams": lams, "coef_init": w0}.items():
        if array is not None and not np.isfinite(array).all():
            raise ValueError(f"{name} holds NaN or infinity.")
    if (lams < 0).any() or (np.diff(lams) > 0).any():
        raise ValueError("lams must not be negative, and not increase along a path.")
    return y, lams, penalty, w0
