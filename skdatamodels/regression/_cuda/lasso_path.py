"""The LASSO paths of many targets on a GPU, by products with the Gram matrix."""

import math
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from skdatamodels.regression._convergence import warn_unless_converged
from skdatamodels.regression._cuda.ops import CudaOps
from skdatamodels.regression._cuda.precision import precision
from skdatamodels.regression._cuda.products import (
    Halves,
    product,
    rough_product,
    split,
)
from skdatamodels.regression._gram.lasso_path import check_problem

# Power iteration underestimates the largest eigenvalue: by 1 or 2 % after this number
# of products, for a Gram matrix of masks, whose largest eigenvalues are close together.
# A step that is 5 % too short costs 2.5 % more iterations; one that is too long may
# prevent convergence.
_POWER_ITERATIONS = 100
_MARGIN = 1.05

# Idle lanes still take part in products. They are dropped if the share of the working
# lanes is below this.
_WORKING_SHARE = 0.8

# Iterations after which the product of a lane is computed precisely again.
_RENEWAL = 16

# Rows of length d for each lane, besides its solutions: 9 that are kept, and 7
# temporary ones for halves and products, or when all lanes go on to the next lam.
_MATRICES = 16


def lasso_path(
    gram,
    cov,
    y_var,
    *,
    lams,
    tol=1e-4,
    max_iter=1000,
    penalty_factors=None,
    coef_init=None,
    device="cuda",
    launcher=None,
    block_size=None,
):
    """Solve the LASSO for many targets with the same columns, on a GPU.

    The problem is that of :func:`skdatamodels.regression.lasso_path`; the method is a
    different one, in float32.

    Parameters
    ----------
    gram : array of shape (d, d)
        Symmetric Gram matrix.
    cov : array of shape (d, n_targets)
        Covariances of columns and targets.
    y_var : array of shape (n_targets,)
        Variance of each target. A target with ``y_var = 0`` is constant, and its
        coefficients are 0.
    lams : array of shape (n_lams,) or (n_targets, n_lams)
        Strengths, decreasing along the path, in units of output × mask.
    tol : float, default=1e-4
        Duality gap to reach, relative to y_var/2, the loss of the model without
        weights. Because of rounding to float32, gaps do not fall much below 1e-6.
    max_iter : int, default=1000
        Maximum number of iterations for each lam.
    penalty_factors : array of shape (d,) or (n_targets, d), optional
        Positive factors of the penalty of each coefficient. inf keeps a coefficient at
        0. Default all 1.
    coef_init : array of shape (n_targets, d), optional
        Initial coefficients. Default 0.
    device : str or torch.device, default="cuda"
        Device to compute on.
    launcher : object, optional
        Object that launches the kernels. Default
        ``skdatamodels.regression._cuda.CudaLauncher(device)``.
    block_size : int, optional
        Number of targets to solve side by side. Default: as many as fit into memory.

    Returns
    -------
    coefs : float32 array of shape (n_targets, n_lams, d)
        Coefficients along the path of each target, on the host.
    gaps : float64 array of shape (n_targets, n_lams)
        Relative duality gaps reached.
    n_iter : int array of shape (n_targets, n_lams)
        Number of iterations used, each with one product with the Gram matrix.

    Raises
    ------
    ValueError
        If shapes do not match, an array contains NaN or inf, lams are negative or
        increase, penalty factors are not positive, or the device is not a CUDA device.
    ImportError
        If torch or cuda-core is not installed.
    RuntimeError
        If there is no such device.

    Warns
    -----
    ConvergenceWarning
        If a gap is above `tol` after `max_iter` iterations.

    Notes
    -----
    The method is accelerated proximal gradient descent. Each target has its own
    momentum, which is reset whenever it points uphill. Each target also has its own
    position on its path: when its gap is reached, it goes on to its next lam, along the
    secant of the path. An iteration is one product for all targets, one kernel, and one
    transfer of the gaps to the host, which is cheap compared to a large product.

    Products use tensor cores. The product at the last solution, the anchor, is precise:
    it is a sum of three products in float16. Each iteration adds the product of the
    difference from the anchor, which is small, so that its factors can be rounded to
    float16. When the gap seems to be reached, the product is computed precisely again,
    and the gap from it decides. The algorithm that cuBLAS chooses depends on the number
    of targets, so the last digits of a result may depend on the other targets.

    References
    ----------
    Beck, Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear
    inverse problems", SIAM J. Imaging Sci. 2(1), 2009.

    O'Donoghue, Candès, "Adaptive restart for accelerated gradient schemes", Found.
    Comput. Math. 15, 2015.
    """
    gram, cov, y_var, lams, penalty, w0, size = check_problem(
        np.asarray(gram, np.float32), cov, y_var, lams, penalty_factors, coef_init
    )
    ops = CudaOps(device, launcher=launcher)
    on_device, (n_targets, n_lams), d = put_gram(ops, gram), lams.shape, len(gram)
    if block_size is None:
        block_size = targets_in_memory(ops.device, n_targets, d, n_lams)
    found = []
    for start in range(0, n_targets, block_size):
        b = slice(start, start + block_size)
        arrays = cov[b], y_var[b], lams[b], penalty if len(penalty) == 1 else penalty[b]
        paths = solve_on_device(ops, on_device, *arrays, w0[b], tol, max_iter)
        found.append(paths._replace(coefs=ops.to_numpy(paths.coefs)))
    coefs, gaps, n_iter = (np.concatenate(parts) for parts in zip(*found, strict=True))
    warn_unless_converged(gaps, tol, max_iter)
    return np.ldexp(coefs, size[:, None, None], out=coefs), gaps, n_iter


