"""Subtracting rows of a matrix from a vector: the innermost loop of coordinate descent.

Both functions here compute ``out[:width] -= factors[rows[:n]] @ matrix[rows[:n]]``
inside functions compiled by numba. Each array is contiguous and treated as flat, and is
followed by the position to start from; the rows of the matrix have length `width`.

The compiler does not know that the arrays do not overlap, so it would write `out` back
to memory after every row, at half the speed. Therefore we write the vector instructions
ourselves, with llvmlite, whose interface changes between releases. If that fails, plain
loops are used instead. They are slower and give the same result.
"""

import warnings

import numba
import numpy as np

from skdatamodels._numba import njit

# A row of a tile fills eight vector registers. WIDTH lanes step together.
TILE_BYTES = 512
WIDTH = 16
VECTOR_BYTES = 64


def _tile_width(itemsize):
    return TILE_BYTES // itemsize


def _lane_width(itemsize):
    return WIDTH


def by_vectors(width_of):
    """Make the function with vector instructions.

    Parameters
    ----------
    width_of : callable
        Returns the width of a row, given the size in bytes of one of its entries.
    """
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    @intrinsic
    def subtract(
        context, out, out_at, factors, factors_at, matrix, matrix_at, rows, rows_at, n
    ):
        item = out.dtype.bitwidth // 8
        width, per_vector = width_of(item), VECTOR_BYTES // item
        place = types.intp
        signature = types.void(
            out, place, factors, place, matrix, place, rows, place, place
        )

        def codegen(context, builder, signature, args):
            def address(k):
                array = context.make_array(signature.args[k])(context, builder, args[k])
                return builder.gep(array.data, [args[k + 1]])

            def vectors(first):
                first = builder.bitcast(first, vector.as_pointer())
                for v in range(width // per_vector):
                    yield builder.gep(first, [context.get_constant(place, v)])

            def broadcast(value):
                one = builder.insert_element(empty, value, zero)
                return builder.shuffle_vector(one, empty, ir.Constant(first, None))

            vector = ir.VectorType(context.get_value_type(out.dtype), per_vector)
            first, empty = ir.VectorType(ir.IntType(32), per_vector), vector(None)
            zero = ir.IntType(32)(0)
            memory = list(vectors(address(0)))
            sums = [cgutils.alloca_once(builder, vector) for _ in memory]
            for source, total in zip(memory, sums, strict=True):
                builder.store(builder.load(source, align=item), total)
            factors, matrix, rows = address(2), address(4), address(6)
            with cgutils.for_range(builder, args[8]) as loop:
                row = builder.load(builder.gep(rows, [loop.index]))
                factor = broadcast(builder.load(builder.gep(factors, [row])))
                start = builder.mul(row, context.get_constant(place, width))
                start = builder.gep(matrix, [start])
                for source, total in zip(vectors(start), sums, strict=True):
                    term = builder.load(source, align=item)
                    term = builder.fmul(factor, term, flags=["contract"])
                    term = builder.fsub(builder.load(total), term, flags=["contract"])
                    builder.store(term, total)
            for source, total in zip(memory, sums, strict=True):
                builder.store(builder.load(total), source, align=item)
            return context.get_dummy_value()

        return signature, codegen

    return subtract


def by_loops(width_of):
    """Make the function with plain loops; see :func:`by_vectors`."""
    single, double = width_of(4), width_of(8)

    @njit(nogil=True, fastmath={"contract"})
    def subtract(out, out_at, factors, factors_at, matrix, matrix_at, rows, rows_at, n):
        width = single if out.itemsize == 4 else double
        out, factors = out.reshape(-1), factors.reshape(-1)
        matrix, rows = matrix.reshape(-1), rows.reshape(-1)
        for i in range(n):
            row = rows[rows_at + i]
            factor = factors[factors_at + row]
            start = matrix_at + row * width
            for k in range(width):
                out[out_at + k] -= factor * matrix[start + k]

    return subtract


def _make(by):
    return by(_tile_width), by(_lane_width)


@njit(nogil=True)
def _trial(out, factors, rows):
    subtract_tile_rows(out, 0, factors, 0, out, 0, rows, 0, 0)
    subtract_lane_rows(out, 0, factors, 0, out, 0, rows, 0, 0)


try:
    subtract_tile_rows, subtract_lane_rows = _make(by_vectors)
    _trial(
        np.zeros(TILE_BYTES // 4, np.float32), np.zeros(1, np.float32), np.zeros(1, int)
    )
except Exception as error:  # a change of llvmlite may make numba raise any error
    warnings.warn(
        f"Vector instructions cannot be built with numba {numba.__version__}: using "
        f"plain loops instead, at about half the speed. ({type(error).__name__}: "
        f"{error})",
        RuntimeWarning,
        stacklevel=2,
    )
    subtract_tile_rows, subtract_lane_rows = _make(by_loops)
