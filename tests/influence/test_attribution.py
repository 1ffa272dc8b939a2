import functools
import inspect
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import Ridge

from skdatamodels import Examples, SubsetTrainer, influence
from skdatamodels.influence import (
    Attribution,
    adapters,
    knn_shapley,
    representation_similarity,
    ridge_influence,
    same_class_influence,
)
from skdatamodels.judging import compare_attributions

RNG = np.random.default_rng(0)
TRAIN = Examples(RNG.normal(size=(12, 3)), np.arange(12) % 2)
TARGETS = Examples(RNG.normal(size=(5, 3)), np.arange(5) % 2)


def shifted(train, targets, *, by, base=np.zeros):
    return base((len(targets), len(train))) + by


def test_calls_the_function():
    made = Attribution(knn_shapley, TRAIN, TARGETS, n_neighbors=3)()
    assert_array_equal(made, knn_shapley(TRAIN, TARGETS, n_neighbors=3))
    ridge = Attribution(
        ridge_influence, TRAIN, TARGETS, estimator=Ridge(), output="prediction"
    )
    expected = ridge_influence(Ridge(), TRAIN, TARGETS, output="prediction")
    assert_array_equal(ridge(), expected)
    assert ridge.shape == expected.shape


def test_a_sparse_matrix_stays_sparse():
    def few(train, targets):
        return sparse.coo_array(np.eye(len(targets), len(train)))

    made = Attribution(few, TRAIN, TARGETS)()
    assert sparse.issparse(made)
    assert_array_equal(made.toarray(), np.eye(5, 12))


def test_parameters_are_those_of_the_function_and_of_an_estimator_among_them():
    made = Attribution(
        ridge_influence, TRAIN, TARGETS, estimator=Ridge(), output="prediction"
    )
    params = made.get_params()
    assert params["damping"] == 0.0  # the default of the function
    assert params["estimator__alpha"] == 1.0
    assert "estimator__alpha" not in made.get_params(deep=False)
    made.set_params(damping=2.0, estimator__alpha=3.0)
    expected = ridge_influence(
        Ridge(3.0), TRAIN, TARGETS, output="prediction", damping=2.0
    )
    assert_array_equal(made(), expected)
    with pytest.raises(ValueError, match="Invalid parameter 'n_neighbors'"):
        made.set_params(n_neighbors=3)


def test_a_clone_shares_what_is_no_estimator():
    states = [np.zeros(3)]
    made = Attribution(
        shifted, TRAIN, TARGETS, by=2.0, checkpoints=states, estimator=Ridge()
    )
    cloned = clone(made)
    assert cloned is not made
    assert cloned.get_params(deep=False).keys() == made.get_params(deep=False).keys()
    assert cloned.checkpoints is states
    assert cloned.train is TRAIN
    assert cloned.estimator is not made.estimator
    cloned.set_params(by=3.0, estimator__alpha=9.0)
    assert (made.by, made.estimator.alpha) == (2.0, 1.0)


def test_pickles_and_shows_itself():
    made = Attribution(knn_shapley, TRAIN, TARGETS, n_neighbors=3)
    again = pickle.loads(pickle.dumps(made))
    assert_array_equal(again(), made())
    assert again.train == TRAIN
    assert "knn_shapley" in repr(made)
    assert "n_neighbors" in made._repr_html_()


@pytest.mark.parametrize(
    ("function", "params", "error", "message"),
    [
        (shifted, {}, TypeError, "shifted does not accept .* missing .*'by'"),
        (shifted, {"damping": 1}, TypeError, r"\(train, targets, damping\)"),
        (lambda a, b: 0, {}, TypeError, "arguments by name"),
        (shifted, {"by": np.nan}, ValueError, "shifted contains NaN"),
        (
            lambda train, targets: np.ones((12, 5)),
            {},
            ValueError,
            r"shape \(12, 5\), but \(n_targets, n_train\) is \(5, 12\)",
        ),
        (
            functools.partial(shifted, by=[0, 1]),
            {},
            ValueError,
            "shape mismatch|broadcast",
        ),
    ],
)
def test_bad_calls(function, params, error, message):
    with pytest.raises(error, match=message):
        Attribution(function, TRAIN, TARGETS, **params)()


def test_data_must_be_examples():
    with pytest.raises(TypeError, match="targets must be Examples"):
        Attribution(same_class_influence, TRAIN, TARGETS.X)()


OF_RUNS = {"AttributionRegressor", "DifferenceOfMeans", "banzhaf_values"} | {
    "Attribution",
    "CheapAttributions",
    "data_oob",  # values of training examples, without targets
    "shapley_values",
}


@pytest.mark.parametrize(
    "function",
    [getattr(influence, name) for name in sorted({*influence.__all__} - OF_RUNS)]
    + [getattr(adapters, name) for name in adapters.__all__],
)
def test_all_functions_take_train_and_targets_by_name(function):
    parameters = inspect.signature(function).parameters
    assert {"train", "targets"} <= parameters.keys()
    first = [name for name in parameters if name in ("train", "targets")]
    assert first == ["train", "targets"]


def test_similarity_takes_examples_too():
    for metric in ("l2", "cosine", "dot", "mahalanobis"):
        made = Attribution(representation_similarity, TRAIN, TARGETS, metric=metric)
        expected = representation_similarity(TRAIN.X, TARGETS.X, metric=metric)
        assert_array_equal(made(), expected)


def test_is_a_method_of_a_comparison():
    runs = SubsetTrainer(
        Ridge(), TRAIN, TARGETS, output="prediction", random_state=0
    ).fit_transform(np.arange(20))
    made = Attribution(
        ridge_influence, TRAIN, TARGETS, estimator=Ridge(), output="prediction"
    )
    comparison = compare_attributions(
        {"function": made, "matrix": made()}, runs, TRAIN, TARGETS, random_state=0
    )
    names = list(comparison.name)
    lds = comparison.lds[[names.index("function"), names.index("matrix")]]
    assert lds[0] == lds[1]
