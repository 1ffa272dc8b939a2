"""The covariance of random masks, from their sizes, and whether they have it.

Masks of fixed size k out of n columns have, whichever subset is drawn, the covariance

    v·(1 - 11ᵀ/n),   v = k(n - k) / (n(n - 1)) .

Stratified masks have one such block a stratum. Bernoulli masks have α(1 - α)·1. Runs of
several sizes or fractions are centred within each, and their covariances averaged.
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from skdatamodels._numbers import as_real
from skdatamodels.masks import DESIGNS
from skdatamodels.masks._packed import as_slice, row_blocks
from skdatamodels.runs import TrainingRuns
from skdatamodels.runs._training_runs import paired_runs

_MOST_LEVELS = 20  # sizes of subsets that count as fixed
_MOST_UNSEEN = 20  # expected subsets of a size of which chance leaves none
_MOST_COLUMNS = 400  # whose correlations are checked
_CHANCE = 6.0  # standard errors that chance does not explain
_RARE = 1e-9  # probability that chance does not explain
_TOLERANCE = 0.25  # of mean squared correlations, relative to independent runs
ORTHOGONAL = 0.02  # mean squared correlation of complete orthogonal blocks, at most
_UNLIKELY_COMPLEMENTS = 30  # columns from which complements do not occur by chance


class MaskCovariance(NamedTuple):
    """The design of the runs, as far as the covariance of masks depends on it."""

    fixed: bool  # whether sizes are fixed: weights are known up to a constant
    stratum: np.ndarray  # (d,), stratum of each column; all 0 without strata
    n_columns: np.ndarray  # (n_strata,)
    sizes: np.ndarray  # (n_strata, m), of each subset in each stratum
    level: np.ndarray  # (m,), runs of equal fraction
    alpha: np.ndarray  # (n_levels,)
    pairs: np.ndarray  # (n_pairs, 2), runs that are complements

    @classmethod
    def of(cls, packed, seeds, strata, alpha):
        """Find the covariance of masks; raise if they do not look random.

        Parameters
        ----------
        packed : PackedMasks of shape (n_runs, d)
        seeds : array of shape (n_runs,) or None
            Training seeds.
        strata : int array of shape (d,) or None
            Stratum of each column.
        alpha : float array of shape (n_runs,) or None
            Fraction of each run.
        """
        m, d = packed.shape
        stratum = np.zeros(d, int) if strata is None else strata
        n_columns = np.bincount(stratum)
        sizes = np.empty((len(n_columns), m))
        members = np.eye(len(n_columns), dtype=np.float32)[stratum]
        for rows in row_blocks(m, 4 * d):
            sizes[:, rows] = (packed.dense(rows, np.float32) @ members).T
        total = sizes.sum(axis=0)
        fixed, level = _levels(total, d, alpha)
        if strata is not None and not fixed:
            raise ValueError(
                "strata are for subsets of fixed size, but the sizes of these vary "
                f"from {total.min():.0f} to {total.max():.0f}. Leave strata out."
            )
        fraction = np.bincount(level, total) / np.bincount(level) / d
        if not ((fraction > 0) & (fraction < 1)).all():
            raise ValueError(
                "Some runs saw no training example, or all of them, by design: they "
                "say nothing about single examples. Leave them out."
            )
        pairs = find_pairs(packed, seeds)
        found = cls(fixed, stratum, n_columns, sizes, level, fraction, pairs)
        found.check_counts(packed)
        return found

    def variances(self, excluded=None):
        """Return the variance v of each stratum in each run (n_strata, m).

        `excluded` is the stratum of a column that none of the used runs contains.
        """
        if not self.fixed:
            alpha = self.alpha[self.level]
            return (alpha * (1 - alpha))[None]
        n = self.n_usable(excluded)[:, None]
        return self.sizes * (n - self.sizes) / np.maximum(n * (n - 1), 1)

    def n_usable(self, excluded=None):
        """Return the number of columns of each stratum, less an excluded one."""
        n = self.n_columns.astype(float)
        if excluded is not None:
            n[excluded] -= 1
        return n

    def centred(self, rows, absent=None):
        """Subtract from weights (n, d) what the runs cannot tell: means of strata.

        `absent` (n, d) marks columns that do not count; None: all do.
        """
        present = np.ones((1, 1)) if absent is None else ~absent
        rows = rows * present
        if not self.fixed:
            return rows
        members = np.eye(len(self.n_columns))[self.stratum]
        n = self.n_columns if absent is None else present @ members
        means = rows @ members / np.maximum(n, 1)
        return (rows - means[:, self.stratum]) * present

    def check_counts(self, packed):
        """Raise if some examples are in far more runs than others."""
        m, d = packed.shape
        variances = self.variances().sum(axis=1)
        if not (variances > 0).all():
            raise ValueError(
                "Some training examples are in all runs or in none, so their weights "
                "cannot be told from the intercept. A stratum needs two examples or "
                "more."
            )
        one = np.ones(m, bool)
        one[self.pairs] = False  # in pairs all counts are equal
        if not one.any():
            return
        v = self.variances()[:, one].sum(axis=1)
        v = (v if self.fixed else v.repeat(len(self.n_columns)))[self.stratum]
        mean = (self.sizes[:, one].sum(axis=1) / self.n_columns)[self.stratum]
        counts = (packed if one.all() else packed[one]).column_counts()
        z = (counts - mean) / np.sqrt(v)
        if (z**2).mean() > 0.5 + special.chdtri(d, _RARE) / d or abs(z).max() > 8:
            worst = abs(z).argmax()
            raise ValueError(
                f"Training example {worst} is in {counts[worst]:.0f} of {one.sum()} "
                f"runs, where random subsets give {mean[worst]:.0f}. These intervals "
                "need masks drawn at random, with the same fraction of each example: "
                "see sample_masks. Pass strata if the subsets were stratified, and "
                "average the outputs of runs that repeat a subset."
            )

    def correlation(self, packed):
        """Return the mean squared correlation of columns, times the number of runs.

        1 for independent runs, 0 for complete orthogonal blocks. Raise if masks are far
        from both.
        """
        d = packed.n_train
        some = np.arange(d)
        if d > _MOST_COLUMNS:
            some = np.sort(np.random.default_rng(0).permutation(d)[:_MOST_COLUMNS])
        gram, n = self._gram(packed, some)
        root, stratum = np.sqrt(np.diagonal(gram)), self.stratum[some]
        expected = 0.0
        if self.fixed:  # columns of a stratum are anticorrelated
            same = stratum[:, None] == stratum
            expected = same / np.maximum(self.n_columns[stratum] - 1, 1)
        upper = np.triu_indices(len(some), 1)
        size = np.where(root > 0, root, np.nan)  # 0 if it is in no run
        rho = (gram / np.outer(size, size) + expected)[upper]
        known = np.isfinite(rho)
        if known.sum() < 10:  # too few columns to tell, and their number is small
            return 1.0
        # The products of two columns that few runs are in have heavy tails.
        tail = n / size**2 - 3  # excess kurtosis
        tails = np.nanmean(np.outer(tail, tail)[upper]) / n
        ratio = n * (rho[known] ** 2).mean()
        chance = _CHANCE * np.sqrt((2 + max(tails, 0)) / known.sum())
        if ratio < ORTHOGONAL:
            return 0.0
        if abs(ratio - 1) > _TOLERANCE + chance:
            _refuse(ratio, d)
        return 1.0 if abs(ratio - 1) <= chance else ratio

    def _gram(self, packed, columns):
        """Return the centred Gram matrix of some columns, and the observations.

        Single runs are centred within their level; of a pair, the first run is taken.
        """
        n_levels, label = len(self.alpha), self.level.copy()
        label[self.pairs[:, 0]], label[self.pairs[:, 1]] = n_levels, n_levels + 1
        kept = np.flatnonzero(label <= n_levels)
        gram = np.zeros((len(columns), len(columns)))
        sums = np.zeros((n_levels + 1, len(columns)))
        for block in row_blocks(len(kept), packed.n_train):
            rows = as_slice(kept[block])
            Z = packed.dense(rows)[:, columns].astype(np.float64)
            gram += Z.T @ Z
            sums += np.eye(n_levels + 1)[label[rows]].T @ Z
        n = np.bincount(label[kept], minlength=n_levels + 1)
        means = sums / np.maximum(n, 1)[:, None]
        means[n_levels] = 0.5
        for total, mean, n_runs in zip(sums, means, n, strict=True):
            both = np.outer(total, mean)
            gram += n_runs * np.outer(mean, mean) - both - both.T
        return gram, len(kept) - np.count_nonzero(n[:n_levels])


def _refuse(ratio, d):
    if ratio < 1:
        raise ValueError(
            "The masks are less correlated than independent subsets, as those of an "
            "incomplete block of the orthogonal design are. Use complete blocks, of "
            f"{DESIGNS['orthogonal'].block(d)} runs each, or another design."
        )
    raise ValueError(
        f"The squared correlations of the columns of the masks are {ratio:.1f} times "
        "those of independent random subsets, so their covariance is not known. Pass "
        "alpha, the fraction of each run, if it varied, and strata if there were any. "
        "Let rows that are drawn together be one column, and average the outputs of "
        "runs that repeat a subset."
    )


def _levels(total, d, alpha):
    """Return whether sizes are fixed, and the level of each run."""
    if alpha is not None:
        level = np.unique(alpha, return_inverse=True)[1]
        spread = [np.ptp(total[level == k]) for k in range(level.max() + 1)]
        return not np.any(spread), level
    sizes, level = np.unique(total, return_inverse=True)
    if len(sizes) == 1:
        return True, level
    share = total.mean() / d
    ratio = total.var() / (d * share * (1 - share))
    few = len(sizes) <= _MOST_LEVELS and np.bincount(level).min() > 1
    if abs(ratio - 1) < max(0.3, _CHANCE * np.sqrt(2 / len(total))):
        # a few fixed sizes can have the variance of random ones, but with gaps
        between = np.setdiff1d(np.arange(sizes[0], sizes[-1]), sizes)
        share_below = special.bdtr([between - 1, between], d, share)  # binomial
        expected = len(total) * np.diff(share_below, axis=0)
        if not (few and (expected > _MOST_UNSEEN).any()):
            return False, np.zeros(len(total), int)
    if few:
        return True, level
    raise ValueError(
        f"The sizes of the subsets vary {'more' if ratio > 1 else 'less'} than if "
        "examples were included independently with one probability, and are not fixed "
        "either. Pass alpha, the fraction of each run."
    )


def check_alpha(alpha, m):
    """Return the fraction of each run, float64 (m,), or None."""
    if alpha is None:
        return None
    alpha = as_real(alpha, "alpha").astype(np.float64)
    if alpha.ndim == 0:
        alpha = np.full(m, alpha)
    if alpha.shape != (m,) or not ((alpha > 0) & (alpha < 1)).all():
        raise ValueError(
            f"alpha must be a fraction between 0 and 1 for each of the {m} runs, got "
            f"shape {alpha.shape}."
        )
    return alpha


def find_pairs(packed, seeds):
    """Return runs that are complements of each other, (n_pairs, 2).

    Where complements occur by chance, a pair has to share its seed.
    """
    nothing = np.empty((0, 2), int)
    if packed.n_train >= _UNLIKELY_COMPLEMENTS:
        seeds = np.zeros(len(packed), int)
    elif seeds is None:
        return nothing
    unit = paired_runs(TrainingRuns(packed, np.zeros((len(packed), 1)), seeds=seeds))
    if unit is None:
        return nothing
    # The runs of a unit are equal or complements: pair the k-th of each side.
    side = packed.bits[:, 0] >> 7
    label = 2 * unit + side
    order = np.argsort(label, kind="stable")
    rank = np.empty(len(unit), int)
    rank[order] = np.arange(len(unit)) - np.searchsorted(label[order], label[order])
    key, with_first = len(unit) * unit + rank, side.astype(bool)
    one, other = np.flatnonzero(with_first), np.flatnonzero(~with_first)
    _, i, j = np.intersect1d(key[one], key[other], return_indices=True)
    return np.stack([one[i], other[j]], axis=1)