class Gram(NamedTuple):
    """A Gram matrix on the device."""

    halves: Halves  # (d, d)
    diagonal: Any  # (d,)
    step: float  # length of a step


def put_gram(ops, gram):
    """Copy a Gram matrix to the device, if it is not there, and prepare it.

    Returns
    -------
    gram : Gram
        The matrix, split for precise products.
    """
    gram = ops.asarray(gram)
    with precision("highest"):
        step = 1 / _largest_eigenvalue(gram)
    return Gram(split(gram), gram.diagonal().clone(), step)


def solve_on_device(ops, gram, cov, y_var, lams, penalty, w0, tol, max_iter):
    """Solve the paths of targets side by side; see `Problem`.

    Parameters
    ----------
    ops : CudaOps
        Operations on the device.
    gram : Gram
        Gram matrix on the device.
    cov, w0 : array or tensor of shape (n_targets, d)
        Covariances of columns and targets, and initial weights.
    y_var, lams : array of shape (n_targets,) and (n_targets, n_lams)
        Variance of each target, and strengths along its path.
    penalty : array or tensor of shape (1, d) or (n_targets, d)
        Factors of the penalty of each weight.
    tol : float
        See :func:`lasso_path`.
    max_iter : int
        See :func:`lasso_path`.

    Returns
    -------
    paths : Paths
        Solutions.
    """
    n_targets, n_lams = lams.shape
    w0 = ops.asarray(w0, np.float32)
    # steps do not change the weight of a constant column
    w0 = w0 * (gram.diagonal > 0)
    problem = Problem(
        ops.asarray(cov, np.float32),
        y_var,
        lams,
        ops.asarray(penalty, np.float32),
        w0,
        _secant_steps(lams),
    )
    paths = Paths(
        ops.zeros((n_targets, n_lams, len(gram.diagonal))),
        np.empty((n_targets, n_lams)),
        np.zeros((n_targets, n_lams), np.int64),
    )
    lanes = Lanes.start(ops, gram, problem)
    _follow_paths(ops, gram, problem, paths, lanes, tol, max_iter)
    return paths


class Problem(NamedTuple):
    """Targets to solve: matrices with d columns on the device, the rest on the host."""

    cov: Any  # (n_targets, d)
    y_var: np.ndarray  # (n_targets,)
    lams: np.ndarray  # (n_targets, n_lams)
    penalty: Any  # (1, d) or (n_targets, d)
    w0: Any  # (n_targets, d)
    secant: np.ndarray  # (n_targets, n_lams), see `_secant_steps`


class Paths(NamedTuple):
    """Solutions, to be filled in; `n_iter` starts at zero."""

    coefs: Any  # (n_targets, n_lams, d), on the device
    gaps: np.ndarray  # (n_targets, n_lams)
    n_iter: np.ndarray  # (n_targets, n_lams)


