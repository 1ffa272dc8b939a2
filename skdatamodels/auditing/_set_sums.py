"""What weights say about sets of rows that are removed together."""

from typing import NamedTuple

import numpy as np


class SetSums(NamedTuple):
    """Sums over the rows of each set, for each judged row.

    Attributes
    ----------
    alone : float array of shape (n_judged, n_sets)
        Minus the sum of the weights.
    joint : float array of shape (n_judged, n_sets)
        Minus the sum of weight times share over all pairs of different rows of the set.
        The share of a row is that of the absolute weight of the judged row.
    variance : float array of shape (n_judged, n_sets)
        Sum of the variances of the weights.
    strength : float array of shape (n_sets,)
        Sum of the absolute weights, in the mean over all judged rows.
    size : float array of shape (n_sets,)
        Number of rows.
    """

    alone: np.ndarray
    joint: np.ndarray
    variance: np.ndarray
    strength: np.ndarray
    size: np.ndarray

    @classmethod
    def of(cls, weights, variance, sets):
        """Add up weights (n_judged, n_train) over sets, bool (n_sets, n_train).

        `variance` (n_judged, n_sets) is already added up.
        """
        among = sets.T.astype(np.float64)
        absolute = np.abs(weights)
        total = absolute.sum(axis=1, keepdims=True, dtype=np.float64)
        alone, removed = -(weights @ among), absolute @ among
        pairs = alone * removed + (weights * absolute) @ among
        joint = np.divide(pairs, total, out=np.zeros_like(pairs), where=total > 0)
        return cls(alone, joint, variance, removed.mean(axis=0), among.sum(axis=0))

    def pairs(self, judged, sets):
        """Return the sums of some pairs of a judged row and a set, each (n_pairs,)."""
        of_both = (part[judged, sets] for part in self[:3])
        return SetSums(*of_both, self.strength[sets], self.size[sets])
