"""SubsetTrainer and its store: only right runs come back, whatever happened to it."""

import json
import os
import shutil
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, Ridge

from skdatamodels import Examples, RunStore, SubsetTrainer
from skdatamodels.masks import _designs
from skdatamodels.runs._meta import write_meta

TRAIN = Examples(np.arange(24.0).reshape(12, 2), np.arange(12) % 2)
IDS = np.arange(8)


def learner(train_indices, seed):
    return [train_indices[0] + seed % 1000, 2.0]


def counted(path, train_indices, seed):
    """Keep a tally in a file."""
    with open(path, "a") as file:
        file.write("x")
    return learner(train_indices, seed)


@pytest.fixture
def trainer(tmp_path):
    function = partial(counted, str(tmp_path / "tally"))
    root = tmp_path / "root"
    return SubsetTrainer(function, TRAIN, TRAIN[:2], store=root, random_state=0)


def n_trained(tmp_path):
    tally = tmp_path / "tally"
    return len(tally.read_text()) if tally.exists() else 0


def store_of(trainer):
    (folder,) = (path for path in trainer.store.iterdir() if path.is_dir())
    return RunStore(folder)


def change(trainer, name, row, value):
    array = np.load(store_of(trainer).path / f"{name}.npy", mmap_mode="r+")
    array[row] = value
    array.flush()


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("more", [0, 5])
@pytest.mark.parametrize(
    ("name", "value"), [("outputs", 0), ("outputs", np.nan), ("masks", 0), ("seeds", 1)]
)
def test_damaged_runs_do_not_come_back(trainer, tmp_path, name, value, more, given):
    masks = SubsetTrainer(learner, TRAIN, TRAIN[:2], random_state=1).transform(
        np.arange(8 + more)
    )
    X = masks.packed if given else np.arange(8 + more)
    expected = clone(trainer).set_params(store=None).fit_transform(X)
    n_before = n_trained(tmp_path)
    trainer.fit_transform(X[:8])
    change(trainer, name, 3, value)
    if given and name != "outputs":  # the run is not found, and trained anew
        runs = trainer.transform(X)
    else:
        with pytest.raises(ValueError, match=r"runs in .* damaged, .*rows \[3\].*disc"):
            trainer.transform(X)
        assert n_trained(tmp_path) == n_before + 8  # told before more are trained
        store = store_of(trainer)
        store.discard(store.damaged())
        runs = trainer.transform(X)
    assert n_trained(tmp_path) == n_before + 9 + more
    np.testing.assert_array_equal(runs.outputs, expected.outputs)
    np.testing.assert_array_equal(runs.masks, expected.masks)
    np.testing.assert_array_equal(runs.seeds, expected.seeds)


def test_damage_that_nobody_reads_troubles_nobody(trainer):
    runs = trainer.fit_transform(IDS)
    change(trainer, "outputs", 3, 0)
    np.testing.assert_array_equal(
        trainer.transform([5, 2, 0]).outputs, runs.outputs[[5, 2, 0]]
    )


def test_damage_is_noticed_where_other_runs_have_failed(trainer):
    trainer.fit_transform(IDS)

    def fails(train_indices, seed):
        raise ArithmeticError

    store = store_of(trainer)
    store.discard([6])
    trainer.set_params(on_failure="nan")
    learner_of, trainer._learner = trainer._learner, lambda: fails
    with pytest.warns(RuntimeWarning, match="1 of 1 runs failed"):
        assert np.isnan(trainer.transform(IDS).outputs[6]).all()
    change(trainer, "outputs", 3, 0)
    with pytest.raises(ValueError, match="damaged"):
        trainer.transform(IDS)
    trainer._learner = learner_of


@pytest.mark.parametrize("more", [0, 3])
def test_an_edited_seed_is_noticed(trainer, tmp_path, more):
    trainer.fit_transform(IDS)
    folder = store_of(trainer).path
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, "entropy": 1}))
    with pytest.raises(ValueError, match=r"meta\.json was edited or damaged"):
        trainer.transform(IDS)
    del meta["checksum"]
    write_meta(folder, {**meta, "entropy": 1})  # with a checksum that is right
    for form in (trainer, clone(trainer)):
        with pytest.raises(ValueError, match=r"8 of 8 runs in .* other masks or seeds"):
            form.transform(np.arange(8 + more))
    assert n_trained(tmp_path) == 8


def test_a_design_that_draws_otherwise_is_noticed(trainer, monkeypatch):
    trainer.fit_transform(IDS)
    shuffled = _designs.DESIGNS["uniform"]._replace(draw=_designs.bernoulli)
    monkeypatch.setitem(_designs.DESIGNS, "uniform", shuffled)
    with pytest.raises(ValueError, match="version of skdatamodels drew the masks"):
        trainer.transform(IDS)


def test_without_meta_json_nothing_is_emptied(trainer, tmp_path):
    runs = trainer.fit_transform(IDS)
    folder = store_of(trainer).path
    (folder / "meta.json").unlink()
    before = {path.name: path.read_bytes() for path in folder.glob("*.npy")}
    for form in (trainer, clone(trainer)):
        with pytest.raises(ValueError, match=r"meta\.json is missing in"):
            form.fit_transform(IDS)
    assert {path.name: path.read_bytes() for path in folder.glob("*.npy")} == before
    elsewhere = clone(trainer).set_params(store=tmp_path / "elsewhere").fit([0])
    (store_of(elsewhere).path / "meta.json").rename(folder / "meta.json")
    np.testing.assert_array_equal(trainer.transform(IDS).outputs, runs.outputs)
    assert n_trained(tmp_path) == 8