@dataclass
class Lanes:
    """State of the targets that are being solved: arrays with a row for each lane.

    All except the first three are tensors on the device.
    """

    target: np.ndarray  # (n_lanes,); -1 if the lane is idle
    k: np.ndarray  # (n_lanes,), index of the lam
    age: np.ndarray  # (n_lanes,), iterations since `anchor` was set
    w: Any  # (n_lanes, d)
    w_next: Any  # (n_lanes, d)
    w_before: Any  # (n_lanes, d), at the previous lam
    w_product: Any  # (n_lanes, d), see `CudaOps.fista_step`
    z: Any  # (n_lanes, d)
    cov: Any  # (n_lanes, d)
    penalty: Any  # (1, d) or (n_lanes, d)
    y_var: Any  # (n_lanes,)
    lam: Any  # (n_lanes,)
    t: Any  # (n_lanes,), from which the momentum is computed
    momentum: Any  # (n_lanes,), with which z was computed
    anchor: Any  # (n_lanes, d), where the product is known precisely
    anchor_product: Any  # (n_lanes, d)

    @classmethod
    def start(cls, ops, gram, problem):
        """Start all targets at their first lam."""
        n, d = problem.cov.shape
        w = problem.w0.clone()
        w[ops.asarray(problem.y_var == 0)] = 0
        return cls(
            target=np.arange(n),
            k=np.zeros(n, np.int64),
            age=np.zeros(n, np.int64),
            w=w,
            w_next=ops.zeros((n, d)),
            w_before=ops.zeros((n, d)),
            w_product=ops.zeros((n, d)),
            z=w.clone(),
            cov=problem.cov,
            penalty=problem.penalty,
            y_var=ops.asarray(problem.y_var),
            lam=ops.asarray(problem.lams[:, 0], np.float32),
            t=ops.zeros(n) + 1,
            momentum=ops.zeros(n),
            anchor=w.clone(),
            anchor_product=product(split(w, by_row=True), gram.halves),
        )

    def drop_resting(self, ops):
        """Drop the idle lanes."""
        keep = np.flatnonzero(self.target >= 0)
        keep_on_device = ops.asarray(keep)
        for field in fields(self):
            array = getattr(self, field.name)
            if field.name != "penalty" or len(array) > 1:
                rows = keep if isinstance(array, np.ndarray) else keep_on_device
                setattr(self, field.name, array[rows])


def _follow_paths(ops, gram, problem, paths, lanes, tol, max_iter):
    """Solve the paths of the targets in `lanes` and fill `paths`."""
    while (working := lanes.target >= 0).any():
        if working.mean() < _WORKING_SHARE:
            lanes.drop_resting(ops)
            continue
        gap, overshoots = _iterate(ops, gram, lanes)
        at = lanes.target, lanes.k
        given_up = paths.n_iter[at] >= max_iter
        lanes.age += 1
        near = working & ((gap <= tol) | given_up | (lanes.age >= _RENEWAL))
        if near.any():
            gap[near] = _renew_anchors(ops, gram, lanes, np.flatnonzero(near))
        solved = working & ((gap <= tol) | given_up)
        going_on = working & ~solved
        paths.n_iter[lanes.target[going_on], lanes.k[going_on]] += 1
        if (restart := overshoots & going_on).any():
            _restart(lanes, ops.asarray(np.flatnonzero(restart)), lanes.w_next)
        # The gap is that of w, so w is kept until here; w_next is a step ahead.
        if solved.any():
            _record_and_advance(ops, problem, paths, lanes, solved, gap)
        lanes.w, lanes.w_next = lanes.w_next, lanes.w


def _iterate(ops, gram, lanes):
    """Compute `w_next` and z; return the gaps at `w`, and whether to restart."""
    import torch

    t_next = (1 + torch.sqrt(1 + 4 * lanes.t**2)) / 2
    next_momentum = (lanes.t - 1) / t_next
    way = split(lanes.z - lanes.anchor, by_row=True)
    sums, excess = ops.fista_step(
        lanes.z,
        rough_product(way, gram.halves).add_(lanes.anchor_product),
        lanes.cov,
        lanes.w,
        lanes.w_next,
        lanes.w_product,
        lanes.momentum,
        next_momentum,
        gram.step,
        lanes.lam,
        lanes.penalty,
    )
    lanes.t, lanes.momentum = t_next, next_momentum
    gap = _relative_gaps(lanes.y_var, *sums[:3], excess.double())
    gap, along = ops.to_numpy(torch.stack([gap, sums[3]]))
    return gap, along > 0


