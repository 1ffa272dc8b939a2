"""Any examples as a table of standardised numbers, for surrogate models."""

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler

from skdatamodels._example_scales import plain_values
from skdatamodels._examples import with_inputs
from skdatamodels._frames import columns_of, is_frame
from skdatamodels._numbers import is_missing

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
    kinds = _kinds(train.X)
    X, Z = (_by_kind(part.X, kinds) for part in (train, targets))
    for kind in X:
        encoder = _encoder(kind)
        X[kind], Z[kind] = encoder.fit_transform(X[kind]), encoder.transform(Z[kind])
    X, Z = (_stacked([*parts.values()]) for parts in (X, Z))
    scaler = StandardScaler(with_mean=not sp.issparse(X))
    X, Z = scaler.fit_transform(X), scaler.transform(Z)
    most = max(16, _MOST_PARAMETERS // n_outputs)
    if X.shape[1] > most:
        kind = TruncatedSVD if sp.issparse(X) else PCA
        reduce = kind(min(most, *(size - 1 for size in X.shape)), random_state=0)
        reduce.fit(X)  # fit_transform of an approximate decomposition is not transform
        X, Z = reduce.transform(X), reduce.transform(Z)
    return tuple(
        with_inputs(part, _dense(values)) for values, part in ((X, train), (Z, targets))
    )


def _kinds(X):
    """Return the kind of each column of a frame, or of all columns of an array."""
    if is_frame(X):
        return {name: _kind(column.dtype) for name, column in columns_of(X)}
    return "number" if sp.issparse(X) or X.dtype.kind in "biuf" else "category"


def _by_kind(X, kinds):
    """Return numbers and text as arrays by kind; those of the training set decide."""
    if sp.issparse(X):
        return {kinds: X}
    if not is_frame(X):
        return {kinds: _plain(X.reshape(len(X), -1), kinds)}
    columns = dict(columns_of(X))
    found = {}
    for kind in ("number", "category"):
        names = [name for name, own in kinds.items() if own == kind]
        if names:
            found[kind] = np.column_stack(
                [_plain(plain_values(columns[name]), kind) for name in names]
            )
    return found


def _plain(values, kind):
    """Return values as numbers or text; NaN or None where there is none."""
    if kind == "number" and values.dtype.kind in "biuf":
        return values.astype(np.promote_types(values.dtype, np.float32))
    convert = _number if kind == "number" else _text
    flat = [convert(value) for value in values.ravel().tolist()]
    dtype = np.float64 if kind == "number" else object
    return np.array(flat, dtype=dtype).reshape(values.shape)


def _number(value):
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan


def _text(value):
    return None if is_missing(value) else str(value)


def _stacked(parts):
    return parts[0] if len(parts) == 1 else np.hstack(parts)


def _dense(X):
    return np.asarray(X.toarray() if sp.issparse(X) else X, dtype=np.float64)


def _encoder(kind):
    if kind == "category":
        return OneHotEncoder(
            handle_unknown="ignore",
            max_categories=_MOST_CATEGORIES,
            sparse_output=False,
        )
    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        MaxAbsScaler(),  # the squares of large numbers would be infinite
    )


def _kind(dtype):
    """Return what a column of pandas or polars has: number, category or time."""
    if hasattr(dtype, "is_numeric"):
        if dtype.is_temporal():
            return "time"
        return "number" if dtype.is_numeric() else "category"
    return dict.fromkeys("mM", "time").get(
        dtype.kind, "number" if dtype.kind in "iuf" else "category"
    )
