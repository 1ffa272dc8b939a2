import subprocess
import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.influence import (
    CheapAttributions,
    _cheap_attributions,
    _learner_models,
    cheap_attributions,
    logistic_influence,
    over_subsets,
)
from skdatamodels.influence._cheap_members import Member
from skdatamodels.metrics import linear_datamodeling_score
from skdatamodels.outputs import get_output


@pytest.fixture(autouse=True)
def few_models(monkeypatch):
    monkeypatch.setattr(_learner_models, "_N_MODELS", 4)


def _parts(X, y, n_train, n_targets=20):
    rows = np.random.default_rng(0).permutation(len(y))[: n_train + n_targets]
    take = X.iloc if hasattr(X, "iloc") else X
    parts = np.split(rows, [n_train])
    return [Examples(take[part], y[part], allow_nan=True) for part in parts]


def _wine(n_train=60):
    X, y = load_wine(return_X_y=True)
    return _parts(StandardScaler().fit_transform(X), y, n_train)


def _diabetes(n_train=60):
    X, y = load_diabetes(return_X_y=True)
    return _parts(X * 20, y, n_train)


def _scores(found, estimator, train, targets, n_runs=80, **options):
    """The LDS of each member on runs of the learner itself."""
    trainer = SubsetTrainer(estimator, train, targets, random_state=5, **options)
    runs = trainer.fit_transform(np.arange(n_runs))
    return {
        name: linear_datamodeling_score(runs.outputs, runs.masks.dot(matrix.T))
        for name, matrix in found.items()
    }


def test_logistic_regression_gets_its_own_influence_and_no_other():
    train, targets = _wine()
    model = LogisticRegression(tol=1e-8)
    options = {"random_state": 3, "output": "log_odds", "budget": 60}
    found = cheap_attributions(model, train, targets, **options)
    names = ["logistic_influence", "logistic_influence over subsets"]
    assert list(found) == list(found.seconds) == names
    own = logistic_influence(model, train, targets, output="log_odds")
    assert_allclose(found[names[0]], own, rtol=1e-4, atol=1e-6)
    over = over_subsets(
        logistic_influence,
        train,
        targets,
        estimator=model,
        output="log_odds",
        n_subsets=4,
        random_state=3,
    )
    assert_allclose(found[names[1]], over, rtol=1e-4, atol=1e-6)
    scores = _scores(found, model, train, targets, output="log_odds")
    assert min(scores.values()) > 0.7
    again = cheap_attributions(model, train, targets, **options)
    assert_allclose(again[names[1]], found[names[1]])


def test_a_choice_of_threshold_has_the_influence_of_its_classifier():
    X, y = load_wine(return_X_y=True)
    train, targets = _parts(StandardScaler().fit_transform(X), y > 0, 60)
    model = LogisticRegression(tol=1e-8)
    plain, chosen = (
        cheap_attributions(kind, train, targets, random_state=0)
        for kind in (model, FixedThresholdClassifier(model))
    )
    assert list(chosen) == list(plain)
    for name, matrix in plain.items():
        assert_allclose(chosen[name], matrix, rtol=1e-4, atol=1e-6)


def test_ridge_in_a_pipeline():
    train, targets = _diabetes()
    model = make_pipeline(StandardScaler(), Ridge(alpha=3))
    found = cheap_attributions(model, train, targets, random_state=0, budget=60)
    assert list(found) == ["ridge_influence", "ridge_influence over subsets"]
    assert min(_scores(found, model, train, targets).values()) > 0.8


@pytest.mark.parametrize(
    ("model", "make", "own"),
    [
        (RandomForestClassifier(20), _wine, "forest_influence"),
        (
            HistGradientBoostingRegressor(max_iter=10, min_samples_leaf=5),
            _diabetes,
            "boosting_influence",
        ),
    ],
)
def test_trees_get_their_closed_form_and_surrogates(model, make, own):
    train, targets = make()
    found = cheap_attributions(model, train, targets, random_state=0, budget=120)
    assert found.failed == {}
    scores = _scores(found, model, train, targets)
    assert next(iter(found)) == own
    assert scores[own] > 0.4
    assert min(scores.values()) > 0
    assert len(scores) >= 6