# ---- where a store is


def test_home_and_where_the_process_is(trainer, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    expected = trainer.fit_transform(IDS).outputs
    for store in ("~/root", "root", "./root/"):
        runs = clone(trainer).set_params(store=store).fit_transform(IDS)
        np.testing.assert_array_equal(runs.outputs, expected)
    assert n_trained(tmp_path) == 8
    assert sorted(os.listdir(tmp_path)) == ["root", "tally"]


class Moving(LinearRegression):
    """Goes to another directory with each fit."""

    def __init__(self, folder=None):
        super().__init__()
        self.folder = folder

    def fit(self, X, y):
        os.makedirs(self.folder, exist_ok=True)
        os.chdir(self.folder)
        return super().fit(X, y)


def test_a_learner_that_changes_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trainer = SubsetTrainer(
        Moving(str(tmp_path / "away")),
        TRAIN,
        TRAIN[:2],
        output="prediction",
        store="root",
        random_state=0,
    )
    first = trainer.fit_transform(np.arange(4))
    more = trainer.transform(np.arange(6))
    assert os.getcwd() == str(tmp_path)
    np.testing.assert_array_equal(more.outputs[:4], first.outputs)
    (folder,) = (tmp_path / "root").iterdir()
    assert len(RunStore(folder)) == 6
    assert os.listdir(tmp_path / "away") == []


@pytest.mark.parametrize(
    "name", ["../../x", "/x", "x" * 240, "ü" * 240, "a\0b", "..", "", "<lambda>"]
)
def test_names_of_learners_stay_in_the_root(tmp_path, name):
    def named(train_indices, seed):
        return learner(train_indices, seed)

    named.__name__ = name
    root = tmp_path / "deep" / "er" / "root"
    trainer = SubsetTrainer(named, TRAIN, TRAIN[:2], store=root, random_state=0)
    trainer.set_params(alpha=np.linspace(0.2, 0.8, 50))
    trainer.fit_transform([0])
    (folder,) = root.iterdir()
    assert len(folder.name.encode()) < 140
    assert os.listdir(tmp_path) == ["deep"]
    assert os.listdir(tmp_path / "deep") == ["er"]
    assert len(RunStore(folder)) == 1


def test_a_root_that_is_a_link_to_nowhere(trainer, tmp_path):
    (tmp_path / "root").symlink_to(tmp_path / "unmounted")
    with pytest.raises(FileNotFoundError, match=r"root is a link to .*unmounted"):
        trainer.fit_transform(IDS)
    assert n_trained(tmp_path) == 0
    assert not (tmp_path / "unmounted").exists()


# ---- what does not fit


@pytest.mark.parametrize("run", [10**9, 2**40, 2**63 - 1])
def test_ids_that_no_file_can_hold_are_refused_before_training(trainer, tmp_path, run):
    with pytest.raises(ValueError, match=f"Run {run} cannot be stored"):
        trainer.fit_transform([0, run])
    assert n_trained(tmp_path) == 0
    assert sum(path.stat().st_size for path in store_of(trainer).path.iterdir()) < 10**4
    runs = clone(trainer).set_params(store=None).fit_transform([0, run])
    assert runs.outputs.shape == (2, 2)


def test_ids_beyond_int64(trainer):
    trainer.set_params(store=None)
    with pytest.raises(ValueError, match=f"below 2\\*\\*63, got {2**63}"):
        trainer.fit_transform(np.array([0, 2**63], dtype=np.uint64))


def test_runs_that_the_disk_has_no_space_for(trainer, tmp_path, monkeypatch):
    trainer.fit_transform(IDS)
    row_bytes = 2 + 4 + 8 + 4
    usage = SimpleNamespace(total=10**9, used=0, free=20 * row_bytes)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"21 runs needs 378 bytes.* only 360 are free"):
        trainer.transform(np.arange(29))
    assert n_trained(tmp_path) == 8
    assert len(trainer.transform(np.arange(28))) == 28


def test_runs_of_another_configuration_do_not_pass_for_these(tmp_path):
    def trainer(alpha):
        examples = Examples(np.arange(12.0)[:, None], np.arange(12.0) ** 2)
        return SubsetTrainer(
            Ridge(alpha=alpha), examples, examples, store=tmp_path, random_state=0
        )

    folders = {}
    for alpha in (1.0, 50.0):
        trainer(alpha).transform(np.arange(4))
        (folders[alpha],) = set(tmp_path.iterdir()) - set(folders.values())
    for name in ("outputs.npy", "checksums.npy"):
        shutil.copy(folders[50.0] / name, folders[1.0] / name)
    with pytest.raises(ValueError, match="damaged"):
        trainer(1.0).transform(np.arange(4))
    shutil.copy(folders[1.0] / "meta.json", folders[50.0] / "meta.json")
    with pytest.raises(ValueError, match="damaged"):
        RunStore(folders[50.0]).runs()
