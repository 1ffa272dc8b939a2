"""Errors of weights where residuals depend on the mask: the sandwich estimate."""

from typing import NamedTuple

import numpy as np

from skdatamodels.masks import PackedMasks


class MaskSpread(NamedTuple):
    """Masks whose centred squares are not all of one size.

    Errors usually take residuals to be as large on subsets with an example as on those
    without. An example that needs others has an effect on few subsets. If alpha is
    small, fewer subsets are with it than without it, and its error is larger. So the
    squares of residuals are weighted by those of the centred masks, which are
    alpha² + (1 - 2 alpha)·mask. At alpha = 1/2 nothing changes.
    """

    masks: PackedMasks
    alpha: np.ndarray  # (m,), fraction of each run; 1/2 for complements

    def ratios(self, noise):
        """Return the variances of weights relative to those by residuals of one size.

        As a ratio is itself uncertain, its excess over 1 is shrunk by the positive-part
        formula of James and Stein, and a ratio below 1 is not used.

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
        share = np.ones_like(excess)  # of the excess that is chance
        np.divide(chance[:, None], excess**2, out=share, where=excess > 0)
        return 1 + excess * np.maximum(1 - share, 0)
