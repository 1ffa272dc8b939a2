"""Moments: all that a least-squares fit needs to know of its data.

Moments of disjoint sets of runs add up, so the data are read once however many folds
a selection of lam uses: a training fold is the whole minus the held-out fold.
"""

from typing import NamedTuple

import numpy as np

from skdatamodels.masks import PackedMasks


class Moments(NamedTuple):
    """Sums over some runs; y has been shifted so that its sums keep their digits."""

    n_runs: int
    x_sum: np.ndarray  # (d,)
    y_sum: np.ndarray  # (n_targets,)
    xx: np.ndarray  # (d, d); int32 counts for masks
    xy: np.ndarray  # (d, n_targets)
    yy: np.ndarray  # (n_targets,)

    def __add__(self, other):
        return Moments(*(a + b for a, b in zip(self, other, strict=True)))

    def __sub__(self, other):
        return Moments(*(a - b for a, b in zip(self, other, strict=True)))

    @property
    def x_mean(self):
        """Mean of each column."""
        return self.x_sum / self.n_runs

    @property
    def y_mean(self):
        """Mean of each (shifted) target."""
        return self.y_sum / self.n_runs

    def centred(self, x_mean, y_mean, dtype):
        """Second moments about given means, divided by the number of runs.

        With x̄, ȳ the means of these runs, mean((x-μ)(y-ν)) = mean(xy) - x̄ȳ +
        (x̄-μ)(ȳ-ν), and likewise for xx and yy.

        Returns
        -------
        gram : array of shape (d, d)
        cov : float64 array of shape (d, n_targets)
        y_var : float64 array of shape (n_targets,)
        """
        x, y = self.x_mean, self.y_mean
        dx, dy = x - x_mean, y - y_mean
        gram = np.empty(self.xx.shape, dtype)
        for i, row in enumerate(self.xx):  # by rows: no float64 matrix in between
            gram[i] = row / self.n_runs - x[i] * x + dx[i] * dx
        cov = self.xy / self.n_runs - np.outer(x, y) + np.outer(dx, dy)
        y_var = self.yy / self.n_runs - y**2 + dy**2
        return gram, cov, y_var


def moments(X, y, n_jobs=None):
    """Compute the moments of some runs.

    Parameters
    ----------
    X : PackedMasks or float array of shape (n_runs, d)
    y : float array of shape (n_runs, n_targets)
    n_jobs : int, optional
        Number of threads for the pair counts of masks.

    Returns
    -------
    moments : Moments
    """
    y = np.asarray(y, np.float64)
    if isinstance(X, PackedMasks):
        x_sum, xx, xy = X.column_counts(), X.gram(n_jobs), X.T_dot(y)
    else:
        X = np.asarray(X, np.float64)
        x_sum, xx, xy = X.sum(axis=0), X.T @ X, X.T @ y
    return Moments(len(y), x_sum, y.sum(axis=0), xx, xy, (y**2).sum(axis=0))
