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
        stratum = np.where(exclude >= 0, self.design.stratum[exclude], -1)
        ratios = np.empty((len(noise), len(sets)))
        for some in row_blocks(len(sets), 8 * len(self.masks)):
            part = sets[some]
            sums = self._sums(part)
            size = max(len(sums), len(part) * len(self.design.n_columns))
            for k in np.unique(stratum):
                same = np.flatnonzero(stratum == k)
                for block in row_blocks(len(same), 8 * size):
                    rows, absent = same[block], np.zeros((1, 1))
                    squares = noise[rows].astype(np.float64) ** 2
                    if k >= 0:
                        squares = self._where_absent(squares, exclude[rows])
                        absent = part[:, exclude[rows]].T
                    ratios[rows, some] = self._of_sums(squares, part, sums, absent, k)
        return ratios

    def _sums(self, sets):
        """Return the sum of each set in each run (m, n_sets)."""
        used = np.flatnonzero(sets.any(axis=0))
        sums = np.empty((len(self.masks), len(sets)))
        for rows in row_blocks(len(sums), 8 * max(len(used), 1)):
            sums[rows] = pick_columns(self.masks[rows], used) @ sets[:, used].T
        return sums

    def _where_absent(self, squares, exclude):
        """Return squares where the noise of a pair is in the run without a column."""
        first, second = self.design.pairs.T
        seen = pick_columns(self.masks[first], exclude).T
        squares[:, second] = squares[:, first] * seen
        squares[:, first] *= ~seen
        return squares

    def _of_sums(self, squares, sets, sums, absent, stratum):
        """Return ratios for runs that lack one column of a stratum, -1 for none.

        Parameters
        ----------
        squares : float64 array of shape (n, m)
            Of the noise.
        sets : float64 array of shape (n_sets, d)
            Factors of the weights in each sum.
        sums : float64 array of shape (m, n_sets)
            Sums of the masks, which are 0 in the columns that runs lack.
        absent : float64 array of shape (n, n_sets) or (1, 1)
            Factor of the column that the runs of a target lack, 0 for none.
        stratum : int
            Stratum of these columns.

        Returns
        -------
        ratios : float64 array of shape (n, n_sets)
        """
        design = self._without(stratum)
        members = np.eye(len(design.n_columns))
        total, lengths = (part @ members[design.stratum] for part in (sets, sets**2))
        share = np.tile(self.alpha, (len(members), 1))
        if design.fixed:
            share = design.sizes / np.maximum(design.n_columns, 1)[:, None]
        variances = design.variances()
        weight = squares / np.maximum(variances.mean(axis=0), _TINY)
        centred = sums - share.T @ total.T
        found = weight @ centred**2
        if stratum >= 0:  # sums are centred without the absent column
            own = share[stratum]
            found += 2 * absent * (weight @ (own[:, None] * centred))
            found += absent**2 * (weight @ own**2)[:, None]
        of_absent = members[stratum] * absent[..., None]
        expected = lengths - of_absent**2
        if design.fixed:
            expected -= (total - of_absent) ** 2 / np.maximum(design.n_columns, 1)
        expected = (np.maximum(expected, 0) @ (weight @ variances.T)[..., None])[..., 0]
        ratio = np.divide(found, expected, out=np.ones_like(found), where=expected > 0)
        # The variance of a squared sum of masks is 2 and its excess kurtosis.
        length = np.maximum(lengths.sum(axis=1) - absent**2, _TINY)
        concentration = ((sets**4).sum(axis=1) - absent**4) / length / length
        kurtosis = squares**2 @ (1 / (self.alpha * (1 - self.alpha)) - 6)
        chance = 2 * (squares**2).sum(axis=1)[:, None]
        return _shrunk(ratio - 1, chance + kurtosis[:, None] * concentration)

    def _without(self, stratum):
        """Return the design without one column of a stratum, -1 for none."""
        n_columns = self.design.n_columns.copy()
        if stratum >= 0:
            n_columns[stratum] -= 1
        return self.design._replace(n_columns=n_columns)


def _shrunk(excess, chance):
    """Return ratios from their excess over 1, and the variance of it if it is 0."""
    share = np.ones_like(excess)  # of the excess that is chance
    chance = np.maximum(chance, 0)  # rounding, if no excess is possible
    np.divide(chance, excess**2, out=share, where=excess > 0)
    return 1 + excess * np.maximum(1 - share, 0)
