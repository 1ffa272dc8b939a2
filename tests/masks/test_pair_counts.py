"""Counts of pairs: each kernel that this processor can run, and the choice of one."""

import os
import platform
import subprocess
import sys
from itertools import pairwise

import llvmlite.binding as llvm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import ir
from numpy.testing import assert_array_equal

from skdatamodels.masks import PackedMasks, _lookup, _packed, _pair_counts
from skdatamodels.masks._pair_counts import fastest_pair_counter, pair_counter


def _lanes_here():
    triple, features = _pair_counts.target()
    x86 = {32: "+avx2", 64: "+avx512bw"}
    lanes = [n for n, name in x86.items() if name in features.split(",")]
    return [None, 16] if triple.startswith(("aarch64", "arm64")) else [None, *lanes]


kernels = pytest.mark.parametrize("lanes", _lanes_here())


def _count(lanes, dense, edges=None):
    n_train = dense.shape[1]
    counts = np.zeros((n_train, n_train), np.int32)
    counter = pair_counter(lanes)
    packed = counter.pack(np.packbits(dense, axis=1), n_train)
    edges = [0, n_train] if edges is None else edges
    for start, stop in pairwise(edges):
        counter.add(packed, start, stop, counts)
    return np.triu(counts)


def _expected(dense):
    dense = dense.astype(float)
    return np.triu(dense.T @ dense).astype(int)  # floats hold these counts exactly


@kernels
@given(
    st.integers(1, 600),
    st.integers(1, 200),
    st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    st.integers(0, 2**32),
)
@settings(max_examples=60)
def test_counts_are_exact(lanes, n_runs, n_train, density, seed):
    dense = np.random.default_rng(seed).random((n_runs, n_train)) < density
    assert_array_equal(_count(lanes, dense), _expected(dense))


@kernels
@pytest.mark.parametrize("n_runs", [239, 240, 241, 65_519, 65_520, 65_521, 140_000])
def test_ones_overflow_nothing(lanes, n_runs):
    """240 runs fill the bytes of a block, 65,520 the 16-bit sums."""
    dense = np.ones((n_runs, 3), bool)
    assert_array_equal(_count(lanes, dense), np.triu(np.full((3, 3), n_runs)))


@kernels
def test_stripes_add_up(lanes):
    dense = np.random.default_rng(0).random((500, 300)) < 0.5
    found = _count(lanes, dense, edges=[0, 16, 192, 240, 300])
    assert_array_equal(found, _expected(dense))


@kernels
def test_no_runs_and_no_examples(lanes):
    assert not _count(lanes, np.ones((0, 5), bool)).any()
    assert _count(lanes, np.ones((5, 0), bool)).shape == (0, 0)


@kernels
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_gram_with_each_kernel(monkeypatch, lanes, n_jobs):
    monkeypatch.setattr(
        _pair_counts, "fastest_pair_counter", lambda: pair_counter(lanes)
    )
    monkeypatch.setattr(_packed, "_LITTLE", 0)  # do not count alone
    dense = np.random.default_rng(1).random((400, 333)) < 0.5
    out = np.full((333, 333), 2, np.int32)
    assert PackedMasks.from_dense(dense).gram(n_jobs=n_jobs, out=out) is out
    assert_array_equal(out, dense.T.astype(int) @ dense + 2)


def test_tables():
    for v in range(256):
        for w in range(16):
            both = (v & 15 & w).bit_count() + 16 * (v >> 4 & w).bit_count()
            assert _lookup.TABLES[v, w] == both


X86 = "x86_64-unknown-linux-gnu"


@pytest.mark.parametrize(
    ("triple", "features", "lanes"),
    [
        (X86, "+avx2,+avx512bw,+avx512vpopcntdq", None),
        (X86, "+avx2,+avx512bw,-avx512vpopcntdq", 64),
        (X86, "+avx2,-avx512bw", 32),
        (X86, "+avx,-avx2", None),
        (X86, "", None),
        ("aarch64-unknown-linux-gnu", "+neon", 16),
        ("arm64-apple-darwin23.1.0", "", 16),
        ("powerpc64le-unknown-linux-gnu", "+altivec", None),
    ],
)
def test_choice_by_what_the_processor_can(triple, features, lanes):
    assert _pair_counts.lookup_lanes(triple, features) == lanes


CHOICE = "from skdatamodels.masks._pair_counts import *; print(lookup_lanes(*target()))"


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="names features of x86"
)
@pytest.mark.parametrize(
    ("name", "features", "lanes"),
    [("haswell", "+avx2", "32"), ("generic", None, "None")],
)
def test_choice_follows_the_target_of_numba(name, features, lanes):
    environ = {**os.environ, "NUMBA_CPU_NAME": name}
    environ.pop("NUMBA_CPU_FEATURES", None)
    if features:
        environ["NUMBA_CPU_FEATURES"] = features
    answer = subprocess.run(
        [sys.executable, "-c", CHOICE], env=environ, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == [lanes]


def test_popcounts_take_over_where_lookups_cannot_be_built(monkeypatch):
    monkeypatch.setattr(_pair_counts, "lookup_lanes", lambda *target: 24)
    fastest_pair_counter.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match="counted by population counts instead"):
            counter = fastest_pair_counter()
    finally:
        fastest_pair_counter.cache_clear()
    assert counter == pair_counter(None)


def test_without_compilation_popcounts_are_used(monkeypatch):
    monkeypatch.setattr(_pair_counts.numba.config, "DISABLE_JIT", 1)
    fastest_pair_counter.cache_clear()
    try:
        assert fastest_pair_counter() == pair_counter(None)
    finally:
        fastest_pair_counter.cache_clear()


@pytest.mark.parametrize(
    ("triple", "features", "lanes", "instruction"),
    [
        ("aarch64-unknown-linux-gnu", "+neon", 16, "tbl"),
        (X86, "+avx2", 32, "vpshufb"),
        (X86, "+avx512bw", 64, "vpshufb"),
    ],
)
def test_one_instruction_looks_up_a_vector(triple, features, lanes, instruction):
    """Compile for processors that are not here, without running it."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple(triple)
    except RuntimeError as error:
        pytest.skip(str(error))
    module = ir.Module()
    module.triple = triple
    byte, word = ir.IntType(8).as_pointer(), ir.IntType(16).as_pointer()
    arguments = [byte, byte, byte, ir.IntType(64), word]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), "block")
    builder = ir.IRBuilder(function.append_basic_block())
    _lookup.write_add_block(builder, lanes, *function.args)
    builder.ret_void()
    machine = target.create_target_machine(features=features)
    assembly = machine.emit_assembly(llvm.parse_assembly(str(module)))
    words = assembly.split()
    assert words.count(instruction) == 3 * _lookup.TILE // lanes
