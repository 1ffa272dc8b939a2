"""ChunkTrainer: each run of a chunk gets outputs, or tells why it has none."""

import warnings

import numpy as np
import pytest

from skdatamodels import sample_masks
from skdatamodels.training._execution.chunk import ChunkTrainer, Runs

MASKS = sample_masks(6, n_train=10, alpha=0.5)
RUNS = Runs(np.arange(10, 16), MASKS, np.arange(6, dtype=np.uint32))


def total(train_indices, seed):
    return np.array([seed, train_indices.sum()], dtype=float)


def test_outputs_are_those_of_the_learner():
    chunk = ChunkTrainer(total, n_targets=2, retries=0)(RUNS)
    sums = MASKS.dense() @ np.arange(10)
    np.testing.assert_array_equal(chunk.which, RUNS.which)
    np.testing.assert_array_equal(chunk.outputs, np.c_[np.arange(6), sums])
    assert chunk.outputs.dtype == np.float32
    assert chunk.finished.all()
    assert chunk.failures == chunk.warned == []
    assert chunk.seconds > 0


def test_some_runs_are_taken_with_their_masks_and_seeds():
    part = RUNS.take(np.array([4, 1]))
    np.testing.assert_array_equal(part.which, [14, 11])
    np.testing.assert_array_equal(part.seeds, [4, 1])
    np.testing.assert_array_equal(part.masks.dense(), MASKS.dense()[[4, 1]])


@pytest.mark.parametrize("retries", [0, 2])
def test_a_run_fails_when_its_last_try_does_and_tells_that(retries):
    tries = []

    def learner(train_indices, seed):
        if seed in (1, 3):
            tries.append(int(seed))
            raise LookupError(f"seed {seed}, try {tries.count(seed)}")
        return total(train_indices, seed)

    chunk = ChunkTrainer(learner, n_targets=2, retries=retries)(RUNS)
    np.testing.assert_array_equal(chunk.finished, [1, 0, 1, 0, 1, 1])
    assert np.isnan(chunk.outputs[[1, 3]]).all()
    assert [run for run, _ in chunk.failures] == [11, 13]
    for (_, text), seed in zip(chunk.failures, (1, 3), strict=True):
        assert text.endswith(f"LookupError: seed {seed}, try {retries + 1}\n")
        assert "During handling" not in text
    assert tries == [1] * (retries + 1) + [3] * (retries + 1)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.zeros(3), r"shape \(2,\); got \(3,\)"),
        ([0.0, np.inf], "target 1 is inf"),
        ([1e300, 0.0], "target 0 is inf"),
        ("no numbers", "outputs of a run"),
    ],
)
def test_what_is_no_output_is_a_failure(result, message):
    work = ChunkTrainer(lambda indices, seed: result, n_targets=2, retries=0)
    chunk = work(RUNS.take(np.array([2])))
    ((run, text),) = chunk.failures
    assert run == 12
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(text)


def test_a_run_warns_once_of_each_category_whatever_its_tries():
    def learner(train_indices, seed):
        warnings.warn(f"of {seed}", RuntimeWarning, stacklevel=1)
        warnings.warn(f"again of {seed}", RuntimeWarning, stacklevel=1)
        if seed == 0:
            raise ValueError
        return total(train_indices, seed)

    chunk = ChunkTrainer(learner, n_targets=2, retries=3)(RUNS)
    assert chunk.warned == [(RuntimeWarning, f"of {seed}") for seed in range(6)]


def test_a_lost_run_has_failed():
    work = ChunkTrainer(total, n_targets=2, retries=0)
    chunk = work.lost(RUNS.take(np.array([5])), "its worker died")
    assert chunk.failures == [(15, "its worker died")]
    assert chunk.outputs.shape == (1, 2)
    assert not chunk.finished.any()
