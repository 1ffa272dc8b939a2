import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from skdatamodels import Examples
from skdatamodels.influence._surrogate_table import surrogate_table

Y = np.arange(6) % 2


def _tables(X, n_outputs=2, n_train=4):
    parts = slice(n_train), slice(n_train, None)
    given = [Examples(X[part], Y[part], allow_nan=True) for part in parts]
    train, targets = surrogate_table(*given, n_outputs)
    assert list(train.ids) == list(given[0].ids)
    return train.X, targets.X


def test_numbers_are_imputed_and_standardised():
    X = np.array([[1.0, 5], [2, 5], [6, 5], [np.nan, 5], [np.nan, 5], [9, 7]])
    train, targets = _tables(X)
    filled = np.array([1.0, 2, 6, 2])
    assert_allclose(train[:, 0], (filled - filled.mean()) / filled.std())
    assert_allclose(targets[:, 0], (np.array([2, 9]) - filled.mean()) / filled.std())
    assert_allclose(train[:, 1], 0)


def test_images_are_flattened():
    X = np.arange(48, dtype=np.uint8).reshape(6, 2, 2, 2)
    train, targets = _tables(X)
    assert (train.shape, targets.shape) == ((4, 8), (2, 8))
    assert_allclose(train.mean(axis=0), 0, atol=1e-6)
    assert train.dtype == np.float64


@pytest.mark.parametrize("sparse", [False, True])
def test_many_features_are_reduced_by_projection(sparse):
    """All distances within the training set stay, because there are as many axes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6, 40))
    train, targets = _tables(sp.csr_array(X) if sparse else X, n_outputs=500)
    assert train.shape[1] == 3
    assert np.isfinite(targets).all()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(library):
    module = pytest.importorskip(library)
    colours = ["red", "blue", None, "red", "green", None]
    frame = module.DataFrame(
        {"size": [1.0, None, 3.0, 2.0, 5.0, None], "colour": colours}
    )
    train, targets = _tables(frame)
    assert train.shape == (4, 4)  # the size, red, blue and missing
    assert_allclose(train[:, 0] == 0, [False, True, False, True])  # the median is 2
    # A new colour has none of the three indicators: the lowest value of each.
    assert_allclose(targets[0, 1:], train[:, 1:].min(axis=0))
    assert_allclose(targets[1, 1:], train[2, 1:])


def test_text_and_times():
    pandas = pytest.importorskip("pandas")
    labels = np.array([["a"], ["b"], ["a"], ["b"], ["a"], ["c"]])
    assert _tables(labels)[0].shape == (4, 2)
    when = pandas.to_datetime(["2026-01-01"] * 6)
    frame = pandas.DataFrame({"when": when, "size": np.arange(6.0)})
    assert _tables(frame)[0].shape == (4, 1)


TEXT = np.array(["a", "b", "a", "b"], dtype=object)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize(
    ("known", "other"),
    [
        (TEXT, [0, 1]),
        (TEXT, [0.5, np.nan]),
        (TEXT, [None, None]),
        (np.arange(4.0), ["x", None]),
        (np.arange(4.0) * 1e200, [1e200, np.nan]),
        (np.arange(4) % 2 == 0, [3, 4]),
    ],
)
def test_columns_of_other_types_than_in_the_training_set(library, known, other):
    module = pytest.importorskip(library)
    size = np.arange(6.0)
    train = Examples(module.DataFrame({"size": size[:4], "c": known}), Y[:4])
    targets = module.DataFrame({"size": size[4:], "c": other})
    targets = Examples(targets, Y[4:], allow_nan=True)
    parts = surrogate_table(train, targets, 2)
    assert_allclose(parts[0].X[:, 0], (size[:4] - 1.5) / size[:4].std())
    assert_allclose(parts[1].X[:, 0], (size[4:] - 1.5) / size[:4].std())
    width = 2 if known[0] == 0 else 3
    assert (parts[0].X.shape, parts[1].X.shape) == ((4, width), (2, width))
    assert np.isfinite(parts[1].X).all()


def test_objects_of_several_types():
    frame = pytest.importorskip("pandas").DataFrame({"c": [1, "a", None, 1, "a", 2.5]})
    train, targets = _tables(frame)
    assert train.shape == (4, 3)
    assert_allclose(targets[0], train[1])  # "a"
