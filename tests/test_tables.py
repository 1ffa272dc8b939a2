"""Results print short tables, the same in text and in HTML."""

import importlib
import inspect
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, Ridge, RidgeClassifier

from skdatamodels import Examples, PackedMasks, RunStore, SubsetTrainer, TrainingRuns
from skdatamodels._tables import (
    Table,
    format_column,
    import_pandas,
    table_html,
    table_text,
)
from skdatamodels.applications import (
    ComponentEffects,
    Correlation,
    CounterfactualEffects,
    compare_learners,
    find_label_errors,
    find_shortcuts,
    harmful_examples,
    leave_one_out,
    removal_check,
    removal_curves,
    select_examples,
    similar_examples,
)
from skdatamodels.auditing import EffectCheck, GroupAudit, ModelScore, audit
from skdatamodels.datasets import (
    ReleasedDatamodels,
    load_judged_runs,
    make_linear_runs,
)
from skdatamodels.inference import compare_alphas, infer_weights
from skdatamodels.influence import CheapAttributions, DifferenceOfMeans
from skdatamodels.judging import (
    CollectedRuns,
    compare_attributions,
    estimate_cost,
    plan_runs,
)
from skdatamodels.metrics import (
    LeakageRecall,
    ScoreInterval,
    lds_interval,
    variance_components,
)
from skdatamodels.outputs import OUTPUTS, OutputInfo
from skdatamodels.regression import AttributionMatrix, DatamodelRegressor
from skdatamodels.runs import KeptModel


class Shown:
    def __init__(self, *table, **more):
        self._table = lambda: Table(*table, **more)

    __repr__ = table_text
    _repr_html_ = table_html