def _renew_anchors(ops, gram, lanes, rows):
    """Compute products at the `w` of some lanes precisely; return their gaps."""
    import torch

    lanes.age[rows] = 0
    rows = ops.asarray(rows)
    w, cov, lam = lanes.w[rows], lanes.cov[rows], lanes.lam[rows].double()
    precise = product(split(w, by_row=True), gram.halves)
    lanes.anchor[rows], lanes.anchor_product[rows] = w, precise
    lanes.w_product[rows] = precise
    penalty = lanes.penalty if len(lanes.penalty) == 1 else lanes.penalty[rows]
    terms = ops.dual_terms(cov - precise, w, penalty.contiguous())
    largest, q_w, l1 = (ops.asarray(term) for term in terms)
    excess = torch.where(largest > lam, largest / lam, 1)
    cov_w = (cov.double() * w).sum(1)
    gap = _relative_gaps(lanes.y_var[rows], cov_w, q_w, lam * l1, excess)
    return ops.to_numpy(gap)


def _relative_gaps(y_var, cov_w, q_w, penalty, excess):
    """Return duality gaps relative to the loss at w = 0; inf if not finite.

    As in coordinate descent: with residual r, ‖r‖²/m = y_var - covᵀw - qᵀw and
    yᵀr/m = y_var - covᵀw; s·r is dual feasible.
    """
    import torch

    s, rr = 1 / excess, y_var - cov_w - q_w
    gap = rr / 2 + penalty - s * (y_var - cov_w) + s * s * rr / 2
    gap = torch.where(y_var > 0, gap / (y_var / 2), 0)
    return torch.nan_to_num(gap, nan=torch.inf, posinf=torch.inf)


def _restart(lanes, rows, w):
    """Reset the momentum of some lanes, which continue from `w`."""
    lanes.z[rows] = w[rows]
    lanes.momentum[rows] = 0
    lanes.t[rows] = (1 + 5**0.5) / 2  # the value after 1


def _record_and_advance(ops, problem, paths, lanes, solved, gap):
    """Record the lanes that are solved, and set them to their next lam or to idle."""
    targets, k = lanes.target[solved], lanes.k[solved]
    w = lanes.w[ops.asarray(np.flatnonzero(solved))]
    paths.coefs[targets, k] = w
    paths.gaps[targets, k] = gap[solved]
    more = k + 1 < problem.lams.shape[1]
    lanes.target[solved] = np.where(more, targets, -1)
    lanes.k[solved] = np.where(more, k + 1, 0)
    if not more.any():
        return
    targets, k, w = targets[more], k[more] + 1, w[ops.asarray(more)]
    rows = ops.asarray(np.flatnonzero(solved)[more])
    step = ops.asarray(problem.secant[targets, k])
    start = w + step[:, None] * (w - lanes.w_before[rows])
    lanes.w_before[rows] = w
    lanes.w_next[rows] = start
    lanes.lam[rows] = ops.asarray(problem.lams[targets, k], np.float32)
    _restart(lanes, rows, lanes.w_next)


def _secant_steps(lams):
    """Return the length of the secant step to each lam; paths are piecewise linear.

    The unit is the distance between the two previous lams; a step is at most 1.
    """
    ways = lams[:, :-1] - lams[:, 1:]
    steps = np.zeros_like(lams)
    np.divide(ways[:, 1:], ways[:, :-1], out=steps[:, 2:], where=ways[:, :-1] > 0)
    return steps.clip(max=1)


def _largest_eigenvalue(gram):
    """Return a bound of the largest eigenvalue that holds almost surely."""
    import torch

    generator = torch.Generator().manual_seed(0)
    v = torch.randn(
        *(1, len(gram)), generator=generator, dtype=torch.float32, device="cpu"
    ).to(gram.device)
    for _ in range(_POWER_ITERATIONS):
        v = (v / v.norm().clamp_min(torch.finfo(v.dtype).tiny)) @ gram
    largest = _MARGIN * v.norm().item()  # of gram times a unit vector
    return largest if largest > 0 else 1.0


def targets_in_memory(device, n_targets, d, n_lams):
    """Return how many targets, with `n_lams` lams each, fit into memory."""
    of_target = (_MATRICES + n_lams) * 4 * d
    most = min(0.8 * free_memory(device) / of_target, n_targets)
    return max(1, int(most))


def free_memory(device):
    """Return the free memory of a GPU in bytes; infinity for the CPU."""
    if device.type != "cuda":
        return math.inf
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    # The memory that torch has reserved is available too.
    return (
        free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    )