def _frame(kind):
    """A table with numbers, categories and missing values of both kinds."""
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    n = 90
    number, colour = rng.normal(size=n), rng.integers(0, 3, n)
    y = np.where(number + (colour == 1) + 0.5 * rng.normal(size=n) > 0.4, "yes", "no")
    number[::7] = np.nan
    names = np.array(["red", "green", "blue"], dtype=object)[colour]
    frame = pandas.DataFrame(
        {"size": number, "count": rng.integers(0, 9, n), "colour": names}
    )
    frame["colour"] = frame["colour"].where(np.arange(n) % 11 > 0, None)
    frame["colour"] = frame["colour"].astype("category")
    frame["seen"] = pandas.Timestamp("2026-01-01")
    if kind == "polars":
        polars = pytest.importorskip("polars")
        columns = {name: frame[name].to_list() for name in ("size", "count", "colour")}
        colours = [name if isinstance(name, str) else None for name in names]
        frame = polars.DataFrame(columns | {"colour": colours})
        parts = slice(60), slice(60, None)
        return [Examples(frame[part], y[part], allow_nan=True) for part in parts]
    return _parts(frame, y, 60)


def test_frames_with_categories_and_missing_values():
    train, targets = _frame("pandas")
    model = HistGradientBoostingClassifier(
        max_iter=10, min_samples_leaf=5, categorical_features="from_dtype"
    )
    train, targets = (
        Examples(part.X.drop(columns="seen"), part.y, allow_nan=True)
        for part in (train, targets)
    )
    found = cheap_attributions(model, train, targets, random_state=0, budget=120)
    assert found.failed == {}
    scores = _scores(found, model, train, targets)
    assert min(scores.values()) > 0
    assert scores["boosting_influence"] > 0.4


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_surrogates_of_frames(kind):
    """A learner that is only a function: its table is encoded for the surrogates."""
    train, targets = _frame(kind)

    def learner(train_indices, seed):
        return np.zeros(len(targets))

    found = cheap_attributions(learner, train, targets, random_state=0, budget=60)
    assert {"logistic C=1.0", "knn_shapley", "forest surrogate"} <= set(found)
    assert "no attribution of its own" in repr(found)


@pytest.mark.parametrize(
    ("model", "make"),
    [
        (make_pipeline(StandardScaler(), SVC()), _wine),
        (KNeighborsRegressor(3), _diabetes),
    ],
)
def test_other_learners_get_surrogates(model, make):
    train, targets = make()
    found = cheap_attributions(model, train, targets, random_state=0, budget=60)
    assert found.failed == {}
    scores = _scores(found, model, train, targets)
    assert min(scores.values()) > 0
    assert max(scores.values()) > 0.3


def test_surrogates_get_rows_of_length_one():
    """So the penalties suit any number of columns."""
    train, targets = _wine()
    found = cheap_attributions(SVC(), train, targets, random_state=0)
    mean, root = train.X.mean(axis=0), train.X.std(axis=0) * np.sqrt(train.X.shape[1])
    parts = [Examples((part.X - mean) / root, part.y) for part in (train, targets)]
    for C in (0.3, 1.0, 3.0):
        model = LogisticRegression(C=C, tol=1e-8, max_iter=1000)
        expected = logistic_influence(model, *parts, output="margin")
        assert_allclose(found[f"logistic C={C}"], expected, rtol=0.02, atol=1e-3)


def test_network(monkeypatch):
    torch = pytest.importorskip("torch")
    from skdatamodels.training import TorchLearner

    train, targets = _wine()
    train, targets = (Examples(p.X.astype("f4"), p.y) for p in (train, targets))

    def network():
        layers = torch.nn.Linear(13, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)
        return torch.nn.Sequential(*layers)

    model = TorchLearner(network, epochs=20, batch_size=10, lr=0.05)
    found = cheap_attributions(model, train, targets, random_state=0, budget=120)
    assert found.failed == {}
    own = ["last_layer_influence", "trak", "influence_functions"]
    assert list(found)[:3] == own
    scores = _scores(found, model, train, targets, n_runs=60)
    assert min(scores.values()) > 0
    assert min(scores[name] for name in own) > 0.2


