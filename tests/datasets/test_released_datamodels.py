import sys
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Lasso

from skdatamodels.datasets import load_released_datamodels, load_released_runs
from skdatamodels.masks import _packed

N_RUNS, N_TRAIN, N_TARGETS = 40, 21, 3


def _data():
    rng = np.random.default_rng(0)
    masks = rng.random((N_RUNS, N_TRAIN)) < 0.5
    margins = rng.standard_normal((N_RUNS, N_TARGETS)).astype(np.float16)
    return masks, margins


@pytest.fixture
def save(tmp_path):
    """Write files under the names of the release; return their paths."""

    def save(masks, margins):
        paths = tmp_path / "train_masks_50pct.npy", tmp_path / "test_margins_50pct.npy"
        for path, values in zip(paths, (masks, margins), strict=True):
            np.save(path, values)
        return paths

    return save


@pytest.mark.parametrize("block_bytes", [2**26, 100])
@pytest.mark.parametrize("masks_dtype", [bool, np.uint8])
@pytest.mark.parametrize("margins_dtype", [np.float16, np.float32, np.float64])
def test_runs(save, monkeypatch, masks_dtype, margins_dtype, block_bytes):
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", block_bytes)
    masks, margins = _data()
    margins[7, 1] = np.nan  # a run without output
    margins[8, 2] = 65504  # the largest there is
    paths = save(masks.astype(masks_dtype), margins.astype(margins_dtype))
    runs = load_released_runs(*map(str, paths))
    assert_array_equal(runs.masks, masks)
    assert isinstance(runs.outputs, np.memmap)  # still on disk, as it was
    assert runs.outputs.dtype == margins_dtype
    assert isinstance(runs[5:20].outputs, np.memmap)
    assert_array_equal(runs.outputs, margins)
    assert_array_equal(
        runs.packed.T_dot(runs[:].outputs[:, :1]),
        masks.T @ margins[:, :1].astype(float),
    )


def test_memory_is_that_of_packed_masks(save, monkeypatch):
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", 10_000)
    paths = save(np.ones((20_000, 80), bool), np.ones((20_000, 50), np.float16))
    load_released_runs(*paths)  # imports what it needs
    tracemalloc.start()
    runs = load_released_runs(*paths)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert runs.packed.bits.nbytes == 200_000
    assert peak < 200_000 + 100_000  # of files of 1.6 MB and 2 MB


def test_missing_files(save):
    for path in save(*_data()):
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(FileNotFoundError, match=path.name):
            load_released_runs(
                path.parent / "train_masks_50pct.npy",
                path.parent / "test_margins_50pct.npy",
            )
        path.write_bytes(content)


@pytest.mark.parametrize("which", [0, 1])
def test_files_that_are_cut_short(save, which):
    paths = save(*_data())
    paths[which].write_bytes(paths[which].read_bytes()[:-1])
    with pytest.raises(ValueError, match=f"{paths[which].name} is incomplete"):
        load_released_runs(*paths)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x[:-1], y), "disagree on the number of runs: 39 masks, 40 marg"),
        (lambda x, y: (x, y[:, 0]), r"must be 2-d, got shapes \(40, 21\) and \(40,\)"),
        (lambda x, y: (x, np.stack([y] * 10, axis=2)), r"and \(40, 3, 10\)"),  # logits
        (lambda x, y: (y, x), "masks_50pct.npy must hold bool or uint8, got float16"),
        (lambda x, y: (x.astype(int), y), "must hold bool or uint8, got int64"),
        (lambda x, y: (x, x), "margins_50pct.npy must hold floats, got bool"),
    ],
    ids=["lengths", "1-d", "3-d", "swapped", "int", "no floats"],
)
def test_files_that_are_something_else(save, change, message):
    with pytest.raises(ValueError, match=message):
        load_released_runs(*save(*change(*_data())))


@pytest.mark.parametrize("block_bytes", [2**26, 100])
@pytest.mark.parametrize("wrong", [np.inf, -np.inf])
def test_margins_that_overflowed(save, monkeypatch, wrong, block_bytes):
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", block_bytes)
    masks, margins = _data()
    margins[[33, 35], 2] = wrong
    with pytest.raises(
        ValueError, match=f"pct.npy contains infinity: {wrong} at run 33, target 2"
    ):
        load_released_runs(*save(masks, margins))


@pytest.mark.parametrize("block_bytes", [2**26, 100])
def test_masks_that_are_not_0_or_1(save, monkeypatch, block_bytes):
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", block_bytes)
    masks, margins = _data()
    masks = masks.astype(np.uint8)
    masks[33, 5] = 2
    with pytest.raises(ValueError, match="got 2 at run 33, example 5"):
        load_released_runs(*save(masks, margins))


