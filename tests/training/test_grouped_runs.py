"""SubsetTrainer(groups=...), against learners that get the rows of the groups."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB

from skdatamodels import DatamodelRegressor, Examples, RunStore, SubsetTrainer
from skdatamodels.datasets import load_digits_examples
from skdatamodels.influence import DifferenceOfMeans, cheap_attributions
from skdatamodels.masks import DESIGNS
from skdatamodels.runs import aggregate_targets
from skdatamodels.training import TorchLearner
from skdatamodels.training._learners.fast_paths import estimator_learner
from skdatamodels.training._learners.learners import EstimatorLearner

RNG = np.random.default_rng(0)
Y = np.arange(130) % 2
X = RNG.standard_normal((130, 4)) + 0.7 * Y[:, None]
TRAIN = Examples(X[:100], Y[:100])
TARGETS = Examples(X[100:110], Y[100:110], ids=[f"t{i}" for i in range(10)])
# groups of unequal size, in no order
GROUPS = np.array(["c", "a", "d", "b", "e", "c", "f", "c", "h", "g"])[
    RNG.permutation(np.arange(100) % 10)
]
NAMES = list("abcdefgh")


def make_trainer(estimator=None, groups=GROUPS, **parameters):
    estimator = LogisticRegression() if estimator is None else estimator
    parameters = {"random_state": 0, **parameters}
    return SubsetTrainer(estimator, TRAIN, TARGETS, groups=groups, **parameters)


def rows_of(masks):
    """Expand masks of groups to masks of rows, by a loop."""
    rows = np.zeros((len(masks), len(GROUPS)), dtype=bool)
    for column, name in enumerate(NAMES):
        rows[:, name == GROUPS] = np.asarray(masks)[:, [column]]
    return rows


def mlp():
    import torch

    return torch.nn.Sequential(torch.nn.Linear(4, 2))


def torch_learner():
    pytest.importorskip("torch")
    return TorchLearner(mlp, epochs=2, batch_size=8, lr=0.1)


LEARNERS = {
    "estimator": lambda: ExtraTreesClassifier(3),
    "logistic": lambda: LogisticRegression(tol=1e-7),
    "ridge": Ridge,
    "torch": torch_learner,
}


@pytest.mark.parametrize("kind", LEARNERS)
def test_outputs_are_those_of_the_rows_of_the_groups(kind):
    trainer = make_trainer(LEARNERS[kind]())
    runs = trainer.fit_transform(np.arange(8))
    assert runs.shape == (8, 8)
    assert trainer.groups_.tolist() == NAMES
    if kind == "torch":
        learner = trainer.estimator.make_learner(TRAIN, TARGETS, None)
    else:
        learner = EstimatorLearner(trainer.estimator, TRAIN, TARGETS, None)
    for mask, seed, outputs in zip(
        rows_of(runs.masks), runs.seeds, runs.outputs, strict=True
    ):
        alone = learner(np.flatnonzero(mask), int(seed))
        assert_allclose(outputs, alone, rtol=1e-4, atol=1e-4)


def test_the_fast_path_of_rows_is_used():
    runs = make_trainer(Ridge(), fast=True).transform(np.arange(6))
    learner = estimator_learner(Ridge(), TRAIN, TARGETS, None, fast=True)
    together = learner.train_many(rows_of(runs.masks), runs.seeds)
    assert_allclose(runs.outputs, together, rtol=1e-6)


def test_a_function_gets_rows():
    def rows(train_indices, seed):
        return np.r_[len(train_indices), train_indices.sum()]

    trainer = make_trainer(rows).set_params(targets=TARGETS[:2])
    runs = clone(trainer).transform(np.arange(5))
    expected = rows_of(runs.masks) @ np.c_[np.ones(100), np.arange(100)]
    assert_array_equal(runs.outputs, expected)


@pytest.mark.parametrize("design", sorted(set(DESIGNS) - {"stratified"}))
def test_designs_are_of_groups(design):
    trainer = make_trainer(GaussianNB(), design=design, on_failure="nan")
    with warnings.catch_warnings():  # a subset may be empty, of so few groups
        warnings.simplefilter("ignore")
        runs = trainer.fit_transform(np.arange(8))
    assert_array_equal(runs.masks, trainer.draw_subsets(8, trainer.entropy_))
    if design in ("uniform", "complementary", "balanced"):
        assert (runs.masks.sum(axis=1) == 4).all()
    if design in ("complementary", "orthogonal"):
        assert_array_equal(runs.masks[::2], ~runs.masks[1::2])


def test_strata_are_classes_of_groups():
    groups = TRAIN.y * 10 + np.arange(100) % 7 // 2
    trainer = make_trainer(GaussianNB(), groups, design="stratified")
    runs = trainer.fit_transform(np.arange(6))
    assert_array_equal(trainer.groups_, [0, 1, 2, 3, 10, 11, 12, 13])
    assert (runs.masks[:, :4].sum(axis=1) == 2).all()
    assert (runs.masks[:, 4:].sum(axis=1) == 2).all()
    with pytest.raises(ValueError, match=r"one class each, but group 'c' has rows of"):
        make_trainer(design="stratified").fit([0])


def test_masks_are_of_groups():
    masks = np.array([[1, 0, 1, 1, 0, 1, 0, 1], [0, 1, 1, 0, 1, 1, 1, 0]], dtype=bool)
    runs = make_trainer().transform(masks)
    of_rows = make_trainer(groups=None).transform(rows_of(masks))
    assert_allclose(runs.outputs, of_rows.outputs, rtol=1e-6)
    with pytest.raises(ValueError, match=r"n_train=8 \(the number of groups\)"):
        make_trainer().transform(rows_of(masks))


def test_columns_have_names():
    trainer = make_trainer()
    assert trainer.get_feature_names_out().tolist() == NAMES
    runs = trainer.fit_transform(np.arange(40))
    assert runs.player_ids.tolist() == NAMES
    assert runs[:7].target_ids.tolist() == TARGETS.ids.tolist()
    fitted = DifferenceOfMeans().fit(runs[:30])
    assert fitted.player_ids_.tolist() == NAMES
    assert fitted.target_ids_.tolist() == TARGETS.ids.tolist()
    fitted.fit(runs, runs.outputs[:, :2])
    assert fitted.player_ids_.tolist() == NAMES
    assert fitted.target_ids_ is None
    trainer.set_params(groups=None).fit([0])
    assert trainer.groups_ is None


def test_columns_of_rows_and_sums_of_weights():
    trainer, weights = make_trainer(), RNG.standard_normal((3, 100))
    assert_array_equal(
        trainer.columns_of([5, -1, 0]),
        [NAMES.index(GROUPS[5]), -1, NAMES.index(GROUPS[0])],
    )
    sums = [weights[:, name == GROUPS].sum(axis=1) for name in NAMES]
    assert_allclose(trainer.sum_over_groups(weights), np.transpose(sums))


def test_a_store_belongs_to_a_grouping(tmp_path):
    trained = []

    def learner(train_indices, seed):
        trained.append(len(train_indices))
        return train_indices[:10].astype(float)

    def runs(groups, n_runs):
        trainer = make_trainer(learner, groups, store=tmp_path)
        trained.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what `learner` reads
            return trainer.transform(np.arange(n_runs))

    first = runs(GROUPS, 4)
    again = runs(GROUPS.tolist(), 6)
    assert len(trained) == 2
    assert_array_equal(again.outputs[:4], first.outputs)
    assert again.player_ids.tolist() == NAMES
    runs(np.char.upper(GROUPS), 6)  # other names of the same groups
    assert not trained
    runs(np.roll(GROUPS, 1), 6)
    assert len(trained) == 6
    runs(None, 3)
    assert len(trained) == 3
    stores = [RunStore(path) for path in tmp_path.iterdir()]
    assert sorted(store.n_train for store in stores) == [8, 8, 100]
    assert {store._files.masks.row_shape for store in stores} == {(1,), (13,)}


def test_kept_models_have_rows(tmp_path):
    trainer = make_trainer(GaussianNB(), keep_models=2)
    for store in (None, tmp_path, tmp_path):
        runs = trainer.set_params(store=store).transform(np.arange(4))
        for kept, mask in zip(runs.models, rows_of(runs.masks), strict=False):
            assert_array_equal(kept.subset, np.flatnonzero(mask))
            alone = GaussianNB().fit(TRAIN.X[mask], TRAIN.y[mask])
            assert_allclose(kept.model.theta_, alone.theta_)


def test_cheap_attributions_of_rows_are_summed(tmp_path):
    trainer = make_trainer(store=tmp_path)
    runs = trainer.transform(np.arange(20))
    rows = cheap_attributions(
        LogisticRegression(), TRAIN, TARGETS, random_state=trainer.random_state
    )
    found = runs.attributions
    assert set(found) == set(rows)
    for name, matrix in found.items():
        assert_allclose(
            matrix, trainer.sum_over_groups(rows[name]), rtol=1e-4, atol=1e-5
        )
        assert matrix.dtype == np.float32
    again = make_trainer(store=tmp_path).transform(np.arange(20)).attributions
    assert isinstance(again["logistic_influence"], np.memmap)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coef = DatamodelRegressor(prior="cheap", random_state=0).fit(runs).coef_
    assert coef.shape == (10, 8)


@pytest.mark.filterwarnings("ignore:.*saw no example of a class")
def test_classes_are_counted_by_rows():
    y = np.where(np.isin(GROUPS, ["a", "b"]), 2, TRAIN.y)
    train = Examples(TRAIN.X, y)
    targets = Examples(TARGETS.X, [0, 1, 2, 2, 0, 1, 0, 1, 2, 1])
    trainer = make_trainer(GaussianNB()).set_params(train=train, targets=targets)
    runs = trainer.transform(np.arange(30))
    misses = ~runs.masks[:, :2].any(axis=1)
    assert 0 < misses.sum() < 30
    assert_array_equal(runs.n_missed_classes, misses)
    assert_array_equal(np.isnan(runs.outputs), misses[:, None] & (targets.y == 2))


def test_groups_of_mixed_classes_cannot_be_stratified():
    train = Examples(TRAIN.X, np.where(GROUPS == "a", TRAIN.y + 1, TRAIN.y))
    targets = Examples(TARGETS.X, np.arange(10) % 3)
    trainer = make_trainer(GaussianNB()).set_params(train=train, targets=targets)
    with pytest.warns(UserWarning, match="larger alpha makes this rarer.$"):
        trainer.transform(np.arange(20))


def test_subsets_that_are_too_small_are_refused_before_training():
    groups = np.repeat([0, 1, 2, 3], [91, 3, 3, 3])
    learner = torch_learner().set_params(batch_size=8)
    trainer = make_trainer(learner, groups)
    trainer.fit([0])  # the subsets are not drawn yet
    with pytest.raises(ValueError, match="6"):
        trainer.transform(np.arange(40))


def test_a_hundred_runs_find_two_bad_sources_of_thirty():
    clean, targets = load_digits_examples(n_train=600)
    rng = np.random.default_rng(0)
    source, labels = rng.integers(30, size=600), clean.y.copy()
    bad = rng.choice(30, 2, replace=False)
    rows = np.isin(source, bad)
    labels[rows] = rng.permutation(labels[rows])
    train = Examples(clean.X, labels)
    trainer = SubsetTrainer(
        RidgeClassifier(), train, targets, groups=source, random_state=0
    )
    runs = aggregate_targets(trainer.fit_transform(np.arange(100)))
    weights = DatamodelRegressor(penalty="l2", random_state=0).fit(runs).coef_[0]
    assert set(trainer.groups_[np.argsort(weights)[:2]]) == set(bad)
    good = np.delete(weights, bad)
    assert weights[bad].max() < good.mean() - 5 * good.std()


@pytest.mark.parametrize(
    ("parameters", "error", "match"),
    [
        ({"groups": GROUPS[1:]}, ValueError, "one label for each"),
        ({"groups": 3}, ValueError, "groups"),
        ({"groups": "source"}, ValueError, "not a column"),
        (
            {"groups": np.arange(100) % 3, "alpha": 0.1},
            ValueError,
            "subsets of size 0.*examples are 3 groups",
        ),
        ({"groups": np.arange(100) < 3, "alpha": 0.9}, ValueError, "are 2 groups"),
    ],
)
def test_bad_groups_are_refused_before_training(parameters, error, match):
    with pytest.raises(error, match=match):
        make_trainer(**parameters).fit([0])