def test_regression_network_is_measured_by_its_prediction():
    torch = pytest.importorskip("torch")
    from skdatamodels.training import TorchLearner

    X, y = load_diabetes(return_X_y=True)
    y = (y - y.mean()) / y.std()
    train, targets = _parts((X * 20).astype("f4"), y.astype("f4"), 60)
    model = TorchLearner(
        lambda: torch.nn.Linear(10, 1),
        loss="squared_error",
        epochs=20,
        batch_size=10,
        lr=0.01,
    )
    found = cheap_attributions(model, train, targets, random_state=0, budget=120)
    assert found.failed == {}
    assert list(found)[:2] == ["trak", "influence_functions"]
    assert min(_scores(found, model, train, targets, n_runs=60).values()) > 0


@pytest.mark.parametrize(
    ("kind", "make"), [(MLPClassifier, _wine), (MLPRegressor, _diabetes)]
)
def test_networks_of_scikit_learn(kind, make):
    """As the last step of a pipeline, with the table that reaches them."""
    train, targets = make()
    network = kind(hidden_layer_sizes=8, solver="lbfgs", alpha=0.1, max_iter=50)
    if kind is MLPRegressor:
        train, targets = (Examples(p.X, (p.y - 150) / 75) for p in (train, targets))
    model = make_pipeline(StandardScaler(), network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = cheap_attributions(model, train, targets, random_state=0, budget=120)
        scores = _scores(found, model, train, targets, n_runs=60)
    assert found.failed == {}
    own = ["mlp_influence", "mlp_influence of the last layer"]
    assert list(found)[:2] == own
    assert len(found) >= 7
    assert min(scores[name] for name in own) > 0.1


def test_models_of_runs_are_used():
    """Their subsets are not those that would be drawn."""
    train, targets = _wine()
    subsets = [np.arange(0, 50), np.arange(10, 60)]
    models = [(LogisticRegression().fit(train.X[s], train.y[s]), s) for s in subsets]
    options = {"models": models, "output": "margin"}
    found = cheap_attributions(
        LogisticRegression(), train, targets, **options, budget=60
    )
    expected = over_subsets(logistic_influence, train, targets, **options)
    name = "logistic_influence over subsets"
    assert_allclose(found[name], expected, rtol=1e-4, atol=1e-6)


def test_a_loss_has_the_opposite_sign():
    train, targets = _wine()
    found = cheap_attributions(SVC(), train, targets, output="cross_entropy", budget=60)
    y_same = targets.y[:, None] == train.y
    for name, matrix in found.items():
        assert matrix[y_same].mean() < matrix[~y_same].mean(), name


def test_an_unknown_output_is_replaced_and_told():
    train, targets = _diabetes()
    own = get_output(lambda raw, y: np.abs(raw - y))
    found = cheap_attributions(Ridge(), train, targets, output=own, budget=60)
    assert "They measure 'prediction' instead of '<lambda>'." in repr(found)


def _given(monkeypatch, *members):
    monkeypatch.setattr(
        _cheap_attributions, "cheap_members", lambda learner: list(members)
    )


def test_useless_members_are_left_out(monkeypatch):
    train, targets = _wine()
    good = np.random.default_rng(0).normal(size=(20, 60))

    def fail():
        raise ValueError("the Hessian is singular")

    _given(
        monkeypatch,
        Member("good", [lambda: good]),
        Member("zero", [lambda: 0 * good]),
        Member("twice", [lambda: 3 * good]),
        Member("odd", [lambda: np.where(good > 2, np.nan, good)]),
        Member("failing", [fail]),
        Member("slow", [lambda: -good], seconds=1e9),
        Member("mean", [lambda: good, lambda: good**2]),
    )
    found = cheap_attributions(Ridge(), train, targets)
    assert list(found) == ["good", "mean"]
    assert_allclose(found["mean"], (good + good**2) / 2, rtol=1e-6)
    assert found["good"].dtype == np.float32
    assert not found["good"].flags.writeable
    assert found.failed["zero"] == "it is zero"
    assert found.failed["twice"] == "it equals good"
    assert found.failed["odd"] == "it is not finite"
    assert found.failed["failing"] == "ValueError: the Hessian is singular"
    assert found.failed["slow"].startswith("it takes about 1000000000.0 s, the")
    assert "Left out: zero: it is zero" in repr(found)
    assert "<td>mean</td>" in found._repr_html_()


def test_a_small_budget_takes_fewer_models(monkeypatch):
    train, targets = _wine()
    calls = []

    def slow():
        calls.append(1)
        end = _cheap_attributions.perf_counter() + 0.2
        while _cheap_attributions.perf_counter() < end:
            pass
        return np.ones((20, 60))

    _given(monkeypatch, Member("slow", [slow] * 1000))
    cheap_attributions(LogisticRegression(), train, targets, budget=3.0)
    assert 1 <= len(calls) < 20


def test_a_dear_member_does_not_crowd_out_the_others(monkeypatch):
    """Its cost, which is an estimate, is far too low."""
    train, targets = _wine()
    good = np.random.default_rng(0).normal(size=(20, 60))
    clock = [0.0]
    monkeypatch.setattr(_cheap_attributions, "perf_counter", lambda: clock[0])

    def dear():
        clock[0] += 100
        return good**2

    members = Member("dear", [dear], seconds=0.1), Member("good", [lambda: good])
    _given(monkeypatch, *members)
    found = cheap_attributions(LogisticRegression(), train, targets, budget=5.0)
    assert list(found) == ["dear", "good"]


def test_no_member_at_all_is_an_error(monkeypatch):
    _given(monkeypatch, Member("zero", [lambda: np.zeros((20, 60))]))
    with pytest.raises(ValueError, match=r"could be computed\. zero: it is zero"):
        cheap_attributions(KNeighborsRegressor(), *_diabetes())


def test_verbose_tells_the_cost_first(capsys):
    cheap_attributions(Ridge(), *_diabetes(), verbose=1)
    out, err = capsys.readouterr()
    assert out.startswith("2 attributions over 4 models (ridge_influence, ")
    assert "2/2" in err
    cheap_attributions(Ridge(), *_diabetes())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"estimator": None}, TypeError, "must be a classifier, a regressor"),
        ({"estimator": StandardScaler()}, TypeError, "no output to measure"),
        ({"output": "prediction"}, ValueError, "is for regression"),
        ({"budget": 0}, ValueError, "'budget' parameter"),
        ({"train": [[1.0]]}, ValueError, "'train' parameter"),
    ],
)
def test_bad_input(options, error, message):
    train, targets = _wine()
    given = {"estimator": LogisticRegression(), "train": train, "targets": targets}
    with pytest.raises(error, match=message):
        cheap_attributions(**given | options)


