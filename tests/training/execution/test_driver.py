"""train_runs: every run once, whatever happens to the workers."""

import errno
import re
import sys
import threading
import time
import warnings
from contextlib import closing

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from skdatamodels import Examples, RunStore, SubsetTrainer, sample_masks
from skdatamodels.training._execution import pace
from skdatamodels.training._execution.driver import train_runs

ALL = np.arange(40)
MASKS = sample_masks(40, n_train=10, alpha=0.5)


class Saved:
    """Where outputs go; remembers what it was given."""

    def __init__(self):
        self.outputs, self.sizes = {}, []

    def __call__(self, which, outputs):
        assert outputs.dtype == np.float32
        assert np.isfinite(outputs).all()
        assert not self.outputs.keys() & set(which.tolist())
        self.outputs |= dict(zip(which.tolist(), outputs[:, 0].tolist(), strict=True))
        self.sizes.append(len(which))


def train(learner, todo=ALL, save=None, masks=MASKS, **options):
    save = Saved() if save is None else save
    options = {"n_jobs": 1, "retries": 0, "verbose": 0} | options
    seeds = np.arange(len(masks), dtype=np.uint32)
    failures = []
    with closing(train_runs(learner, masks, seeds, todo, 1, **options)) as chunks:
        for chunk in chunks:
            if chunk.finished.any():
                save(chunk.which[chunk.finished], chunk.outputs[chunk.finished])
            failures += chunk.failures
    return save, sorted(failures)


def total(train_indices, seed):
    return np.array([1000.0 * seed + train_indices.sum()])


def expected(which):
    sums = MASKS.dense().astype(int) @ np.arange(10)
    return {int(i): 1000.0 * i + sums[i] for i in which}


@pytest.mark.parametrize(
    ("n_jobs", "backend"), [(1, "loky"), (2, "loky"), (2, "threading")]
)
def test_what_is_to_do_is_done_once(n_jobs, backend):
    todo = np.array([7, 3, 39, 12, 0])
    with joblib.parallel_config(backend):
        saved, failures = train(total, todo, n_jobs=n_jobs)
    assert saved.outputs == expected(todo)
    assert failures == []


def test_chunks_grow_for_short_runs_only(monkeypatch):
    fast, slow = Saved(), Saved()
    train(total, save=fast)
    assert fast.sizes[0] == 1
    assert max(fast.sizes) > 10
    monkeypatch.setattr(pace, "_CHUNK_SECONDS", 0.02)
    train(lambda indices, seed: time.sleep(0.01) or np.zeros(1), save=slow)
    assert max(slow.sizes) <= 2


def test_a_run_is_tried_again_before_it_counts_as_failed():
    tries = {}

    def learner(train_indices, seed):
        tries[seed] = tries.get(seed, 0) + 1
        if tries[seed] <= {9: 2, 20: 3, 30: 1}.get(seed, 0):
            raise LookupError(f"nothing for {seed}")
        return total(train_indices, seed)

    saved, failures = train(learner, retries=2)
    assert [run for run, _ in failures] == [20]
    assert "LookupError: nothing for 20" in failures[0][1]
    assert saved.outputs == expected(np.delete(np.arange(40), 20))
    assert {seed: n for seed, n in tries.items() if n > 1} == {9: 3, 20: 3, 30: 2}


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_failures_of_all_workers_are_in_order(backend):
    def learner(train_indices, seed):
        if seed % 7 == 3:
            raise ValueError(f"seed {seed}")
        return total(train_indices, seed)

    with joblib.parallel_config(backend):
        saved, failures = train(learner, np.arange(40)[::-1], n_jobs=2)
    assert [run for run, _ in failures] == [3, 10, 17, 24, 31, 38]
    assert all(f"ValueError: seed {run}\n" in text for run, text in failures)
    assert saved.outputs == expected(np.setdiff1d(np.arange(40), range(3, 40, 7)))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_no_more_is_tried_if_nothing_works(n_jobs):
    calls = []

    def learner(train_indices, seed):
        time.sleep(0.001)
        calls.append(seed)
        raise ValueError

    with joblib.parallel_config("threading"):
        masks = MASKS[np.tile(ALL, 200)]
        saved, failures = train(learner, np.arange(8000), masks=masks, n_jobs=n_jobs)
    assert pace._HOPELESS <= len(failures) < 8000
    assert len(calls) < 8000
    assert saved.outputs == {}


