"""Models made for the columns of a table."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from skdatamodels.auditing._columns import column_kinds, plain_columns
from skdatamodels.auditing._models import MODELS, Days, model_for

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
    X = X[["category"]]
    ours = model_for("linear", X, "classification").fit(X, y)
    Z = OneHotEncoder().fit_transform(X)
    theirs = LogisticRegression(max_iter=1000).fit(Z, y)
    np.testing.assert_allclose(
        ours.predict_proba(X), theirs.predict_proba(Z), rtol=1e-6
    )


def test_names_of_columns_may_be_numbers():
    X, y = mixed()
    numbered = X.set_axis([3, 0, 2, 7], axis=1)
    one, other = (
        model_for("linear", part, "classification").fit(part, y).predict_proba(part)
        for part in (X, numbered)
    )
    np.testing.assert_allclose(one, other, rtol=1e-9)


def test_dates_of_any_year_and_time_zone():
    dates = pd.Series(["0001-01-01", "9999-12-31", None], dtype="datetime64[s]")
    here = pd.to_datetime(["1970-01-02 01:00"] * 3).tz_localize("Europe/Rome")
    days = Days().transform(pd.DataFrame({"end": dates, "here": here}))
    start = np.datetime64("1970-01-01")
    expected = (dates.to_numpy()[:2] - start) / np.timedelta64(1, "D")
    np.testing.assert_array_equal(days[:, 0], [*expected, np.nan])
    np.testing.assert_array_equal(days[:, 1], 1.0)


@pytest.mark.parametrize("name", MODELS)
def test_nullable_columns_with_gaps(name):
    X, y = mixed()
    X = pd.DataFrame(
        {
            "number": X["number"].round().astype("Int64"),
            "flag": (X["category"] == "on").astype("boolean"),
            "text": X["category"].astype("string"),
        }
    )
    X.loc[::7] = pd.NA
    X, _ = plain_columns(X)
    model = model_for(name, X, "classification").fit(X, y)
    assert (model.predict(X) == y).mean() > 0.9
