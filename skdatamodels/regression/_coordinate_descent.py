"""Coordinate descent for the LASSO on a Gram matrix, compiled by numba.

Several targets, the *lanes*, walk down their paths side by side. A pass takes the
coordinates in blocks. Within a block each lane makes its steps on the small diagonal
block of the Gram matrix; then the steps of all lanes are carried to the other
coordinates, tile by tile, so that a tile is fetched once and serves every lane from the
nearest cache. The iterates are those of plain cyclic coordinate descent.

Lanes are otherwise independent: one that reaches its gap goes on to its next lam, or to
the next target in the queue, without waiting for the others, and a target's numbers do
not depend on its neighbours.

Per lane, ``q = cov - gram @ w`` (the correlation of the residual with each column) is
kept up to date, so that a duality gap costs no product.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

# Gaps computed from a q that was updated for this many passes are not believed: in
# float32 its rounding errors add up. A fresh q costs about as much as one pass.
_PASSES_TO_REFRESH = 25

# A tile is BLOCK rows of 512 bytes: half of a first-level cache of 32 KB, and eight
# vector registers a row.
BLOCK = 32
_TILE_BYTES = 512
_VECTOR_BYTES = 64

_FASTMATH = {"contract", "reassoc", "nsz"}


class Problem(NamedTuple):
    """Targets to solve, all on one Gram matrix and in its dtype."""

    tiles: np.ndarray  # (n_blocks, n_tiles, BLOCK, tile width), see `pack`
    diagonal: np.ndarray  # (d_padded,), of the Gram matrix
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
    """State of the targets that are being worked on.

    The padding after the first d columns stays 0, which makes no steps.
    """

    w: np.ndarray  # (n_lanes, d_padded)
    q: np.ndarray  # (n_lanes, d_padded)
    w_before: np.ndarray  # (n_lanes, d_padded), at the lam before
    q_before: np.ndarray  # (n_lanes, d_padded)
    threshold: np.ndarray  # (n_lanes, d_padded), lam times penalty
    target: np.ndarray  # (n_lanes,); n_targets when at rest
    k: np.ndarray  # (n_lanes,), which lam
    stale: np.ndarray  # (n_lanes,), passes since q was computed from w
    n_steps: np.ndarray  # (n_lanes,), steps in the current block
    rows: np.ndarray  # (n_lanes, BLOCK), their coordinates, within the block
    steps: np.ndarray  # (n_lanes, BLOCK), by how much w changed

    @classmethod
    def make(cls, n_lanes, d_padded, dtype):
        """Make lanes at rest."""
        matrices = (np.zeros((n_lanes, d_padded), dtype) for _ in range(5))
        counters = (np.zeros(n_lanes, np.int64) for _ in range(4))
        return cls(
            *matrices,
            *counters,
            rows=np.zeros((n_lanes, BLOCK), np.int64),
            steps=np.zeros((n_lanes, BLOCK), dtype),
        )


def pack(gram):
    """Cut a Gram matrix into tiles that lie one after another in memory.

    Read in this order the matrix streams from memory as fast as it can; rows of it cut
    where they stand came at a fifth of the speed. Zeros fill the last tiles.
    """
    width, d = _TILE_BYTES // gram.itemsize, len(gram)
    n_tiles = -(-d // width)
    n_blocks = n_tiles * width // BLOCK
    tiles = np.zeros((n_blocks, n_tiles, BLOCK, width), gram.dtype)
    for b in range(n_blocks):
        rows = gram[b * BLOCK : (b + 1) * BLOCK]
        for t in range(n_tiles):
            part = rows[:, t * width : (t + 1) * width]
            tiles[b, t, : part.shape[0], : part.shape[1]] = part
    diagonal = np.zeros(n_tiles * width, gram.dtype)
    diagonal[:d] = gram.diagonal()
    return tiles, diagonal


@intrinsic
def _subtract_rows(typingctx, q, start, tile, rows, steps, n):
    """``q[start : start + width] -= steps[:n] @ tile[rows[:n]]`` in vector registers.

    The compiler can not see that q does not overlap the tile, and so would write q back
    to memory after every row: twice as slow. Hence the instructions one by one.
    """
    signature = types.void(q, start, tile, rows, steps, n)

    def codegen(context, builder, signature, args):
        def data(k):
            return context.make_array(signature.args[k])(context, builder, args[k]).data

        def vectors(base, offset):
            first = builder.gep(base, [offset])
            return [
                builder.bitcast(
                    builder.gep(first, [ir.Constant(offset.type, v * width)]),
                    vector.as_pointer(),
                )
                for v in range(n_vectors)
            ]

        item = signature.args[0].dtype.bitwidth // 8
        width, n_vectors = _VECTOR_BYTES // item, _TILE_BYTES // _VECTOR_BYTES
        vector = ir.VectorType(context.get_value_type(signature.args[0].dtype), width)
        tile_width = ir.Constant(args[1].type, _TILE_BYTES // item)
        fused = ("contract",)

        in_memory = vectors(data(0), args[1])
        in_register = [cgutils.alloca_once(builder, vector) for _ in in_memory]
        for source, register in zip(in_memory, in_register, strict=True):
            builder.store(builder.load(source, align=item), register)
        tile_, rows_, steps_ = data(2), data(3), data(4)
        with cgutils.for_range(builder, args[5]) as loop:
            row = builder.load(builder.gep(rows_, [loop.index]))
            step = builder.load(builder.gep(steps_, [loop.index]))
            lanes = ir.Constant(vector, ir.Undefined)
            for v in range(width):
                lanes = builder.insert_element(
                    lanes, step, ir.Constant(ir.IntType(32), v)
                )
            for source, register in zip(
                vectors(tile_, builder.mul(row, tile_width)), in_register, strict=True
            ):
                product = builder.fmul(
                    lanes, builder.load(source, align=item), flags=fused
                )
                difference = builder.fsub(builder.load(register), product, flags=fused)
                builder.store(difference, register)
        for source, register in zip(in_memory, in_register, strict=True):
            builder.store(builder.load(register), source, align=item)
        return context.get_dummy_value()

    return signature, codegen


@njit(nogil=True, cache=True, fastmath=_FASTMATH | {"nnan"})
def _relative_gap(c, q, w, threshold, y_var):
    """Duality gap divided by y_var / 2, the loss of the empty model.

    With residual r = y - Xw: ‖r‖²/m = y_var - cᵀw - qᵀw and yᵀr/m = y_var - cᵀw. The
    dual point is s·r with the largest s ≤ 1 for which |s·q| ≤ threshold.
    """
    cw, qw, l1 = 0.0, 0.0, 0.0
    excess = q[0] - q[0]
    for i in range(c.size):
        over = abs(q[i]) - threshold[i]
        excess = over if over > excess else excess
        cw += c[i] * w[i]
        qw += q[i] * w[i]
        l1 += abs(w[i]) * threshold[i] if w[i] != 0 else 0.0
    s = 1.0
    if excess > 0:
        for i in range(c.size):
            if abs(q[i]) > threshold[i]:
                s = min(s, threshold[i] / abs(q[i]))
    rr = y_var - cw - qw
    primal = 0.5 * rr + l1
    dual = s * (y_var - cw) - 0.5 * s * s * rr
    return (primal - dual) / (0.5 * y_var)


@njit(nogil=True, cache=True)
def _carry(problem, lanes, block, lane, tile):
    """Carry a lane's steps in a block to its q in the columns of a tile."""
    width = problem.tiles.shape[3]
    _subtract_rows(
        lanes.q[lane],
        tile * width,
        problem.tiles[block, tile],
        lanes.rows[lane],
        lanes.steps[lane],
        lanes.n_steps[lane],
    )