def test_runs_that_are_stored_already_give_hope():
    def learner(train_indices, seed):
        raise ValueError

    _, failures = train(learner, np.arange(5, 40))
    assert len(failures) == 35 > pace._HOPELESS


def warn_in_some(train_indices, seed):
    time.sleep(0.002)
    if seed % 2:
        warnings.warn(f"loss is {seed}", RuntimeWarning, stacklevel=1)
        warnings.warn(f"loss is still {seed}", RuntimeWarning, stacklevel=1)
    if seed % 10 == 0:
        warnings.warn("no more threads", UserWarning, stacklevel=1)
    return total(train_indices, seed)


@pytest.mark.parametrize(
    ("n_jobs", "backend"), [(1, "loky"), (2, "loky"), (2, "threading")]
)
def test_warnings_are_counted_by_run_and_told_once(monkeypatch, n_jobs, backend):
    monkeypatch.setattr(pace, "_CHUNK_SECONDS", 0.005)
    with (
        warnings.catch_warnings(record=True) as caught,
        joblib.parallel_config(backend),
    ):
        warnings.simplefilter("always")
        state = warnings.showwarning, list(warnings.filters)
        train(warn_in_some, n_jobs=n_jobs)
        assert state == (warnings.showwarning, list(warnings.filters))
    told = {(w.category, str(w.message).rstrip("0123456789")) for w in caught}
    assert told == {
        (RuntimeWarning, "In 20 of 40 runs: loss is "),
        (UserWarning, "In 4 of 40 runs: no more threads"),
    }


def test_warnings_of_other_threads_are_shown():
    def learner(train_indices, seed):
        other = threading.Thread(target=warnings.warn, args=["from elsewhere"])
        other.start()
        other.join()
        return total(train_indices, seed)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(learner, np.arange(3))
    assert [str(w.message) for w in caught] == ["from elsewhere"] * 3


def n_blas_threads():
    return [lib["num_threads"] for lib in threadpool_info()]


def blas_threads_here(train_indices, seed):
    time.sleep(0.002)
    return np.array([max(n_blas_threads())], float)


@pytest.mark.parametrize(
    ("n_jobs", "backend"), [(1, "loky"), (2, "loky"), (2, "threading")]
)
def test_each_training_has_one_blas_thread(monkeypatch, n_jobs, backend):
    monkeypatch.setattr(pace, "_CHUNK_SECONDS", 0.005)
    before = n_blas_threads()
    with joblib.parallel_config(backend):
        saved, _ = train(blas_threads_here, n_jobs=n_jobs)
    assert set(saved.outputs.values()) == {1.0}
    assert n_blas_threads() == before


def test_progress_starts_where_the_store_is(capsys):
    train(total, np.arange(30, 40), verbose=1)
    bar = capsys.readouterr().err
    assert "40/40" in bar  # of which 30 were there
    assert bar.count("\n") == 1  # the output is no terminal
    train(total)
    assert capsys.readouterr().err == ""


def test_the_rate_is_that_of_what_is_trained_now(capsys):
    """Of 40 runs 30 were there; each of the others takes a fiftieth of a second."""
    train(lambda indices, seed: time.sleep(0.02) or np.zeros(1), ALL[30:], verbose=1)
    last = capsys.readouterr().err.split("\r")[-1]
    rate = float(re.search(r"40/40 .* ([\d.]+)run/s", last).group(1))
    assert rate <= 50


def test_failed_runs_count_in_the_progress(capsys):
    def learner(train_indices, seed):
        if seed % 2:
            raise ValueError
        return np.zeros(1)

    _, failures = train(learner, verbose=1)
    assert len(failures) == 20
    assert "40/40" in capsys.readouterr().err


def test_sys_exit_fails_a_run_and_not_the_driver():
    saved, failures = train(
        lambda indices, seed: sys.exit("done") if seed == 3 else [0.0]
    )
    assert [run for run, _ in failures] == [3]
    assert len(saved.outputs) == 39


