"""Errors of weights where residuals depend on the mask: the sandwich estimate."""

from typing import NamedTuple

import numpy as np

from skdatamodels.inference._mask_covariance import MaskCovariance
from skdatamodels.masks import PackedMasks
from skdatamodels.masks._packed import pick_columns, row_blocks

_TINY = np.finfo(float).tiny


class MaskSpread(NamedTuple):
    """Masks whose centred squares are not all of one size.

    Errors usually take residuals to be as large on subsets with an example as on those
    without. An example that needs others has an effect on few subsets. If alpha is
    small, fewer subsets are with it than without it, and its error is larger. So the
    squares of residuals are weighted by those of the centred masks, which are
    alpha² + (1 - 2 alpha)·mask. At alpha = 1/2 nothing changes.

    The error of a sum of weights is made by sums of the centred masks, whose squares
    are large on subsets with many, or few, examples of the set. If these interact,
    residuals are large there too, at any alpha.

    A ratio is itself uncertain. So its excess over 1 is shrunk by the positive-part
    formula of James and Stein, and a ratio below 1 is not used.
    """

    masks: PackedMasks
    alpha: np.ndarray  # (m,), fraction of each run; 1/2 for complements
    design: MaskCovariance

    def ratios(self, noise):
        """Return the variances of weights relative to those by residuals of one size.

        Parameters
        ----------
        noise : array of shape (n, m)
            What each run adds to the errors, in vectors of length 1 or 0.

        Returns
        -------
        ratios : float64 array of shape (n, d)
        """
        squares = noise.T.astype(np.float64) ** 2
        v, slope = self.alpha * (1 - self.alpha), 1 - 2 * self.alpha
        own = self.masks.T_dot((slope / v)[:, None] * squares).T
        excess = own + ((self.alpha**2 / v - 1) @ squares)[:, None]
        chance = (slope**2 / v) @ squares**2  # variance of the excess if it is 0
        return _shrunk(excess, chance[:, None])

    def ratios_of_sums(self, noise, sets, exclude=None):
        """Return the same for sums of weights.

        Parameters
        ----------
        noise : array of shape (n, m)
            As for `ratios`.
        sets : float64 array of shape (n_sets, d)
            Factors of the weights in each sum.
        exclude : int array of shape (n,), default=None
            Column that no usable run of a target contains, -1 for none.

        Returns
        -------
        ratios : float64 array of shape (n, n_sets)
        """
        if exclude is None:
            exclude = np.full(len(noise), -1)
        ratios = np.empty((len(noise), len(sets)))
        for some in row_blocks(len(sets), 8 * len(self.masks)):
            part = sets[some]
            sums = self._sums(part)
            for column in np.unique(exclude):
                same = exclude == column
                squares = noise[same].astype(np.float64) ** 2
                found = self._ratios_without(column, squares, sums, part)
                ratios[same, some] = found
        return ratios

    def _sums(self, sets):
        """Return the sum of each set in each run (m, n_sets)."""
        used = np.flatnonzero(sets.any(axis=0))
        sums = np.empty((len(self.masks), len(sets)))
        for rows in row_blocks(len(sums), 8 * max(len(used), 1)):
            sums[rows] = pick_columns(self.masks[rows], used) @ sets[:, used].T
        return sums

    def _ratios_without(self, column, squares, sums, sets):
        """Return ratios for targets that exclude a column, -1 for none."""
        if column < 0:
            return self._ratios_of_sums(squares, sums, sets)
        own = pick_columns(self.masks, np.array([column]))
        sums, sets = sums - own * sets[:, column], sets.copy()
        sets[:, column] = 0
        return self._without(column, own[:, 0])._ratios_of_sums(squares, sums, sets)

    def _without(self, column, own):
        """Return the spread of the other columns."""
        sizes, n = self.design.sizes.copy(), self.design.n_columns.copy()
        sizes[self.design.stratum[column]] -= own
        n[self.design.stratum[column]] -= 1
        return self._replace(design=self.design._replace(sizes=sizes, n_columns=n))

    def _ratios_of_sums(self, squares, sums, sets):
        """Return ratios (n, n_sets) from squares (n, m) and sums (m, n_sets)."""
        design, n_strata = self.design, len(self.design.n_columns)
        members = np.eye(n_strata)[design.stratum]
        total, expected = sets @ members, sets**2 @ members  # by stratum
        share = np.tile(self.alpha, (n_strata, 1))
        if design.fixed:
            n = np.maximum(design.n_columns, 1)
            share, expected = design.sizes / n[:, None], expected - total**2 / n
        variances = design.variances()
        weight = squares / np.maximum(variances.mean(axis=0), _TINY)
        found = weight @ (sums - share.T @ total.T) ** 2
        expected = weight @ variances.T @ np.maximum(expected, 0).T
        ratio = np.divide(found, expected, out=np.ones_like(found), where=expected > 0)
        # The variance of a squared sum of masks is 2 and its excess kurtosis.
        length = np.maximum((sets**2).sum(axis=1), _TINY)
        concentration = (sets**4).sum(axis=1) / length / length
        kurtosis = squares**2 @ (1 / (self.alpha * (1 - self.alpha)) - 6)
        chance = 2 * (squares**2).sum(axis=1)[:, None]
        return _shrunk(ratio - 1, chance + np.outer(kurtosis, concentration))


def _shrunk(excess, chance):
    """Return ratios from their excess over 1, and the variance of it if it is 0."""
    share = np.ones_like(excess)  # of the excess that is chance
    np.divide(chance, excess**2, out=share, where=excess > 0)
    return 1 + excess * np.maximum(1 - share, 0)
