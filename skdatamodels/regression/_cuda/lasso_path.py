"""The LASSO path of many targets on a GPU, a product with the Gram matrix at a time."""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from skdatamodels.regression._convergence import warn_unless_converged
from skdatamodels.regression._cuda.ops import CudaOps
from skdatamodels.regression._cuda.precision import precision
from skdatamodels.regression._gram.lasso_path import check_problem

# Power iteration ends below the largest eigenvalue; at the dense upper end of a Gram
# matrix of masks by 1 or 2 % after so many products. A step 5 % too short costs 2.5 %
# more iterations, one that is too long could cost convergence.
_POWER_ITERATIONS = 100
_MARGIN = 1.05

# Lanes at rest still take part in products: below this share of working lanes, the
# others are thrown out.
_WORKING_SHARE = 0.8

# Rows of length d for each lane: 7 of its own, and 5 for a moment when all go on to
# another lam.
_MATRICES = 12


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
    """Solve the LASSO for many targets that share their columns, on a GPU.

    The same problem as that of :func:`skdatamodels.regression.lasso_path`, solved by
    another method, in float32.

    Parameters
    ----------
    gram : array of shape (d, d)
        Symmetric.
    cov : array of shape (d, n_targets)
    y_var : array of shape (n_targets,)
        A target with ``y_var = 0`` is constant: its coefficients are 0.
    lams : array of shape (n_lams,) or (n_targets, n_lams)
        Strengths, decreasing along the path, in units of output × mask.
    tol : float, default=1e-4
        Stop at this duality gap, relative to the loss of the empty model, y_var/2.
        Rounding to float32 keeps a gap from falling much below 1e-6.
    max_iter : int, default=1000
        Most iterations for each lam.
    penalty_factors : array of shape (d,) or (n_targets, d), optional
        Factors of the penalty of each coefficient; positive, inf keeps a coefficient
        at 0. Default all 1.
    coef_init : array of shape (n_targets, d), optional
        Where to start; default 0.
    device : str or torch.device, default="cuda"
    launcher : object, optional
        What launches the kernels; default
        ``skdatamodels.regression._cuda.CudaLauncher(device)``.
    block_size : int, optional
        Targets to solve side by side; default as many as there is memory for.

    Returns
    -------
    coefs : float32 array of shape (n_targets, n_lams, d)
        On the host.
    gaps : float64 array of shape (n_targets, n_lams)
        Relative duality gaps reached.
    n_iter : int array of shape (n_targets, n_lams)
        Iterations used, a product with the Gram matrix each.

    Raises
    ------
    ValueError
        If shapes do not fit one another, an array holds NaN or inf, lams are negative
        or increase, penalty factors are not positive, or the device is not of CUDA.
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
    Accelerated proximal gradient steps, with a momentum of its own for each target,
    given up whenever it points uphill. Each target is at its own place on its path: it
    goes on to its next lam, along the secant of the path, when its gap is reached. An
    iteration is one product for all targets, a kernel, and one look from the host at
    the gaps, which costs little where the product is large. Products are in full
    float32: the 10 bits of TF32 are too few for gaps of 1e-4. Which algorithm cuBLAS
    picks depends on the number of targets, so that their numbers may differ in the
    last digits from what they would be alone.

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
    matrix = put_gram(ops, gram)
    paths = solve_on_device(
        *matrix, cov, y_var, lams, penalty, w0, tol, max_iter, block_size=block_size
    )
    warn_unless_converged(paths.gaps, tol, max_iter)
    np.ldexp(paths.coefs, size[:, None, None], out=paths.coefs)
    return paths


def put_gram(ops, gram):
    """Put a Gram matrix on the device.

    Returns
    -------
    gram : tensor of shape (d, d)
    context : tuple
        What :func:`solve_on_device` wants besides: `ops`, and the length of a step.
    """
    with precision("highest"):
        gram = ops.asarray(gram)
        return gram, (ops, 1 / _largest_eigenvalue(gram))


def solve_on_device(
    gram,
    context,
    cov,
    y_var,
    lams,
    penalty,
    w0,
    tol,
    max_iter,
    block_size=None,
):
    """Solve the paths of targets, see `Problem`, on a Gram matrix on the device."""
    ops, step = context
    (n_targets, n_lams), d = lams.shape, len(gram)
    # no step would move a constant column
    w0 = np.where(ops.to_numpy(gram.diagonal()) > 0, w0, 0)
    problem = Problem(cov, y_var, lams, penalty, w0, _secant_steps(lams))
    paths = Paths(
        np.empty((n_targets, n_lams, d), np.float32),
        np.empty((n_targets, n_lams)),
        np.zeros((n_targets, n_lams), np.int64),
    )
    if block_size is None:
        block_size = _targets_in_memory(ops.device, n_targets, d)
    with precision("highest"):
        for start in range(0, n_targets, block_size):
            targets = np.arange(start, min(start + block_size, n_targets))
            lanes = Lanes.start(ops, problem, targets)
            _follow_paths(ops, gram, step, problem, paths, lanes, tol, max_iter)
    return paths


class Problem(NamedTuple):
    """Targets to solve, on the host."""

    cov: np.ndarray  # (n_targets, d)
    y_var: np.ndarray  # (n_targets,)
    lams: np.ndarray  # (n_targets, n_lams)
    penalty: np.ndarray  # (1, d) or (n_targets, d)
    w0: np.ndarray  # (n_targets, d)
    secant: np.ndarray  # (n_targets, n_lams), see `_secant_steps`


class Paths(NamedTuple):
    """What is found, on the host; `n_iter` starts at zero."""

    coefs: np.ndarray  # (n_targets, n_lams, d)
    gaps: np.ndarray  # (n_targets, n_lams)
    n_iter: np.ndarray  # (n_targets, n_lams)


@dataclass
class Lanes:
    """State of the targets that are being worked on: arrays with a row for each lane.

    All are tensors on the device but the first two.
    """

    target: np.ndarray  # (n_lanes,); -1 when at rest
    k: np.ndarray  # (n_lanes,), which lam
    w: Any  # (n_lanes, d)
    w_next: Any  # (n_lanes, d)
    w_before: Any  # (n_lanes, d), at the lam before
    w_product: Any  # (n_lanes, d), see `CudaOps.fista_step`
    z: Any  # (n_lanes, d)
    cov: Any  # (n_lanes, d)
    penalty: Any  # (1, d) or (n_lanes, d)
    y_var: Any  # (n_lanes,)
    lam: Any  # (n_lanes,)
    t: Any  # (n_lanes,), from which the momentum is made
    momentum: Any  # (n_lanes,), that z was made with

    @classmethod
    def start(cls, ops, problem, targets):
        """Put some targets to their first lam."""
        n, d = len(targets), problem.cov.shape[1]
        w = ops.asarray(problem.w0[targets])
        y_var = problem.y_var[targets]
        w[ops.asarray(y_var == 0)] = 0
        penalty = problem.penalty
        return cls(
            target=targets.copy(),
            k=np.zeros_like(targets),
            w=w,
            w_next=ops.zeros((n, d)),
            w_before=ops.zeros((n, d)),
            w_product=ops.zeros((n, d)),
            z=w.clone(),
            cov=ops.asarray(problem.cov[targets]),
            penalty=ops.asarray(penalty if len(penalty) == 1 else penalty[targets]),
            y_var=ops.asarray(y_var),
            lam=ops.asarray(problem.lams[targets, 0]),
            t=ops.zeros(n) + 1,
            momentum=ops.zeros(n),
        )

    def drop_resting(self, ops):
        """Keep the lanes that have work left."""
        keep = np.flatnonzero(self.target >= 0)
        keep_on_device = ops.asarray(keep)
        for field in fields(self):
            array = getattr(self, field.name)
            if field.name != "penalty" or len(array) > 1:
                rows = keep if isinstance(array, np.ndarray) else keep_on_device
                setattr(self, field.name, array[rows])


def _follow_paths(ops, gram, step, problem, paths, lanes, tol, max_iter):
    """Solve the paths of the targets that `lanes` hold; fills `paths`."""
    while (working := lanes.target >= 0).any():
        if working.mean() < _WORKING_SHARE:
            lanes.drop_resting(ops)
            continue
        gap, overshoots = _iterate(ops, gram, step, lanes)
        at = lanes.target, lanes.k
        given_up = paths.n_iter[at] >= max_iter
        solved = working & ((gap <= tol) | given_up)
        going_on = working & ~solved
        paths.n_iter[lanes.target[going_on], lanes.k[going_on]] += 1
        if (restart := overshoots & going_on).any():
            _restart(lanes, ops.asarray(np.flatnonzero(restart)), lanes.w_next)
        # w, whose gap it is, is kept until here; w_next is a step ahead.
        if solved.any():
            _record_and_advance(ops, problem, paths, lanes, solved, gap)
        lanes.w, lanes.w_next = lanes.w_next, lanes.w


def _iterate(ops, gram, step, lanes):
    """Make `w_next` and the next z; return the gaps at `w`, and whether to restart."""
    import torch

    t_next = (1 + torch.sqrt(1 + 4 * lanes.t**2)) / 2
    next_momentum = (lanes.t - 1) / t_next
    (cov_w, q_w, penalty, along), excess = ops.fista_step(
        lanes.z,
        lanes.z @ gram,
        lanes.cov,
        lanes.w,
        lanes.w_next,
        lanes.w_product,
        lanes.momentum,
        next_momentum,
        step,
        lanes.lam,
        lanes.penalty,
    )
    lanes.t, lanes.momentum = t_next, next_momentum
    # As in the coordinate descent: with residual r, ‖r‖²/m = y_var - covᵀw - qᵀw and
    # yᵀr/m = y_var - covᵀw; s·r is dual feasible.
    s, y_var = 1 / excess.double(), lanes.y_var
    rr = y_var - cov_w - q_w
    gap = rr / 2 + penalty - s * (y_var - cov_w) + s * s * rr / 2
    gap = torch.where(y_var > 0, gap / (y_var / 2), 0)
    gap = torch.nan_to_num(gap, nan=torch.inf, posinf=torch.inf)
    gap, along = ops.to_numpy(torch.stack([gap, along]))
    return gap, along > 0


def _restart(lanes, rows, w):
    """Give up the momentum of some lanes, which are to go on from `w`."""
    lanes.z[rows] = w[rows]
    lanes.momentum[rows] = 0
    lanes.t[rows] = (1 + 5**0.5) / 2  # what follows 1


def _record_and_advance(ops, problem, paths, lanes, solved, gap):
    """Record the lanes that are solved, and put them to their next lam or to rest."""
    targets, k = lanes.target[solved], lanes.k[solved]
    w = lanes.w[ops.asarray(np.flatnonzero(solved))]
    paths.coefs[targets, k] = ops.to_numpy(w)
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
    lanes.lam[rows] = ops.asarray(problem.lams[targets, k])
    _restart(lanes, rows, lanes.w_next)


def _secant_steps(lams):
    """How far to go along the path, which is piecewise linear in lam, to the next lam.

    In units of the way from the lam before the last to the last; no farther than that.
    """
    ways = lams[:, :-1] - lams[:, 1:]
    steps = np.zeros_like(lams)
    np.divide(ways[:, 1:], ways[:, :-1], out=steps[:, 2:], where=ways[:, :-1] > 0)
    return steps.clip(max=1)


def _largest_eigenvalue(gram):
    """Bound the largest eigenvalue of a Gram matrix from above, all but surely."""
    import torch

    generator = torch.Generator().manual_seed(0)
    v = torch.randn(
        *(1, len(gram)), generator=generator, dtype=torch.float32, device="cpu"
    ).to(gram.device)
    for _ in range(_POWER_ITERATIONS):
        v = (v / v.norm().clamp_min(torch.finfo(v.dtype).tiny)) @ gram
    largest = _MARGIN * v.norm().item()  # of gram times a unit vector
    return largest if largest > 0 else 1.0


def _targets_in_memory(device, n_targets, d):
    """Return how many targets to solve side by side."""
    import torch

    if device.type != "cuda":
        return max(1, n_targets)
    free, _ = torch.cuda.mem_get_info(device)
    # What torch holds in reserve is free to it too.
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return max(1, int(0.8 * free) // (_MATRICES * 4 * d))