class Cells(HTMLParser):
    """The text of each cell and paragraph, as a browser reads it."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.found = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag in ("td", "th", "caption", "p"):
            self.found.append((tag, ""))

    def handle_data(self, data):
        if data.strip():
            tag, text = self.found[-1]
            self.found[-1] = tag, text + data

    def of(self, tag):
        return [text for kind, text in self.found if kind == tag]


# The helper


def test_text_and_html_hold_the_same_rows():
    columns = {"name": ["a", "long name"], "n": [1, 2500], "score": [0.25, np.nan]}
    shown = Shown("Title", columns, notes=("a note",))
    assert repr(shown).splitlines() == [
        "Title",
        "name           n  score",
        "a              1  0.250",
        "long name  2,500    nan",
        "a note",
    ]
    html = Cells(shown._repr_html_())
    assert html.of("caption") == ["Title"]
    assert html.of("th") == ["name", "n", "score"]
    assert html.of("td") == ["a", "1", "0.250", "long name", "2,500", "nan"]
    assert html.of("p") == ["a note"]


@pytest.mark.parametrize("n", [10, 11, 1234])
def test_no_more_than_ten_rows(n):
    shown = Shown("Title", {"i": np.arange(n)})
    lines = repr(shown).splitlines()
    assert lines[-1].strip() == (f"… {n - 10:,} more" if n > 10 else "9")
    assert len(lines) == 12 + (n > 10)
    assert len(Cells(shown._repr_html_()).of("td")) == 10
    first = Shown("Title", {"i": np.arange(3)}, n_rows=n)
    assert repr(first).endswith(f"… {n - 3:,} more")


def test_text_of_users_is_escaped_and_stays_on_its_line():
    shown = Shown("<i>", {"<b>": ["<script>alert(1)</script>", "two\nlines " * 20]})
    html = Cells(shown._repr_html_())
    assert not {"script", "b", "i"} & set(html.tags)
    assert html.of("td")[0] == "<script>alert(1)</script>"
    assert html.of("td")[1].startswith("two lines two")
    assert len(html.of("td")[1]) == 40
    assert len(repr(shown).splitlines()) == 4


@pytest.mark.parametrize(
    ("values", "cells"),
    [
        ([1, 20, 3000], ["1", "20", "3,000"]),
        (np.array([1.0, np.inf, np.nan]), ["1", "inf", "nan"]),
        (np.float32([0.1234, -0.5]), ["0.123", "-0.500"]),
        ([12.345, 0.001], ["12.3", "0.0"]),
        ([1234.5, 2.25], ["1,234", "2"]),
        ([0.0012345], ["0.00123"]),
        ([1.2345e-7, 1], ["0.00", "1.00"]),
        ([1.2345e-7], ["1.23e-07"]),
        ([1e15, 3.5], ["1e+15", "3.5"]),
        ([True, False], ["True", "False"]),
        (np.array([True, False]), ["True", "False"]),
        (["x", 1], ["x", "1"]),
        ([], []),
    ],
)
def test_numbers_are_rounded_by_column(values, cells):
    assert format_column(values) == cells


def test_to_frame_without_pandas_says_what_to_do(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match="to_frame needs pandas: pip install"):
        import_pandas()


# The results

RUNS, COEF = make_linear_runs(300, n_train=20, n_targets=4, random_state=0)
TRAIN = Examples(np.eye(20), np.arange(20) % 2)
TARGETS = Examples(np.eye(4, 20), np.arange(4) % 2)


@cache
def _comparison():
    noise = np.random.default_rng(1).normal(size=COEF.shape)
    methods = {"noisy": COEF + noise, "<b>": COEF}
    return compare_attributions(methods, RUNS, TRAIN, TARGETS, random_state=0)


def _effects(n=500):
    rng = np.random.default_rng(0)
    true = rng.normal(size=n)
    return CounterfactualEffects(
        np.arange(n) % 7,
        np.array(list("abcdefg"), dtype=object)[np.arange(n) % 7],
        np.array(["top", "random"])[np.arange(n) % 2],
        np.ones(n, int),
        true + rng.normal(size=n),
        true,
        np.ones(n),
        PackedMasks.from_dense(rng.random((n, 20)) < 0.5),
    )


@cache
def _plan(**params):
    return plan_runs(RUNS, regressor=DifferenceOfMeans(), random_state=0, **params)


def _collected(n=12):
    goals = "lds", "interval_width", "top_k", "selected"
    bounds = [f"{name}_bound" for name in goals if name != "interval_width"]
    names = ["n_runs", "seconds", *goals, *bounds, "expected"]
    history = {name: np.linspace(0.1, 0.9, n) for name in names}
    history |= {name: np.geomspace(1e2, 1e5, n) for name in ("n_runs", "expected")}
    return CollectedRuns(
        RUNS, False, "It is out of reach. " * 20, history, Ridge(), 0.1, np.arange(4)
    )


def _components(n=30):
    ends = np.random.default_rng(0).normal(size=(3, n, 2))
    removed = np.tile([3, 4, -1], (n, 2, 1))
    ids = removed.astype(object)
    return ComponentEffects(*ends, removed, ids, removed, ids)


@cache
def _inference():
    return infer_weights(DatamodelRegressor(0.05).fit(RUNS), RUNS)


def _label_errors():
    margins = np.random.default_rng(0).normal(1, size=(9, 20))
    runs = TrainingRuns(RUNS.packed[:9], margins, output="margin")
    return find_label_errors(runs, TRAIN, exclude=np.arange(20))


@cache
def _audit():
    X, y = load_breast_cancer(return_X_y=True)
    parts = X[:60], y[:60], X[60:90], y[60:90]
    return audit(RidgeClassifier(), *parts, n_runs=50, n_jobs=1, verbose=0)


def _group_audit():
    names = np.array([f"group {k}" for k in range(400)])
    effect = np.linspace(-1, 1, 400)
    weights = np.ones((9, 400))
    interval, trust = np.column_stack([effect - 1, effect + 1]), _audit().trust
    of_row = np.arange(400)
    return GroupAudit(names, of_row, effect, interval, weights, trust, *[None] * 3)


def _removal_check():
    trainer = SubsetTrainer(
        lambda rows, seed: np.ones(4), TRAIN, TARGETS, random_state=0
    )
    return removal_check(trainer, np.arange(8), range(1, 9), n_trials=1)


@cache
def _selection():
    rng = np.random.default_rng(0)
    return select_examples(
        rng.normal(size=(100, 300)),
        objective="worst_group",
        groups=np.repeat([f"a long name of group {k}" for k in range(5)], 20),
        outputs=rng.normal(size=100),
        train=Examples(np.eye(300), np.arange(300) % 2),
        higher_is_better=True,
    )


def _selection_check():
    found = select_examples(np.ones((12, 20)), higher_is_better=True)
    trainer = SubsetTrainer(
        lambda rows, seed: np.ones(4), TRAIN, TARGETS, output="margin", random_state=0
    )
    others = Examples(np.zeros((4, 20)), TARGETS.y)
    return found.verify(
        trainer, range(1, 9), targets=others, groups=list("aabb"), n_trials=1
    )


def _removal_curves():
    trainer = SubsetTrainer(
        lambda rows, seed: np.ones(4), TRAIN, TARGETS, random_state=0
    )
    values = {
        f"attribution of a long name, number {k}": np.arange(20) for k in range(9)
    }
    return removal_curves(trainer, values, n_trials=1, random_state=0)


def _store(folder):
    return RunStore.create(folder / "runs", n_train=3000, n_targets=100)


def _attribution_scores():
    wrong = np.arange(20) < 3
    marked = {"a long name of a shortcut": (wrong, np.ones(4, bool))}
    tests = {"wrong_labels": wrong, "marked": marked, "leave_one_out": COEF}
    methods = {"a long name of a method": COEF}
    return compare_attributions(methods, RUNS, TRAIN, TARGETS, tests=tests).tests


def _alphas():
    rng, runs = np.random.default_rng(0), {}
    for alpha in (0.2, 0.5, 0.8):
        masks = rng.random((60, 20)) < alpha
        runs[alpha] = masks, masks @ rng.normal(size=(20, 30))
    return compare_alphas(runs, regressor=DatamodelRegressor(0.1))


RESULTS = {
    "AlphaComparison": lambda folder: _alphas(),
    "Efficiency": lambda folder: _alphas().efficiency(np.ones(30), np.zeros(30)),
    "AttributionComparison": lambda folder: _comparison(),
    "AttributionMatrix": lambda folder: AttributionMatrix(np.eye(4, 20)),
    "AttributionScores": lambda folder: _attribution_scores(),
    "ComponentEffects": lambda folder: _components(),
    "CollectedRuns": lambda folder: _collected(),
    "Correlation": lambda folder: Correlation(1 / 3, 2 / 3, 1000),
    "CostEstimate": lambda folder: estimate_cost(
        SubsetTrainer(LinearRegression(), TRAIN, TARGETS), seconds_per_run=1e4
    ),
    "CounterfactualEffects": lambda folder: _effects(),
    "Examples": lambda folder: Examples(np.eye(500), np.arange(500)),
    "Extremes": lambda folder: similar_examples(np.eye(500), 200),
    "Output": lambda folder: OUTPUTS["margin"],
    "HarmfulExamples": lambda folder: harmful_examples(
        -np.eye(30), 30, higher_is_better=True, balance=False
    ),
    "Audit": lambda folder: _audit(),
    "EffectCheck": lambda folder: EffectCheck(0.5, 1.0, _effects()),
    "GroupAudit": lambda folder: _group_audit(),
    "JudgedRuns": lambda folder: load_judged_runs("digits_logistic"),
    "LabelErrors": lambda folder: _label_errors(),
    "LearnerComparison": lambda folder: compare_learners(
        np.eye(20, 30), np.ones((20, 30))
    ),
    "LeaveOneOut": lambda folder: leave_one_out(
        SubsetTrainer(lambda rows, seed: rows[:1].repeat(4) / 9, TRAIN, TARGETS)
    ),
    "LeakageRecall": lambda folder: LeakageRecall(np.ones(30), np.arange(30)),
    "ModelScore": lambda folder: ModelScore("accuracy", 0.9, 1 / 3, 30, 1e-9),
    "OutputInfo": lambda folder: OutputInfo(),
    "PackedMasks": lambda folder: RUNS.packed,
    "ReleasedDatamodels": lambda folder: ReleasedDatamodels(
        np.eye(50, 400), np.ones(50), np.ones(50)
    ),
    "CheapAttributions": lambda folder: CheapAttributions(
        {"a": np.ones((1, 2))}, {"a": 0.25}, {"b": "it is zero"}
    ),
    "RemovalInference": lambda folder: _inference().effect_of_removal(np.eye(20)),
    "WeightInference": lambda folder: _inference(),
    "KeptModel": lambda folder: KeptModel(DummyRegressor(), np.arange(100)),
    "Shortcuts": lambda folder: find_shortcuts(
        np.random.default_rng(0).normal(size=(360, 360)),
        Examples(np.eye(360), np.arange(360) % 12),
        higher_is_better=True,
    ),
    "RemovalCheck": lambda folder: _removal_check(),
    "Selection": lambda folder: _selection(),
    "SelectionCheck": lambda folder: _selection_check(),
    "RemovalCurves": lambda folder: _removal_curves(),
    "RunPlan": lambda folder: _plan(),
    "RunStore": _store,
    "ScoreInterval": lambda folder: ScoreInterval(1 / 3, 0.3, 0.4),
    "TrainingRuns": lambda folder: RUNS,
    "VarianceComponents": lambda folder: variance_components(
        np.random.default_rng(0).normal(size=(2, 30, 40))
    ),
    "Trust": lambda folder: _audit().trust,
}
ROOMS = [
    "skdatamodels",
    *(
        f"skdatamodels.{room}"
        for room in (
            "applications",
            "auditing",
            "datasets",
            "inference",
            "influence",
            "judging",
            "masks",
            "metrics",
            "outputs",
            "regression",
            "runs",
        )
    ),
]


def test_every_public_class_that_is_no_estimator_is_here():
    found = set()
    for room in map(importlib.import_module, ROOMS):
        for name in room.__all__:
            value = getattr(room, name)
            if inspect.isclass(value) and not issubclass(value, BaseEstimator):
                found.add(name)
    assert found == set(RESULTS)


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_short_and_hold_no_arrays(name, tmp_path):
    result = RESULTS[name](tmp_path)
    assert type(result).__name__ == name
    for text in (repr(result), str(result)):
        lines = text.splitlines()
        assert 1 <= len(lines) <= 17
        assert max(map(len, lines)) <= 100 + len(str(tmp_path))
        assert "array(" not in text
        assert " object at 0x" not in text
        assert "<function" not in text
    if len(lines) > 1:
        html = Cells(result._repr_html_())
        assert [c for c in html.of("caption") if c] == [lines[0]]
        assert "td" in html.tags


def test_comparison_shows_its_numbers():
    comparison = _comparison()
    for text in (repr(comparison), Cells(comparison._repr_html_()).of("td")):
        assert f"{comparison.lds[0]:.3f} [{comparison.lds_low[0]:.3f}, " in str(text)
        assert "<b>" in text
    assert "counterfactual" not in repr(comparison)  # not asked for, so not known


def test_plan_shows_what_is_needed():
    plan = _plan(wanted=0.05)
    text = repr(plan)
    for n, score in zip(plan.n_runs, plan.scores[:, 0], strict=True):
        assert f"\n{n:>6}  {score:.3f}" in text
    assert f"runs needed for 0.05: {plan.n_needed.score:,.0f} [" in text
    assert text.endswith(f"runs still to be trained: {plan.n_more:,.0f}")
    assert "needed" not in repr(_plan())
    frame = plan.to_frame()
    assert list(frame) == ["n_runs", "score", "low", "high"]
    np.testing.assert_array_equal(frame[["score", "low", "high"]], plan.scores)


def test_effects_show_their_correlations():
    effects = _effects()
    frame = effects.to_frame()
    for name in ("top", "random"):
        rows = frame[frame.heuristic == name]
        rank = rows[["predicted", "true"]].corr("spearman").iloc[0, 1]
        assert f"{name}".ljust(9) + f"   250     {rank:.3f}" in repr(effects)
    assert "all         500" in repr(effects)
    assert "7 targets" in repr(effects)


def test_interval_and_correlation_print_one_line():
    assert (
        repr(ScoreInterval(0.12345, -0.5, 1.25)) == "ScoreInterval(0.12 [-0.50, 1.25])"
    )
    assert str(ScoreInterval(1200.0, 900.0, np.inf)) == "1,200 [900, inf]"
    interval = lds_interval(RUNS.outputs, RUNS.outputs + 1, random_state=0)
    assert str(interval) == "1 [1, 1]"
    correlation = Correlation(1 / 3, np.nan, 1000)
    assert repr(correlation) == "Correlation(spearman=0.33, pearson=nan, n=1,000)"


def test_component_effects_as_a_frame():
    effects = _components(2)
    frame = effects.to_frame().set_index(["component", "end"])
    assert frame.loc[(1, "negative"), "same_end"] == effects.same_end[1, 1]
    assert frame.loc[(0, "positive"), "rest"] == effects.rest[0, 0]
    assert (frame.n_removed == 2).all()


def test_extremes_as_a_frame():
    weights = np.array([[0.5, -2.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0], [0, 0, -1, 0]])
    found = similar_examples(weights, 3)
    expected = pd.DataFrame(
        {"row": [0, 0, 0, 2], "column": [3, 0, 1, 2], "weight": [1.0, 0.5, -2.0, -1.0]}
    )
    pd.testing.assert_frame_equal(found.to_frame(), expected, check_dtype=False)
    assert "  0  3: +1, 0: +0.5  1: -2" in repr(found)
    train = Examples(np.eye(4), np.arange(4), ids=list("pqrs"))
    named = similar_examples(weights, 3, train=train)
    assert "  0  s: +1, p: +0.5  q: -2" in repr(named)
    assert named.to_frame()["id"].tolist() == ["s", "p", "q", "r"]
    many = repr(similar_examples(np.ones((12, 9)), 9))
    assert many.count("0: +1, 1: +1, 2: +1, …") == 10
    assert many.splitlines()[-2] == "… 2 more"


def test_harmful_examples_as_a_frame():
    train = Examples(np.eye(3), np.arange(3), ids=list("pqr"))
    params = {"higher_is_better": True, "balance": False}
    found = harmful_examples([[0.5, -1.0, -0.25]], **params, train=train)
    expected = {"example": [1, 2], "id": ["q", "r"], "mean_weight": [-1.0, -0.25]}
    assert found.to_frame().to_dict("list") == expected
    *lines, note = repr(found).splitlines()[1:]
    assert note.startswith("quality of these weights is not known: score them")
    assert [line.split() for line in lines] == [
        ["row", "id", "mean", "weight"],
        ["1", "q", "-1.00"],
        ["2", "r", "-0.25"],
    ]
    positions = harmful_examples([[0.5, -1.0, -0.25]], **params)
    assert list(positions.to_frame()) == ["example", "mean_weight"]
