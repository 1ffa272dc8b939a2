"""Applications retrain without groups, against fits without the groups' rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer, TrainingRuns
from skdatamodels.applications import (
    CounterfactualEvaluation,
    DataSupportSearch,
    LeakageDetector,
    affected_targets,
    component_effects,
    harmful_examples,
    self_influence,
    similar_examples,
)
from skdatamodels.applications._edits import Edits
from skdatamodels.applications._removal_sets import removal_orders
from skdatamodels.influence import DifferenceOfMeans
from skdatamodels.judging import compare_attributions
from skdatamodels.outputs import OUTPUTS
from skdatamodels.training._players import Players

RNG = np.random.default_rng(0)
Y = np.array(["no", "yes"])[np.arange(80) % 2]
X = RNG.standard_normal((80, 3)) + 0.8 * (Y == "yes")[:, None]
TRAIN = Examples(X[:60], Y[:60])
TARGETS = Examples(X[60:66], Y[60:66], ids=list("uvwxyz"))
GROUPS = np.array(list("gacfeb"))[np.r_[:60] * 7 % 13 % 6]
NAMES = np.array(list("abcefg"))


@pytest.fixture
def trainer():
    return SubsetTrainer(GaussianNB(), TRAIN, TARGETS, groups=GROUPS, random_state=0)


WEIGHTS = RNG.standard_normal((6, 6))


def margins(kept=None, y=TRAIN.y):
    """Fit on the rows in `kept` alone; return the margins of the targets."""
    kept = np.ones(60, dtype=bool) if kept is None else kept
    model = GaussianNB().fit(TRAIN.X[kept], y[kept])
    log_proba = model.predict_log_proba(TARGETS.X)
    return OUTPUTS["margin"](log_proba, (TARGETS.y == "yes").astype(int))


@pytest.mark.parametrize("edit", ["remove", "mislabel"])
def test_counterfactuals_remove_or_relabel_whole_groups(trainer, edit):
    evaluation = CounterfactualEvaluation(
        trainer, sizes=[1, 2], n_trials=1, n_control_trials=1, edit=edit, random_state=0
    ).fit(WEIGHTS)
    effects = evaluation.effects_
    assert effects.removed.shape == (36, 6)
    for row, removed in enumerate(effects.removed.dense()):
        target = effects.target[row]
        assert removed.sum() == effects.size[row]
        out = np.isin(GROUPS, NAMES[removed])
        changed = margins(~out)
        if edit == "mislabel":
            wrong = evaluation.wrong_class_[target]
            assert wrong != TARGETS.y[target]
            changed = margins(y=np.where(out, wrong, TRAIN.y))
        assert_allclose(effects.true[row], (changed - margins())[target], atol=1e-4)
        assert_allclose(effects.predicted[row], -WEIGHTS[target, removed].sum())


def test_counterfactuals_of_subsets_of_groups(trainer):
    evaluation = CounterfactualEvaluation(
        trainer, sizes=[1], n_trials=3, control="subsets", random_state=0
    ).fit(WEIGHTS)
    seed = np.random.RandomState(0).randint(2**31, size=2)[1]
    bases = trainer.draw_subsets(3, seed).dense()
    effects = evaluation.effects_
    for row, removed in enumerate(effects.removed.dense()):
        changes = [
            margins(np.isin(GROUPS, NAMES[base & ~removed]))
            - margins(np.isin(GROUPS, NAMES[base]))
            for base in bases
        ]
        change = np.mean(changes, axis=0)[effects.target[row]]
        assert_allclose(effects.true[row], change, atol=1e-4)


def test_a_copy_of_a_group_has_all_its_rows(trainer):
    sets = np.array([[1, 0, 0, 0, 1, 0], [1, 1, 0, 0, 0, 0]], dtype=bool)
    labels = np.array(["yes", "no"])
    edits = Edits(trainer, sets, labels)
    players = Players(edits.trainer.train, edits.trainer.groups)
    masks = edits.masks(sets, labels).dense()
    for row, label in enumerate(labels):
        rows = players.expand(masks[row])
        train = edits.trainer.train
        changed = np.where(np.isin(GROUPS, NAMES[sets[row]]), label, TRAIN.y)
        got = sorted(zip(train.X[rows, 0], train.y[rows], strict=True))
        assert got == sorted(zip(TRAIN.X[:, 0], changed, strict=True))


def test_groups_that_have_the_label_already_are_not_relabelled():
    groups = np.where(TRAIN.y == "yes", "pure", GROUPS)
    players = Players(TRAIN, groups)
    orders = removal_orders(
        np.zeros((6, len(players))), players, TRAIN, TARGETS, None, ["yes", *["no"] * 5]
    )
    pure = players.names.tolist().index("pure")
    assert sorted(orders[0]) == [i for i in range(len(players)) if i != pure]
    assert [set(order) for order in orders[1:]] == [{pure}] * 5


def test_supports_are_of_groups():
    x = np.array([0.0, 1.0, 0.5, 10.0, 11.0, 12.0, 13.0])[:, None]
    train = Examples(x, [0, 0, 0, 1, 1, 1, 1])
    target = Examples([[0.5]], [0])
    groups = ["near", "near", "also near", "far", "far", "farther", "farther"]
    trainer = SubsetTrainer(KNeighborsClassifier(3), train, target, groups=groups)
    names = sorted(set(groups))
    weights = [[1.0 * ("near" in name) for name in names]]
    search = DataSupportSearch(trainer, n_trials=1, random_state=0).fit(weights)
    # without "near" there is one example of class 0, which two others outvote
    assert search.support_size_[0] in (1, 2)
    assert set(search.support_ids_[0]) <= {"near", "also near"}
    assert_array_equal(
        search.support_ids_[0], np.array(names)[search.support_indices_[0]]
    )
    assert search.certified_.all()


@pytest.mark.filterwarnings("ignore:.*saw no example of a class")
def test_supports_by_mislabelled_groups(trainer):
    search = DataSupportSearch(
        trainer, edit="mislabel", sizes=[1, 2, 3, 4, 5], n_trials=1, random_state=0
    ).fit(WEIGHTS)
    for target, size in enumerate(search.support_size_):
        if not size >= 1:
            continue
        out = np.isin(GROUPS, list(search.support_ids_[target]))
        wrong = search.wrong_class_[target]
        changed = margins(y=np.where(out, wrong, TRAIN.y))
        assert changed[target] < 0
    assert (search.support_size_ >= 1).any()


def test_components_have_groups(trainer):
    effects = component_effects(
        trainer,
        WEIGHTS[:1],
        np.arange(6.0)[:, None],
        n_removed=2,
        n_ends=1,
        n_trials=1,
        n_control_trials=1,
    )
    ids = effects.removed_ids[0, 0]
    assert_array_equal(ids, NAMES[effects.removed[0, 0]])
    change = margins(~np.isin(GROUPS, ids)) - margins()
    assert_allclose(effects.same_end[0, 0], change[5], atol=1e-4)


def test_weights_of_examples_are_refused(trainer):
    rows = RNG.standard_normal((6, 60))
    match = r"each group: shape \(6, 6\).*trainer.sum_over_groups"
    for application in (CounterfactualEvaluation, DataSupportSearch):
        with pytest.raises(ValueError, match=match):
            application(trainer).fit(rows)
        assert trainer.sum_over_groups(rows).shape == (6, 6)
    with pytest.raises(ValueError, match=r"\(n_components, 6\)"):
        component_effects(trainer, rows, np.zeros((6, 6)))


def test_fitted_estimators_know_the_names(trainer):
    runs = trainer.fit_transform(np.arange(12))
    fitted = DifferenceOfMeans().fit(runs)
    found = similar_examples(fitted, 2)
    there = found.positive >= 0
    assert_array_equal(found.positive_ids[there], NAMES[found.positive[there]])
    harmful = harmful_examples(fitted)
    assert_array_equal(harmful.ids, NAMES[harmful.examples])
    assert harmful.ids.tolist() == harmful.to_frame()["id"].tolist()
    affected = affected_targets(fitted, 1)
    assert_array_equal(affected.positive_ids, TARGETS.ids_at(affected.positive))
    detector = LeakageDetector(n_candidates=2).fit(fitted)
    assert detector.candidate_ids_[0, 0] == NAMES[detector.candidates_[0, 0]]
    assert similar_examples(fitted.coef_).positive_ids is None
    assert harmful_examples(fitted.coef_, higher_is_better=True, balance=False).ids is (
        None
    )


def test_a_target_among_the_rows_is_excluded_by_its_group(trainer):
    trainer.set_params(targets=TRAIN[:5])
    runs = trainer.fit_transform(np.arange(30))
    column = trainer.columns_of(np.arange(5))
    assert_array_equal(NAMES[column], GROUPS[:5])
    fitted = DatamodelRegressor(lam=0.01, exclude=column).fit(runs)
    assert not fitted.coef_[np.arange(5), column].any()
    saw = runs.masks[:, column]
    own = [runs.outputs[saw[:, j], j].mean() - runs.outputs[~saw[:, j], j].mean()
           for j in range(5)]  # fmt: skip
    assert_allclose(self_influence(runs, column), own, rtol=1e-4)


def test_comparisons_of_groups(trainer):
    runs = trainer.fit_transform(np.arange(40))
    rows = RNG.standard_normal((6, 60))
    evaluation = CounterfactualEvaluation(
        trainer, sizes=[1], n_trials=1, n_control_trials=1, random_state=0
    )
    args = runs[20:], TRAIN, TARGETS
    methods = {
        "fitted": DifferenceOfMeans().fit(runs[:20]),
        "summed": trainer.sum_over_groups(rows),
    }
    comparison = compare_attributions(
        methods, *args, groups=GROUPS, counterfactuals=evaluation, random_state=0
    )
    assert comparison.name.tolist() == ["fitted", "summed", "random", "same class"]
    assert np.isfinite(comparison.counterfactual_spearman).all()
    with pytest.raises(ValueError, match="the groups, if they have any"):
        compare_attributions(methods, *args)
    with pytest.raises(ValueError, match=r"groups has 5 different labels.* 6 columns"):
        compare_attributions(methods, *args, groups=np.arange(60) % 5)
    with pytest.raises(ValueError, match="groups differ from those of the trainer"):
        compare_attributions(
            methods, *args, groups=np.roll(GROUPS, 1), counterfactuals=evaluation
        )
    assert isinstance(runs, TrainingRuns)
