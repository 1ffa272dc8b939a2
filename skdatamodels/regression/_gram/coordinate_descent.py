"""Coordinate descent for the LASSO on a Gram matrix, compiled by numba.

The paths of several targets are solved side by side, each in a *lane*. A pass is cyclic
coordinate descent, with its operations in an order that suits the hardware. It goes
through the coordinates in blocks. Within a block the lanes step together, as the
elements of vector registers, on the small diagonal block of the Gram matrix. Then the
steps of each lane are applied to all coordinates, tile by tile, so that a tile is
fetched once and read by every lane from the nearest cache.

Otherwise the lanes are independent. A lane that reaches its gap goes on to its next
lam, or to the next target in the queue, without waiting for the others. The result for
a target does not depend on the other targets.

For each lane, ``q = cov - gram @ w`` (the correlation of the residual with each column)
is kept up to date, so that a duality gap costs no product.
"""

from typing import NamedTuple

import numpy as np

from skdatamodels._numba import njit
from skdatamodels.regression._gram.moments import PADDING
from skdatamodels.regression._gram.row_subtraction import (
    TILE_BYTES,
    VECTOR_BYTES,
    WIDTH,
    subtract_lane_rows,
    subtract_tile_rows,
)

# After this many passes of updates, a gap computed from q is no longer trusted, because
# rounding errors in float32 add up. Computing q again costs about as much as one pass.
_PASSES_TO_REFRESH = 25
_REFRESHING = -1  # `stale` of a lane that computes q again in its next pass

# A tile is BLOCK rows of TILE_BYTES: half of a first-level cache of 32 KB. WIDTH lanes
# step together.
BLOCK = 32

_FASTMATH = {"contract", "reassoc", "nsz"}


class Problem(NamedTuple):
    """Targets to solve, all on one Gram matrix and in the dtype of that matrix."""

    tiles: np.ndarray  # (n_blocks, n_tiles, BLOCK, tile width), see `tile`
    diagonal: np.ndarray  # (d_padded,), of the Gram matrix
    cov: np.ndarray  # (n_targets, d)
    y_var: np.ndarray  # (n_targets,)
    lams: np.ndarray  # (n_targets, n_lams)
    penalty: np.ndarray  # (1, d) or (n_targets, d)
    w0: np.ndarray  # (n_targets, d)


class Paths(NamedTuple):
    """Solutions, to be filled in; `n_iter` starts at zero."""

    coefs: np.ndarray  # (n_targets, n_lams, d)
    gaps: np.ndarray  # (n_targets, n_lams)
    n_iter: np.ndarray  # (n_targets, n_lams)


class Lanes(NamedTuple):
    """State of the targets that are being solved.

    Columns after the first d are always 0.
    """

    w: np.ndarray  # (n_lanes, columns)
    q: np.ndarray  # (n_lanes, columns)
    w_before: np.ndarray  # (n_lanes, columns), at the previous lam
    q_before: np.ndarray  # (n_lanes, columns)
    threshold: np.ndarray  # (n_lanes, columns), lam times penalty
    target: np.ndarray  # (n_lanes,); n_targets if the lane is idle
    k: np.ndarray  # (n_lanes,), index of the lam
    stale: np.ndarray  # (n_lanes,), passes since q was computed from w
    n_steps: np.ndarray  # (n_lanes,), steps in the current block
    slack: np.ndarray  # (n_lanes,), see `_slack`
    rows: np.ndarray  # (n_lanes, BLOCK), coordinates of these steps in the block
    steps: np.ndarray  # (n_lanes, BLOCK), change of each coordinate

    @classmethod
    def make(cls, n_lanes, d_padded, dtype):
        """Make idle lanes."""
        # Rows a multiple of 4096 bytes apart would share the same cache sets.
        columns = d_padded + VECTOR_BYTES // dtype.itemsize
        matrices = (np.zeros((n_lanes, columns), dtype) for _ in range(5))
        counters = (np.zeros(n_lanes, np.int64) for _ in range(4))
        return cls(
            *matrices,
            *counters,
            slack=np.zeros(n_lanes, dtype),
            rows=np.zeros((n_lanes, BLOCK), np.int64),
            steps=np.zeros((n_lanes, BLOCK), dtype),
        )


