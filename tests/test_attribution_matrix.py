"""AttributionMatrix: shared by clones, never changed, sparse or dense."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skdatamodels import DatamodelRegressor
from skdatamodels.datasets import make_linear_runs
from skdatamodels.regression import AttributionMatrix

WEIGHTS = np.where(np.arange(12).reshape(3, 4) % 3, 0.0, np.arange(12.0).reshape(3, 4))
FORMS = {
    "dense": np.array,
    "list": np.ndarray.tolist,
    "csr_array": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
    "csc_array": sparse.csc_array,
    "csc_matrix": sparse.csc_matrix,
    "coo_array": sparse.coo_array,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_holds_what_it_was_given(form):
    held = AttributionMatrix(form(WEIGHTS))
    assert held.shape == (3, 4)
    assert len(held) == 3
    assert_array_equal(np.asarray(held), WEIGHTS)
    assert np.asarray(held, np.float32).dtype == np.float32
    some = held[[2, 0]]
    assert type(some.weights) is type(held.weights)
    assert_array_equal(np.asarray(some), WEIGHTS[[2, 0]])
    for same in (clone(held), copy.copy(held), copy.deepcopy(held)):
        assert same is held
    again = pickle.loads(pickle.dumps(held))
    assert_array_equal(np.asarray(again), WEIGHTS)
    assert type(again.weights) is type(held.weights)


@pytest.mark.parametrize("form", [np.array, sparse.csr_array, sparse.csr_matrix])
def test_never_changes(form):
    given = form(WEIGHTS)
    held = AttributionMatrix(given)
    (given if isinstance(given, np.ndarray) else given.data)[...] = 7
    assert_array_equal(np.asarray(held), WEIGHTS)
    part = held.weights.data if sparse.issparse(given) else held.weights
    with pytest.raises(ValueError, match="read-only"):
        part[...] = 7
    with pytest.raises(AttributeError, match="immutable: cannot set 'weights'"):
        held.weights = WEIGHTS
    with pytest.raises(AttributeError, match="immutable: cannot delete"):
        del held.weights


def test_a_read_only_array_is_not_copied(tmp_path):
    np.save(tmp_path / "w.npy", WEIGHTS.astype(np.float32))
    on_disk = np.load(tmp_path / "w.npy", mmap_mode="r")
    assert np.shares_memory(AttributionMatrix(on_disk).weights, on_disk)
    assert AttributionMatrix(np.arange(6).reshape(2, 3)).weights.dtype == np.float64


def test_a_read_only_view_of_a_writeable_array_is_copied():
    row = np.arange(4.0)
    view = WEIGHTS.copy()[:, :]
    view.setflags(write=False)
    for given, base in [(np.broadcast_to(row, (3, 4)), row), (view, view.base)]:
        held = AttributionMatrix(given)
        before = np.array(given)
        base[...] = -1
        assert (given == -1).all()
        assert_array_equal(held.weights, before)


def test_sparse_weights_cannot_be_replaced():
    held = AttributionMatrix(sparse.csr_array(WEIGHTS))
    held.weights.data = np.full(held.weights.nnz, -1.0)
    held.weights.indices = held.weights.indices[::-1]
    assert_array_equal(np.asarray(held), WEIGHTS)
    assert np.shares_memory(held.weights.data, held.weights.data)


def test_is_not_iterated():
    with pytest.raises(TypeError, match="not iterable"):
        iter(AttributionMatrix(WEIGHTS))


def test_shows_its_size_and_not_its_content():
    text = repr(AttributionMatrix(WEIGHTS))
    assert text == "AttributionMatrix(n_targets=3, n_train=4, float64)"
    assert "CSR float32" in repr(
        AttributionMatrix(sparse.csr_array(WEIGHTS, dtype="f4"))
    )
    model = DatamodelRegressor(prior=AttributionMatrix(np.ones((300, 400))))
    assert len(repr(model)) < 200
    assert len(model._repr_html_()) < len(DatamodelRegressor()._repr_html_()) + 200


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), "Expected 2D"),
        ([[1.0, np.nan]], "weights contains NaN"),
        (sparse.csr_array([[np.inf]]), "contains infinity"),
    ],
)
def test_bad_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        AttributionMatrix(weights)


RUNS, COEF = make_linear_runs(90, 12, 3, noise=0.5, random_state=0)
HINT = np.where(np.abs(COEF) > 0.3, COEF, 0)


@pytest.mark.parametrize("solver", ["gram", "residual", "saga"])
@pytest.mark.parametrize("lam", [0.05, "cv"])
def test_priors_of_all_forms_give_the_same(solver, lam):
    model = DatamodelRegressor(lam, solver=solver, random_state=0, n_lams=5)
    expected = clone(model.set_params(prior=HINT)).fit(RUNS).coef_
    for form in FORMS.values():
        for prior in (form(HINT), AttributionMatrix(form(HINT))):
            if solver == "gram" or form is sparse.csr_array:
                coef = clone(model.set_params(prior=prior)).fit(RUNS).coef_
                assert_array_equal(coef, expected)


def test_a_search_shares_a_prior():
    prior = AttributionMatrix(HINT)
    search = GridSearchCV(
        DatamodelRegressor(prior=prior), {"lam": [0.01, 0.1]}, cv=2
    ).fit(RUNS)
    assert search.best_estimator_.prior is prior
    searched = GridSearchCV(
        DatamodelRegressor(0.05), {"prior": [None, prior, HINT]}, cv=2
    ).fit(RUNS)
    informed, plain = searched.cv_results_["mean_test_score"][1:]
    assert informed == plain
