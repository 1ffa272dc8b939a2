"""Each kernel against its definition in numpy; on a GPU too where there is one."""

import re
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from skdatamodels.regression._cuda import CudaLauncher, CudaOps, check_cuda, kernels
from skdatamodels.regression._cuda.kernels import SOURCE, _as_argument, compile_kernels

GUARD = 32  # NaN on either side of an array, 128 bytes of float32
KERNELS = re.findall(r"^__global__ void (\w+)\(", SOURCE.read_text("utf-8"), re.M)


class GuardedOps(CudaOps):
    """CudaOps whose arrays lie between NaN, and are NaN until written to."""

    def __init__(self, *args, **parameters):
        self._guarded = []
        super().__init__(*args, **parameters)

    def _empty(self, *shape, dtype="float32"):
        import torch

        size = int(np.prod(shape))
        whole = torch.full((size + 2 * GUARD,), torch.nan, device=self.device)
        whole = whole.to(getattr(torch, dtype))
        self._guarded.append(whole)
        return whole[GUARD : GUARD + size].view(shape)

    def put(self, array):
        """Put a float array on the device, guarded."""
        array = np.asarray(array)
        dtype = "float16" if array.dtype == np.float16 else "float32"
        tensor = self._empty(*array.shape, dtype=dtype)
        return tensor.copy_(self.asarray(array))

    def check_guards(self):
        for whole in self._guarded:
            assert whole[:GUARD].isnan().all()
            assert whole[-GUARD:].isnan().all()


@pytest.fixture(params=[4, 64])
def ops(request, platform):
    ops = GuardedOps(platform.device, launcher=platform.launcher, block=request.param)
    yield ops
    ops.check_guards()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def soft(x, bound):
    return np.sign(x) * np.maximum(np.abs(x) - bound, 0)


