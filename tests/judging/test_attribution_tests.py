"""Tests of weights in a comparison, against the metrics and loops over draws."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.metrics import average_precision_score

from skdatamodels import Examples, SubsetTrainer, TrainingRuns
from skdatamodels.applications import CounterfactualEvaluation, leave_one_out
from skdatamodels.judging import compare_attributions
from skdatamodels.judging._attribution_tests import AttributionTests
from skdatamodels.metrics import (
    attribution_correlation,
    class_detection,
    mark_detection,
    top_k_overlap,
    wrong_label_detection,
)
from skdatamodels.outputs import OutputInfo

N_TRAIN, N_TARGETS = 20, 8
rng = np.random.default_rng(0)
WEIGHTS, OTHER = rng.normal(size=(2, N_TARGETS, N_TRAIN))
TRAIN = Examples(np.arange(N_TRAIN)[:, None], np.arange(N_TRAIN) % 2)
TARGETS = Examples(np.arange(N_TARGETS)[:, None], np.arange(N_TARGETS) % 2)
SUBCLASSES = np.arange(N_TRAIN) % 4, np.arange(N_TARGETS) % 4
MARKED = np.arange(N_TRAIN) < 5, np.arange(N_TARGETS) >= 3
WRONG = np.arange(N_TRAIN) % 7 == 1


assert not MARKED[1][:3].any()  # the targets that judge wrong labels


def learner(train_indices, seed):
    return WEIGHTS[:, train_indices].sum(axis=1)


TRAINER = SubsetTrainer(learner, TRAIN, TARGETS, random_state=0)
RUNS = TRAINER.fit_transform(np.arange(60))
TESTS = {
    "k": 3,
    "subclasses": SUBCLASSES,
    "marked": {"shortcut": MARKED},
    "wrong_labels": WRONG,
    "self_influence": {"one": np.arange(N_TRAIN)},
    "randomised": {"one": OTHER},
    "leave_one_out": WEIGHTS,
}


def compare(attributions=None, **params):
    params = {"runs": RUNS, "train": TRAIN, "targets": TARGETS} | params
    params = {"tests": TESTS, "n_bootstraps": 100, "random_state": 0} | params
    methods = {"one": WEIGHTS, "two": OTHER} if attributions is None else attributions
    return compare_attributions(methods, **params)


def test_scores_are_those_of_the_metrics():
    scores = compare().tests
    assert scores.method.tolist() == ["one", "two", "random", "same class"]
    found = dict(zip(scores.test, scores.score[:2].T, strict=True))
    for row, weights in enumerate((WEIGHTS, OTHER)):
        expected = {
            "same class": class_detection(
                weights, train=TRAIN.y, targets=TARGETS.y, k=3
            ),
            "subclass": class_detection(
                weights, train=SUBCLASSES[0], targets=SUBCLASSES[1], k=3
            ),
            "shortcut": mark_detection(weights[3:], MARKED[0]),
            "wrong labels": wrong_label_detection(weights[:3], WRONG),
            "leave-one-out": attribution_correlation(weights, WEIGHTS),
            "overlap": top_k_overlap(weights, 3),
        }
        for name, values in expected.items():
            assert found[name][row] == pytest.approx(np.mean(values)), name
    assert found["randomised"][0] == pytest.approx(
        attribution_correlation(WEIGHTS, OTHER).mean()
    )
    assert np.isnan(found["randomised"][1])  # nobody gave one
    by_rank = average_precision_score(WRONG, np.arange(N_TRAIN))
    assert found["self-influence"][0] == pytest.approx(by_rank)
    asked = dict(zip(scores.test, scores.n_targets, strict=True))
    assert asked["shortcut"] == 5
    assert asked["overlap"] == 8


def test_controls_get_what_they_know():
    scores = compare().tests
    same_class = dict(zip(scores.test, scores.score[3], strict=True))
    assert same_class["same class"] == pytest.approx(1)
    assert same_class["subclass"] == pytest.approx(0.5)
    assert same_class["overlap"] == pytest.approx((3 / 10) * 3 / 7)


def test_intervals_are_those_of_loops_over_draws():
    """Each draw repeats targets; pairs of a target with itself are no pairs."""
    n_bootstraps = 30
    tested = AttributionTests(
        TESTS, TRAIN, TARGETS, WEIGHTS.shape, OutputInfo(), ["one"], True
    )
    scores = tested.run(
        {"one": WEIGHTS},
        {},
        np.arange(N_TARGETS),
        n_bootstraps=n_bootstraps,
        confidence=0.9,
        entropy=5,
    )
    draws = np.random.default_rng([5, 1]).multinomial(
        N_TARGETS, np.full(N_TARGETS, 1 / N_TARGETS), n_bootstraps
    )
    found = {"wrong labels": [], "overlap": [], "shortcut": []}
    tops = [set(np.argsort(-row)[:3]) for row in WEIGHTS]
    of_target = dict(
        zip(range(3, 8), mark_detection(WEIGHTS[3:], MARKED[0]), strict=True)
    )
    for counts in draws:
        drawn = np.repeat(np.arange(N_TARGETS), counts)
        if (drawn < 3).any():
            mean = WEIGHTS[drawn[drawn < 3]].mean(axis=0)
            found["wrong labels"].append(average_precision_score(WRONG, -mean))
        pairs = [len(tops[i] & tops[j]) / 3 for i in drawn for j in drawn if i != j]
        found["overlap"].append(np.mean(pairs))
        found["shortcut"].append(np.mean([of_target[i] for i in drawn if i >= 3]))
    for name, values in found.items():
        test = scores.test.tolist().index(name)
        ends = scores.low[0, test], scores.high[0, test]
        assert_allclose(ends, np.quantile(values, [0.05, 0.95]))
    assert np.isnan(scores.low[0, scores.test.tolist().index("self-influence")])


def test_losses_are_turned():
    """The same methods, of the loss instead of its negative."""
    runs = TrainingRuns(RUNS.packed, -RUNS.outputs, output="cross_entropy")
    upwards = compare().tests
    tests = TESTS | {
        "randomised": {"one": -OTHER},
        "leave_one_out": -WEIGHTS,
        "self_influence": {"one": -np.arange(N_TRAIN)},
    }
    methods = {"one": csr_array(-WEIGHTS), "two": -OTHER}
    downwards = compare(methods, runs=runs, tests=tests).tests
    for part in ("score", "low", "high"):
        assert_allclose(getattr(downwards, part)[:2], getattr(upwards, part)[:2])
    assert_allclose(downwards.score[3], upwards.score[3])  # the class control too


def test_only_reported_targets_are_tested():
    table = compare({"two": {"a": WEIGHTS, "b": WEIGHTS}}, tests={"k": 3})
    reported = table.settings["targets"]
    assert len(reported) < N_TARGETS
    assert table.tests.n_targets.tolist() == [len(reported)] * 2
    expected = class_detection(WEIGHTS, train=TRAIN.y, targets=TARGETS.y, k=3)
    assert table.tests.score[0, 0] == pytest.approx(expected[reported].mean())
    assert table.tests.score[0, 1] == pytest.approx(
        top_k_overlap(WEIGHTS[reported], 3).mean()
    )


def test_flips_are_those_of_the_counterfactuals():
    shift = WEIGHTS.sum(axis=1) - np.r_[-1, np.linspace(0.2, 6, N_TARGETS - 1)]

    def positive(train_indices, seed):
        return WEIGHTS[:, train_indices].sum(axis=1) - shift

    trainer = SubsetTrainer(positive, TRAIN, TARGETS, random_state=0)
    evaluation = CounterfactualEvaluation(
        trainer, heuristics=["top"], sizes=[2, 4], n_trials=1, n_control_trials=1
    )
    scores = compare(
        runs=trainer.fit_transform(np.arange(60)),
        counterfactuals=evaluation,
        tests=None,
    ).tests
    assert scores.test.tolist() == ["flipped by 2", "flipped by 4"]
    for row, weights in enumerate((WEIGHTS, OTHER)):
        for column, size in enumerate((2, 4)):
            flips = [
                shift[t] > WEIGHTS[t, np.argsort(-weights[t])[size:]].sum()
                for t in range(1, N_TARGETS)  # the first is wrong before
            ]
            assert scores.score[row, column] == pytest.approx(np.mean(flips))
    assert scores.score[0, 1] > scores.score[1, 1]


def test_noise_of_leave_one_out_is_stated():
    def noisy(train_indices, seed):
        noise = np.random.default_rng(seed).normal(size=N_TARGETS)
        return WEIGHTS[:, train_indices].sum(axis=1) + 2 * noise

    effects = leave_one_out(
        SubsetTrainer(noisy, TRAIN, TARGETS, random_state=0), n_trials=3
    )
    scores = compare(tests={"leave_one_out": effects}).tests
    column = scores.test.tolist().index("leave-one-out")
    ceiling = scores.ceiling[column]
    assert ceiling == pytest.approx(np.nanmean(effects.ceiling))
    assert f"leave-one-out: exact weights would score {ceiling:.2f}" in repr(scores)


def test_what_has_no_classes_is_not_asked_for_them():
    values = Examples(TRAIN.X, rng.normal(size=N_TRAIN))
    targets = Examples(TARGETS.X, rng.normal(size=N_TARGETS))
    table = compare(train=values, targets=targets, tests={})
    assert table.tests.test.tolist() == ["overlap"]
    groups = np.arange(N_TRAIN) // 5
    sums = WEIGHTS.reshape(N_TARGETS, 4, 5).sum(axis=2)
    runs = SubsetTrainer(learner, TRAIN, TARGETS, groups=groups, random_state=0)
    table = compare(
        {"one": sums}, runs=runs.fit_transform(range(20)), tests={"k": 2}, groups=groups
    )
    assert table.tests.test.tolist() == ["overlap"]


def test_frame_joins_the_tests():
    pytest.importorskip("pandas")
    table = compare()
    frame = table.to_frame()
    column = table.tests.test.tolist().index("wrong labels")
    for end, part in (("", "score"), ("_low", "low"), ("_high", "high")):
        assert_array_equal(
            frame["wrong_labels" + end], getattr(table.tests, part)[:, column]
        )
    assert_array_equal(frame.lds, table.lds)
    assert compare(tests=None).tests is None
    assert len(table.tests) == 4
    assert "more in the attribute tests: same class, " in repr(table)


BOTH = {"wrong_labels": WRONG}


@pytest.mark.parametrize(
    ("tests", "error", "message"),
    [
        (
            {"subclass": SUBCLASSES},
            ValueError,
            r"\['subclass'\] are not known in tests",
        ),
        ({"k": 0}, ValueError, "k must be an integer from 1 to 20"),
        ({"subclasses": SUBCLASSES[0]}, TypeError, "subclasses must be a pair"),
        ({"subclasses": SUBCLASSES[::-1]}, ValueError, r"subclasses\[0\], of train,"),
        ({"marked": MARKED}, TypeError, "marked must be a dict of pairs of masks"),
        ({"marked": {"a": MARKED[0]}}, TypeError, r"marked\['a'\] must be a pair"),
        ({"marked": {"a": MARKED[::-1]}}, ValueError, r"marked\['a'\]\[0\] must be"),
        (
            {"marked": {"a": (MARKED[0], np.arange(3))}},
            ValueError,
            r"marked\['a'\]\[1\] must be a bool mask of the 8 targets; got int64",
        ),
        (
            {"marked": {"a": (MARKED[0], np.zeros(8, bool))}},
            ValueError,
            r"marked\['a'\]\[1\] has no target",
        ),
        ({"marked": {"same class": MARKED}}, ValueError, "Two tests have the name"),
        ({"wrong_labels": [1, 2]}, ValueError, "wrong_labels must be a bool mask"),
        (
            {"self_influence": {"one": np.ones(N_TRAIN)}},
            ValueError,
            "self_influence is a test of wrong_labels",
        ),
        (BOTH | {"self_influence": np.ones(20)}, TypeError, "must be a dict by method"),
        (
            BOTH | {"self_influence": {"x": 0}},
            ValueError,
            r"has \['x'\], which are not",
        ),
        (BOTH | {"self_influence": {"one": np.ones(3)}}, ValueError, r"shape \(20,\)"),
        (
            {"randomised": {"one": OTHER[1:]}},
            ValueError,
            r"randomised\['one'\] has shape",
        ),
        (
            BOTH | {"self_influence": {"one": np.full(20, np.nan)}},
            ValueError,
            r"self_influence\['one'\] is nan at training example 0",
        ),
        ({"leave_one_out": OTHER * np.inf}, ValueError, "leave_one_out is .*inf at"),
        ({"leave_one_out": OTHER.T}, ValueError, r"leave_one_out has shape \(20, 8\)"),
    ],
)
def test_bad_tests_are_refused_before_any_method(tests, error, message):
    def method():
        raise AssertionError("a method was computed")

    with pytest.raises(error, match=message):
        compare({"one": method}, tests=tests)


def test_predictions_have_no_harmful_direction():
    runs = TrainingRuns(RUNS.packed, RUNS.outputs, output="prediction")
    with pytest.raises(ValueError, match="wrong_labels needs an output of which"):
        compare(runs=runs, tests=BOTH)


def test_a_single_target_has_no_overlap():
    runs = TrainingRuns(RUNS.packed, RUNS.outputs[:, :1])
    table = compare({"one": WEIGHTS[:1]}, runs=runs, targets=TARGETS[:1], tests={})
    assert table.tests.test.tolist() == ["same class"]


def test_a_single_target_has_no_interval():
    one = TrainingRuns(RUNS.packed, RUNS.outputs[:, :1], output=RUNS.output_info)
    scores = compare(
        {"one": WEIGHTS[:1]}, runs=one, targets=TARGETS[:1], tests={"k": 3}
    ).tests
    assert np.isfinite(scores.score).all()
    assert np.isnan(scores.low).all()
    assert np.isnan(scores.high).all()
    assert "±0" not in repr(scores)


def test_few_columns_are_not_all_among_the_highest():
    train, runs = TRAIN[:8], TrainingRuns(RUNS.packed.dense()[:, :8], RUNS.outputs)
    scores = compare({"one": WEIGHTS[:, :8]}, runs=runs, train=train, tests={}).tests
    expected = top_k_overlap(WEIGHTS[:, :8], 4).mean()  # not 1
    assert_allclose(scores.score[0, scores.test == "overlap"], expected)