def tile(gram):
    """Reorder a Gram matrix, in its own memory, into consecutive tiles.

    Read in this order, the matrix streams from memory at full speed; parts of its rows,
    read in place, came at a fifth of the speed. The size must be a multiple of
    `PADDING`.

    Returns
    -------
    tiles : array of shape (n_blocks, n_tiles, BLOCK, tile width)
    diagonal : array of shape (d padded,)
    """
    diagonal = gram.diagonal().copy()
    width = TILE_BYTES // gram.itemsize
    tiles = gram.reshape(len(gram) // BLOCK, len(gram) // width, BLOCK, width)
    for block in tiles:
        rows = block.reshape(BLOCK, -1, width).copy()
        block[...] = rows.swapaxes(0, 1)
    return tiles, diagonal


def pad(gram):
    """Copy a Gram matrix, padded with zeros to a multiple of `PADDING` columns."""
    return np.pad(gram, (0, -len(gram) % PADDING))


@njit(nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _relative_gap(c, q, w, threshold, y_var):
    """Return duality gap and penalty, divided by y_var / 2, the loss at w = 0.

    With residual r = y - Xw: ‖r‖²/m = y_var - cᵀw - qᵀw and yᵀr/m = y_var - cᵀw. The
    dual point is s·r with the largest s ≤ 1 for which abs(s·q) ≤ threshold.
    """
    cw, qw, l1, zero = 0.0, 0.0, 0.0, q.dtype.type(0)
    for i in range(c.size):
        cw += c[i] * w[i]
        qw += q[i] * w[i]
        l1 += abs(w[i]) * threshold[i] if w[i] != 0 else zero
    excess = q.dtype.type(1)
    for i in range(c.size):
        if abs(q[i]) > excess * threshold[i]:
            excess = abs(q[i]) / threshold[i]
    s = 1 / excess
    rr = y_var - cw - qw
    primal = 0.5 * rr + l1
    dual = s * (y_var - cw) - 0.5 * s * s * rr
    return (primal - dual) / (0.5 * y_var), l1 / (0.5 * y_var)


@njit(nogil=True)
def _carry(problem, lanes, block, lane, tile):
    """Apply the steps of a lane in a block to its q in the columns of a tile."""
    tiles, at = problem.tiles, lane * BLOCK
    _, n_tiles, _, width = tiles.shape
    subtract_tile_rows(
        lanes.q,
        lane * lanes.q.shape[1] + tile * width,
        lanes.steps,
        at,
        tiles,
        (block * n_tiles + tile) * (BLOCK * width),
        lanes.rows,
        at,
        lanes.n_steps[lane],
    )


@njit(nogil=True)
def _refresh(problem, lanes, lane):
    """Prepare to compute q again from w in the next pass.

    This removes the rounding error of q. The same change is made to `q_before`, by a
    difference now and a sum after the pass, because the secant would magnify an error
    that is in only one of them.
    """
    c = problem.cov[lanes.target[lane]]
    lanes.q_before[lane] -= lanes.q[lane]
    lanes.q[lane, : c.size] = c
    lanes.stale[lane] = _REFRESHING


@njit(nogil=True)
def _set_lam(problem, lanes, lane, k):
    t = lanes.target[lane]
    lam = problem.lams[t, k]
    penalty = problem.penalty[min(t, problem.penalty.shape[0] - 1)]
    lanes.k[lane] = k
    for i in range(penalty.size):
        p = penalty[i]  # inf stays inf, also at lam = 0
        lanes.threshold[lane, i] = lam * p if p < np.inf else p


@njit(nogil=True)
def _start(problem, lanes, lane, t):
    """Set a lane to the first lam of target t, or to idle if t is beyond the last."""
    n_targets, d = problem.cov.shape
    lanes.target[lane] = min(t, n_targets)
    if t < n_targets:
        _set_lam(problem, lanes, lane, 0)
        lanes.w[lane, :d] = problem.w0[t]
        lanes.w_before[lane] = 0
        lanes.q_before[lane] = 0
        _refresh(problem, lanes, lane)
    else:
        lanes.w[lane] = 0
        lanes.q[lane] = 0


@njit(nogil=True)
def _next_lam(problem, lanes, lane):
    """Go to the next lam along the secant, as the path is piecewise linear in lam."""
    lams, k = problem.lams[lanes.target[lane]], lanes.k[lane] + 1
    _set_lam(problem, lanes, lane, k)
    step = lams[0] - lams[0]
    if k > 1 and lams[k - 2] > lams[k - 1]:
        step = (lams[k - 1] - lams[k]) / (lams[k - 2] - lams[k - 1])
    for now, before in (
        (lanes.w[lane], lanes.w_before[lane]),
        (lanes.q[lane], lanes.q_before[lane]),
    ):
        for i in range(now.size):
            value = now[i]
            now[i] += step * (value - before[i])
            before[i] = value


@njit(nogil=True)
def _slack(tol, penalty, n_iter):
    """Return the largest abs(step)·g, relative to the threshold, of a step to skip.

    Steps this small are not worth reading a row of the Gram matrix. If only such steps
    are left, each w_i ≠ 0 has q_i·sign(w_i) ≥ (1 - slack)·threshold, and all abs(q_i)
    are at most (1 + slack)·threshold. So with s = 1 / (1 + slack) the gap,
    (1 - s)²‖r‖²/2m + penalty - s·qᵀw, is at most slack²·y_var/2 + 2·slack·penalty,
    which is of the order of tol if slack is tol / penalty. The slack shrinks from pass
    to pass, so that it does not stall the descent. At tol = 1e-4 it saves 40 % of the
    steps.
    """
    return min(np.sqrt(tol), 1.5 * tol / (n_iter * max(penalty, tol, 1e-300)))


@njit(nogil=True)
def _solved(problem, paths, lanes, lane, tol, max_iter):
    """Return whether a lane has reached its gap or gives up; if so, record it."""
    t, k = lanes.target[lane], lanes.k[lane]
    last = k == problem.lams.shape[1] - 1
    limit = 0 if last else _PASSES_TO_REFRESH
    gap, penalty = 0.0, 0.0
    if problem.y_var[t] > 0:
        gap, penalty = _relative_gap(
            problem.cov[t],
            lanes.q[lane],
            lanes.w[lane],
            lanes.threshold[lane],
            problem.y_var[t],
        )
    if gap > tol and paths.n_iter[t, k] < max_iter:
        paths.n_iter[t, k] += 1
        lanes.slack[lane] = _slack(tol, penalty, paths.n_iter[t, k])
        return False
    if lanes.stale[lane] > limit:
        _refresh(problem, lanes, lane)
        return False
    paths.coefs[t, k] = lanes.w[lane, : problem.cov.shape[1]]
    paths.gaps[t, k] = gap
    return True


@njit(nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _descend_block(tile, column, diagonal, near, w, threshold, slack, steps, moved):
    """Step through a block with WIDTH lanes together.

    ``near``, the q of the block, ``w``, ``threshold`` and ``steps`` have shape (BLOCK,
    WIDTH); the diagonal block of the Gram matrix starts at `column` of the tile. The q
    of a coordinate is updated for the earlier steps in the block just before its step.
    """
    n, zero, one = 0, w.dtype.type(0), w.dtype.type(1)
    for i in range(BLOCK):
        subtract_lane_rows(
            near, i * WIDTH, tile, i * tile.shape[1] + column, steps, 0, moved, 0, n
        )
        g = diagonal[i]
        inverse = one / g if g > 0 else zero  # a constant column gets no weight
        moved[n] = i
        any_step = False
        for lane in range(WIDTH):
            old, bound = w[i, lane], threshold[i, lane]
            z = near[i, lane] + g * old
            inside = z if z < bound else bound
            inside = inside if inside > -bound else -bound
            new = (z - inside) * inverse
            step = new - old
            small = abs(step) * g <= slack[lane] * bound
            # skip a step only if w keeps its sign
            waits = small & ((old == 0) | (new * old > 0))
            step = zero if waits else step
            any_step |= step != 0
            w[i, lane] = old if waits else new
            steps[i, lane] = step
        n += any_step


@njit(nogil=True)
def _gather(rows, start, first, block):
    """Copy a block of columns of WIDTH lanes, so that the lanes are contiguous."""
    for lane in range(WIDTH):
        row = rows[start + lane, first : first + BLOCK]
        for i in range(BLOCK):
            block[i, lane] = row[i]


@njit(nogil=True)
def _scatter(lanes, start, first, w, steps):
    """Store the new w of WIDTH lanes, and list their steps.

    For a lane that computes q again, q has been set to cov, and the step is w itself.
    """
    for k in range(WIDTH):
        if lanes.stale[start + k] == _REFRESHING:
            for i in range(BLOCK):
                steps[i, k] = w[i, k] = lanes.w[start + k, first + i]
        new = lanes.w[start + k, first : first + BLOCK]
        lane_steps, lane_rows = lanes.steps[start + k], lanes.rows[start + k]
        n = 0
        for i in range(BLOCK):
            new[i] = w[i, k]
            lane_steps[i] = steps[i, k]
            lane_rows[n] = i
            n += steps[i, k] != 0
        lanes.n_steps[start + k] = n


@njit(nogil=True)
def _pass(problem, lanes, scratch):
    """Update every coordinate of every lane once."""
    n_blocks, n_tiles, _, width = problem.tiles.shape
    near, w, threshold, steps, moved = scratch
    for block in range(n_blocks):
        first = block * BLOCK
        for start in range(0, lanes.w.shape[0], WIDTH):
            _gather(lanes.q, start, first, near)
            _gather(lanes.w, start, first, w)
            _gather(lanes.threshold, start, first, threshold)
            _descend_block(
                problem.tiles[block, first // width],
                first % width,
                problem.diagonal[first:],
                near,
                w,
                threshold,
                lanes.slack[start : start + WIDTH],
                steps,
                moved,
            )
            _scatter(lanes, start, first, w, steps)
        for tile in range(n_tiles):
            for lane in range(lanes.w.shape[0]):
                if lanes.n_steps[lane] > 0:
                    _carry(problem, lanes, block, lane, tile)
    for lane in range(lanes.w.shape[0]):
        if lanes.stale[lane] == _REFRESHING:
            lanes.q_before[lane] += lanes.q[lane]
        lanes.stale[lane] += 1


@njit(nogil=True)
def descend_paths(problem, paths, lanes, tol, max_iter):
    """Solve the path of every target of `problem` and fill `paths`."""
    n_targets, n_lams = problem.lams.shape
    n_lanes = lanes.w.shape[0]
    empty = np.empty((4, BLOCK, WIDTH), problem.tiles.dtype)
    scratch = empty[0], empty[1], empty[2], empty[3], np.empty(BLOCK, np.int64)
    for lane in range(n_lanes):
        _start(problem, lanes, lane, lane)
    following = n_lanes
    working = min(n_lanes, n_targets)
    while working > 0:
        for lane in range(n_lanes):
            while (
                lanes.target[lane] < n_targets
                and lanes.stale[lane] != _REFRESHING
                and _solved(problem, paths, lanes, lane, tol, max_iter)
            ):
                if lanes.k[lane] + 1 < n_lams:
                    _next_lam(problem, lanes, lane)
                else:
                    _start(problem, lanes, lane, following)
                    working -= following >= n_targets
                    following += 1
        if working > 0:
            _pass(problem, lanes, scratch)


def solve(tiles, diagonal, cov, y_var, lams, penalty, w0, tol, max_iter):
    """Solve the paths of a block of targets in the calling thread; see `Problem`."""
    problem = Problem(tiles, diagonal, cov, y_var, lams, penalty, w0)
    (n_targets, n_lams), d, dtype = lams.shape, cov.shape[1], tiles.dtype
    paths = Paths(
        np.empty((n_targets, n_lams, d), dtype),
        np.empty((n_targets, n_lams)),
        np.zeros((n_targets, n_lams), np.int64),
    )
    lanes = Lanes.make(n_lanes(tiles, n_targets), diagonal.size, dtype)
    descend_paths(problem, paths, lanes, tol, max_iter)
    return paths


def n_lanes(tiles, n_targets):
    """Return how many targets to solve side by side, a multiple of WIDTH.

    They share each fetch of a part of the Gram matrix. A larger matrix lies in a
    slower cache or in memory, so more targets are needed to make up for a fetch.
    """
    most = min(8, max(2, round(tiles.nbytes / 8e6)))
    return WIDTH * max(1, min(most, -(-n_targets // WIDTH)))
