import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge, RidgeClassifier, RidgeCV

from skdatamodels import Examples
from skdatamodels.influence import ridge_influence, ridge_leave_one_out

CLASSIFIER_OUTPUTS = ["margin", "log_odds", "cross_entropy", "confidence"]
CASES = [
    (Ridge(**options), 0, output)
    for options in ({}, {"alpha": 0.0}, {"alpha": 3.0, "fit_intercept": False})
    for output in ("prediction", "squared_error")
] + [
    (RidgeClassifier(**options), n_classes, output)
    for options in ({}, {"fit_intercept": False}, {"class_weight": {"cat": 3.0}})
    for n_classes in (2, 3)
    for output in CLASSIFIER_OUTPUTS
]
EVERY_CASE = pytest.mark.parametrize(("model", "n_classes", "output"), CASES, ids=repr)


@pytest.fixture
def data(n_classes, make_classification, make_regression):
    return make_classification(n_classes) if n_classes else make_regression()


@EVERY_CASE
def test_influence_equals_the_derivative_of_refits(
    model, n_classes, output, data, derivative_of_refits
):
    influence = ridge_influence(model, *data, output=output)
    expected = derivative_of_refits(model, *data, output)
    assert_allclose(influence, expected, rtol=1e-4, atol=1e-5 * abs(expected).max())


