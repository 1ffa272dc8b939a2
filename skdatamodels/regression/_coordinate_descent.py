"""Coordinate descent for the LASSO on a Gram matrix, compiled by numba.

A few targets, the *lanes*, walk down their paths side by side: each row of the Gram
matrix is fetched once and serves all lanes while it is in the nearest cache. The lanes
are otherwise independent; one that reaches its gap goes on to its next lam, or to the
next target in the queue, without waiting for the others. A target's result therefore
does not depend on its neighbours.

Per lane, ``q = cov - gram @ w`` (the correlation of the residual with each column) is
kept up to date, so that a step costs one row and a duality gap costs no product.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

# Gaps computed from a q that was updated for this many passes are not believed: in
# float32 its rounding errors add up. A fresh q costs about as much as one pass.
_PASSES_TO_REFRESH = 25

# Steps of a lane that are applied to its q together; `_flush` is written for four.
_HELD_BACK = 4

_FASTMATH = {"contract", "reassoc", "nsz"}


class Problem(NamedTuple):
    """Targets to solve, all on one Gram matrix and in its dtype."""

    gram: np.ndarray  # (d, d)
    cov: np.ndarray  # (n_targets, d)
    y_var: np.ndarray  # (n_targets,)
    lams: np.ndarray  # (n_targets, n_lams)
    penalty: np.ndarray  # (1, d) or (n_targets, d)
    w0: np.ndarray  # (n_targets, d)


class Paths(NamedTuple):
    """What is found, to be filled in; `n_iter` starts at zero."""

    coefs: np.ndarray  # (n_targets, n_lams, d)
    gaps: np.ndarray  # (n_targets, n_lams)
    n_iter: np.ndarray  # (n_targets, n_lams)


class Lanes(NamedTuple):
    """State of the targets that are being worked on."""

    w: np.ndarray  # (n_lanes, d)
    q: np.ndarray  # (n_lanes, d)
    w_before: np.ndarray  # (n_lanes, d), at the lam before
    q_before: np.ndarray  # (n_lanes, d)
    penalty: np.ndarray  # (n_lanes, d)
    lam: np.ndarray  # (n_lanes,)
    target: np.ndarray  # (n_lanes,); n_targets when at rest
    k: np.ndarray  # (n_lanes,), which lam
    stale: np.ndarray  # (n_lanes,), passes since q was computed from w
    deltas: np.ndarray  # (n_lanes, 4), steps of w that q does not know of yet
    rows: np.ndarray  # (n_lanes, 4), the coordinates of these steps
    n_held: np.ndarray  # (n_lanes,), how many there are

    @classmethod
    def make(cls, n_lanes, d, dtype):
        """Make lanes at rest."""
        matrices = (np.zeros((n_lanes, d), dtype) for _ in range(5))
        counters = (np.zeros(n_lanes, np.int64) for _ in range(3))
        return cls(
            *matrices,
            np.zeros(n_lanes, dtype),
            *counters,
            deltas=np.zeros((n_lanes, _HELD_BACK), dtype),
            rows=np.zeros((n_lanes, _HELD_BACK), np.int64),
            n_held=np.zeros(n_lanes, np.int64),
        )


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def _relative_gap(c, q, w, lam, penalty, y_var):
    """Duality gap divided by y_var / 2, the loss of the empty model.

    With residual r = y - Xw: ‖r‖²/m = y_var - cᵀw - qᵀw and yᵀr/m = y_var - cᵀw. The
    dual point is s·r with the largest s ≤ 1 for which abs(s·q) ≤ lam·penalty.
    """
    cw, qw, l1, q_max = 0.0, 0.0, 0.0, 0.0
    for i in range(q.size):
        q_max = max(q_max, abs(q[i]) / penalty[i])
        if w[i] != 0:
            cw += c[i] * w[i]
            qw += q[i] * w[i]
            l1 += abs(w[i]) * penalty[i]
    rr = y_var - cw - qw
    s = min(1.0, lam / q_max) if q_max > 0 else 1.0
    primal = 0.5 * rr + lam * l1
    dual = s * (y_var - cw) - 0.5 * s * s * rr
    return (primal - dual) / (0.5 * y_var)


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def _axpy(delta, row, q):
    for j in range(q.size):
        q[j] -= delta * row[j]


@njit(nogil=True, cache=True)
def _refresh(problem, lanes, lane):
    """Compute q anew from w."""
    lanes.q[lane] = problem.cov[lanes.target[lane]]
    for i in range(lanes.w.shape[1]):
        if lanes.w[lane, i] != 0:
            _axpy(lanes.w[lane, i], problem.gram[i], lanes.q[lane])
    lanes.stale[lane] = 0


@njit(nogil=True, cache=True)
def _start(problem, lanes, lane, t):
    """Put a lane to the first lam of target t, or to rest if there is no such target."""
    n_targets = problem.cov.shape[0]
    lanes.target[lane] = min(t, n_targets)
    lanes.k[lane] = 0
    if t >= n_targets:
        lanes.w[lane] = 0
        lanes.q[lane] = 0
        return
    lanes.lam[lane] = problem.lams[t, 0]
    lanes.penalty[lane] = problem.penalty[min(t, problem.penalty.shape[0] - 1)]
    lanes.w[lane] = problem.w0[t]
    _refresh(problem, lanes, lane)


@njit(nogil=True, cache=True)
def _next_lam(problem, lanes, lane):
    """Go one lam down, along the secant: the path is piecewise linear in lam."""
    lams, k = problem.lams[lanes.target[lane]], lanes.k[lane] + 1
    lanes.lam[lane] = lams[k]
    lanes.k[lane] = k
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


@njit(nogil=True, cache=True)
def _solved(problem, paths, lanes, lane, tol, max_iter):
    """Say whether a lane has reached its gap (or must give up); then record it."""
    t, k = lanes.target[lane], lanes.k[lane]
    last = k == problem.lams.shape[1] - 1
    limit = 0 if last else _PASSES_TO_REFRESH
    gap = 0.0
    for _ in range(2):
        if problem.y_var[t] > 0:
            gap = _relative_gap(
                problem.cov[t],
                lanes.q[lane],
                lanes.w[lane],
                lanes.lam[lane],
                lanes.penalty[lane],
                problem.y_var[t],
            )
        if gap > tol and paths.n_iter[t, k] < max_iter:
            paths.n_iter[t, k] += 1
            return False
        if lanes.stale[lane] <= limit:
            break
        _refresh(problem, lanes, lane)
    paths.coefs[t, k] = lanes.w[lane]
    paths.gaps[t, k] = gap
    return True


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def _flush(gram, rows, deltas, q):
    """Subtract four rows at once: q is read and written once instead of four times."""
    d0, d1, d2, d3 = deltas[0], deltas[1], deltas[2], deltas[3]
    r0, r1, r2, r3 = gram[rows[0]], gram[rows[1]], gram[rows[2]], gram[rows[3]]
    for j in range(q.size):
        q[j] -= (d0 * r0[j] + d1 * r1[j]) + (d2 * r2[j] + d3 * r3[j])
    deltas[:] = 0


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def _pass(gram, lanes):
    """Update every coordinate of every lane once.

    Steps are held back until four have come together; until then a coordinate's q is
    corrected for the steps that wait.
    """
    w, q, deltas, rows = lanes.w, lanes.q, lanes.deltas, lanes.rows
    zero = gram[0, 0] - gram[0, 0]
    for i in range(gram.shape[0]):
        row = gram[i]
        if row[i] <= zero:  # a constant column
            continue
        for lane in range(w.shape[0]):
            old = w[lane, i]
            threshold = lanes.lam[lane] * lanes.penalty[lane, i]
            z = q[lane, i] + row[i] * old
            for p in range(_HELD_BACK):
                z -= deltas[lane, p] * gram[rows[lane, p], i]
            new = zero
            if z > threshold:
                new = (z - threshold) / row[i]
            elif z < -threshold:
                new = (z + threshold) / row[i]
            if new != old:
                w[lane, i] = new
                p = lanes.n_held[lane]
                deltas[lane, p] = new - old
                rows[lane, p] = i
                lanes.n_held[lane] = p + 1
                if p + 1 == _HELD_BACK:
                    _flush(gram, rows[lane], deltas[lane], q[lane])
                    lanes.n_held[lane] = 0
    for lane in range(w.shape[0]):
        _flush(gram, rows[lane], deltas[lane], q[lane])
        lanes.n_held[lane] = 0
    lanes.stale[:] += 1


@njit(nogil=True, cache=True)
def descend_paths(problem, paths, lanes, tol, max_iter):
    """Solve the path of every target of `problem`; fills `paths`."""
    n_targets, n_lams = problem.lams.shape
    n_lanes = lanes.w.shape[0]
    for lane in range(n_lanes):
        _start(problem, lanes, lane, lane)
    following = n_lanes
    working = min(n_lanes, n_targets)
    while working > 0:
        for lane in range(n_lanes):
            while lanes.target[lane] < n_targets and _solved(
                problem, paths, lanes, lane, tol, max_iter
            ):
                if lanes.k[lane] + 1 < n_lams:
                    _next_lam(problem, lanes, lane)
                else:
                    _start(problem, lanes, lane, following)
                    working -= following >= n_targets
                    following += 1
        if working > 0:
            _pass(problem.gram, lanes)
