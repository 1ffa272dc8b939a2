"""Attributions that come with the runs: computed when read, once, and kept."""

import pickle
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier

from skdatamodels import Examples, RunStore, SubsetTrainer, influence
from skdatamodels.training import _run_attributions

RNG = np.random.default_rng(0)
TRAIN = Examples(RNG.standard_normal((24, 3)), np.arange(24) % 2)
TARGETS = Examples(RNG.standard_normal((5, 3)), np.arange(5) % 2)


class Found(dict):
    """Stands for `CheapAttributions`."""

    def __init__(self, matrices, seconds, failed, notes):
        super().__init__(matrices)
        self.seconds, self.failed, self.notes = seconds, failed, notes


@pytest.fixture
def calls(monkeypatch):
    """Replace what computes the attributions; return the arguments of its calls."""
    made = []

    def compute(estimator, train, targets, **params):
        made.append(SimpleNamespace(estimator=estimator, **params))
        rng = np.random.default_rng(len(made))
        matrices = {name: rng.standard_normal((5, 24)) for name in ("one", "another")}
        return Found(matrices, {"one": 0.5, "another": 2.0}, {"third": "why"}, ["so"])

    monkeypatch.setattr(influence, "cheap_attributions", compute, raising=False)
    monkeypatch.setattr(influence, "CheapAttributions", Found, raising=False)
    return made


@pytest.fixture
def trainer(tmp_path):
    return SubsetTrainer(
        RidgeClassifier(), TRAIN, TARGETS, store=tmp_path, random_state=3
    )


def folder_of(trainer):
    (folder,) = (path for path in trainer.store.iterdir() if path.is_dir())
    return folder


