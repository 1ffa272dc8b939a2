"""A row of a matrix, dense or sparse."""

import numpy as np
from scipy.sparse import issparse


def dense_row(matrix, row):
    """Return a row of a dense or sparse matrix as an array (n_columns,)."""
    values = matrix[[row]]
    return (values.toarray() if issparse(values) else np.asarray(values))[0]
