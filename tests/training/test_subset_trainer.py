"""SubsetTrainer: runs depend on the configuration and the run alone."""

import json
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, RandomForestRegressor, VotingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from skdatamodels import Examples, RunStore, SubsetTrainer, sample_masks
from skdatamodels.runs._meta import write_meta
from skdatamodels.training._execution import pace


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return Examples(X[::3], y[::3]), Examples(X[1::10], y[1::10])


def only_store(root):
    (folder,) = (path for path in root.iterdir() if path.is_dir())
    return RunStore(folder)


def rewrite_meta(folder, change):
    """Change meta.json as only this package could, with a checksum that is right."""
    meta = json.loads((folder / "meta.json").read_text())
    change(meta)
    del meta["checksum"]
    write_meta(folder, meta)


def positions(train_indices, seed):
    """A learner whose outputs show what it was given."""
    return np.r_[train_indices[:2], seed % 1000].astype(float)


class Counting:
    """A learner that counts its calls and fails where it is told to."""

    def __init__(self, fails=lambda seed: False, result=None):
        self.calls, self.fails, self.result = [], fails, result

    def __call__(self, train_indices, seed):
        self.calls.append(seed)
        if self.fails(seed):
            raise ArithmeticError(f"no luck with {seed}")
        return (
            self.result if self.result is not None else positions(train_indices, seed)
        )

    def __reduce__(self):  # its description in a store does not change with its calls
        return Counting, ()


def test_equals_a_loop_by_hand(iris):
    train, targets = iris
    runs = SubsetTrainer(RidgeClassifier(), *iris, random_state=3).fit_transform([4, 0])
    masks = sample_masks([4, 0], len(train), 0.5, random_state=3).dense()
    np.testing.assert_array_equal(runs.masks, masks)
    for mask, outputs in zip(masks, runs.outputs, strict=True):
        scores = RidgeClassifier().fit(train.X[mask], train.y[mask])
        scores = scores.decision_function(targets.X)
        rows = np.arange(len(targets))
        true = scores[rows, targets.y].copy()
        scores[rows, targets.y] = -np.inf
        np.testing.assert_allclose(outputs, true - scores.max(axis=1), rtol=1e-5)


@pytest.mark.parametrize(
    ("backend", "n_jobs", "chunk_seconds"),
    [("loky", 2, 1.0), ("threading", 2, 0.01), ("loky", 1, 0.0), ("threading", 1, 9.0)],
)
def test_workers_chunks_and_order_change_no_bit(
    iris, monkeypatch, backend, n_jobs, chunk_seconds
):
    trainer = SubsetTrainer(LogisticRegression(), *iris, random_state=0)
    expected = trainer.fit_transform(np.arange(20))
    monkeypatch.setattr(pace, "_CHUNK_SECONDS", chunk_seconds)
    order = np.random.default_rng(0).permutation(20)
    with joblib.parallel_config(backend):
        runs = clone(trainer).set_params(n_jobs=n_jobs).fit_transform(order)
    np.testing.assert_array_equal(runs.outputs, expected.outputs[order])
    np.testing.assert_array_equal(runs.masks, expected.masks[order])


def test_store_resumes_with_nan_among_the_parameters(iris, tmp_path):
    pipeline = make_pipeline(SimpleImputer(missing_values=np.nan), RidgeClassifier())
    trainer = SubsetTrainer(pipeline, *iris, store=tmp_path, random_state=0)
    first = clone(trainer).fit_transform([0, 1])
    np.testing.assert_array_equal(
        clone(trainer).fit_transform([1, 0]).outputs, first.outputs[::-1]
    )


@pytest.mark.parametrize("design", ["uniform", "bernoulli", "stratified"])
def test_masks_are_those_of_the_design(iris, design):
    trainer = SubsetTrainer(
        RidgeClassifier(), *iris, alpha=0.4, design=design, random_state=2
    )
    ids = np.array([5, 0, 9])
    expected = sample_masks(ids, 50, 0.4, design=design, random_state=2, y=iris[0].y)
    runs = trainer.fit_transform(ids)
    np.testing.assert_array_equal(runs.masks, expected.dense())
    by_mask = trainer.transform(expected).outputs  # ridge has no randomness
    np.testing.assert_array_equal(runs.outputs, by_mask)
    for form in (expected.dense(), expected.dense().astype(np.uint8)):
        np.testing.assert_array_equal(trainer.transform(form).outputs, by_mask)


