"""Choice of the kernel that counts pairs of examples in packed masks."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numba
import numpy as np


class PairCounter(NamedTuple):
    """A way to count pairs.

    ``pack(bits, n_train)`` prepares packed rows, in ``run_bytes(n_train)`` bytes a run.
    ``add(packed, start, stop, counts)`` adds to ``counts[i, j]`` the number of ones
    that columns i and j share, for i from `start` to `stop` - 1 and all j ≥ i. Threads
    divide columns in multiples of `stripe`.
    """

    pack: Callable
    run_bytes: Callable
    add: Callable
    stripe: int


@cache
def pair_counter(lanes):
    """Return the kernel that looks up `lanes` bytes at once; popcounts for None."""
    if lanes is None:
        from skdatamodels.masks import _popcount

        return PairCounter(
            _popcount.pack_columns, _popcount.run_bytes, _popcount.add_pair_counts, 8
        )
    from skdatamodels.masks import _nibbles

    counter = PairCounter(
        _nibbles.pack_nibbles,
        _nibbles.run_bytes,
        _nibbles.lookup_counter(lanes),
        _nibbles.STRIPE,
    )
    nothing = counter.pack(np.empty((0, 1), dtype=np.uint8), 1)
    counter.add(nothing, 0, 1, np.zeros((1, 1), dtype=np.int32))  # compile
    return counter


def target():
    """Return the architecture that numba compiles for, and what LLVM may use of it."""
    from numba.core.registry import cpu_target

    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    return triple, features


def lookup_lanes(triple, features):
    """Return how many bytes to look up at once, or None if popcounts are as fast.

    Parameters
    ----------
    triple : str
        LLVM's name of the architecture, which comes first, the vendor and the system.
    features : str
        What LLVM may use, such as "+avx2,-avx512bw".
    """
    features = features.split(",")
    if triple.startswith(("aarch64", "arm64")):
        return 16
    if "+avx512vpopcntdq" in features:  # counts the ones of eight words at once
        return None
    return 64 if "+avx512bw" in features else 32 if "+avx2" in features else None


@cache
def fastest_pair_counter():
    """Return the fastest kernel for the processor that numba compiles for.

    The variables NUMBA_CPU_NAME and NUMBA_CPU_FEATURES change this processor. numba
    caches what it compiles apart for each, so a kernel never runs on another.
    """
    try:
        lanes = None if numba.config.DISABLE_JIT else lookup_lanes(*target())
        return pair_counter(lanes)
    except Exception as error:  # a change of llvmlite may make numba raise any error
        warnings.warn(
            f"Table lookups cannot be built with numba {numba.__version__}: pairs of "
            "examples are counted by population counts instead, at about half the "
            f"speed. ({type(error).__name__}: {error})",
            RuntimeWarning,
            stacklevel=2,
        )
        return pair_counter(None)
