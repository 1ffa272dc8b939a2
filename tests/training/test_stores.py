"""A store is found again by what was run, and not by what is another program."""

import itertools
import json
import os
import re
import subprocess
import sys
import threading
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdatamodels import DatamodelRegressor, Examples, RunStore, SubsetTrainer
from skdatamodels.training import _stores

X = np.random.default_rng(0).normal(size=(24, 2))
TRAIN, TARGETS = Examples(X, X.sum(axis=1)), Examples(X[:3], X[:3, 0])

SCRIPT = """
import sys
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from skdatamodels import Examples, SubsetTrainer

class Mine(RegressorMixin, BaseEstimator):
    def __init__(self, words=frozenset("abcdef")):
        self.words = words

    def fit(self, X, y):
        self.mean_ = 2 * y.mean()
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_) if "b" in {"a", "b", "c"} else X

rng = np.random.default_rng(0)
data = Examples(rng.normal(size=(20, 2)), rng.normal(size=20))
trainer = SubsetTrainer(
    Mine(), data, data[:2], output=lambda raw, y: raw if "a" in {"a", "b"} else y,
    store=sys.argv[1], random_state=0,
)
runs = trainer.fit_transform(np.arange(4))
means = np.array([data.y[mask].mean() for mask in runs.masks])
print((runs.outputs[:, 0] / means).round(3).tolist())
"""


