"""What looks like numbers to NumPy and is none, wherever numbers are handed in."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression

from skdatamodels import (
    DatamodelRegressor,
    Examples,
    PackedMasks,
    RunStore,
    SubsetTrainer,
    TrainingRuns,
    sample_masks,
)
from skdatamodels._numbers import as_real, refuse_disguised, unmasked
from skdatamodels.applications import (
    DatamodelEmbedding,
    LeakageDetector,
    component_effects,
    explained_variance_curve,
    harmful_examples,
    predict_support_size,
)
from skdatamodels.influence import DifferenceOfMeans
from skdatamodels.metrics import (
    leakage_recall,
    linear_datamodeling_score,
    metadata_distances,
    noise_ceiling,
    normality_p_values,
)

NUMBERS = np.arange(1.0, 5.0)
MASKED = np.ma.array(NUMBERS, mask=[0, 1, 0, 0])
DISGUISED = {
    "text": NUMBERS.astype(str),
    "bytes": NUMBERS.astype("S"),
    "dates": np.array(["2020", "2021", "2022", "2023"], "M8[D]"),
    "durations": np.array([1, 2, 3, 4], "m8[s]"),
    "a list of text": ["1", "2", "3", "4"],
    "text among objects": np.array([1.0, "2", 3.0, 4.0], dtype=object),
}
ODD = DISGUISED | {
    "complex": NUMBERS + 1j,
    "numbers as objects": NUMBERS.astype(object),
    "None among numbers": [1.0, None, 3.0, 4.0],
    "None": None,
    "a dict": {0: 1.0},
    "a sparse matrix": csr_array(NUMBERS[None]),
}
FINE = {
    "floats": NUMBERS.astype(np.float16),
    "integers": NUMBERS.astype(np.uint8),
    "a list": NUMBERS.tolist(),
    "a series": pd.Series(NUMBERS),
    "nullable integers": pd.Series([1, 2, 3, 4], dtype="Int64"),
    "a masked array without masked entries": np.ma.array(NUMBERS),
    "a masked array with a mask of nothing": np.ma.array(NUMBERS, mask=[0, 0, 0, 0]),
}


def each(values):
    return pytest.mark.parametrize("values", values.values(), ids=values.keys())


@each(FINE)
def test_numbers_are_taken(values):
    array = as_real(values, "outputs")
    assert type(array) is np.ndarray
    np.testing.assert_array_equal(array, NUMBERS)
    refuse_disguised(values, "outputs")
    np.testing.assert_array_equal(unmasked(values, "outputs"), NUMBERS)


def test_booleans_are_0_and_1():
    np.testing.assert_array_equal(as_real([True, False], "outputs"), [1, 0])


@each(ODD)
def test_what_is_no_number_is_named(values):
    with pytest.raises(TypeError, match="real numbers as outputs, got") as error:
        as_real(values, "outputs")
    kind = np.asarray(values).dtype
    shown = {"U": "text", "S": "bytes", "M": "dates", "m": "durations"}
    known = shown.get(kind.kind, "complex128" if kind.kind == "c" else "")
    assert known in str(error.value)


def test_types_of_objects_are_told():
    with pytest.raises(TypeError, match=r"objects \(float, NoneType, str\); .*astype"):
        as_real([1.0, None, "2"], "outputs")
    with pytest.raises(TypeError, match="got None"):
        as_real(None, "outputs")
    with pytest.raises(TypeError, match="got a dict"):
        as_real({}, "outputs")


@pytest.mark.parametrize("values", [MASKED, list(MASKED), [MASKED, NUMBERS]])
def test_masked_entries_are_no_data(values):
    for check in (as_real, refuse_disguised, unmasked):
        with pytest.raises(ValueError, match="Masked entries in outputs"):
            check(values, "outputs")


@each(DISGUISED)
def test_scikit_learn_is_not_let_convert(values):
    with pytest.raises(TypeError, match="Expected numbers as weights, got"):
        refuse_disguised(values, "weights")


# Where users hand in numbers

MASKS = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1]], dtype=bool)
LINE = np.arange(12.0)
TRAIN = Examples(LINE[:, None], LINE)
TARGETS = TRAIN[:4]
COLUMN = NUMBERS[:, None]


class Saying(RegressorMixin, BaseEstimator):
    def __init__(self, values=None):
        self.values = values

    def fit(self, X, y):
        return self

    def predict(self, X):
        return self.values


def _train(estimator, output="prediction"):
    trainer = SubsetTrainer(
        estimator, TRAIN, TARGETS, output=output, retries=0, random_state=0
    )
    return trainer.fit_transform([0]).outputs[0]


RUNS = {
    "a learner": lambda values: _train(lambda train_indices, seed: values),
    "an output": lambda values: _train(LinearRegression(), lambda raw, y: values),
    "predict": lambda values: _train(Saying(values)),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())
@each(ODD | {"masked": MASKED})
def test_a_run_that_gives_no_numbers_has_failed(run, values):
    with pytest.raises(RuntimeError, match=r"No run succeeded[^$]*(numbers as|Masked)"):
        run(values)


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())
@each(FINE)
def test_a_run_may_give_numbers_of_any_kind(run, values):
    np.testing.assert_array_equal(run(values), NUMBERS)


def test_rows_trained_together_that_are_no_numbers_are_trained_alone():
    class Together:
        def __call__(self, train_indices, seed):
            return NUMBERS

        def train_many(self, masks, seeds):
            return np.ma.array([2 * NUMBERS] * len(masks), mask=True)

    np.testing.assert_array_equal(_train(Together()), NUMBERS)


@each({name: DISGUISED[name] for name in ("text", "bytes", "dates", "durations")})
def test_a_regression_needs_numbers_as_y(values):
    targets = Examples(COLUMN, values)
    trainer = SubsetTrainer(LinearRegression(), TRAIN, targets, output="prediction")
    with pytest.raises(TypeError, match=r"targets\.y of a regression, got"):
        trainer.fit([0])
    trainer.set_params(train=targets, targets=TRAIN)
    with pytest.raises(TypeError, match=r"train\.y of a regression, got"):
        trainer.fit([0])


def test_objects_that_are_numbers_will_do_as_y_of_a_regression():
    plain = SubsetTrainer(
        LinearRegression(), TRAIN, TARGETS, output="squared_error", random_state=0
    )
    objects = [Examples(part.X, part.y.astype(object)) for part in (TRAIN, TARGETS)]
    same = SubsetTrainer(
        LinearRegression(), *objects, output="squared_error", random_state=0
    )
    np.testing.assert_allclose(
        same.fit_transform([0, 1]).outputs, plain.fit_transform([0, 1]).outputs
    )


def _column(values):
    if isinstance(values, list):
        return [[value] for value in values]
    return values[:, None]


STORED = {"n_train": 3, "n_targets": 1}
DOORS = {
    "runs": lambda v, folder: TrainingRuns(MASKS, v),
    "store": lambda v, folder: RunStore.create(folder / "s", **STORED).write(
        range(4), MASKS, range(4), v
    ),
    "regressor": lambda v, folder: DatamodelRegressor(lam=0.1).fit(MASKS, v),
    "regressor's masks": lambda v, folder: DatamodelRegressor(lam=0.1).fit(v, NUMBERS),
    "regressor's score": lambda v, folder: (
        DatamodelRegressor(lam=0.1).fit(MASKS, COLUMN).score(MASKS, v)
    ),
    "lam": lambda v, folder: DatamodelRegressor(lam=np.squeeze(v)).fit(
        MASKS, np.ones((4, 4))
    ),
    "prior": lambda v, folder: DatamodelRegressor(lam=0.1, prior=v).fit(MASKS, NUMBERS),
    "difference of means": lambda v, folder: DifferenceOfMeans().fit(MASKS, v),
    "weights": lambda v, folder: harmful_examples(v, 1),
    "embedding": lambda v, folder: DatamodelEmbedding().fit(v),
    "leakage": lambda v, folder: LeakageDetector(n_candidates=1).fit(v),
    "coordinates": lambda v, folder: explained_variance_curve(v),
    "components": lambda v, folder: component_effects(
        SubsetTrainer(Saying(NUMBERS), TRAIN, TARGETS), v, v, n_removed=1, n_ends=1
    ),
    "support": lambda v, folder: predict_support_size(MASKS, np.squeeze(v)),
    "true outputs": lambda v, folder: linear_datamodeling_score(v, COLUMN),
    "predicted outputs": lambda v, folder: linear_datamodeling_score(COLUMN, v),
    "repeats": lambda v, folder: noise_ceiling([v, v]),
    "normality": lambda v, folder: normality_p_values(v),
    "places": lambda v, folder: metadata_distances(train=v, targets=v),
    "thresholds": lambda v, folder: leakage_recall(
        [[0]],
        train=[[2.0]],
        targets=[[1.0]],
        thresholds=np.squeeze(v),
        metric="euclidean",
    ),
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())
@each(DISGUISED | {"masked": MASKED})
def test_no_door_takes_them(door, values, tmp_path):
    with pytest.raises((TypeError, ValueError)) as error:
        door(_column(values), tmp_path)
    assert any(
        words in str(error.value)
        for words in ("numbers as", "Masked entries", "floating-point array")
    )


def test_masked_masks():
    with pytest.raises(ValueError, match="Masked entries in masks"):
        PackedMasks.from_dense(np.ma.array(MASKS, mask=np.eye(4, 3)))


def test_a_masked_array_with_nothing_masked_becomes_a_plain_one():
    runs = TrainingRuns(MASKS, np.ma.array(COLUMN), seeds=np.ma.arange(4))
    assert type(runs.outputs) is type(runs.seeds) is np.ndarray
    plain = DatamodelRegressor(lam=0.1).fit(MASKS, NUMBERS)
    masked = DatamodelRegressor(lam=0.1).fit(MASKS, np.ma.array(NUMBERS))
    np.testing.assert_array_equal(masked.coef_, plain.coef_)


def test_masked_seeds_and_run_ids():
    with pytest.raises(ValueError, match="Masked entries in seeds"):
        TrainingRuns(MASKS, COLUMN, seeds=MASKED)
    run_ids = np.ma.array([1, 2], mask=[0, 1])
    with pytest.raises(ValueError, match="Masked entries in run ids"):
        sample_masks(run_ids, 4, 0.5)
    trainer = SubsetTrainer(LinearRegression(), TRAIN, TARGETS, output="prediction")
    with pytest.raises(ValueError, match="Masked entries in X"):
        trainer.fit(run_ids)
