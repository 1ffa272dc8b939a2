import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.pipeline import make_pipeline

from skdatamodels import Examples
from skdatamodels.influence import logistic_influence

# scikit-learn 1.8 says so of C=inf, for which it sets penalty=None itself.
pytestmark = pytest.mark.filterwarnings("ignore:Setting penalty=None")

OUTPUTS = ["log_odds", "margin", "cross_entropy", "confidence"]


def _model(**options):
    options = {"solver": "newton-cholesky", "tol": 1e-12, "max_iter": 1000} | options
    return LogisticRegression(**options)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fit_intercept": False, "C": 0.3},
        {"C": np.inf},
        {"class_weight": {"cat": 3.0, "dog": 0.5}},
    ],
    ids=repr,
)
def test_equals_the_derivative_of_refits(
    n_classes, output, options, make_classification, derivative_of_refits
):
    data = make_classification(n_classes)
    model = _model(**options)
    influence = logistic_influence(model, *data, output=output)
    expected = derivative_of_refits(model, *data, output)
    assert_allclose(influence, expected, rtol=1e-3, atol=2e-4 * abs(expected).max())
    assert abs(expected).max() > 1e-2


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("output", ["log_odds", "cross_entropy"])
def test_equals_leave_one_out_to_first_order(
    n_classes, output, make_classification, leave_one_out_refits
):
    """The relative difference falls as examples come to weigh less."""
    errors = []
    for n_train in (40, 240):
        data = make_classification(n_classes, n_train)
        exact = leave_one_out_refits(_model(), *data, output)
        influence = logistic_influence(_model(), *data, output=output)
        errors.append(np.linalg.norm(influence - exact) / np.linalg.norm(exact))
    assert errors[0] < 0.4
    assert errors[1] < errors[0] / 3


def test_damping_enters_the_hessian(make_classification):
    """Against the formula written out, on two classes."""
    train, targets = make_classification(2)
    model = _model().fit(train.X, train.y)
    A, Z = (np.c_[part.X, np.ones(len(part))] for part in (train, targets))
    p = model.predict_proba(train.X)[:, 1]
    H = A.T @ np.diag(p * (1 - p)) @ A + np.diag([1, 1, 1, 1, 0]) + 2.5 * np.eye(5)
    g = (p - (train.y == "dog"))[:, None] * A
    h = np.where(targets.y == "dog", 1, -1)[:, None] * Z
    influence = logistic_influence(_model(), train, targets, damping=2.5)
    assert_allclose(influence, -h @ np.linalg.inv(H) @ g.T, rtol=1e-6, atol=1e-9)


def test_sparse_and_unfitted_input_stays_as_it_was(make_classification):
    train, targets = make_classification(3)
    model = _model()
    expected = logistic_influence(model, train, targets)
    assert not hasattr(model, "coef_")
    sparse = [Examples(sp.csr_array(part.X), part.y) for part in (train, targets)]
    assert_allclose(logistic_influence(model, *sparse), expected)


def test_singular_hessian_names_damping(make_classification):
    train, targets = make_classification(3)
    twice = [Examples(np.c_[part.X, part.X], part.y) for part in (train, targets)]
    model = _model(C=np.inf, solver="lbfgs", tol=1e-4)
    with pytest.raises(ValueError, match=r"singular.*set damping above 0"):
        logistic_influence(model, *twice)
    assert np.isfinite(logistic_influence(model, *twice, damping=0.1)).all()
    assert np.isfinite(logistic_influence(_model(), *twice)).all()


def test_separable_classes_have_no_optimum():
    train = Examples(np.arange(20.0)[:, None], np.arange(20) >= 10)
    with pytest.raises(ValueError, match=r"separates the classes.*finite C"):
        logistic_influence(_model(C=np.inf, tol=1e-8), train, train)
    assert np.isfinite(logistic_influence(_model(), train, train)).all()


@pytest.mark.parametrize(
    ("estimator", "options", "error", "message"),
    [
        (LogisticRegressionCV(), {}, TypeError, r"be a LogisticRegression\."),
        (
            make_pipeline(_model()),
            {},
            TypeError,
            "Regression: transform X first",
        ),
        (_model(l1_ratio=0.5, solver="saga"), {}, ValueError, "Set l1_ratio=0"),
        (_model(penalty=None), {}, ValueError, "set C=numpy.inf"),
        (_model(solver="liblinear"), {}, ValueError, "penalises the intercept"),
        (_model(class_weight="balanced"), {}, ValueError, "weights as a dict"),
        (_model(), {"output": "correctness"}, ValueError, "no known derivative"),
        (_model(), {"output": "prediction"}, ValueError, "is for regression"),
        (_model(), {"damping": -1.0}, ValueError, "'damping' parameter"),
    ],
)
def test_bad_input(estimator, options, error, message, make_classification):
    with pytest.raises(error, match=message):
        logistic_influence(estimator, *make_classification(3), **options)


def test_targets_of_another_kind(make_classification):
    train, targets = make_classification(3)
    with pytest.raises(ValueError, match=r"not in the training set: \['fox'\]"):
        logistic_influence(_model(), train, Examples(targets.X, ["fox"] * 8))
    with pytest.raises(ValueError, match=r"shape \(4,\), one of targets.X has \(3,\)"):
        logistic_influence(_model(), train, Examples(targets.X[:, 1:], targets.y))
    with pytest.raises(TypeError, match=r"train must be Examples, got .* of shape"):
        logistic_influence(_model(), train.X, targets)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_subset_equals_the_derivative_of_refits(
    n_classes, frozen, make_classification, derivative_of_additions
):
    train, targets = make_classification(n_classes)
    subset, model = np.r_[4:22], _model(class_weight={"cat": 3.0})
    expected = derivative_of_additions(model, train, targets, "margin", subset)
    inside = logistic_influence(model, train[subset], targets)
    if frozen:
        model = FrozenEstimator(model.fit(train.X[subset], train.y[subset]))
    influence = logistic_influence(model, train, targets, subset=subset)
    assert_allclose(influence, expected, rtol=1e-3, atol=1e-3 * abs(expected).max())
    assert_allclose(influence[:, subset], inside, rtol=1e-6, atol=1e-9)