def test_a_mapping_of_its_own():
    found = CheapAttributions({"a": np.ones((1, 2))}, {"a": 0.5})
    assert (len(found), list(found), found.failed) == (1, ["a"], {})
    assert dict(found)["a"].shape == (1, 2)


def test_a_logistic_regression_that_chooses_its_penalty_gets_surrogates():
    found = cheap_attributions(LogisticRegressionCV(cv=2), *_wine(), random_state=0)
    assert "forest surrogate" in found
    assert found.notes[0].startswith("LogisticRegressionCV has no attribution of its")
    assert not found.failed


def test_linear_models_without_a_closed_form_get_surrogates():
    model = LogisticRegression(class_weight="balanced")
    train, targets = _wine()
    with pytest.warns(UserWarning, match="logistic_influence, the attribution that"):
        found = cheap_attributions(model, train, targets, random_state=0)
    assert "knn_shapley" in found
    assert "logistic_influence" in found.failed


def test_a_budget_that_is_spent_on_training_leaves_what_costs_nothing():
    train, targets = _wine()
    forest = RandomForestClassifier(50, random_state=0)
    found = cheap_attributions(forest, train, targets, budget=1e-3, random_state=0)
    assert {"knn_shapley", "same_class_influence"} <= set(found)


def test_forests_measure_confidence():
    train, targets = _wine()
    forest = RandomForestClassifier(20, random_state=0)
    found = cheap_attributions(
        forest, train, targets, output="confidence", random_state=0
    )
    assert not found.notes


def test_workers_are_as_silent_as_the_main_process():
    script = """
import pandas as pd
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from skdatamodels import Examples
from skdatamodels.influence import cheap_attributions
X, y = load_wine(return_X_y=True, as_frame=True)
train, targets = Examples(X[::3] / 100, y[::3]), Examples(X[1::9] / 100, y[1::9])
model = LogisticRegression(max_iter=5000)  # of a frame; attributions take its numbers
cheap_attributions(model, train, targets, n_jobs=2, random_state=0)
"""
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "Warning" not in ended.stderr
