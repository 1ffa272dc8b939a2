"""BlockLearner: full blocks, whatever the number of runs; what it cannot do is NaN."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.linear_model import RidgeClassifier

from skdatamodels import Examples
from skdatamodels.outputs import OUTPUTS, get_output
from skdatamodels.training._learners.block_learner import (
    BlockLearner,
    measure_many,
    plain_array,
)

RNG = np.random.default_rng(0)
TRAIN = Examples(RNG.standard_normal((30, 4)), np.arange(30) % 3)
TARGETS = TRAIN[:7]


class Sums(BlockLearner):
    """Logits are sums of the subset's inputs; some runs are refused."""

    block_size = 4

    def __init__(self, refused=()):
        super().__init__(RidgeClassifier(), TRAIN, TARGETS, "margin")
        self.refused, self.shapes = refused, []

    def raw_outputs(self, masks):
        self.shapes.append(masks.shape)
        raw = (masks @ self.train.X[:, :3])[:, None, :] * self.targets.X[:, :1]
        raw[np.isin(masks.sum(axis=1), self.refused)] = np.nan
        return raw


def masks_of(sizes):
    return np.arange(30) < np.array(sizes)[:, None]


def by_hand(size):
    logits = np.outer(TARGETS.X[:, 0], TRAIN.X[:size, :3].sum(axis=0))
    return [
        row[label] - np.delete(row, label).max()
        for row, label in zip(logits, TARGETS.y, strict=True)
    ]


@pytest.mark.parametrize("n_runs", [1, 3, 4, 5, 9])
def test_blocks_are_always_full_and_padding_is_cut_off(n_runs):
    learner, sizes = Sums(), 5 + np.arange(n_runs)
    outputs = learner.train_many(masks_of(sizes), np.zeros(n_runs))
    assert set(learner.shapes) == {(4, 30)}
    assert len(learner.shapes) == -(-n_runs // 4)
    np.testing.assert_allclose(outputs, [by_hand(size) for size in sizes])


def test_runs_that_miss_a_class_or_are_refused_are_nan():
    sizes = [9, 2, 12, 1, 14, 20, 0]
    outputs = Sums(refused=[12]).train_many(masks_of(sizes), np.zeros(7))
    nan = np.array([size < 3 or size == 12 for size in sizes])
    assert np.isnan(outputs[nan]).all()
    np.testing.assert_allclose(outputs[~nan], [by_hand(s) for s in (9, 14, 20)])


@pytest.mark.parametrize("name", sorted(OUTPUTS))
def test_many_runs_are_measured_as_each_by_itself(name):
    output = get_output(name)
    shape = (5, 7) if output.task == "regression" else (5, 7, 3)
    raw, y = RNG.standard_normal(shape), np.arange(7) % 3
    expected = [output(one, y) for one in raw]
    np.testing.assert_allclose(measure_many(output, raw, y), expected)


def test_an_output_of_the_user_sees_one_run_at_a_time():
    output = get_output(lambda raw, y: raw[:, 0] - raw[:, 0].mean())
    raw = RNG.standard_normal((5, 7, 3))
    outputs = measure_many(output, raw, np.zeros(7, int))
    np.testing.assert_allclose(outputs.mean(axis=1), 0, atol=1e-12)


@pytest.mark.parametrize(
    "X",
    [
        np.eye(2),
        np.eye(2, dtype=int),
        np.eye(2, dtype=np.float32),
        sp.eye_array(2).tocsr(),
        pd.DataFrame({"a": [1, 0], "b": [0.0, 1.0]}),
    ],
    ids=lambda X: type(X).__name__,
)
def test_tables_of_numbers_become_arrays(X):
    array = plain_array(X)
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, np.eye(2))


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((2, 2, 1)),
        np.full((2, 2), np.nan),
        [[0.0]],
        pd.DataFrame({"a": [1, 0], "b": ["x", "y"]}),
        pd.DataFrame({"a": [1, 0], "b": pd.array([1, None], dtype="Int64")}),
        sp.csr_array((10_000, 10_000)),
    ],
    ids=lambda X: type(X).__name__,
)
def test_other_inputs_are_left_to_the_estimator(X):
    assert plain_array(X) is None