def test_each_configuration_has_its_own_store(iris, tmp_path):
    trainer = SubsetTrainer(RidgeClassifier(), *iris, store=tmp_path, random_state=0)
    for changes in (
        {},
        {"alpha": 0.3},
        {"estimator__alpha": 2.0},
        {"output": "log_odds"},
        {"design": "bernoulli"},
        {"random_state": 1},
        {"targets": iris[1][:5]},
    ):
        clone(trainer).set_params(**changes).fit_transform([0])
    assert len(list(tmp_path.iterdir())) == 7


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(PCA(2, svd_solver="randomized"), MLPClassifier((3,), max_iter=2)),
        BaggingClassifier(DecisionTreeClassifier(max_features=1), 2),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_nested_random_states_are_seeded(iris, estimator):
    trainer = SubsetTrainer(estimator, *iris, random_state=0)
    masks = sample_masks(1, len(iris[0]), 0.5).dense()[[0, 0]]
    first, second = (trainer.fit_transform(masks).outputs for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (first[0] != first[1]).any()


def test_random_state_of_the_user_is_kept(iris):
    tree = DecisionTreeClassifier(max_features=1, random_state=0)
    trainer = SubsetTrainer(tree, *iris, output="confidence", random_state=0)
    masks = sample_masks(1, len(iris[0]), 0.5).dense()[[0, 0]]
    outputs = trainer.fit_transform(masks).outputs
    np.testing.assert_array_equal(outputs[0], outputs[1])


def test_regressor(iris):
    train, targets = (Examples(part.X[:, :3], part.X[:, 3]) for part in iris)
    forest = RandomForestRegressor(5)
    trainer = SubsetTrainer(forest, train, targets, output="prediction", random_state=0)
    runs = trainer.fit_transform(np.arange(4))
    error = np.abs(runs.outputs - targets.y).mean()
    assert error < np.abs(targets.y - targets.y.mean()).mean() / 2


def test_a_class_missing_from_a_subset_shifts_no_column():
    X, y = load_digits(return_X_y=True)
    kept = np.r_[np.flatnonzero(y[:300] != 1), np.flatnonzero(y[:300] == 1)[:1]]
    train, targets = Examples(X[kept], y[kept]), Examples(X[300:330], y[300:330])
    runs = SubsetTrainer(
        RidgeClassifier(), train, targets, unseen_class="floor", random_state=0
    )
    with pytest.warns(UserWarning, match="saw no example of a class of the targets: 1"):
        runs = runs.fit_transform(np.arange(8))
    lacks = ~runs.masks[:, -1]
    assert lacks.any()
    assert not lacks.all()
    for mask, outputs in zip(runs.masks[lacks], runs.outputs[lacks], strict=True):
        model = RidgeClassifier().fit(train.X[mask], train.y[mask])
        assert 1 not in model.classes_
        scores = model.decision_function(targets.X)
        for score, label, output in zip(scores, targets.y, outputs, strict=True):
            if label != 1:
                column = np.searchsorted(model.classes_, label)
                margin = score[column] - np.delete(score, column).max()
                assert output == pytest.approx(margin, abs=1e-4)
            else:
                lowest = logsumexp(score) - np.log(mask.sum() + 10 - 1) - score.max()
                assert output == pytest.approx(lowest, abs=1e-4)


def test_failed_runs_are_retried_reported_and_never_filled_in(iris, tmp_path):
    train, targets = iris[0], iris[1][:3]
    bad = Counting(fails=lambda seed: seed % 3 == 0)
    trainer = SubsetTrainer(bad, train, targets, store=tmp_path, random_state=0)
    with pytest.raises(RuntimeError, match="runs failed, each tried 2 times") as caught:
        trainer.fit_transform(np.arange(12))
    assert "ArithmeticError: no luck with" in str(caught.value)
    store = only_store(tmp_path)
    failed = [failure["row"] for failure in store.failures()]
    assert 0 < len(failed) < 12
    np.testing.assert_array_equal(np.flatnonzero(~store.done(np.arange(12))), failed)
    assert len(bad.calls) == 12 + len(failed)
    trainer.set_params(on_failure="nan")
    with pytest.warns(RuntimeWarning, match="runs failed"):
        runs = trainer.transform(np.arange(12))
    gone = np.isnan(runs.outputs).all(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(gone), failed)
    assert not np.isnan(runs.outputs[~gone]).any()
    bad.fails = lambda seed: False
    assert not np.isnan(trainer.transform(np.arange(12)).outputs).any()


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.array([1.0, np.nan, 0.0]), "output for target 1 is nan"),
        (np.array([1.0, 0.0, 1e300]), "output for target 2 is inf"),
        (np.zeros(2), r"shape \(3,\); got\s+\(2,\)"),
    ],
)
def test_results_that_are_no_outputs_are_failures(iris, result, message):
    learner = Counting(result=result)
    trainer = SubsetTrainer(learner, iris[0], iris[1][:3], random_state=0)
    with pytest.raises(RuntimeError, match=message):
        trainer.fit_transform(np.arange(2))