@EVERY_CASE
def test_leave_one_out_equals_refits(
    model, n_classes, output, data, leave_one_out_refits
):
    effect = ridge_leave_one_out(model, *data, output=output)
    expected = leave_one_out_refits(model, *data, output)
    assert_allclose(effect, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("output", ["correctness", lambda raw, y: raw[:, 0] ** 2])
def test_leave_one_out_of_any_output(n_classes, output, data, leave_one_out_refits):
    model = RidgeClassifier(alpha=0.1)
    effect = ridge_leave_one_out(model, *data, output=output)
    expected = leave_one_out_refits(model, *data, output)
    assert_allclose(effect, expected, atol=1e-9)


@pytest.mark.parametrize("output", ["prediction", "squared_error"])
def test_influence_is_leave_one_out_to_first_order(output, make_regression):
    """The relative difference falls as 1/n_train."""
    errors = []
    for n_train in (100, 400, 1600):
        data = make_regression(n_train)
        exact = ridge_leave_one_out(Ridge(), *data, output=output)
        influence = ridge_influence(Ridge(), *data, output=output)
        errors.append(np.linalg.norm(influence - exact) / np.linalg.norm(exact))
    assert errors[0] < 0.2
    assert errors[1] < errors[0] / 2.5
    assert errors[2] < errors[1] / 2.5


def test_blocks_change_nothing(make_classification, monkeypatch):
    data = make_classification(3)
    expected = ridge_leave_one_out(RidgeClassifier(), *data, output="margin")
    monkeypatch.setattr("skdatamodels.masks._packed._BLOCK_BYTES", 5000)
    in_blocks = ridge_leave_one_out(RidgeClassifier(), *data, output="margin")
    assert_allclose(in_blocks, expected)


def test_damping_is_added_to_the_diagonal(make_regression):
    """Without an intercept, the same as more of the penalty in the kernel alone."""
    train, targets = make_regression()
    model = Ridge(1.5, fit_intercept=False).fit(train.X, train.y)
    inverse = np.linalg.inv(train.X.T @ train.X + 4 * np.eye(4))
    expected = targets.X @ inverse @ train.X.T * (train.y - model.predict(train.X))
    influence = ridge_influence(
        Ridge(1.5, fit_intercept=False),
        train,
        targets,
        output="prediction",
        damping=2.5,
    )
    assert_allclose(influence, expected)


def test_singular_fit(make_regression):
    parts = make_regression()
    # Integers, so that the second copy of a column is exactly the first.
    twice = [Examples(np.c_[p.X, p.X].round(1), p.y) for p in parts]
    options = {"output": "prediction"}
    model = Ridge(alpha=0.0, solver="svd")
    with pytest.raises(ValueError, match=r"singular.*set damping above 0"):
        ridge_influence(model, *twice, **options)
    assert np.isfinite(ridge_influence(model, *twice, **options, damping=1e-3)).all()
    # One example alone has a feature: without it the fit is singular.
    alone = [
        Examples(np.c_[p.X, np.arange(len(p)) == 3], p.y.astype(float)) for p in parts
    ]
    with pytest.raises(ValueError, match="Without training example 3 the fit"):
        ridge_leave_one_out(model, *alone, **options)


def test_the_only_example_of_a_class(make_classification):
    train, targets = make_classification(3)
    y = np.array(train.y)
    y[np.flatnonzero(y == "eel")[1:]] = "cat"
    with pytest.raises(ValueError, match="class 'eel' has only one training example"):
        ridge_leave_one_out(
            RidgeClassifier(), Examples(train.X, y), targets, output="margin"
        )


@pytest.mark.parametrize("function", [ridge_influence, ridge_leave_one_out])
@pytest.mark.parametrize(
    ("model", "n_classes", "output", "error", "message"),
    [
        (RidgeCV(), 0, "prediction", TypeError, r"be a Ridge or RidgeClassifier\."),
        (Ridge(positive=True), 0, "prediction", ValueError, "Set positive=False"),
        (Ridge(alpha=[1.0]), 0, "prediction", ValueError, "a single number"),
        (Ridge(), 0, "margin", ValueError, "is for classification"),
        (Ridge(), 2, "prediction", ValueError, "needs numbers as y"),
        (
            RidgeClassifier(class_weight="balanced"),
            2,
            "margin",
            ValueError,
            "weights as a dict",
        ),
    ],
)
def test_bad_input(function, model, n_classes, output, error, message, data):
    with pytest.raises(error, match=message):
        function(model, *data, output=output)


def test_influence_needs_a_derivative(make_classification):
    with pytest.raises(ValueError, match=r"no known derivative\. Use one of margin"):
        ridge_influence(
            RidgeClassifier(), *make_classification(2), output="correctness"
        )


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize(
    ("model", "n_classes", "output"),
    [
        (Ridge(), 0, "squared_error"),
        (RidgeClassifier(class_weight={"cat": 3.0}), 2, "log_odds"),
        (RidgeClassifier(), 3, "margin"),
    ],
)
def test_subset_equals_the_derivative_of_refits(
    model, n_classes, output, frozen, data, derivative_of_additions
):
    (train, targets), subset = data, np.r_[4:18]
    expected = derivative_of_additions(model, train, targets, output, subset)
    if frozen:
        model = FrozenEstimator(model.fit(train.X[subset], train.y[subset]))
    influence = ridge_influence(model, train, targets, output=output, subset=subset)
    assert_allclose(influence, expected, rtol=1e-3, atol=1e-3 * abs(expected).max())


def test_inside_a_subset_as_without_the_others(make_regression):
    (train, targets), mask = make_regression(), np.arange(25) % 3 > 0
    options = {"output": "prediction", "damping": 0.5}
    influence = ridge_influence(Ridge(), train, targets, **options, subset=mask)
    inside = ridge_influence(Ridge(), train[mask], targets, **options)
    assert_allclose(influence[:, mask], inside, rtol=1e-10)


@pytest.mark.parametrize(
    ("subset", "message"),
    [
        ([0.0], "bool mask of the training examples, got float64"),
        ([-1], "indices from 0 to 29, got -1 to -1"),
        ([1, 1, 2], "an example twice"),
        (np.ones(7, bool), "a mask of 7 examples"),
        (np.zeros(30, bool), "subset is empty"),
        ([[0, 1]], r"shape \(1, 2\)"),
        (np.flatnonzero(np.arange(30) % 3), "no example of the classes"),
    ],
)
def test_bad_subset(subset, message, make_classification):
    train, targets = make_classification(3, 30)
    labels = np.array(["cat", "dog", "eel"])[np.arange(30) % 3]
    train = Examples(train.X, labels)
    with pytest.raises((TypeError, ValueError), match=message):
        ridge_influence(
            RidgeClassifier(), train, targets, output="margin", subset=subset
        )


def test_a_frozen_model_must_know_the_classes(make_classification):
    train, targets = make_classification(3)
    model = RidgeClassifier().fit(train.X, train.y == "cat")
    with pytest.raises(ValueError, match=r"frozen model has the classes \[False"):
        ridge_influence(FrozenEstimator(model), train, targets, output="margin")
    with pytest.raises(NotFittedError):
        ridge_influence(
            FrozenEstimator(RidgeClassifier()), train, targets, output="margin"
        )
