"""Models for tables of any kind, by name."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from skdatamodels.auditing._columns import MOST_CATEGORIES, column_kinds

MODELS = "boosting", "forest", "linear"
_MOST_ONE_HOT = 30  # categories of a column; rarer ones share a column
_WORDS, _FEW_WORDS = 2000, 200  # of a column of text; few for trees


def model_for(name, X, task):
    """Make a model for a table: a pipeline of an encoder for its columns and a learner.

    Numbers may have gaps. Categories are encoded, texts become TF-IDF, and dates become
    days.

    Parameters
    ----------
    name : {"boosting", "forest", "linear"}
        Learner: gradient boosting on histograms, random forest, or logistic or ridge
        regression.
    X : pandas.DataFrame
        The table, of which only names and types of columns matter.
    task : {"classification", "regression"}
        What to predict.

    Returns
    -------
    model : Pipeline
        The model, which is not fitted.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdatamodels.auditing._models import model_for
    >>> X = pd.DataFrame({"age": [31, 40, 25], "city": ["Rome", "Oslo", "Rome"]})
    >>> model_for("linear", X, "classification").fit(X, ["a", "b", "a"]).predict(X)
    array(['a', 'b', 'a'], dtype='<U1')
    """
    columns = {kind: [] for kind in ("number", "category", "text", "date")}
    # positions: scikit-learn takes names that are whole numbers for positions
    for position, kind in enumerate(column_kinds(X).values()):
        columns[kind].append(position)
    encoder = make_column_transformer(
        *_encoders(name, columns),
        sparse_threshold=0.3 if name == "linear" else 0,
        verbose_feature_names_out=False,
    )
    return make_pipeline(encoder, _learner(name, task, len(columns["category"])))


def _learner(name, task, n_categories):
    classifies = task == "classification"
    if name == "boosting":
        kinds = HistGradientBoostingRegressor, HistGradientBoostingClassifier
        # the encoder puts the categories first
        return kinds[classifies](
            categorical_features=list(range(n_categories)) or None, early_stopping=False
        )
    if name == "forest":
        return (
            RandomForestClassifier()
            if classifies
            else RandomForestRegressor(max_features=1 / 3)
        )
    return LogisticRegression(max_iter=1000) if classifies else Ridge()


def _encoders(name, columns):
    """Return (transformer, columns) for each kind; categories come first."""
    if name == "boosting":
        categories = OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=float("nan"),
            encoded_missing_value=float("nan"),
            max_categories=MOST_CATEGORIES,
        )
        numbers, dates = "passthrough", Days()
    else:
        categories = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=_MOST_ONE_HOT
        )
        numbers, dates = _filled(name), make_pipeline(Days(), _filled(name))
    yield categories, columns["category"]
    yield numbers, columns["number"]
    yield dates, columns["date"]
    for column in columns["text"]:
        words = TfidfVectorizer(max_features=_WORDS if name == "linear" else _FEW_WORDS)
        yield make_pipeline(FilledText(), words), column


def _filled(name):
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return fill if name == "forest" else make_pipeline(fill, StandardScaler())


def _days(column):
    """Return the dates of a column as days, float64 (n,)."""
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_convert(None)
    seconds = column.to_numpy().astype("datetime64[s]")  # wide enough for any year
    return np.where(np.isnat(seconds), np.nan, seconds.astype("int64") / 86400)


class Days(TransformerMixin, BaseEstimator):
    """Turn dates into days since 1970, NaN where there is none."""

    def fit(self, X, y=None):
        """Do nothing."""
        return self

    def transform(self, X):
        """Return float64 (n, n_columns)."""
        return np.column_stack([_days(X.iloc[:, k]) for k in range(X.shape[1])])

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns."""
        return input_features

    def __sklearn_is_fitted__(self):
        return True


class FilledText(TransformerMixin, BaseEstimator):
    """Replace missing texts by empty ones."""

    def fit(self, X, y=None):
        """Do nothing."""
        return self

    def transform(self, X):
        """Return the texts, an object array of shape (n,)."""
        return X.fillna("").astype(str).to_numpy(dtype=object)

    def __sklearn_is_fitted__(self):
        return True
