"""Judged runs against trainings of their learners, and what they say of themselves."""

from importlib.resources import files

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import is_regressor
from sklearn.datasets import load_digits

from skdatamodels import SubsetTrainer
from skdatamodels.datasets import load_judged_runs
from skdatamodels.datasets._judged_sets import JUDGED_SETS, pick_rows
from skdatamodels.metrics import linear_datamodeling_score, noise_ceiling


@pytest.mark.parametrize("name", JUDGED_SETS)
def test_files_are_small_and_come_with_the_package(name):
    file = files("skdatamodels.datasets") / "judged" / f"{name}.npz"
    with file.open("rb") as content:
        assert len(content.read()) < 2**20


@pytest.mark.parametrize("name", JUDGED_SETS)
def test_parts_belong_together(name):
    judged = load_judged_runs(name)
    n_train, n_targets = len(judged.train), len(judged.targets)
    for runs, n_runs in ((judged.runs, 1000), (judged.judging_runs, 200)):
        assert runs.masks.shape == (n_runs, n_train)
        assert runs.outputs.shape == (n_runs, n_targets)
        assert_array_equal(runs.masks.sum(axis=1), n_train // 2)
        assert np.isfinite(runs.outputs).all()
        assert runs.output_info.name == judged.output
    assert judged.repeats.shape == (2, 200, n_targets)
    assert_array_equal(judged.repeats[0], judged.judging_runs.outputs)
    seen = {mask.tobytes() for mask in judged.runs.masks}
    assert not any(mask.tobytes() in seen for mask in judged.judging_runs.masks)
    assert not set(judged.train.ids) & set(judged.targets.ids)
    assert f"JudgedRuns {name!r}" in repr(judged)
    assert "scikit-learn" in judged.versions


@pytest.mark.parametrize("name", JUDGED_SETS)
def test_runs_are_those_of_the_learner(name):
    """A few subsets are trained again: at other versions they need not be equal."""
    judged = load_judged_runs(name)
    trainer = SubsetTrainer(
        judged.learner,
        judged.train,
        judged.targets,
        output=judged.output,
        random_state=1,
        keep_models=0,
    )
    again = trainer.fit_transform(judged.judging_runs.masks[:6]).outputs
    first, second = (repeat[:6] for repeat in judged.repeats)
    difference = np.sqrt(np.mean((again - first) ** 2))
    noise = np.sqrt(np.mean((second - first) ** 2))
    assert difference <= 1.5 * noise + 1e-3
    spread = judged.judging_runs.outputs.std(axis=0).mean()
    assert difference < 2 * spread


@pytest.mark.parametrize("name", JUDGED_SETS)
def test_noise_leaves_something_to_explain(name):
    judged = load_judged_runs(name)
    ceiling = noise_ceiling(judged.repeats)
    assert ceiling > 0.6
    assert (ceiling == pytest.approx(1, abs=1e-6)) == (name == "digits_logistic")
    assert is_regressor(judged.learner) == (judged.output == "prediction")


def test_wrong_labels_and_the_shortcut_are_planted():
    judged = load_judged_runs("digits_mlp")
    X, y = load_digits(return_X_y=True)
    of_train, of_targets = judged.shortcut
    right = y[judged.train.ids] == judged.train.y
    assert_array_equal(~right, judged.wrong_labels)
    assert judged.wrong_labels.sum() == 20
    assert set(judged.train.y[of_train]) == {3}
    assert (of_train.sum(), of_targets.sum()) == (4, 10)
    for examples, mask in ((judged.train, of_train), (judged.targets, of_targets)):
        changed = (X[examples.ids] / 16 != examples.X).any(axis=1)
        assert_array_equal(changed, mask)
        assert (examples.X[mask].reshape(-1, 8, 8)[:, :, 0] == 1).all()
    assert (y[judged.targets.ids[of_targets]] != 3).any()


def test_subclasses_and_exact_effects_of_the_convex_set():
    judged = load_judged_runs("digits_logistic")
    y = load_digits().target
    for labels, examples in zip(
        judged.subclasses, (judged.train, judged.targets), strict=True
    ):
        assert_array_equal(labels, y[examples.ids])
    assert_array_equal(judged.targets.y, judged.subclasses[1] % 2)
    trainer = SubsetTrainer(judged.learner, judged.train, judged.targets)
    masks = np.ones((3, 300), bool)
    masks[1, 7] = masks[2, 250] = False
    whole, *without = trainer.fit_transform(masks).outputs
    for row, example in zip(without, (7, 250), strict=True):
        assert_allclose(judged.leave_one_out[:, example], whole - row, atol=1e-3)
    predicted = judged.judging_runs.masks @ judged.leave_one_out.T
    assert linear_datamodeling_score(judged.judging_runs.outputs, predicted) > 0.9


def test_rows_depend_on_the_seed_alone():
    first, again, other = (pick_rows("breast_cancer_forest", s) for s in (0, 0, 1))
    for name, rows in first.items():
        assert_array_equal(rows, again[name])
    assert not np.array_equal(first["train_rows"], other["train_rows"])


def test_unknown_names_are_told_the_known_ones():
    with pytest.raises(
        ValueError, match=r"name 'iris'\. The names are digits_mlp, dig"
    ):
        load_judged_runs("iris")
    with pytest.raises(ValueError, match="There are no judged runs of the name"):
        load_judged_runs(["digits_mlp"])