def _problem(n_runs=400, n_train=12, *, balanced=False):
    """Masks of unequal column means (or all ½), and outputs that depend on them."""
    rng = np.random.default_rng(1)
    masks = rng.random((n_runs, n_train)) < rng.uniform(0.3, 0.7, n_train)
    if balanced:
        masks[n_runs // 2 :] = ~masks[: n_runs // 2]
    coef = rng.standard_normal((n_train, N_TARGETS)) * (rng.random((n_train, 1)) < 0.5)
    outputs = 2 + masks @ coef + 0.5 * rng.standard_normal((n_runs, N_TARGETS))
    return masks, outputs


def _standardised(masks):
    return (masks - masks.mean(axis=0)) / masks.std(axis=0)


def _fit_as_the_authors(masks, outputs, lams, rate=0.2):
    """Full-batch steps of the released solver: what its lam and weights mean.

    A step goes along the mean over runs of z·residual, without a factor of 2, and then
    soft-thresholds at rate·lam.
    """
    z = _standardised(masks)
    weight, bias = np.zeros((z.shape[1], outputs.shape[1])), np.zeros(outputs.shape[1])
    for _ in range(3000):
        residual = z @ weight + bias - outputs
        weight -= rate * z.T @ residual / len(z)
        bias -= rate * residual.mean(axis=0)
        weight = np.sign(weight) * np.maximum(abs(weight) - rate * lams, 0)
    return weight, bias


def _save_datamodels(torch, path, weight, bias, lams):
    arrays = {"weight": weight, "bias": bias, "lam": lams}
    torch.save({name: torch.as_tensor(a) for name, a in arrays.items()}, path)
    return path


LAMS = np.array([0.02, 0.1, 0.3])


def test_lam_of_the_authors_solver_is_that_of_lasso_on_standardised_masks():
    masks, outputs = _problem()
    weight, bias = _fit_as_the_authors(masks, outputs, LAMS)
    assert 3 < (weight == 0).sum() < weight.size - 3
    for target, lam in enumerate(LAMS):
        lasso = Lasso(alpha=lam, tol=1e-12).fit(
            _standardised(masks), outputs[:, target]
        )
        assert_allclose(weight[:, target], lasso.coef_, atol=1e-6)
        assert_allclose(bias[target], lasso.intercept_)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("legacy", [False, True])
def test_predictions_on_masks_are_the_same(tmp_path, dtype, legacy):
    torch = pytest.importorskip("torch")
    masks, outputs = _problem()
    weight, bias = _fit_as_the_authors(masks, outputs, LAMS)
    path = tmp_path / "test_50pct.pt"
    tensors = {"weight": weight, "bias": bias, "lam": LAMS}
    tensors = {name: torch.as_tensor(a.astype(dtype)) for name, a in tensors.items()}
    torch.save(tensors, path, _use_new_zipfile_serialization=not legacy)
    coef, intercept, lam = load_released_datamodels(path, masks.mean(axis=0))
    assert coef.dtype == intercept.dtype == lam.dtype == dtype
    assert coef.flags.c_contiguous
    assert coef.shape == (N_TARGETS, masks.shape[1])
    expected = _standardised(masks) @ weight + bias
    assert_allclose(masks @ coef.T + intercept, expected, rtol=1e-5, atol=1e-5)
    # so the mean prediction is the mean output
    mean = coef @ masks.mean(axis=0) + intercept
    assert_allclose(mean, outputs.mean(axis=0), rtol=1e-5)


def test_lam_is_that_of_lasso_on_masks(tmp_path):
    torch = pytest.importorskip("torch")
    masks, outputs = _problem(balanced=True)
    fitted = _fit_as_the_authors(masks, outputs, LAMS)
    path = _save_datamodels(torch, tmp_path / "test_50pct.pt", *fitted, LAMS)
    datamodels = load_released_datamodels(path, 0.5)
    for target in range(N_TARGETS):
        lasso = Lasso(alpha=datamodels.lam[target], tol=1e-12)
        lasso.fit(masks, outputs[:, target])
        assert_allclose(datamodels.coef[target], lasso.coef_, atol=1e-6)
        assert_allclose(datamodels.intercept[target], lasso.intercept_, atol=1e-6)


def test_objectives_agree(tmp_path):
    """Up to how much the deviations of columns differ, where they do."""
    torch = pytest.importorskip("torch")
    masks, outputs = _problem()
    weight, bias = _fit_as_the_authors(masks, outputs, LAMS)
    path = _save_datamodels(torch, tmp_path / "test_50pct.pt", weight, bias, LAMS)
    coef, intercept, lam = load_released_datamodels(path, masks.mean(axis=0))

    residual = _standardised(masks) @ weight + bias - outputs
    theirs = (residual**2).mean(axis=0) / 2 + LAMS * abs(weight).sum(axis=0)
    deviations = masks.std(axis=0)
    factors = deviations / deviations.mean()
    residual = masks @ coef.T + intercept - outputs
    ours = (residual**2).mean(axis=0) / 2 + lam * (factors * abs(coef)).sum(axis=1)
    assert_allclose(ours, theirs)


def test_half_precision_weights_are_widened(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "half.pt"
    weight = torch.tensor([[1.0], [-0.5]], dtype=torch.bfloat16)
    weight = torch.nn.Parameter(weight)  # a Parameter is a tensor too
    torch.save({"weight": weight, "bias": torch.ones(1), "lam": torch.ones(1)}, path)
    coef, _, _ = load_released_datamodels(path, 0.2)
    assert_allclose(coef, np.float32([[2.5, -1.25]]))


@pytest.mark.parametrize("alpha", [0, 1, -0.1, np.nan, [0.5, 1.0], [0.5] * 3, [[0.5]]])
def test_wrong_alpha(tmp_path, alpha):
    torch = pytest.importorskip("torch")
    arrays = np.ones((2, 1)), np.ones(1), np.ones(1)
    path = _save_datamodels(torch, tmp_path / "test_50pct.pt", *arrays)
    with pytest.raises(
        ValueError, match=r"alpha must be between 0 and 1: .* n_train=2"
    ):
        load_released_datamodels(path, alpha)


@pytest.mark.parametrize(
    "shapes", [[(3, 5), (5,), (3,)], [(5, 3), (5,), (5,)], [(5,), (), ()]], ids=str
)
def test_tensors_of_wrong_shape(tmp_path, shapes):
    torch = pytest.importorskip("torch")
    path = _save_datamodels(torch, tmp_path / "wrong.pt", *map(np.ones, shapes))
    with pytest.raises(ValueError, match=r"wrong.pt must have shapes \(n_train, n_tar"):
        load_released_datamodels(path, 0.5)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("weight", np.nan, r"weight\[2, 1\] in .*wrong\.pt is nan"),
        ("weight", -np.inf, r"weight\[2, 1\] in .*wrong\.pt is -inf"),
        ("bias", np.nan, r"bias\[2\] in .*wrong\.pt is nan"),
        ("lam", np.nan, r"lam\[2\] in .*wrong\.pt is nan"),
        ("lam", np.inf, r"lam\[2\] in .*wrong\.pt is inf"),
        ("lam", -0.01, r"lam\[2\] in .*wrong\.pt is -0\.01"),
        ("weight", 1j, r"weight in .*wrong\.pt holds complex numbers"),
        ("lam", 1j, r"lam in .*wrong\.pt holds complex numbers"),
    ],
)
def test_numbers_that_are_no_datamodels(tmp_path, name, value, message):
    torch = pytest.importorskip("torch")
    arrays = {"weight": np.ones((5, 3)), "bias": np.ones(3), "lam": np.zeros(3)}
    arrays[name] = arrays[name].astype(np.result_type(value, float))
    arrays[name][(2, 1)[: arrays[name].ndim]] = value
    path = _save_datamodels(torch, tmp_path / "wrong.pt", *arrays.values())
    with pytest.raises(ValueError, match=message):
        load_released_datamodels(path, 0.5)


def test_files_that_hold_no_datamodels(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "wrong.pt"
    with pytest.raises(FileNotFoundError, match=r"wrong\.pt"):
        load_released_datamodels(path, 0.5)
    for content in (torch.ones(3), {"weight": torch.ones(3)}, {"weight": 1}, [1, 2]):
        torch.save(content, path)
        with pytest.raises(
            ValueError, match=r"wrong\.pt must hold a dict of the tensors"
        ):
            load_released_datamodels(path, 0.5)
    torch.save({"weight": torch.nn.Linear(2, 1)}, path)  # code, which is not run
    with pytest.raises(ValueError, match=r"wrong\.pt is not a file of tensors"):
        load_released_datamodels(path, 0.5)
    whole = path.read_bytes()
    for part in (b"", b"weight,bias,lam\n", whole[: len(whole) // 2]):
        path.write_bytes(part)
        with pytest.raises(ValueError, match=r"wrong\.pt is not a file of tensors"):
            load_released_datamodels(path, 0.5)


def test_without_torch(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "skdatamodels\[torch\]"'):
        load_released_datamodels(tmp_path / "test_50pct.pt", 0.5)