@njit(nogil=True, cache=True)
def _refresh(problem, lanes, lane):
    """Compute q anew from w."""
    c = problem.cov[lanes.target[lane]]
    lanes.q[lane, : c.size] = c
    for block in range(problem.tiles.shape[0]):
        n = 0
        for i in range(BLOCK):
            value = lanes.w[lane, block * BLOCK + i]
            lanes.rows[lane, n] = i
            lanes.steps[lane, n] = value
            n += value != 0
        lanes.n_steps[lane] = n
        for tile in range(problem.tiles.shape[1]):
            _carry(problem, lanes, block, lane, tile)
    lanes.stale[lane] = 0


@njit(nogil=True, cache=True)
def _set_lam(problem, lanes, lane, k):
    t = lanes.target[lane]
    lam = problem.lams[t, k]
    penalty = problem.penalty[min(t, problem.penalty.shape[0] - 1)]
    lanes.k[lane] = k
    for i in range(penalty.size):
        # inf is inf even at lam = 0
        lanes.threshold[lane, i] = (
            lam * penalty[i] if penalty[i] < np.inf else penalty[i]
        )


@njit(nogil=True, cache=True)
def _start(problem, lanes, lane, t):
    """Put a lane to the first lam of target t, or to rest if there is no such target."""
    n_targets, d = problem.cov.shape
    lanes.target[lane] = min(t, n_targets)
    if t < n_targets:
        _set_lam(problem, lanes, lane, 0)
        lanes.w[lane, :d] = problem.w0[t]
        _refresh(problem, lanes, lane)