@pytest.mark.parametrize("on_failure", ["raise", "nan"])
def test_gives_up_early_if_nothing_succeeds(iris, on_failure):
    learner = Counting(fails=lambda seed: True)
    trainer = SubsetTrainer(
        learner, iris[0], iris[1][:3], retries=0, on_failure=on_failure
    )
    with pytest.raises(RuntimeError, match="No run succeeded"):
        trainer.fit_transform(np.arange(20_000))
    assert len(learner.calls) < 20_000


def test_warnings_of_models_are_told_once(iris):
    network = MLPClassifier((2,), max_iter=1)
    trainer = SubsetTrainer(network, *iris, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit_transform(np.arange(6))
    told = [w for w in caught if issubclass(w.category, ConvergenceWarning)]
    assert len(told) == 1
    assert str(told[0].message).startswith("In 6 of 6 runs: ")


def test_progress_bar(iris, capsys):
    trainer = SubsetTrainer(positions, iris[0], iris[1][:3], verbose=1)
    trainer.fit_transform(np.arange(7))
    assert "7/7" in capsys.readouterr().err


def test_other_library_versions_are_told(iris, tmp_path):
    older = {"scikit-learn": "0.1"}
    trainer = SubsetTrainer(RidgeClassifier(), *iris, store=tmp_path, random_state=0)
    trainer.fit_transform([0])
    rewrite_meta(only_store(tmp_path).path, lambda meta: meta["versions"].update(older))
    with pytest.warns(UserWarning, match=r"other versions: .*0\.1, now"):
        trainer.transform([1])


TABLE = pd.DataFrame(np.linspace(1.0, 2.0, 200).reshape(50, 4))
BAD = [
    ({"alpha": 0.001}, [0], "gives subsets of size 0"),
    ({"alpha": 1.5}, [0], "alpha"),
    ({"alpha": (0.5, 1.5)}, [0], "alpha .* got 1.5"),
    ({"alpha": ()}, [0], "alpha"),
    ({"alpha": 0.4, "design": "orthogonal"}, [0], r"needs alpha=0\.5, got 0\.4"),
    ({"design": "round"}, [0], "design"),
    ({"output": "loudness"}, [0], "output"),
    ({"output": "prediction"}, [0], "regress"),
    ({"estimator": PCA()}, [0], "neither a classifier nor a regressor"),
    ({"estimator": RidgeClassifier}, [0], "instance"),
    ({"estimator": 3}, [0], "estimator"),
    ({}, [0, 1, 0], "more than once"),
    ({}, [-1], "negative"),
    ({}, [0.5], "integers"),
    ({}, [], "non-empty"),
    ({}, np.zeros((2, 2, 2), int), r"X must be run ids .* \(2, 2, 2\)"),
    ({}, np.ones((0, 50), bool), "at least one run"),
    ({"random_state": -1}, [0], "random_state"),
    ({"retries": -1}, [0], "retries"),
    ({"on_failure": "skip"}, [0], "on_failure"),
    ({"estimator": "Ridge"}, [0], "estimator must be a classifier, .* got str"),
    ({"estimator": None}, [0], "estimator must be .* got None"),
    ({"estimator": TABLE}, [0], r"estimator must be .* got DataFrame of shape \(50, 4"),
    (
        {"estimator": Pipeline([("pca", PCA()), ("ridge", RidgeClassifier)])},
        [0],
        r"'ridge' of estimator must be an instance: RidgeClassifier\(…\)",
    ),
    (
        {"estimator": Pipeline([("pca", PCA), ("ridge", RidgeClassifier())])},
        [0],
        r"'pca' of estimator must be an instance: PCA\(…\)",
    ),
    (
        {"estimator": VotingClassifier([("ridge", RidgeClassifier)])},
        [0],
        "'ridge' of estimator must be an instance",
    ),
    ({"estimator": make_pipeline(PCA())}, [0], "Pipeline, which ends in PCA, has no"),
    (
        {"train": (TABLE, np.zeros(50))},
        [0],
        r"train must be Examples, got tuple of length 2.*train=Examples\(X, y\)",
    ),
    (
        {"train": TABLE},
        [0],
        r"train must be Examples, got DataFrame of shape",
    ),
    ({"targets": TABLE.to_numpy()}, [0], r"targets must be Examples, got ndarray of"),
    ({"targets": None}, [0], r"targets must be Examples, got None.*targets=Examples\("),
    ({}, TABLE, r"X must be run ids .*n_train=50.* got DataFrame of shape \(50, 4\)"),
    ({}, TABLE.to_numpy(), r"X must be run ids .* got ndarray.*train=Examples\("),
    ({}, TABLE.to_numpy().astype(int), r"X must be run ids"),
    ({}, (TABLE, np.zeros(50)), r"X must be run ids .* got tuple of length 2"),
    ({}, Examples(TABLE, np.zeros(50)), r"X must be run ids .* got Examples of shape"),
    ({}, csr_array(np.eye(50)), r"X must be run ids .* got csr_array of shape"),
    ({}, None, r"X must be run ids .* got None"),
    ({}, 5, r"X must be run ids .* got int"),
    ({}, ["a", "b"], "Run ids must be integers"),
    ({}, np.full((2, 50), 2), "only 0 and 1"),
    ({}, np.full((2, 50), np.nan), "only 0 and 1"),
    ({}, np.ones((2, 49), bool), "n_train=50"),
    ({"targets": Examples(np.zeros((1, 4)), [7])}, [0], "7"),
    ({"targets": Examples(np.zeros((1, 3)), [0])}, [0], "shape"),
]


@pytest.mark.parametrize(("parameters", "X", "message"), BAD)
def test_bad_input_is_told_before_any_training(iris, parameters, X, message):
    learner = Counting()

    class Recording(RidgeClassifier):
        def fit(self, X, y):
            learner.calls.append(X)
            return super().fit(X, y)

    trainer = SubsetTrainer(Recording(), *iris).set_params(**parameters)
    with pytest.raises((ValueError, TypeError), match=message) as error:
        trainer.fit_transform(X)
    assert len(str(error.value)) < 400  # no table is printed
    with pytest.raises((ValueError, TypeError), match=message):
        trainer.transform(X)
    assert learner.calls == []


@pytest.mark.parametrize("steps", [None, 3, [10, 20], "fit"])
def test_a_learner_may_have_steps_of_its_own(iris, steps):
    class Learner:
        def __init__(self):
            self.steps = steps

        def __call__(self, train_indices, seed):
            return np.ones(len(iris[1]))

    runs = SubsetTrainer(Learner(), *iris).fit_transform([0])
    np.testing.assert_array_equal(runs.outputs, 1)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_polars_columns_reach_the_estimator(n_jobs):
    pl = pytest.importorskip("polars")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"size": rng.normal(size=40), "colour": rng.choice(["red", "blue"], 40)}
    )
    y = (frame["size"] + (frame["colour"] == "red") > 0.5).to_numpy()
    encoder = make_column_transformer(
        (OneHotEncoder(), ["colour"]), remainder="passthrough"
    )
    outputs, polars = [], pl.DataFrame(frame.to_dict("list"))
    try:
        clone(encoder).fit(polars)
    except AttributeError:  # scikit-learn 1.8 and polars 2
        pytest.skip("This scikit-learn does not take frames of this polars.")
    for table in (frame, polars):
        examples = Examples(table, y)
        trainer = SubsetTrainer(
            make_pipeline(encoder, RidgeClassifier()),
            examples,
            examples[:7],
            random_state=0,
            n_jobs=n_jobs,
        )
        outputs.append(trainer.fit_transform(np.arange(4)).outputs)
    np.testing.assert_array_equal(*outputs)
