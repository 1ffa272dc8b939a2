"""Models made for the columns of a table."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from skdatamodels.auditing._columns import column_kinds
from skdatamodels.auditing._models import MODELS, model_for

pd = pytest.importorskip("pandas")


def mixed(n=120):
    """Return a table whose label is told by each kind of column alone."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    X = pd.DataFrame(
        {
            "number": y + rng.normal(scale=0.1, size=n),
            "category": np.where(y, "on", "off"),
            "text": np.where(y, "the cat sat down there", "a dog ran over it"),
            "date": pd.to_datetime(np.where(y, "2020-01-05", "2021-07-01")),
        }
    )
    return X, np.where(y, "yes", "no")


def test_kinds():
    assert list(column_kinds(mixed()[0]).items()) == [
        (name, name) for name in ("number", "category", "text", "date")
    ]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("column", ["number", "category", "text", "date"])
def test_each_kind_of_column_is_learnt(name, column):
    X, y = mixed()
    X = X[[column]].copy()
    X.loc[::13, column] = None  # gaps
    model = model_for(name, X, "classification").fit(X, y)
    assert (model.predict(X) == y).mean() > 0.9


@pytest.mark.parametrize("name", MODELS)
def test_unseen_categories_and_regression(name):
    X, y = mixed()
    model = model_for(name, X, "regression").fit(X, (y == "yes").astype(float))
    new = X[:4].assign(category="broken")
    assert np.isfinite(model.predict(new)).all()


def test_linear_model_agrees_with_its_parts():
    X, y = mixed()
    ours = model_for("linear", X[["category"]], "classification").fit(X, y)
    Z = OneHotEncoder().fit_transform(X[["category"]])
    theirs = LogisticRegression(max_iter=1000).fit(Z, y)
    np.testing.assert_allclose(
        ours.predict_proba(X), theirs.predict_proba(Z), rtol=1e-6
    )