@pytest.fixture
def trainer(tmp_path):
    examples = Examples(np.zeros((10, 1)), np.zeros(10))
    return SubsetTrainer(total, examples, examples[:1], store=tmp_path, random_state=0)


def stored(root):
    (folder,) = (path for path in root.iterdir() if path.is_dir())
    return RunStore(folder)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_stops_training_and_loses_nothing(
    trainer, tmp_path, monkeypatch, n_jobs
):
    monkeypatch.setattr(pace, "_CHUNK_SECONDS", 0.0)
    write, room = RunStore.write, iter(range(6))

    def write_while_there_is_room(self, *args):
        if next(room, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(RunStore, "write", write_while_there_is_room)
        patch.setattr(trainer, "n_jobs", n_jobs)
        with pytest.raises(OSError, match="No space left"):
            trainer.fit_transform(np.arange(30))
    assert len(stored(tmp_path)) == 6
    assert stored(tmp_path).failures() == []
    runs = trainer.transform(np.arange(30))
    alone = SubsetTrainer(total, trainer.train, trainer.targets, random_state=0)
    np.testing.assert_array_equal(runs.outputs, alone.transform(range(30)).outputs)


def test_an_interrupt_keeps_what_is_done(trainer, tmp_path, monkeypatch):
    monkeypatch.setattr(pace, "_CHUNK_SECONDS", 0.0)
    calls = []

    def interrupted(train_indices, seed):
        calls.append(seed)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return total(train_indices, seed)

    trainer.set_params(estimator=Described(interrupted))
    with pytest.raises(KeyboardInterrupt):
        trainer.fit_transform(np.arange(12))
    assert len(stored(tmp_path)) == 4
    trainer.transform(np.arange(12))
    assert len(calls) == 5 + 8


class Described:
    """A learner that is the same for a store whatever its function has counted."""

    def __init__(self, function):
        self.function = function

    def __call__(self, train_indices, seed):
        return self.function(train_indices, seed)

    def __reduce__(self):
        return Described, (total,)


class Together:
    """A learner that trains many runs at once, as it is told to."""

    block_size = 8

    def __init__(self, train_many):
        self.many, self.alone, self.sizes, self.n_prepared = train_many, [], [], 0

    def __call__(self, train_indices, seed):
        self.alone.append(seed)
        return total(train_indices, seed)

    def prepare(self):
        self.n_prepared += 1

    def train_many(self, masks, seeds):
        self.sizes.append(len(masks))
        return self.many(masks, seeds)


def totals(masks, seeds):
    return (1000.0 * seeds + masks @ np.arange(10))[:, None]


def test_runs_are_trained_together_in_whole_blocks():
    learner = Together(totals)
    saved, failures = train(learner)
    assert saved.outputs == expected(ALL)
    assert failures == learner.alone == []
    assert all(size % 8 == 0 for size in learner.sizes)
    assert learner.n_prepared == 1
    train(learner, todo=ALL[:0])
    assert learner.n_prepared == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_a_run_without_outputs_is_trained_by_itself(bad):
    def some(masks, seeds):
        outputs = totals(masks, seeds)
        outputs[seeds % 5 == 0] = bad
        return outputs

    learner = Together(some)
    saved, failures = train(learner)
    assert saved.outputs == expected(ALL)
    assert failures == []
    assert learner.alone == list(range(0, 40, 5))


def fails(masks, seeds):
    warnings.warn("of a block that fails", stacklevel=1)
    raise MemoryError


@pytest.mark.parametrize("many", [fails, lambda masks, seeds: np.zeros((3, 3))])
def test_if_all_together_fail_each_is_trained_by_itself(many):
    learner = Together(many)
    saved, failures = train(learner)
    assert saved.outputs == expected(ALL)
    assert failures == []
    assert sorted(learner.alone) == ALL.tolist()


def test_warnings_of_runs_trained_together_are_told():
    def warns(masks, seeds):
        warnings.warn("all of us", UserWarning, stacklevel=1)
        return totals(masks, seeds)

    with pytest.warns(UserWarning, match="all of us"):
        train(Together(warns))
