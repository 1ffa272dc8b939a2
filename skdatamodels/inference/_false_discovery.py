"""Cuts for scores that keep the false-discovery rate, without sorting them.

Benjamini and Hochberg select the k smallest of N p-values for the largest k with
p₍ₖ₎ ≤ fdr·k/N. The number k of p-values up to a threshold t, and t = fdr·k/N, are
computed in turn from t = fdr on. k falls to the largest such number, and p-values need
not be kept: their scores are compared with the quantile of t.
"""

import numpy as np
from scipy import special


def cuts_of_targets(scores, freedom, fdr, method):
    """Return the least selected score of each target (n_targets,), inf for none.

    Parameters
    ----------
    scores : float64 array of shape (n_targets, k)
        Absolute scores, distributed as Student's t if the null hypothesis holds; NaN if
        not known.
    freedom : float64 array of shape (n_targets,)
        Degrees of freedom.
    fdr : float
        Expected share of false discoveries.
    method : {"bh", "by"}
        Benjamini and Hochberg, or Benjamini and Yekutieli.
    """
    n = (~np.isnan(scores)).sum(axis=1)
    return _settle(
        lambda cut: (scores >= cut[:, None]).sum(axis=1), n, freedom, fdr, method
    )


def cut_of_all(scores, freedom, fdr, method):
    """Return the cuts of blocks of targets, for one rate of all of them together.

    Parameters
    ----------
    scores : list of callable
        Each returns the scores of a block, as in `cuts_of_targets`.
    freedom : list of float64 array
        Degrees of freedom of each block.
    fdr, method : object
        As in `cuts_of_targets`.

    Returns
    -------
    cuts : list of float64 array
        One for each block.
    """
    n = sum((~np.isnan(block())).sum() for block in scores)
    edges = np.cumsum([len(of_block) for of_block in freedom])[:-1]

    def count(cut):
        parts = np.split(cut, edges)
        return sum(
            (block() >= part[:, None]).sum()
            for block, part in zip(scores, parts, strict=True)
        )

    return np.split(_settle(count, n, np.concatenate(freedom), fdr, method), edges)


def distinguishable(weights, errors, fdr):
    """Return which weights of a target are not 0, by normal standard errors.

    The rate holds among the positive ones, and among the negative ones. Weights whose
    95 % interval contains 0 are not among them.

    Parameters
    ----------
    weights, errors : arrays of shape (k,)
        Weights and their standard errors. If an error is 0, nothing is known.
    fdr : float
        Expected share of false discoveries.

    Returns
    -------
    selected : bool array of shape (k,)
    """
    known = np.zeros(len(weights))
    z = np.divide(weights, errors, out=known, where=errors > 0)[None]
    normal = np.array([np.inf])  # degrees of freedom
    cuts = [cuts_of_targets(side, normal, 2 * fdr, "bh")[0] for side in (z, -z)]
    selected = (z >= cuts[0]) | (-z >= cuts[1])
    return selected[0] & (abs(z[0]) > special.ndtri(0.975))


def _settle(count, n, freedom, fdr, method):
    """Alternate between thresholds and numbers of selected scores; return cuts."""
    n = np.maximum(n, 1)
    if method == "by":
        fdr = fdr / (special.digamma(n + 1) + np.euler_gamma)  # 1 + 1/2 + … + 1/n
    selected = n
    while True:
        threshold = np.broadcast_to(fdr * selected / n, freedom.shape)
        cut = -special.stdtrit(freedom, threshold / 2)  # inf for 0
        cut = np.where(threshold > 0, cut, np.inf)
        found = count(cut)
        if np.array_equal(found, selected):
            return cut
        selected = found