def close(actual, expected, rtol=1e-5, size=0):
    """Compare, to rounding errors of the largest number, or of numbers of a size."""
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=size)
    np.testing.assert_allclose(actual.cpu(), expected, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize("d", [1, 7, 8, 29, 600])
@pytest.mark.parametrize(
    ("dtype", "precision"), [("float32", 0), ("float16", 2**-11), ("bfloat16", 2**-8)]
)
def test_expand(platform, rng, d, dtype, precision):
    ops = GuardedOps(
        platform.device, launcher=platform.launcher, product_dtype=dtype, block=4
    )
    masks, centre = rng.random((5, d)) < 0.4, rng.random(d, np.float32)
    bits = np.packbits(masks, axis=1)
    x = ops.expand(bits, ops.put(centre))
    assert x.shape == (5, d)
    np.testing.assert_allclose(x.float().cpu(), masks - centre, rtol=precision)
    # the same buffer serves a smaller batch, and bits that are on the device
    again = ops.expand(ops.asarray(bits[:2]), ops.put(centre), scale=0.5)
    assert again.data_ptr() == x.data_ptr()
    expected = (masks[:2] - centre) / 2
    np.testing.assert_allclose(again.float().cpu(), expected, rtol=precision)
    ops.check_guards()


def test_bfloat16_is_rounded_as_torch_does(platform, rng):
    import torch

    values = rng.standard_normal(4096).astype(np.float32)
    values[:3] = [1 + 2**-8, 1 + 3 * 2**-8, 0]  # ties, to the even neighbour
    ops = platform.ops(product_dtype="bfloat16")
    x = ops.expand(np.zeros((1, 512), np.uint8), ops.asarray(-values))
    assert torch.equal(x[0].cpu(), torch.tensor(values).to(torch.bfloat16))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("n", [1, 37, 300])
def test_update_residuals(ops, rng, n, dtype):
    fitted, y, old = rng.standard_normal((3, 6, n)).astype(np.float32)
    intercept = rng.standard_normal(n).astype(np.float32)
    y[rng.random(y.shape) < 0.2] = np.nan
    table, delta = ops.put(old.astype(dtype)), ops.put(np.zeros_like(y))
    ops.update_residuals(*map(ops.put, (fitted, y, intercept)), table, delta)
    new = np.nan_to_num(y - fitted - intercept).astype(dtype)
    np.testing.assert_array_equal(table.cpu(), new)
    expected = new.astype(np.float32) - old.astype(dtype)
    np.testing.assert_array_equal(delta.cpu(), expected)


def saga_state(rng, n, d):
    w, average, gradient = rng.standard_normal((3, n, d))
    w[rng.random(w.shape) < 0.5] = 0
    batch_scale, table_scale, step, lam = rng.random((4, n))
    return w, average, gradient, batch_scale, table_scale, step, lam


@pytest.mark.parametrize(("n", "d"), [(1, 1), (3, 41), (5, 700)])
@pytest.mark.parametrize("per_target", [False, True])
def test_proximal_step(ops, rng, n, d, per_target):
    state = saga_state(rng, n, d)
    state[-1][0] = 0  # no penalty, but for where it is inf
    penalty = rng.uniform(0.5, 2, (n if per_target else 1, d))
    penalty[:, 0] = np.inf
    on_device = [ops.put(a) for a in state]
    change = ops.put(np.zeros(n))
    ops.proximal_step(*on_device, ops.put(penalty), change)

    w, average, gradient, *vectors = state
    batch_scale, table_scale, step, lam = (v[:, None] for v in vectors)
    moved = w + step * (average + batch_scale * gradient)
    bound = np.full_like(w, np.inf)
    np.multiply(step * lam, penalty, out=bound, where=np.isfinite(penalty))
    expected = soft(moved, bound)
    close(on_device[0], expected)
    assert not on_device[0][:, 0].any()
    close(on_device[1], average + table_scale * gradient)
    close(change, np.abs(expected - w).max(axis=1))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_weight_that_is_lost_shows_as_an_infinite_change(ops, rng, bad):
    state = saga_state(rng, 4, 300)
    state[2][2, 111] = bad
    *state, change = map(ops.put, (*state, np.ones((1, 300)), np.zeros(4)))
    ops.proximal_step(*state, change)
    assert change.isinf().tolist() == [False, False, True, False]


@pytest.mark.parametrize("per_target", [False, True])
@pytest.mark.parametrize("d", [1, 41, 700])
def test_dual_terms(ops, rng, d, per_target):
    q, w = rng.standard_normal((2, 4, d)).astype(np.float32)
    w[:, 0] = 0
    penalty = rng.uniform(0.5, 2, (4 if per_target else 1, d)).astype(np.float32)
    penalty[:, 0] = np.inf
    terms = ops.dual_terms(*map(ops.put, (q, w, penalty)))
    assert terms.dtype == np.float64
    q, w = q.astype(np.float64), w.astype(np.float64)
    np.testing.assert_allclose(terms[0], (np.abs(q) / penalty).max(axis=1), rtol=1e-6)
    np.testing.assert_allclose(terms[1], (q * w).sum(axis=1), atol=1e-12)
    cost = np.abs(w[:, 1:]) * penalty[:, 1:]
    np.testing.assert_allclose(terms[2], cost.sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize(("n", "d"), [(1, 1), (3, 41), (5, 700)])
@pytest.mark.parametrize("per_target", [False, True])
def test_fista_step(ops, rng, n, d, per_target):
    root = rng.standard_normal((d, d)) / np.sqrt(d)
    gram = root @ root.T
    cov, before, w = rng.standard_normal((3, n, d))
    w[rng.random(w.shape) < 0.5] = 0
    w[:, 0] = 0
    momentum, following, lam = rng.random((3, n))
    lam += 0.1
    penalty = rng.uniform(0.5, 2, (n if per_target else 1, d))
    penalty[:, 0] = np.inf
    z, step = w + momentum[:, None] * (w - before), 0.3
    arrays = z, z @ gram, cov, w, np.zeros_like(w), before @ gram, momentum, following
    on_device = [ops.put(a) for a in arrays]
    sums, excess = ops.fista_step(*on_device, step, ops.put(lam), ops.put(penalty))

    bound = lam[:, None] * penalty
    w_next = soft(z + step * (cov - z @ gram), step * bound)
    q = cov - w @ gram
    close(on_device[4], w_next)
    close(on_device[0], w_next + following[:, None] * (w_next - w))
    close(on_device[5], w @ gram, size=np.abs(z @ gram).max())
    close(on_device[3], w)
    close(excess, np.maximum(1, (np.abs(q) / bound).max(axis=1)))
    close(sums[0], (cov * w).sum(axis=1))
    close(sums[1], (q * w).sum(axis=1))
    close(sums[2], (np.abs(w[:, 1:]) * bound[:, 1:]).sum(axis=1))
    close(sums[3], ((z - w_next) * (w_next - w)).sum(axis=1))


def test_sums_are_in_double_precision(ops, rng):
    n, d = 2, 3000
    arrays = rng.standard_normal((6, n, d)).astype(np.float32)
    cov, w = (arrays[i].astype(np.float64) for i in (2, 3))
    args = *arrays, np.zeros(n), np.zeros(n)
    args = [ops.put(a) for a in args]
    penalty = np.ones((1, d))
    sums, _ = ops.fista_step(*args, 0.1, ops.put(np.ones(n)), ops.put(penalty))
    np.testing.assert_allclose(sums[0].cpu(), (cov * w).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(sums[2].cpu(), np.abs(w).sum(axis=1), rtol=1e-12)


def test_fista_step_without_penalty_or_gone_wrong(ops):
    n, d = 4, 300
    arrays = [np.zeros((n, d)) for _ in range(6)]
    arrays[2][1, 100] = 0.5  # cov
    arrays[1][2, 200] = np.nan  # product
    lam = np.array([0, 0, 1, 1])
    args = *arrays, np.zeros(n), np.zeros(n)
    args = [ops.put(a) for a in args]
    _, excess = ops.fista_step(*args, 0.1, ops.put(lam), ops.put(np.ones((1, d))))
    # 0/0 is no excess; what is not 0 exceeds a bound of 0; NaN exceeds any
    assert excess.tolist() == [1, np.inf, np.inf, 1]
    assert args[4].isnan().any(dim=1).tolist() == [False, False, True, False]


def test_results_do_not_depend_on_the_launch(platform, rng):
    q, w = rng.standard_normal((2, 3, 1000)).astype(np.float32)
    penalty = np.ones((1, 1000), np.float32)
    terms = []
    for block in (1, 4, 64, 64):
        ops = platform.ops(block=block)
        terms.append(ops.dual_terms(*map(ops.asarray, (q, w, penalty))))
        np.testing.assert_allclose(terms[-1], terms[0], rtol=1e-12)
    np.testing.assert_array_equal(terms[-1], terms[-2])


def test_arrays_that_a_kernel_would_misread_are_refused(platform):
    ops = platform.ops()
    good = ops.zeros((3, 4)), ops.zeros((3, 4)), ops.zeros((1, 4))
    ops.dual_terms(*good)
    for position, bad in [
        (0, ops.zeros((3, 5))),
        (0, ops.zeros((4, 3)).T),
        (1, ops.asarray(np.zeros((3, 4)))),
        (2, ops.zeros((2, 4))),
    ]:
        args = list(good)
        args[position] = bad
        with pytest.raises(ValueError, match="tensor of shape"):
            ops.dual_terms(*args)


def test_nothing_is_launched_for_no_rows(platform):
    ops = platform.ops()
    assert ops.expand(np.zeros((0, 1), np.uint8), ops.zeros(5)).shape == (0, 5)


def test_asarray_copies_and_converts(platform):
    ops = platform.ops()
    array = np.arange(3.0)
    array.flags.writeable = False  # as a memory map is
    assert ops.to_numpy(ops.asarray(array)).dtype == np.float64
    assert ops.to_numpy(ops.asarray(array, np.float32)).dtype == np.float32
    assert ops.to_numpy(ops.asarray(ops.zeros(3), np.float16)).dtype == np.float16
    assert ops.zeros(3).device.type == platform.device


@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
def test_kernels_compile_to_machine_code(arch):
    pytest.importorskip("cuda.core")
    code = compile_kernels(arch).code
    assert code.startswith(b"\x7fELF")
    assert len(KERNELS) == 8
    for name in KERNELS:
        assert name.encode() in code


def test_arguments_are_as_wide_as_kernels_take_them(platform):
    tensor = platform.ops().zeros(3)
    assert _as_argument(tensor) == tensor.data_ptr()
    assert _as_argument(2**40) == 2**40  # cuda.core passes an int as 64 bits
    assert type(_as_argument(0.5)) is np.float32


def test_launcher_up_to_the_driver(monkeypatch):
    torch, core = pytest.importorskip("torch"), pytest.importorskip("cuda.core")
    streams, launched = iter([111, 222]), []
    for name, value in {
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "get_device_capability": lambda device: (9, 0),
        "device": nullcontext,
        "current_stream": lambda: SimpleNamespace(cuda_stream=next(streams)),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)

    def launch(stream, config, kernel, *args):
        launched.append((stream.__cuda_stream__()[1], config.grid, kernel, args))

    monkeypatch.setattr(core, "Device", Mock())
    monkeypatch.setattr(core, "launch", launch)
    code = Mock(get_kernel=lambda name: name.upper())
    monkeypatch.setattr(kernels, "compile_kernels", {"sm_90": code}.get)
    launcher = CudaLauncher()
    assert launcher.device == torch.device("cuda:0")
    for _ in range(2):
        launcher.launch("name", (3, 2), 64, 7, 0.5)
    args = "NAME", (7, 0.5)
    assert launched == [(111, (3, 2, 1), *args), (222, (3, 2, 1), *args)]


@pytest.mark.parametrize("missing", ["torch", "cuda.core"])
def test_what_is_missing_is_named(monkeypatch, missing):
    if missing != "torch":
        pytest.importorskip("torch")
    monkeypatch.setitem(sys.modules, missing, None)
    name = missing.replace(".", "-")
    with pytest.raises(ImportError, match=rf'{name}: pip .*"skdatamodels\[cuda13\]"'):
        check_cuda()


def test_no_such_device():
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match='got "cpu"'):
        check_cuda("cpu")
    pytest.importorskip("cuda.core")
    with pytest.raises(RuntimeError, match='device="cpu"'):
        CudaOps("cuda:99")


def test_importing_is_light():
    code = (
        "import sys, skdatamodels.regression._cuda as cuda; cuda.lasso_path\n"
        "print(*{'torch', 'cuda'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert answer.stdout.split() == [], answer.stderr
