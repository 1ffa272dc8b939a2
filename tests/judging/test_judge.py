"""Judging on ready-made runs is the comparison with what they hold."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdatamodels.datasets import load_judged_runs
from skdatamodels.influence import same_class_influence
from skdatamodels.judging import compare_attributions, judge


def test_is_the_comparison_with_what_is_known():
    judged = load_judged_runs("digits_mlp")
    weights = np.random.default_rng(0).normal(size=(90, 400))
    weights += 2 * same_class_influence(judged.train, judged.targets)
    more = {"n_bootstraps": 20, "random_state": 0}
    table = judge({"one": weights}, "digits_mlp", **more)
    expected = compare_attributions(
        {"one": weights},
        judged.judging_runs,
        judged.train,
        judged.targets,
        repeats=judged.repeats,
        tests={
            "wrong_labels": judged.wrong_labels,
            "marked": {"shortcut": judged.shortcut},
        },
        **more,
    )
    assert_array_equal(table.lds, expected.lds)
    assert table.ceiling == expected.ceiling
    assert_array_equal(table.tests.score, expected.tests.score)
    assert_array_equal(table.tests.low, expected.tests.low)
    assert set(table.tests.test) == {
        *("same class", "wrong labels", "shortcut", "overlap")
    }


def test_more_tests_can_be_given():
    judged = load_judged_runs("digits_logistic")
    weights = judged.leave_one_out
    tests = {"randomised": {"one": weights}, "k": 1, "leave_one_out": None}
    table = judge({"one": weights}, judged, tests=tests, n_bootstraps=20)
    found = dict(zip(table.tests.test, table.tests.score[0], strict=True))
    assert found["randomised"] == pytest.approx(1)
    assert "leave-one-out" not in found


def test_unknown_runs_are_refused():
    with pytest.raises(ValueError, match="There are no judged runs of the name 'x'"):
        judge({"one": np.ones((80, 300))}, "x")
    with pytest.raises(TypeError, match=r"tests must be a dict or None, got \[1\]"):
        judge({"one": np.ones((80, 300))}, "digits_logistic", tests=[1])


def test_a_matrix_without_a_name_is_refused_in_one_line():
    message = r"attributions must be a dict .* got ndarray\.$"
    with pytest.raises(TypeError, match=message):
        judge(np.ones((80, 300)), "digits_logistic")


@pytest.mark.parametrize("as_setting", [False, True])
def test_a_function_with_arguments_is_refused(as_setting):
    def mine(train, targets, power=2):
        return np.ones((80, 300))

    methods = {"mine": {"2": mine} if as_setting else mine}
    message = r"but needs train, targets\. Pass lambda: your_function\(train, targets\)"
    with pytest.raises(TypeError, match=message):
        judge(methods, "digits_logistic")