def run_script(path, text, root, seed="0"):
    path.write_text(text)
    answer = subprocess.run(
        [sys.executable, path, root],
        env=os.environ | {"PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout), answer.stderr


def folders(root):
    return sorted(path for path in root.iterdir() if path.is_dir())


def test_a_script_finds_its_runs_again_until_its_code_changes(tmp_path):
    root, script = tmp_path / "runs", tmp_path / "script.py"
    edits = [("", ""), ("20, 2", "20,  2"), ("2 * y.mean", "3 * y.mean")]
    texts = [SCRIPT.replace(*edit) for edit in edits]
    answers = [
        run_script(script, text, root, str(seed)) for seed, text in enumerate(texts)
    ]
    outputs, messages = zip(*answers, strict=True)
    assert outputs == ([2.0] * 4, [2.0] * 4, [3.0] * 4)  # the last ones are its own
    assert len(folders(root)) == 2
    assert messages[:2] == ("", "")
    named = (
        r"differ only in code\[__main__.Mine.fit\]: stored \S+ \w+., requested \S+ \w+."
    )
    assert re.search(named + r"\. They are not used", messages[2])


def trainer(estimator, root, **kwargs):
    kwargs = {"output": "prediction", "random_state": 0} | kwargs
    return SubsetTrainer(estimator, TRAIN, TARGETS, store=root, **kwargs)


def messages_of(*trainers):
    """Return the warnings that each gives as it trains one run."""
    found = []
    for each in trainers:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            each.fit_transform([0])
        found.append([str(warning.message) for warning in caught])
    return found


def shrunk(factor):
    return lambda raw, y: factor * raw


def test_settings_make_new_stores_without_a_word(tmp_path):
    changes = [
        {}, {"alpha": 0.3}, {"estimator__alpha": 2.0}, {"design": "bernoulli"},
        {"estimator__alpha": 1}, {"estimator__solver": "cholesky"},
        {"random_state": 1},
        {"output": "squared_error"}, {"output": shrunk(2)}, {"output": shrunk(3)},
        {"output": np.add}, {"estimator": make_pipeline(Ridge())}, {"fast": False},
        {"estimator": make_pipeline(Ridge(2.0))}, {"targets": TARGETS[:2]},
    ]  # fmt: skip
    trainers = [trainer(Ridge(), tmp_path).set_params(**change) for change in changes]
    assert messages_of(*trainers) == [[]] * len(changes)
    assert len(folders(tmp_path)) == len(changes)


def test_a_search_says_nothing(tmp_path):
    pipeline = make_pipeline(trainer(Ridge(), tmp_path), DatamodelRegressor(lam=0.1))
    grid = {
        "subsettrainer__alpha": [0.3, 0.5],
        "subsettrainer__estimator__alpha": [1, 2],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(np.arange(8))
    assert len(folders(tmp_path)) == 4


class Table(RegressorMixin, BaseEstimator):
    """A learner with a table, whose content no name can say."""

    def __init__(self, table):
        self.table = table

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.full(len(X), sum(self.table))


def test_what_is_not_plain_to_see_is_named(tmp_path):
    tables = [np.arange(3), np.arange(3) + 1]
    others = Examples(X + 1, X.sum(axis=1))
    first, *later = messages_of(
        trainer(Table(tables[0]), tmp_path),
        trainer(Table(tables[0]), tmp_path),
        trainer(Table(tables[1]), tmp_path),
        trainer(Table(tables[1]), tmp_path),
        trainer(Table(tables[1]), tmp_path).set_params(train=others),
        trainer(Table(tables[1]), tmp_path, alpha=0.3),
    )
    assert not any([first, later[0], later[2], later[4]])
    (message,) = later[1]
    assert "differ only in estimator__table: stored 'numpy.ndarray (3,)" in message
    (message,) = later[3]
    assert "differ only in train: stored" in message
    assert "estimator" not in message


def test_the_stores_of_other_masks_and_data_are_no_news(tmp_path):
    masks = np.random.default_rng(0).random((2, 24)) < 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for data in (TRAIN, Examples(X + 1, X.sum(axis=1))):
            trainer(Ridge(), tmp_path).set_params(train=data).transform(masks)
    assert len(folders(tmp_path)) == 2


class Grown(RegressorMixin, BaseEstimator):
    """A learner that got a parameter in its next version."""

    def __init__(self, width=1):
        self.width = width

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.zeros(len(X))


def test_a_new_parameter_at_its_default_finds_the_old_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(Grown, "__module__", "joblib")  # whose code is not compared
    trainer(Grown(2), tmp_path).fit_transform([0, 1])
    old = folders(tmp_path)

    def init(self, width=1, depth=None):
        self.width, self.depth = width, depth

    monkeypatch.setattr(Grown, "__init__", init)
    assert messages_of(trainer(Grown(2), tmp_path)) == [[]]
    assert folders(tmp_path) == old
    ((message,),) = messages_of(trainer(Grown(2, depth=3), tmp_path))
    assert "estimator__depth: stored nothing, requested 3" in message
    assert messages_of(trainer(Grown(1), tmp_path)) == [[]]
    assert len(folders(tmp_path)) == 3


def test_another_version_of_a_library_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(Grown, "__module__", "joblib.grown")
    trainer(Grown(), tmp_path).fit_transform([0])
    (folder,) = folders(tmp_path)
    assert RunStore(folder).versions["joblib"] == joblib.__version__
    monkeypatch.setattr(joblib, "__version__", "0.1")
    ((message, *_),) = messages_of(trainer(Grown(), tmp_path))
    assert re.search(r"begun with other versions.*joblib.*now 0\.1", message)


CALLS = []


def counts(train_indices, seed):
    CALLS.append(seed)
    return np.zeros(3)


def test_a_training_that_changes_what_it_reads_is_told(tmp_path):
    ((message,),) = messages_of(trainer(counts, tmp_path))
    assert "A run has changed" in message
    assert f"code[{__name__}.CALLS]: stored" in message


class Locked:
    """Keeps a lock once it has trained, by which it does not pickle any more."""

    def __call__(self, train_indices, seed):
        self.lock = threading.Lock()
        return np.zeros(3)


def test_runs_are_returned_though_the_next_call_cannot_find_them(tmp_path):
    with pytest.warns(UserWarning, match=r"estimator.lock is the same next time"):
        runs = trainer(Locked(), tmp_path).fit_transform([0])
    assert len(runs) == 1


NUMBERS = itertools.count()


class Numbered:
    """Has another number each time it is asked what it is."""

    def __call__(self, train_indices, seed):
        raise AssertionError("it was trained")

    def __reduce__(self):
        return Numbered, (), {"number": next(NUMBERS)}


@pytest.mark.filterwarnings("ignore:Pickle, copy, and deepcopy")
def test_what_cannot_be_found_again_is_told_before_training(tmp_path):
    with pytest.warns(UserWarning, match="another session may not find these runs"):
        trainer(Numbered(), tmp_path).fit([0])


@pytest.mark.parametrize("copied", [np.zeros(3), TRAIN])
def test_data_are_not_copied_to_find_out(copied):
    inside = _stores._copy({"a": [copied, "text"]})["a"]
    assert inside[0] is copied
    assert inside[1] == "text"


def test_clones_find_the_same_store(tmp_path):
    for each in (trainer(Table(np.arange(3)), tmp_path), trainer(shrunk(2), tmp_path)):
        assert not any(messages_of(clone(each).set_params(estimator=Ridge())))
    assert len(folders(tmp_path)) == 1
