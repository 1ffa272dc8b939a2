"""Curves against models that are fitted here, one by one."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import trapezoid
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, r2_score, roc_auc_score
from sklearn.preprocessing import scale
from sklearn.tree import DecisionTreeClassifier

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import RemovalCurves, removal_curves
from skdatamodels.influence import CheapAttributions, logistic_influence
from skdatamodels.outputs import OutputInfo

X, Y = load_breast_cancer(return_X_y=True)
X = scale(X)[:, :6]
GIVEN = np.where(np.arange(60) < 12, 1 - Y[:60], Y[:60])  # 12 wrong labels
TRAIN, TARGETS = Examples(X[:60], GIVEN), Examples(X[60:200], Y[60:200])
VALUES = -np.arange(60.0)[::-1]  # the first rows are the worst


def trainer_of(estimator=None, **params):
    estimator = LogisticRegression() if estimator is None else estimator
    return SubsetTrainer(estimator, TRAIN, TARGETS, random_state=0, **params)


def score_without(removed):
    kept = np.setdiff1d(np.arange(60), removed)
    return LogisticRegression().fit(X[kept], GIVEN[kept]).score(X[60:200], Y[60:200])


def test_scores_are_those_of_models_without_the_examples():
    curves = removal_curves(
        trainer_of(), {"position": VALUES}, sizes=[0.1, 12], n_trials=3, random_state=0
    )
    assert isinstance(curves, RemovalCurves)
    assert curves.order.tolist() == ["best first", "worst first", "random"]
    assert curves.attribution.tolist() == ["position", "position", "random"]
    assert curves.size.tolist() == [0, 6, 12]
    whole, rows = score_without([]), np.arange(60)
    best = [whole, score_without(rows[-6:]), score_without(rows[-12:])]
    worst = [whole, score_without(rows[:6]), score_without(rows[:12])]
    assert_allclose(curves.score[:2], [best, worst], atol=1e-3)
    assert (curves.error[:2] == 0).all()
    assert (curves.error[2, 1:] > 0).all()
    assert curves.metric == "accuracy"
    assert curves.higher_is_better
    assert curves.n_trained == 3 * (1 + 2 * 2 + 2)
    assert curves.outputs.shape == (3, 3, 3, 140)
    assert curves.chosen_by.size == 0
    margin = curves.rescore("mean_output")
    assert margin.area[1] > 0
    assert np.isnan(margin.area[2])


def test_added_examples_are_all_that_models_see():
    seen = []

    def learner(rows, seed):
        seen.append(tuple(rows))
        return np.full(140, float(len(rows)))

    curves = removal_curves(
        trainer_of(learner),
        {"position": VALUES},
        add=True,
        sizes=[3, 0.5],
        n_trials=2,
        higher_is_better=True,
        random_state=0,
    )
    assert curves.size.tolist() == [3, 30, 60]
    assert_allclose(curves.score, [[3, 30, 60]] * 3)
    assert seen.count((57, 58, 59)) == seen.count((0, 1, 2)) == 2  # best, worst
    assert seen.count(tuple(range(60))) == 2
    random = [rows for rows in seen if len(rows) == 3][-2:]
    assert random[0] != random[1]
    assert curves.added


def test_areas_are_positive_on_the_better_side():
    """The output is a sum over the examples, so the areas are known."""
    worth = np.random.default_rng(0).permutation(60) - 20.0

    def learner(rows, seed):
        return np.full(140, worth[rows].sum())

    for higher in (True, False):
        values = worth if higher else -worth
        for add in (False, True):
            curves = removal_curves(
                trainer_of(learner),
                {"right": values, "wrong": -values},
                add=add,
                sizes=[10, 20, 40],
                n_trials=4,
                higher_is_better=higher,
                random_state=0,
            )
            assert (curves.area[:2] > 0).all()
            assert (curves.area[2:4] < 0).all()
            assert_allclose(curves.area[[0, 1]], -curves.area[[3, 2]])
            size, random = curves.size, curves.score[-1]
            expected = trapezoid(curves.score[0] - random, size) / np.ptp(size)
            good = add == higher  # higher scores are better with more of the best
            assert_allclose(curves.area[0], expected if good else -expected)
            low, high = curves.area_interval[:4].T
            assert (low < curves.area[:4]).all()
            assert (curves.area[:4] < high).all()


def test_intervals_of_areas_cover_the_truth():
    """Trials and targets are noise here; the truth is a difference of 1."""
    from skdatamodels.applications._curve_metrics import Metric, area_intervals

    rng, sizes, covered = np.random.default_rng(0), np.array([0, 1, 2]), []
    metric = Metric("mean", lambda outputs, y: outputs.mean(), True)
    for _ in range(100):
        targets = 1 + rng.normal(0, 1, 50)  # how much each target gains
        noise = rng.normal(0, 0.2, (2, 3, 5, 1))
        outputs = np.array([1.0, 0.0])[:, None, None, None] * targets + noise
        area, (interval,) = area_intervals(
            sizes, outputs, np.zeros(50), metric, np.ones(1), rng
        )
        assert interval[0] < area[0] < interval[1]
        covered.append(interval[0] < 1 < interval[1])
    assert 0.9 <= np.mean(covered) <= 0.99


def test_random_values_are_not_better_than_random():
    """Of 19 in 20 random orders, though each is the same in all trials."""
    inside, worth = [], np.random.default_rng(0).normal(size=60)
    params = {"sizes": [10, 20, 40], "n_trials": 3, "higher_is_better": True}
    trainer = trainer_of(lambda rows, seed: np.full(140, worth[rows].sum()))
    for seed in range(60):
        values = {"none": np.random.default_rng(seed).random(60)}
        curves = removal_curves(trainer, values, random_state=seed, **params)
        inside.append(np.abs(np.sign(curves.area_interval[:2]).sum(axis=1)) < 2)
    assert 0.9 <= np.mean(inside) < 1


def test_metrics_that_fail_without_some_targets_have_no_interval():
    def picky(outputs, y):
        if len(y) < 140:
            raise ValueError("all targets are needed")
        return outputs.mean()

    curves = removal_curves(
        trainer_of(), {"a": VALUES}, sizes=[4], n_trials=2, scoring=picky
    )
    assert np.isfinite(curves.area[:2]).all()
    assert np.isnan(curves.area_interval).all()


def test_metrics_are_called_once_for_trainings_that_are_alike():
    calls = []

    def slow(outputs, y):
        calls.append(len(y))
        return outputs.mean()

    curves = removal_curves(
        trainer_of(), {"a": VALUES}, sizes=[4], n_trials=10, random_state=0
    )
    rescored = curves.rescore(slow)
    assert_allclose(rescored.score, curves.rescore("mean_output").score)
    n_models = 1 + 2 + 10  # all, both orders, and random sets
    assert calls.count(133) == n_models * 20  # of 20 parts of 140, one is left out


def test_matrices_choose_by_the_mean_of_some_targets():
    seen = []

    def learner(rows, seed):
        seen.append(np.setdiff1d(np.arange(60), rows).tolist())
        return np.zeros(140)

    weights = np.random.default_rng(0).normal(size=(140, 60))
    choose = np.arange(0, 140, 3)
    for given in (weights, sp.csr_matrix(weights)):
        for higher in (True, False):
            seen.clear()
            curves = removal_curves(
                trainer_of(learner),
                {"a": given},
                choose=choose,
                sizes=[4],
                n_trials=1,
                higher_is_better=higher,
                random_state=0,
            )
            order = np.argsort(weights[choose].mean(axis=0))
            first = order[:4] if higher else order[-4:]
            assert sorted(first) in seen
            assert seen.index(sorted(first)) == 2  # after everything and the best
            assert_array_equal(curves.chosen_by, choose)
            assert_array_equal(curves.targets, np.setdiff1d(np.arange(140), choose))


def test_halves_choose_and_judge_by_default():
    weights = np.random.default_rng(0).normal(size=(140, 60))
    params = {"sizes": [4], "n_trials": 1}
    one, again, other = (
        removal_curves(trainer_of(), {"a": weights}, random_state=seed, **params)
        for seed in (0, 0, 1)
    )
    assert len(one.targets) == len(one.chosen_by) == 70
    assert set(one.targets) | set(one.chosen_by) == set(range(140))
    assert_array_equal(one.outputs, again.outputs)
    assert set(one.targets) != set(other.targets)
    both = removal_curves(
        trainer_of(), {"a": weights}, allow_overlap=True, random_state=0, **params
    )
    assert len(both.targets) == len(both.chosen_by) == 140


def test_fitted_estimators_and_cheap_attributions_are_taken():
    trainer = trainer_of()
    runs = trainer.fit_transform(np.arange(150))
    datamodels = DatamodelRegressor(0.01).fit(runs)
    influence = logistic_influence(LogisticRegression(), TRAIN, TARGETS)
    cheap = CheapAttributions({"influence": influence}, {"influence": 1.0})
    given = {"datamodels": datamodels, **cheap, "values": VALUES}
    curves = removal_curves(trainer, given, sizes=[8], n_trials=2, random_state=0)
    direct = removal_curves(
        trainer, {"a": datamodels.coef_}, sizes=[8], n_trials=2, random_state=0
    )
    assert_allclose(curves.score[:2], direct.score[:2])
    assert (curves.rescore("mean_output").area[1::2] > 0).all()  # wrong labels go


def test_ties_are_in_another_order_in_each_trial():
    seen = []

    def learner(rows, seed):
        seen.append(tuple(np.setdiff1d(np.arange(60), rows)))
        return np.zeros(140)

    values = {"ties": np.r_[np.ones(3), np.zeros(57)]}
    removal_curves(
        trainer_of(learner), values, sizes=[3, 9], n_trials=4, higher_is_better=True
    )
    assert seen.count((0, 1, 2)) == 4
    assert len({rows for rows in seen if len(rows) == 9 and rows[:3] == (0, 1, 2)}) == 4


def test_other_metrics_need_no_training():
    curves = removal_curves(
        trainer_of(), {"position": VALUES}, sizes=[12], n_trials=2, random_state=0
    )
    balanced = curves.rescore("balanced_accuracy")

    def auc(outputs, y):
        return roc_auc_score(y, np.where(y == 1, outputs, -outputs))

    ranked = curves.rescore(auc)
    model = LogisticRegression().fit(X[12:60], GIVEN[12:60])
    y = Y[60:200]
    expected = balanced_accuracy_score(y, model.predict(X[60:200]))
    assert_allclose(balanced.score[1, 1], expected)
    expected = roc_auc_score(y, model.decision_function(X[60:200]))
    assert_allclose(ranked.score[1, 1], expected, atol=1e-3)
    assert ranked.metric == "auc"
    assert_allclose(curves.rescore(None).area, curves.area)
    mean = curves.rescore("mean_output")
    assert_allclose(mean.score, curves.outputs.mean(axis=(2, 3)), rtol=1e-5)
    assert (mean.metric, mean.higher_is_better) == ("mean margin", True)


def test_predictions_are_scored_by_their_errors():
    values = X[:, 0] + X[:, 1]
    train = Examples(X[:40], np.r_[values[:5] + 9, values[5:40]])
    targets = Examples(X[40:100], values[40:100])
    trainer = SubsetTrainer(Ridge(), train, targets, random_state=0)
    worth = {"position": np.arange(40)}
    curves = removal_curves(trainer, worth, sizes=[5], n_trials=2, random_state=0)
    predicted = Ridge().fit(train.X[5:], train.y[5:]).predict(targets.X)
    squared = np.mean((predicted - targets.y) ** 2)
    assert_allclose(curves.score[1, 1], squared, rtol=1e-4)
    assert curves.higher_is_better is False
    assert curves.area[1] > 0
    r2, absolute = map(curves.rescore, ("r2", "mean_absolute_error"))
    assert_allclose(r2.score[1, 1], r2_score(targets.y, predicted), rtol=1e-4)
    expected = np.abs(predicted - targets.y).mean()
    assert_allclose(absolute.score[1, 1], expected, rtol=1e-4)
    datamodels = DatamodelRegressor(0.1).fit(trainer.fit_transform(np.arange(30)))
    with pytest.raises(ValueError, match="output 'prediction', for which neither"):
        removal_curves(trainer, {"a": datamodels}, sizes=[5])
    with pytest.raises(
        ValueError, match=r"\['a'\] is a matrix, but of the output 'pre"
    ):
        removal_curves(trainer, {"a": datamodels.coef_}, sizes=[5])
    single = removal_curves(trainer, worth, sizes=[5], scoring="r2", targets=[0])
    assert np.isnan(single.score).all()  # one value has no variance


def test_groups_take_the_place_of_examples():
    trainer = trainer_of(groups=np.arange(60) // 6)
    values = {"position": np.arange(10)}
    curves = removal_curves(trainer, values, sizes=[2], n_trials=2, random_state=0)
    assert curves.n_train == 10
    assert_allclose(curves.score[1, 1], score_without(np.arange(12)), atol=1e-3)
    with pytest.raises(
        ValueError, match=r"60 values, .* 10 groups.*trainer.sum_o.*means for others"
    ):
        removal_curves(trainer, {"position": np.arange(60)}, sizes=[2])


def test_sets_that_cannot_be_trained_end_no_curve():
    sorted_by_class = np.argsort(np.argsort(GIVEN, kind="stable"))
    with pytest.warns(RuntimeWarning, match="failed"):
        curves = removal_curves(
            trainer_of(retries=0),
            {"class": sorted_by_class},
            add=True,
            sizes=[5, 40],
            n_trials=2,
            random_state=0,
        )
    assert np.isnan(curves.score[0, 0])
    assert "Failed trainings are left out." in repr(curves).replace("\n", " ")
    assert not np.isnan(curves.score[0, 1:]).any()
    assert not np.isnan(curves.area[0])
    size, difference = curves.size[1:], (curves.score[0] - curves.score[-1])[1:]
    expected = trapezoid(difference, size) / np.ptp(size)
    assert_allclose(curves.area[0], expected)


def test_small_sets_that_fail_do_not_end_the_others():
    """More of them fail than a trainer tries that has not succeeded yet."""

    def learner(rows, seed):
        if len(rows) < 10:
            raise ValueError("too few")
        return np.full(140, float(len(rows)))

    params = {"add": True, "n_trials": 5, "higher_is_better": True}
    trainer = trainer_of(learner, retries=0)
    for sizes, failed in (([1, 2, 3, 4, 5, 30], 5), ([1, 2, 3, 4, 5], 5)):
        with pytest.warns(RuntimeWarning, match="too few"):
            curves = removal_curves(trainer, {"a": VALUES}, sizes=sizes, **params)
        assert np.isnan(curves.score[:, :failed]).all()
        assert_allclose(curves.score[:, failed:], [[*sizes[failed:], 60]] * 3)


def test_cost_is_stated_before_training(capsys):
    params = {"sizes": [3, 6], "n_trials": 2, "random_state": 0}
    given = {"a": VALUES, "the same": VALUES}
    curves = removal_curves(trainer_of(verbose=1), given, **params)
    said = capsys.readouterr().err
    assert "removal_curves: 12 trainings, about " in said  # 4 sets, and 2 random ones
    assert curves.n_trained == 12 + 2
    removal_curves(trainer_of(), given, **params)
    assert not capsys.readouterr().err


def test_errors_are_those_of_the_trials():
    tree = DecisionTreeClassifier(max_features=1)
    curves = removal_curves(
        trainer_of(tree), {"a": VALUES}, sizes=[5], n_trials=6, random_state=0
    )
    scores = (curves.outputs > 0).mean(axis=3)
    assert_allclose(curves.score, scores.mean(axis=2))
    assert_allclose(curves.error, scores.std(axis=2, ddof=1) / np.sqrt(6))
    single = removal_curves(trainer_of(tree), {"a": VALUES}, sizes=[5], n_trials=1)
    assert "One trial tells no errors: pass n_trials=2" in repr(single)
    assert np.isnan(single.error).all()
    assert np.isnan(single.area_interval).all()


def test_frame_has_the_points():
    curves = removal_curves(
        trainer_of(), {"a": VALUES}, sizes=[6, 12], n_trials=2, random_state=0
    )
    frame = curves.to_frame()
    assert frame["fraction"].tolist() == [0, 0.1, 0.2] * 3
    assert_array_equal(frame["score"], curves.score.ravel())
    assert len(curves) == 3
    assert repr(curves).splitlines()[2].split()[3] == f"{curves.score[0, -1]:.3f}"
    assert "accuracy with all 60" in repr(curves)


WEIGHTS = np.ones((140, 60))


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"attributions": VALUES}, TypeError, "must be a dict of names"),
        ({"attributions": {}}, TypeError, "must be a dict of names"),
        ({"attributions": {"random": VALUES}}, ValueError, "text other than"),
        ({"attributions": {"a": None}}, TypeError, "or a fitted estimator; got None"),
        ({"attributions": {"a": VALUES[1:]}}, ValueError, "has 59 values, but there a"),
        (
            {"attributions": {"a": VALUES * np.nan}},
            ValueError,
            "60 values that are not",
        ),
        ({"attributions": {"a": WEIGHTS.T}}, ValueError, r"\(140, 60\); got \(60, 140"),
        ({"attributions": {"a": Ridge()}}, ValueError, "has no coef_"),
        ({"sizes": [60]}, ValueError, "sizes must be numbers of examples from 1 to"),
        ({"choose": [0, 1], "targets": [1, 2]}, ValueError, "1 targets are in choose"),
        ({"choose": np.arange(140)}, ValueError, "No target judges"),
        ({"targets": np.arange(140)}, ValueError, "No target chooses"),
        ({"targets": [140]}, ValueError, "targets must be distinct integers"),
        ({"scoring": "r2"}, ValueError, "'r2' is not a metric of the output 'margin'"),
        ({"scoring": 3}, TypeError, "scoring must be a name"),
        ({"n_trials": 0}, ValueError, "n_trials"),
        ({"sizes": ["a"]}, ValueError, "sizes must be numbers of examples"),
        ({"higher_is_better": False}, ValueError, "contradicts the output 'margin'"),
    ],
)
def test_bad_input_is_refused_before_training(params, error, message):
    def learner(rows, seed):
        raise AssertionError("trained")

    info = OutputInfo("margin", "log-odds", True)
    given = {"attributions": {"a": WEIGHTS}, **params}
    with pytest.raises(error, match=message):
        removal_curves(trainer_of(learner, output=info), **given)


def test_unknown_directions_are_asked_for():
    trainer = trainer_of(lambda rows, seed: np.zeros(140))
    with pytest.raises(ValueError, match="Pass higher_is_better=True"):
        removal_curves(trainer, {"a": WEIGHTS}, sizes=[3])
    curves = removal_curves(trainer, {"a": VALUES}, sizes=[3])
    assert np.isnan(curves.area).all()
    with pytest.raises(TypeError, match=r"scoring must return a number .* tuple"):
        removal_curves(trainer, {"a": VALUES}, scoring=lambda *given: ())


def test_weights_have_the_direction_of_their_own_output():
    losses = trainer_of(output="cross_entropy")
    datamodels = DatamodelRegressor(0.01).fit(losses.fit_transform(np.arange(100)))
    params = {"sizes": [8], "n_trials": 1, "random_state": 0}
    of_losses = removal_curves(trainer_of(), {"a": datamodels}, **params)
    of_gains = removal_curves(trainer_of(), {"a": -datamodels.coef_}, **params)
    assert_array_equal(of_losses.outputs, of_gains.outputs)
    with pytest.raises(ValueError, match="contradicts"):
        removal_curves(losses, {"a": datamodels}, higher_is_better=True, **params)


def test_series_frames_and_single_targets():
    pd = pytest.importorskip("pandas")
    params = {"sizes": [8], "n_trials": 2, "random_state": 0}
    plain = removal_curves(trainer_of(), {"a": VALUES}, **params)
    series = removal_curves(trainer_of(), {"a": pd.Series(VALUES)}, **params)
    assert_array_equal(plain.outputs, series.outputs)
    weights = pd.DataFrame(np.tile(VALUES, (140, 1)))
    frame = removal_curves(trainer_of(), {"a": weights}, allow_overlap=True, **params)
    assert_array_equal(plain.outputs, frame.outputs)
    single = SubsetTrainer(LogisticRegression(), TRAIN, TARGETS[:1], random_state=0)
    with pytest.raises(ValueError, match=r"No target chooses.*allow_overlap=True"):
        removal_curves(single, {"a": VALUES[None]}, **params)
    curves = removal_curves(single, {"a": VALUES[None]}, allow_overlap=True, **params)
    assert curves.outputs.shape == (3, 2, 2, 1)
    assert np.isnan(curves.area_interval).all()
