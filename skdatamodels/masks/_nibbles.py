"""Pair counts by table lookups: packing and loops. `_lookup` derives the method."""

import numpy as np

from skdatamodels._numba import njit
from skdatamodels.masks._lookup import BLOCK, SPAN, TABLES, TILE, add_block

STRIPE = 16  # columns of two words, which are counted in pairs
_WORDS = TILE // 8  # in a row of a tile


@njit(nogil=True)
def _flip_8x8(x):
    """Let bit c of byte r become bit 7 - r of byte 7 - c.

    This is the transposition of Warren, Hacker's Delight, §7-3, on the other diagonal.
    """
    t = (x ^ (x >> np.uint64(9))) & np.uint64(0x0055005500550055)
    x = x ^ t ^ (t << np.uint64(9))
    t = (x ^ (x >> np.uint64(18))) & np.uint64(0x0000333300003333)
    x = x ^ t ^ (t << np.uint64(18))
    t = (x ^ (x >> np.uint64(36))) & np.uint64(0x000000000F0F0F0F)
    return x ^ t ^ (t << np.uint64(36))


def run_bytes(n_train):
    """Return the number of bytes of a run in nibbles."""
    return -(-n_train // TILE) * TILE // 4


@njit(nogil=True)
def pack_nibbles(bits, n_train):
    """Turn packed rows into nibbles: uint64 (n_tiles, n_groups, 16), 8 to a word.

    A word has the nibbles of eight examples, in order. The groups of four rows are in
    another order, and so are the bits of a group, but in the same one for all examples,
    so that pair counts are right. Missing rows and examples are zeros.
    """
    n_rows, n_bytes = bits.shape
    n_tiles, n_eights = (n_bytes + _WORDS - 1) // _WORDS, 3 * ((n_rows + 23) // 24)
    size = n_tiles * 2 * n_eights * _WORDS
    words = np.zeros(size + 8, dtype=np.uint64)
    start = (64 - words.ctypes.data % 64) % 64 // 8  # vectors do not cross cache lines
    nibbles = words[start : start + size].reshape(n_tiles, 2 * n_eights, _WORDS)
    low = np.uint64(0x0F0F0F0F0F0F0F0F)
    for eight in range((n_rows + 7) // 8):
        n = min(8, n_rows - 8 * eight)
        for c in range(n_bytes):
            square = np.uint64(0)
            for r in range(n):
                square |= np.uint64(bits[8 * eight + r, c]) << np.uint64(8 * r)
            square = _flip_8x8(square)  # packbits puts the first example highest
            tile = nibbles[c // _WORDS]
            tile[2 * eight, c % _WORDS] = square & low
            tile[2 * eight + 1, c % _WORDS] = (square >> np.uint64(4)) & low
    return nibbles


def lookup_counter(lanes):
    """Return `add_pair_counts` for vectors of so many bytes."""

    @njit(nogil=True)
    def add_pair_counts(nibbles, start, stop, counts):
        """Add to ``counts[i, j]`` the number of ones that columns i and j share.

        This is done for i from start to stop - 1 and all j ≥ i, and for some j < i.
        Here `start` is a multiple of `STRIPE`, and so is `stop` if it is not the end.
        """
        n_tiles, n_groups, _ = nibbles.shape
        pairs = np.empty((BLOCK, _WORDS // 2), dtype=np.uint64)
        sums = np.empty((TILE // 2, 4, TILE // 2), dtype=np.uint16)
        for i in range(start, stop, TILE):
            n_stripes = (min(TILE, stop - i) + STRIPE - 1) // STRIPE
            for tile in range(i // TILE, n_tiles):
                for span in range(0, n_groups, SPAN):
                    sums[:] = 0
                    for first in range(span, min(span + SPAN, n_groups), BLOCK):
                        n = min(BLOCK, n_groups - first)
                        _pair_up(nibbles, i // 8, first, pairs[:n, :n_stripes])
                        at = (tile * n_groups + first) * TILE
                        for p in range(8 * n_stripes):
                            add_block(
                                TABLES, nibbles, at, pairs, p, n // 3, sums, lanes
                            )
                    _add_sums(sums, counts[i : min(i + TILE, stop)], tile * TILE)

    return add_pair_counts


@njit(nogil=True)
def _pair_up(nibbles, word, first, pairs):
    """Put the nibbles of two words of columns into one, for some groups and stripes."""
    n, n_stripes = pairs.shape
    for stripe in range(n_stripes):
        tile, k = divmod(word + 2 * stripe, _WORDS)
        for g in range(n):
            row = nibbles[tile, first + g]
            pairs[g, stripe] = row[k] | row[k + 1] << np.uint64(4)


@njit(nogil=True)
def _add_sums(sums, counts, start):
    """Add the sums of `add_block` for stripes with the tile that begins at `start`."""
    for i in range(len(counts)):
        stripe, k = divmod(i, STRIPE)
        column, k = divmod(k, 8)
        even = sums[8 * stripe + k, 2 * column]
        odd = sums[8 * stripe + k, 2 * column + 1]
        row = counts[i, start : start + TILE]  # contiguous
        for j in range(len(row) // 2):
            row[2 * j] += even[j]
            row[2 * j + 1] += odd[j]
        if len(row) % 2:
            row[-1] += even[len(row) // 2]
