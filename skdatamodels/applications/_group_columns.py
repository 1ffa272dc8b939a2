"""The columns that tell a group of rows from others."""

import numpy as np
from scipy.sparse import issparse
from scipy.stats import ks_2samp

from skdatamodels._example_scales import column_names, plain_values
from skdatamodels._frames import columns_of, is_frame
from skdatamodels._sklearn_compat import safe_indexing
from skdatamodels._tables import import_pandas


def group_columns(X, group, same_class):
    """Return how the columns of a group differ from those of other rows, as a frame.

    Rows of a class differ from others in what makes the class, and rows that were moved
    to it differ from the class in what makes theirs. So the smaller difference counts,
    from the class and from all others.

    Parameters
    ----------
    X : array, sparse matrix or data frame of shape (n, ...)
        Inputs. Further dimensions count as columns.
    group : int array
        Rows of the group.
    same_class : int array
        The other rows of its class.

    Returns
    -------
    columns : pandas.DataFrame
        See :meth:`Shortcuts.columns`.
    """
    others = np.setdiff1d(np.arange(X.shape[0]), group)
    against = [rows for rows in (same_class, others) if len(rows)]
    parts = [_columns(safe_indexing(X, rows)) for rows in (group, *against)]
    if is_frame(X) or len(X.shape) < 3:
        names = column_names(X)
    else:
        names = [f"x{j}" for j in range(len(parts[0]))]
    rows = [
        (name, *min(_difference(one, other) for other in rest))
        for name, one, *rest in zip(names, *parts, strict=True)
    ]
    heads = ["column", "difference", "in_group", "among_others"]
    frame = import_pandas().DataFrame(rows, columns=heads)
    return frame.sort_values(
        "difference", ascending=False, kind="stable", ignore_index=True
    )


def _columns(X):
    if is_frame(X):
        return [plain_values(column) for _, column in columns_of(X)]
    X = X.toarray() if issparse(X) else np.asarray(X)
    return list(X.reshape(len(X), -1).T)


def _difference(one, other):
    """Return the largest difference of shares, and what is typical of both parts."""
    if one.dtype.kind in "iuf" and other.dtype.kind in "iuf":
        one, other = (part[~np.isnan(part)] for part in (one, other))
        if not (len(one) and len(other)):
            return np.nan, "", ""
        difference = ks_2samp(one, other, method="asymp").statistic
        return float(difference), *(f"{np.median(part):.4g}" for part in (one, other))
    one, other = one.astype(str), other.astype(str)
    values = np.unique(np.r_[one, other])
    shares = [(part == values[:, None]).mean(axis=1) for part in (one, other)]
    most = (shares[0] - shares[1]).argmax()
    texts = [f"{values[most]} in {share[most]:.0%}" for share in shares]
    return float(shares[0][most] - shares[1][most]), *texts
