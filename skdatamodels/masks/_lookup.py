"""Count pairs of examples by table lookups, for processors without vector popcounts.

Split the runs into groups of four. In a group, a column is a number from 0 to 15, its
nibble. One instruction, pshufb on x86 and tbl on Arm, looks up each byte of a vector in
a table of 16 bytes. Let v be the nibble of column i, and let the table hold
popcount(v & w) for w = 0, ..., 15. Then one lookup, in the nibbles of other columns,
counts the runs of the group that column i shares with each of them.

A count is at most 4, so a byte has room for two: the table holds
popcount(v & w) + 16·popcount(v' & w), for two columns i and i'. There are 256 such
tables. The sum of three lookups holds two counts of at most 12, one in each nibble.
Two accumulators take them apart:

- ``low`` adds up ``sum & 15``. After 20 sums, its bytes are at most 240.
- ``high`` adds up ``sum >> 4``. Processors shift no bytes, so these are 16-bit numbers,
  and the shift also moves the lower nibble of the upper byte into the lower byte. So
  ``high`` is too large by 16 times the upper byte of ``low``. This is subtracted at the
  end. Nothing overflows: 240 + 16·240 + 256·240 < 2¹⁶.

So 9 instructions count 12 runs of two columns with each byte of a vector. With 32
bytes, that is 85 bits an instruction. The popcount of a word takes three instructions
(and, popcount, add) for 64 bits.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

TILE = 128  # columns that a pair of columns is counted with
BLOCK = 3 * 20  # groups whose counts the bytes of `low` can hold
SPAN = BLOCK * (65535 // (4 * BLOCK))  # groups whose counts 16 bits can hold

# The instruction, by the number of bytes that it looks up.
_LOOKUPS = {
    16: "llvm.aarch64.neon.tbl1.v16i8",
    32: "llvm.x86.avx2.pshuf.b",
    64: "llvm.x86.avx512.pshuf.b.512",
}
_BYTE, _WORD, _PLACE = ir.IntType(8), ir.IntType(16), ir.IntType(64)


def _make_tables():
    ones = np.array([n.bit_count() for n in range(16)], dtype=np.uint8)
    shared = ones[np.arange(16)[:, None] & np.arange(16)]
    return (shared + 16 * shared[:, None]).reshape(256, 16)  # table v + 16·v'


TABLES = _make_tables()


@intrinsic(prefer_literal=True)
def add_block(context, tables, nibbles, first, pairs, pair, n_triples, sums, lanes):
    """Add the counts of a pair of columns with the columns of a tile, in one block.

    The nibbles of the tile begin at byte `first` of `nibbles`. Those of the pair are
    byte `pair` of each row of `pairs`. The counts go to row `pair` of `sums`: those of
    the first column with the even columns of the tile and with the odd ones, then those
    of the second column. All arrays are contiguous.
    """
    place, lanes_value = types.intp, lanes.literal_value
    signature = types.void(tables, nibbles, place, pairs, place, place, sums, lanes)

    def codegen(context, builder, signature, args):
        def address(k, kind, start):
            array = context.make_array(signature.args[k])(context, builder, args[k])
            data = builder.bitcast(array.data, kind.as_pointer())
            return builder.gep(data, [start])

        tables, tile = address(0, _BYTE, _PLACE(0)), address(1, _BYTE, args[2])
        pairs = address(3, _BYTE, args[4])
        sums = address(6, _WORD, builder.mul(args[4], _PLACE(2 * TILE)))
        write_add_block(builder, lanes_value, tables, tile, pairs, args[5], sums)
        return context.get_dummy_value()

    return signature, codegen


def write_add_block(builder, lanes, tables, tile, pairs, n_triples, sums):
    """Write the instructions of `add_block`, for vectors of `lanes` bytes."""
    n_vectors = TILE // lanes
    table, vector = ir.VectorType(_BYTE, 16), ir.VectorType(_BYTE, lanes)
    words = ir.VectorType(_WORD, lanes // 2)
    places = ir.VectorType(ir.IntType(32), lanes)
    lookup = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(vector, [vector, vector]), _LOOKUPS[lanes]
    )

    def all_are(kind, value):
        return ir.Constant(kind, [value] * kind.count)

    def load(kind, start, row, width, offset=0):
        place = builder.add(builder.mul(row, _PLACE(width)), _PLACE(offset))
        start = builder.bitcast(builder.gep(start, [place]), kind.as_pointer())
        return builder.load(start, align=1)

    def add(to, value):
        builder.store(builder.add(builder.load(to, align=2), value), to, align=2)

    def zeros(kind):
        return [
            cgutils.alloca_once_value(builder, all_are(kind, 0))
            for _ in range(n_vectors)
        ]

    low, high = zeros(vector), zeros(words)
    with cgutils.for_range(builder, n_triples) as loop:
        total = [None] * n_vectors
        for k in range(3):
            group = builder.add(builder.mul(loop.index, _PLACE(3)), _PLACE(k))
            nibbles = builder.zext(load(_BYTE, pairs, group, TILE // 2), _PLACE)
            entries = load(table, tables, nibbles, 16)
            copies = ir.Constant(places, [p % 16 for p in range(lanes)])
            entries = builder.shuffle_vector(entries, table(None), copies)
            for v in range(n_vectors):
                others = load(vector, tile, group, TILE, lanes * v)
                shared = builder.call(lookup, [entries, others])
                total[v] = builder.add(total[v], shared) if k else shared
        for v in range(n_vectors):
            add(low[v], builder.and_(total[v], all_are(vector, 15)))
            shifted = builder.bitcast(total[v], words)
            add(high[v], builder.lshr(shifted, all_are(words, 4)))
    for v in range(n_vectors):
        first = builder.bitcast(builder.load(low[v]), words)
        upper = builder.lshr(first, all_are(words, 4))
        upper = builder.and_(upper, all_are(words, 0xFF0))
        second = builder.sub(builder.load(high[v]), upper)
        for column, counts in enumerate((first, second)):
            even = builder.and_(counts, all_are(words, 255))
            odd = builder.lshr(counts, all_are(words, 8))
            for parity, part in enumerate((even, odd)):
                start = column * TILE + parity * TILE // 2 + v * lanes // 2
                start = builder.gep(sums, [_PLACE(start)])
                add(builder.bitcast(start, words.as_pointer()), part)
