"""The largest weights of each target, for a page."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

from skdatamodels._attribution_matrix import AttributionMatrix
from skdatamodels._last_step import last_step
from skdatamodels._numbers import as_real
from skdatamodels.pages._page import check_size, embed, embed_counts

_LEAST_WEIGHTS = 10  # of a target, for a page to be useful


class LargestWeights(NamedTuple):
    """The largest weights of each target, one target after the other.

    Attributes
    ----------
    counts : int array of shape (n_targets,)
        Number of weights that are kept of each target.
    columns : int array of shape (n_kept,)
        Their columns. In each target, those of the largest weights come first.
    values : float array of shape (n_kept,)
        The weights.
    errors : float array of shape (n_kept,) or None
        Their standard errors.
    cutoff : float array of shape (n_targets,)
        The largest magnitude that was left out, 0 for none.
    left_out : float array of shape (n_targets,)
        Root mean square of what was left out: of the weights, whose errors add to it.
    share : float array of shape (n_targets,)
        Share of the sum of magnitudes that is kept.
    total_share : float
        The same over all targets.
    """

    counts: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    errors: np.ndarray | None
    cutoff: np.ndarray
    left_out: np.ndarray
    share: np.ndarray
    total_share: float

    @classmethod
    def of(cls, weights, n_weights, errors=None):
        """Keep the `n_weights` largest weights of each target.

        A weight of zero is kept too if its error is not zero.
        """
        columns, values, kept_errors = [], [], []
        cutoff, left_out, kept, whole = [], [], [], []
        for target in range(weights.shape[0]):
            where, row, error = _known_of(weights, errors, target)
            size = np.abs(row)
            chosen, left = np.arange(len(row)), 0.0
            if len(row) > n_weights:
                # of weights of zero, those of the largest errors
                first = np.where(size > 0, size, error - error.max())
                order = np.argpartition(-first, n_weights)
                chosen, left = order[:n_weights], float(size[order[n_weights]])
            chosen = chosen[np.lexsort((where[chosen], -size[chosen]))]
            columns.append(where[chosen])
            values.append(row[chosen])
            kept_errors.append(error[chosen])
            cutoff.append(left)
            rest = np.delete(size**2 + error**2, chosen).sum()
            left_out.append(rest / max(1, weights.shape[1] - len(chosen)))
            kept.append(size[chosen].sum())
            whole.append(size.sum())
        kept, whole = np.array(kept), np.array(whole)
        return cls(
            np.array([len(part) for part in columns]),
            np.concatenate(columns),
            np.concatenate(values),
            np.concatenate(kept_errors) if errors is not None else None,
            np.array(cutoff),
            np.sqrt(left_out),
            np.divide(kept, whole, out=np.ones(len(kept)), where=np.array(cutoff) > 0),
            float(kept.sum() / whole.sum()) if any(cutoff) else 1.0,
        )

    def largest_columns(self, n_most):
        """Return the columns among the `n_most` largest of any target, sorted."""
        rank = np.arange(len(self.columns)) - np.repeat(
            np.cumsum(self.counts) - self.counts, self.counts
        )
        return np.unique(self.columns[(rank < n_most) & (self.values != 0)])

    def embed(self, n_columns):
        """Return the data of the page."""
        errors = self.errors
        return {
            "nColumns": n_columns,
            "counts": embed_counts(self.counts),
            "columns": embed_counts(self.columns),
            "values": embed(self.values.astype(np.float32)),
            "errors": None if errors is None else embed(errors.astype(np.float32)),
            "cutoff": embed(self.cutoff.astype(np.float32)),
            "leftOut": embed(self.left_out.astype(np.float32)),
            "share": embed(self.share.astype(np.float32)),
            "totalShare": self.total_share,
        }


def check_weights(weights):
    """Return an attribution matrix, and what a fitted estimator knows of it.

    Returns
    -------
    weights : float array or CSR of shape (n_targets, n_columns)
        The matrix, or that of the estimator.
    info : OutputInfo or None
        What the outputs measure, of an estimator.
    quality : float array of shape (n_targets,) or None
        R² of each target on held-out runs, of an estimator.
    """
    estimator = last_step(weights)
    info = getattr(estimator, "output_info_", None)
    quality = getattr(estimator, "held_out_r2_", None)
    weights = getattr(estimator, "coef_", weights)
    weights = weights[None] if np.ndim(weights) == 1 else weights
    weights = AttributionMatrix.weights_of(weights, "weights")
    check_size(weights.data if issparse(weights) else weights, "weights")
    return weights, info, quality


def check_errors(standard_error, shape):
    """Return the standard errors of targets, and those of weights; None if not given.

    Parameters
    ----------
    standard_error : array-like, CSR or None
        As given.
    shape : tuple (n_targets, n_columns)
        Shape of the weights.
    """
    if standard_error is None:
        return None, None
    if issparse(standard_error):
        errors = standard_error.tocsr()
        stored = errors.data
    else:
        errors = stored = as_real(standard_error, "standard_error")
    if errors.shape not in (shape, shape[:1]):
        raise ValueError(
            f"standard_error must have shape {shape[:1]}, one for each target, or "
            f"{shape}, one for each weight; got {errors.shape}."
        )
    if not (np.isfinite(stored) & (stored >= 0)).all():
        raise ValueError(
            "standard_error must be finite and not negative. Variances are not "
            "standard errors: pass their square roots."
        )
    check_size(stored, "standard_error")
    return (errors, None) if errors.ndim == 1 else (None, errors)


def choose_n_weights(weights, n_more, max_bytes):
    """Return the number of weights of a target that fit into half of the page.

    `n_more` is the number of bytes of what else is known of each.
    """
    n_targets, n_columns = weights.shape
    index = 1 if n_columns <= 2**8 else 2 if n_columns <= 2**16 else 4
    each = (index + 4 + n_more) * 4 / 3
    n_weights = int(max_bytes / 2 / each / n_targets)
    if n_weights < min(_LEAST_WEIGHTS, n_columns):
        raise ValueError(
            f"Only {n_weights} weights of each of the {n_targets:,} targets fit into "
            f"max_bytes={max_bytes:,}. Pass fewer targets, or a larger max_bytes."
        )
    return min(n_weights, n_columns)


def make_map(weights):
    """Return coordinates of the targets: two components of the normalised weights."""
    n_targets, n_columns = weights.shape
    found = np.zeros((n_targets, 2))
    n_components = min(2, n_targets - 1, n_columns - 1)
    if n_components > 0:
        left, sizes, _ = randomized_svd(
            normalize(weights), n_components, random_state=0
        )
        found[:, :n_components] = left * sizes
    return found


def _known_of(weights, errors, target):
    """Return columns, weights and errors of a target, where either is not zero."""
    columns, row = _nonzero_of(weights, target)
    if errors is None:
        return columns, row, np.zeros(len(row))
    uncertain, error = _nonzero_of(errors, target)
    both = np.union1d(columns, uncertain)
    found = np.zeros((2, len(both)))
    found[0, np.searchsorted(both, columns)] = row
    found[1, np.searchsorted(both, uncertain)] = error
    return both, *found


def _nonzero_of(matrix, target):
    """Return the columns and the values of the non-zero entries of a target."""
    if issparse(matrix):
        part = slice(matrix.indptr[target], matrix.indptr[target + 1])
        columns, values = matrix.indices[part], matrix.data[part]
        known = np.flatnonzero(values)
        return columns[known].astype(np.int64), values[known].astype(np.float64)
    values = np.asarray(matrix[target], dtype=np.float64)
    columns = np.flatnonzero(values)
    return columns, values[columns]