@njit(nogil=True, cache=True)
def _next_lam(problem, lanes, lane):
    """Go one lam down, along the secant: the path is piecewise linear in lam."""
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
                lanes.threshold[lane],
                problem.y_var[t],
            )
        if gap > tol and paths.n_iter[t, k] < max_iter:
            paths.n_iter[t, k] += 1
            return False
        if lanes.stale[lane] <= limit:
            break
        _refresh(problem, lanes, lane)
    paths.coefs[t, k] = lanes.w[lane, : problem.cov.shape[1]]
    paths.gaps[t, k] = gap
    return True


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def _descend_block(tile, column, diagonal, first, w, q, threshold, rows, steps, near):
    """Step through one block of one lane; give the number of steps.

    A coordinate that is 0 and within its threshold as the block begins is left out: if
    an earlier step of the block moves it out, the next pass will see it.
    """
    n = 0
    for i in range(BLOCK):
        near[i] = q[first + i]
        rows[n] = i
        n += (w[first + i] != 0) | (abs(near[i]) > threshold[first + i])
    for k in range(n):
        i = rows[k]
        g, old, bound = diagonal[first + i], w[first + i], threshold[first + i]
        z = near[i] + g * old
        inside = z
        if inside > bound:
            inside = bound
        if inside < -bound:
            inside = -bound
        new = z - z
        if g > 0:  # else a constant column
            new = (z - inside) / g
        w[first + i] = new
        steps[k] = new - old
        row = tile[i]
        for j in range(BLOCK):
            near[j] -= steps[k] * row[column + j]
    return n


@njit(nogil=True, cache=True)
def _pass(problem, lanes, near):
    """Update every coordinate of every lane once."""
    n_blocks, n_tiles, _, width = problem.tiles.shape
    n_targets = problem.cov.shape[0]
    for block in range(n_blocks):
        first = block * BLOCK
        for lane in range(lanes.w.shape[0]):
            lanes.n_steps[lane] = 0
            if lanes.target[lane] < n_targets:
                lanes.n_steps[lane] = _descend_block(
                    problem.tiles[block, first // width],
                    first % width,
                    problem.diagonal,
                    first,
                    lanes.w[lane],
                    lanes.q[lane],
                    lanes.threshold[lane],
                    lanes.rows[lane],
                    lanes.steps[lane],
                    near,
                )
        for tile in range(n_tiles):
            for lane in range(lanes.w.shape[0]):
                if lanes.n_steps[lane] > 0:
                    _carry(problem, lanes, block, lane, tile)
    lanes.stale[:] += 1


@njit(nogil=True, cache=True)
def descend_paths(problem, paths, lanes, tol, max_iter):
    """Solve the path of every target of `problem`; fills `paths`."""
    n_targets, n_lams = problem.lams.shape
    n_lanes = lanes.w.shape[0]
    near = np.empty(BLOCK, problem.tiles.dtype)
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
            _pass(problem, lanes, near)