def assert_same(one, other):
    assert list(one) == list(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_nothing_is_computed_before_it_is_read(calls, trainer):
    runs = trainer.fit_transform(np.arange(6))
    assert "not computed yet" in repr(runs.attributions)
    assert not calls
    assert list(runs.attributions) == ["one", "another"]
    assert runs.attributions.seconds == {"one": 0.5, "another": 2.0}
    assert len(calls) == 1


def test_parts_of_the_runs_share_them(calls, trainer):
    runs = trainer.set_params(store=None).fit_transform(np.arange(6))
    part = runs[2:][[0, 1]]
    assert_same(part.attributions, runs.attributions)
    assert len(calls) == 1


def test_threads_compute_them_once(calls, trainer):
    runs = trainer.set_params(store=None).fit_transform(np.arange(6))
    threads = [
        threading.Thread(target=len, args=(runs[[i]].attributions,)) for i in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_what_is_computed_from(calls, trainer):
    trainer.set_params(alpha=[0.25, 0.5], output="margin", keep_models=2)
    runs = trainer.fit_transform(np.arange(6))
    trainer.estimator.set_params(alpha=7.0)  # after the runs, so not their estimator
    len(runs.attributions)
    (call,) = calls
    assert call.estimator.get_params() == RidgeClassifier().get_params()
    assert (call.output, call.alpha, call.n_jobs) == ("margin", 0.375, None)
    assert call.models == runs.models
    assert call.random_state == 3


def test_the_fraction_is_that_of_given_masks(calls, trainer):
    masks = np.zeros((3, 24), dtype=bool)
    masks[:, :7] = True
    len(trainer.fit_transform(masks).attributions)
    assert calls[0].alpha == 0.3
    assert calls[0].models is None


def test_a_callable_has_some_too(calls, trainer):
    def learner(train_indices, seed):
        return np.zeros(5)

    trainer.set_params(estimator=learner, store=None)
    assert len(trainer.fit_transform([0, 1]).attributions) == 2
    assert calls[0].estimator is learner


def test_other_calls_read_them_from_the_store(calls, trainer):
    first = dict(trainer.fit_transform(np.arange(6)).attributions)
    again = clone(trainer).fit_transform(np.arange(3, 12)).attributions
    assert_same(again, first)
    assert again.seconds == {"one": 0.5, "another": 2.0}
    assert again.found.failed == {"third": "why"}
    assert again.found.notes == ["so"]
    assert len(calls) == 1


def test_a_store_alone_gives_them(calls, trainer):
    runs = trainer.fit_transform(np.arange(6))
    assert RunStore(folder_of(trainer)).runs().attributions is None
    expected = dict(runs.attributions)
    found = pickle.loads(pickle.dumps(RunStore(folder_of(trainer)).runs())).attributions
    assert_same(found, expected)
    assert found.seconds == {"one": 0.5, "another": 2.0}


@pytest.mark.parametrize("change", [{"keep_models": 1}, {"alpha": 0.25}])
def test_what_they_are_made_from_must_be_the_same(calls, trainer, change):
    len(trainer.fit_transform(np.arange(6)).attributions)
    len(trainer.set_params(**change).fit_transform(np.arange(6)).attributions)
    assert len(calls) == 2


def test_more_models_compute_them_again_and_fewer_do_not(calls, trainer):
    def read(keep_models, run_ids):
        trainer.set_params(keep_models=keep_models)
        return dict(clone(trainer).fit_transform(run_ids).attributions)

    read(1, np.arange(6))
    more = read(3, np.arange(6))
    assert [len(call.models) for call in calls] == [1, 3]
    for keep_models, run_ids in ((3, np.arange(2)), (2, np.arange(9))):
        assert_same(read(keep_models, run_ids), more)
    assert len(calls) == 2


def test_another_version_computes_them_again(calls, trainer, monkeypatch):
    len(trainer.fit_transform([0, 1]).attributions)
    monkeypatch.setattr(
        _run_attributions, "library_versions", lambda: {"skdatamodels": "99"}
    )
    len(trainer.transform([0, 1]).attributions)
    assert len(calls) == 2


@pytest.mark.parametrize("harm", ["change", "cut", "delete", "foreign", "nonsense"])
def test_damaged_ones_are_never_believed(calls, trainer, harm):
    runs = trainer.fit_transform(np.arange(6))
    len(runs.attributions)
    folder = folder_of(trainer) / "attributions"
    file, index = sorted(folder.glob("*.npy"))[0], folder / "index.json"
    if harm == "change":
        np.load(file, mmap_mode="r+")[2, 3] += 1
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:-8])
    elif harm == "delete":
        file.unlink()
    elif harm == "foreign":
        np.save(file, np.zeros((5, 23)))
    else:
        index.write_text('{"attributions": [1]}')
    with pytest.raises(ValueError, match=r"cannot be used.*Delete the folder"):
        len(RunStore(folder_of(trainer)).runs().attributions)
    len(trainer.transform(np.arange(6)).attributions)
    assert len(calls) == 2
    assert len(RunStore(folder_of(trainer)).runs().attributions) == 2
    assert len(list(folder.glob("*.npy"))) == 2  # nothing is left over


@pytest.mark.parametrize("computed", [False, True])
def test_they_survive_pickling(calls, trainer, computed):
    runs = trainer.set_params(store=None).fit_transform(np.arange(6))
    expected = dict(runs.attributions) if computed else None
    copies = [pickle.loads(pickle.dumps(runs)) for _ in range(2)]
    assert_same(copies[0].attributions, copies[1][:3].attributions)
    if computed:
        assert_same(copies[0].attributions, expected)
    assert len(calls) == 1  # tasks in a process share them


def test_a_disk_that_cannot_be_written_costs_only_time(calls, trainer, monkeypatch):
    def full(*args):
        raise OSError("no space left")

    monkeypatch.setattr("skdatamodels.runs._attribution_files.check_free", full)
    runs = trainer.fit_transform(np.arange(6))
    with pytest.warns(UserWarning, match=r"cannot be stored.*no space left"):
        assert len(runs.attributions) == 2
    assert len(calls) == 1
