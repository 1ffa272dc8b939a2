"""Any examples as a table of standardised numbers, for surrogate models."""

import numpy as np
import scipy.sparse as sp
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdatamodels._examples import with_inputs
from skdatamodels._frames import columns_of, is_frame

_MOST_PARAMETERS = 2000  # of a linear model of the table
_MOST_CATEGORIES = 30  # of a column; rarer ones share a column


def surrogate_table(train, targets, n_outputs):
    """Return both parts with X as float64 (n, n_features), standardised on `train`.

    Categories are encoded one-hot, missing values imputed by the median, further
    dimensions flattened, and many features reduced to their principal components.

    Parameters
    ----------
    train, targets : Examples
        The training set and the targets.
    n_outputs : int
        Number of outputs of a linear model, which bounds the number of features.

    Returns
    -------
    train, targets : Examples
        The same examples.
    """
    X, Z = (_as_columns(part.X) for part in (train, targets))
    most = max(16, _MOST_PARAMETERS // n_outputs)
    encoder = make_pipeline(_encoder(X), StandardScaler(with_mean=not sp.issparse(X)))
    X, Z = (encoder.fit_transform(X), encoder.transform(Z))
    if X.shape[1] > most:
        kind = TruncatedSVD if sp.issparse(X) else PCA
        reduce = kind(min(most, *(size - 1 for size in X.shape)), random_state=0)
        X, Z = reduce.fit_transform(X), reduce.transform(Z)
    return tuple(
        with_inputs(part, _dense(values)) for values, part in ((X, train), (Z, targets))
    )


def _as_columns(X):
    """Return a frame or a sparse matrix as it is, and an array as (n, n_features)."""
    if is_frame(X) or sp.issparse(X):
        return X
    X = X.reshape(len(X), -1)
    is_number = X.dtype.kind in "biuf"
    return X.astype(np.promote_types(X.dtype, np.float32)) if is_number else X


def _dense(X):
    return np.asarray(X.toarray() if sp.issparse(X) else X, dtype=np.float64)


def _encoder(X):
    numbers = SimpleImputer(strategy="median", keep_empty_features=True)
    categories = OneHotEncoder(
        handle_unknown="ignore", max_categories=_MOST_CATEGORIES, sparse_output=False
    )
    if is_frame(X):
        kinds = {name: _kind(column.dtype) for name, column in columns_of(X)}
        return make_column_transformer(
            (numbers, [name for name, kind in kinds.items() if kind == "number"]),
            (categories, [name for name, kind in kinds.items() if kind == "category"]),
        )
    return numbers if X.dtype.kind in "biuf" else categories


def _kind(dtype):
    """Return what a column of pandas or polars has: number, category or time."""
    if hasattr(dtype, "is_numeric"):
        if dtype.is_temporal():
            return "time"
        return "number" if dtype.is_numeric() else "category"
    return dict.fromkeys("mM", "time").get(
        dtype.kind, "number" if dtype.kind in "iuf" else "category"
    )
