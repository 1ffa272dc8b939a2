import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ShuffleSplit,
    cross_validate,
    train_test_split,
)
from sklearn.utils import _safe_indexing, check_array, indexable

from skdatamodels.masks import PackedMasks
from skdatamodels.runs import TrainingRuns


def _data(n_runs=20, n_train=11, n_targets=3):
    rng = np.random.default_rng(0)
    masks = rng.random((n_runs, n_train)) < 0.5
    outputs = rng.normal(size=(n_runs, n_targets)).astype(np.float32)
    return masks, outputs, np.arange(n_runs) * 7


@pytest.fixture
def runs():
    masks, outputs, seeds = _data()
    return TrainingRuns(masks, outputs, seeds=seeds)


def _assert_same(runs, masks, outputs, seeds):
    assert isinstance(runs, TrainingRuns)
    assert_array_equal(runs.masks, masks)
    assert_array_equal(runs.outputs, outputs)
    assert_array_equal(runs.seeds, seeds)


def test_what_it_holds(runs):
    _assert_same(runs, *_data())
    assert runs.masks.dtype == bool
    assert runs.outputs.dtype == np.float32
    assert (len(runs), runs.n_runs, runs.n_train, runs.n_targets) == (20, 20, 11, 3)
    assert runs.shape == (20, 11)
    assert repr(runs) == "TrainingRuns(n_runs=20, n_train=11, n_targets=3)"
    assert runs.packed.bits.nbytes == 20 * 2


def test_packed_masks_and_memory_maps_are_kept(tmp_path):
    masks, outputs, _ = _data()
    np.save(tmp_path / "outputs.npy", outputs)
    mapped = np.load(tmp_path / "outputs.npy", mmap_mode="r")
    packed = PackedMasks.from_dense(masks)
    runs = TrainingRuns(packed, mapped)
    assert runs.packed is packed
    assert runs.outputs is mapped
    assert runs[2:5].outputs.base is mapped  # a slice is not read
    assert runs.seeds is runs[2:5].seeds is None


@pytest.mark.parametrize(
    "rows",
    [slice(3, None, 2), np.array([4, 4, 0]), [1, 2], np.arange(20) > 12, slice(0, 0)],
    ids=["slice", "int array", "list", "bool", "none"],
)
def test_indexing(runs, rows):
    expected = [values[rows] for values in _data()]
    _assert_same(runs[rows], *expected)
    _assert_same(runs[rows, ...], *expected)
    _assert_same(runs[rows, :], *expected)


@pytest.mark.parametrize("row", [3, -1, np.int64(3)])
def test_one_run_is_a_matrix_of_one_row(runs, row):
    _assert_same(runs[row], *(values[[row]] for values in _data()))


def test_wrong_index(runs):
    for index in ((slice(None), 0), 20, np.ones(19, dtype=bool), [25]):
        with pytest.raises(IndexError):
            runs[index]


@pytest.mark.parametrize("splitter", [KFold(3), ShuffleSplit(2, random_state=0)])
def test_scikit_learn_splits_it(runs, splitter):
    assert indexable(runs, runs.outputs)[0] is runs
    for train, test in splitter.split(runs):
        for part in (train, test):
            expected = [values[part] for values in _data()]
            _assert_same(_safe_indexing(runs, part), *expected)
    train, test = train_test_split(runs, test_size=5, shuffle=False)
    _assert_same(test, *(values[15:] for values in _data()))
    assert len(train) == 15


class _Recorder(BaseEstimator):
    """Keeps what it was given; scores 1 if that is disjoint from what it is asked."""

    def __init__(self, anything=0):
        self.anything = anything

    def fit(self, X, y=None):
        assert isinstance(X, TrainingRuns)
        self.seeds_ = X.seeds
        return self

    def score(self, X, y=None):
        assert isinstance(X, TrainingRuns)
        assert_array_equal(X.masks, _data()[0][X.seeds // 7])
        together = np.sort(np.concatenate([self.seeds_, X.seeds]))
        return float(np.array_equal(together, _data()[2]))


def test_cross_validation_and_search_take_it_as_x(runs):
    scores = cross_validate(_Recorder(), runs, cv=4, error_score="raise")
    assert_array_equal(scores["test_score"], np.ones(4))
    search = GridSearchCV(_Recorder(), {"anything": [1, 2]}, cv=2, error_score="raise")
    search.fit(runs)
    assert_array_equal(search.cv_results_["mean_test_score"], [1, 1])
    assert_array_equal(search.best_estimator_.seeds_, runs.seeds)


def test_pickle(runs):
    _assert_same(pickle.loads(pickle.dumps(runs)), *_data())


def test_nan_stands_for_a_run_without_output():
    masks, outputs, _ = _data()
    outputs[3] = np.nan
    assert_array_equal(TrainingRuns(masks, outputs).outputs, outputs)


@pytest.mark.parametrize(
    ("masks", "outputs", "seeds", "message"),
    [
        (np.eye(3), np.ones((2, 1)), None, "outputs has 2 rows, masks has 3"),
        (np.eye(3), np.ones((3, 1)), [1, 2], "seeds has 2 rows, masks has 3"),
        (np.eye(3), np.ones(3), None, r"float64 of shape \(3,\)"),
        (np.eye(3), np.ones((3, 1, 1)), None, r"shape \(3, 1, 1\)"),
        (np.eye(3), np.ones((3, 1), int), None, "got int64"),
        (np.eye(3), [["a"]] * 3, None, "outputs must be a floating-point array"),
        (np.eye(3), np.ma.array(np.ones((3, 1)), mask=True), None, "Masked entries in"),
        (np.eye(3) * 2, np.ones((3, 1)), None, "got 2.0 at run 0, example 0"),
        (np.eye(3) + np.nan, np.ones((3, 1)), None, "got nan at run 0, example 0"),
        (np.ones(3), np.ones((3, 1)), None, "Masks are a 2-d array"),
    ],
)
def test_wrong_input(masks, outputs, seeds, message):
    with pytest.raises(ValueError, match=message):
        TrainingRuns(masks, outputs, seeds=seeds)


def test_they_are_no_array():
    runs = TrainingRuns(np.eye(3, 4), np.ones((3, 2)))
    assert np.shape(runs) == (3, 4)
    assert np.ndim(runs) == 2
    for convert in (np.asarray, np.array, check_array):
        with pytest.raises(TypeError, match=r"give runs\.outputs or runs\.masks"):
            convert(runs)
