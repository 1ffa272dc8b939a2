"""Count pairs of examples by population counts of packed columns, with numba."""

import numpy as np

from skdatamodels._numba import njit

_BLOCK = 4


@njit(nogil=True)
def popcount(word):
    """Count the ones in a 64-bit word (Warren, Hacker's Delight, §5-1).

    The compiler knows this sequence, and makes the processor's one instruction of it.
    """
    pairs, nibbles = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
    word = word - ((word >> np.uint64(1)) & pairs)
    word = (word & nibbles) + ((word >> np.uint64(2)) & nibbles)
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@njit(nogil=True)
def _transpose_8x8(x):
    """Transpose the 8 × 8 bits of a word (Warren, Hacker's Delight, §7-3)."""
    t = (x ^ (x >> np.uint64(7))) & np.uint64(0x00AA00AA00AA00AA)
    x = x ^ t ^ (t << np.uint64(7))
    t = (x ^ (x >> np.uint64(14))) & np.uint64(0x0000CCCC0000CCCC)
    x = x ^ t ^ (t << np.uint64(14))
    t = (x ^ (x >> np.uint64(28))) & np.uint64(0x00000000F0F0F0F0)
    return x ^ t ^ (t << np.uint64(28))


def run_bytes(n_train):
    """Return the number of bytes of a run in packed columns."""
    return -(-n_train // 8)


@njit(nogil=True)
def pack_columns(bits, n_train):
    """Turn packed rows into packed columns: uint64 (n_train, ceil(n_rows / 64)).

    Bit k of word w is row 64·w + k. Missing rows of the last word are zeros, which do
    not change pair counts.
    """
    n_rows, n_bytes = bits.shape
    words = np.zeros((n_train, (n_rows + 63) // 64), dtype=np.uint64)
    for w in range(words.shape[1]):
        for c in range(n_bytes):
            for group in range(8):
                square = np.uint64(0)
                first = 64 * w + 8 * group
                for r in range(min(8, n_rows - first)):
                    square |= np.uint64(bits[first + r, c]) << np.uint64(8 * r)
                square = _transpose_8x8(square)
                for e in range(min(8, n_train - 8 * c)):
                    # packbits puts the first example in the highest bit
                    column = (square >> np.uint64(8 * (7 - e))) & np.uint64(0xFF)
                    words[8 * c + e, w] |= column << np.uint64(8 * group)
    return words


@njit(nogil=True)
def _pair_count(a, b):
    total = 0
    for k in range(a.size):
        total += popcount(a[k] & b[k])
    return total


@njit(nogil=True)
def add_pair_counts(words, start, stop, counts):
    """Add to ``counts[i, j]`` the number of ones that columns i and j share.

    This is done for i from start to stop - 1 and all j ≥ i. Blocks of 4 × 4 pairs share
    their loads: 8 words are read for 16 counts.
    """
    n, n_words = words.shape
    for i in range(start, stop, _BLOCK):
        i_end = min(i + _BLOCK, stop)
        for j in range(i, n, _BLOCK):
            j_end = min(j + _BLOCK, n)
            if i_end - i < _BLOCK or j_end - j < _BLOCK:
                for p in range(i, i_end):
                    for q in range(j, j_end):
                        counts[p, q] += _pair_count(words[p], words[q])
                continue
            c00 = c01 = c02 = c03 = c10 = c11 = c12 = c13 = 0
            c20 = c21 = c22 = c23 = c30 = c31 = c32 = c33 = 0
            for k in range(n_words):
                a0, a1 = words[i, k], words[i + 1, k]
                a2, a3 = words[i + 2, k], words[i + 3, k]
                b0, b1 = words[j, k], words[j + 1, k]
                b2, b3 = words[j + 2, k], words[j + 3, k]
                c00 += popcount(a0 & b0)
                c01 += popcount(a0 & b1)
                c02 += popcount(a0 & b2)
                c03 += popcount(a0 & b3)
                c10 += popcount(a1 & b0)
                c11 += popcount(a1 & b1)
                c12 += popcount(a1 & b2)
                c13 += popcount(a1 & b3)
                c20 += popcount(a2 & b0)
                c21 += popcount(a2 & b1)
                c22 += popcount(a2 & b2)
                c23 += popcount(a2 & b3)
                c30 += popcount(a3 & b0)
                c31 += popcount(a3 & b1)
                c32 += popcount(a3 & b2)
                c33 += popcount(a3 & b3)
            block = (
                (c00, c01, c02, c03),
                (c10, c11, c12, c13),
                (c20, c21, c22, c23),
                (c30, c31, c32, c33),
            )
            for p in range(_BLOCK):
                for q in range(_BLOCK):
                    counts[i + p, j + q] += block[p][q]


@njit(nogil=True)
def mirror(counts):
    """Copy the upper triangle of a square matrix to the lower one."""
    for i in range(counts.shape[0]):
        for j in range(i):
            counts[i, j] = counts[j, i]
