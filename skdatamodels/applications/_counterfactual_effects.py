"""Predicted and true effects of removing training examples, and how they correlate."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import pearsonr, spearmanr

from skdatamodels._tables import Table, import_pandas, table_html, table_text
from skdatamodels.masks import PackedMasks


class Correlation(NamedTuple):
    """Correlation between predicted and true effects.

    Attributes
    ----------
    spearman : float
        Rank correlation.
    pearson : float
        Linear correlation.
    n : int
        Number of pairs.
    """

    spearman: float
    pearson: float
    n: int

    def __repr__(self):
        return (
            f"Correlation(spearman={self.spearman:.2f}, pearson={self.pearson:.2f}, "
            f"n={self.n:,})"
        )


@dataclass(frozen=True, eq=False)
class CounterfactualEffects:
    """Predicted and true effects, one row per target and set of removed examples.

    Attributes
    ----------
    target : int array of shape (n_rows,)
        Row of the attribution matrix.
    target_id : object array of shape (n_rows,)
        Id of the target.
    heuristic : str array of shape (n_rows,)
        Heuristic or baseline that chose the set.
    size : int array of shape (n_rows,)
        Number of examples in the set.
    predicted, true : float64 array of shape (n_rows,)
        Predicted and measured change of the mean output, in its unit. `true` is NaN if
        all trainings failed.
    error : float64 array of shape (n_rows,)
        Standard error of `true` due to the randomness of training. NaN for one trial.
    removed : PackedMasks of shape (n_rows, n_train)
        The sets. True for the removed examples.
    base : float64 array of shape (n_rows,), or None
        Mean output of the target without removal, in its unit. None if it is not known.
    """

    target: np.ndarray
    target_id: np.ndarray
    heuristic: np.ndarray
    size: np.ndarray
    predicted: np.ndarray
    true: np.ndarray
    error: np.ndarray
    removed: PackedMasks
    base: np.ndarray | None = None

    def __len__(self):
        return len(self.target)

    def correlations(self):
        """Compute the correlation of predicted and true effects.

        Returns
        -------
        correlations : dict of str to Correlation
            Over all rows, with the key "all", and by heuristic. NaN if the predicted or
            the true effects do not vary.
        """
        groups = {"all": np.ones(len(self), dtype=bool)}
        for name in dict.fromkeys(self.heuristic.tolist()):
            groups[name] = self.heuristic == name
        return {
            name: _correlation(self.predicted[rows], self.true[rows])
            for name, rows in groups.items()
        }

    def flipped(self):
        """Return which removals make a positive output negative.

        A margin or log-odds is negative if the prediction is wrong, so that these
        removals flip a prediction that was right.

        Returns
        -------
        flipped : float64 array of shape (n_rows,)
            1 if it flips, 0 if not, NaN if the output was not positive or is not known.

        Raises
        ------
        ValueError
            If `base` is not known.
        """
        if self.base is None:
            raise ValueError("The outputs without removal are not known.")
        after = self.base + self.true
        unknown = np.isnan(after) | ~(self.base > 0)
        return np.where(unknown, np.nan, after < 0)

    def to_frame(self):
        """Return the table as a pandas.DataFrame, without the sets.

        Returns
        -------
        frame : pandas.DataFrame
            One row per target and set.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        names = [name for name in self.__dataclass_fields__ if name != "removed"]
        names = [name for name in names if getattr(self, name) is not None]
        return import_pandas().DataFrame({name: getattr(self, name) for name in names})

    def _table(self):
        correlations = self.correlations()
        columns = {
            "heuristic": list(correlations),
            "sets": [one.n for one in correlations.values()],
            "Spearman": [one.spearman for one in correlations.values()],
            "Pearson": [one.pearson for one in correlations.values()],
        }
        targets = f"{len(np.unique(self.target)):,} targets"
        return Table(f"True and predicted effects on {targets}", columns)

    __repr__ = table_text
    _repr_html_ = table_html


def _correlation(predicted, true):
    known = ~np.isnan(true)
    predicted, true = predicted[known], true[known]
    if len(true) < 2 or np.ptp(predicted) == 0 or np.ptp(true) == 0:
        return Correlation(np.nan, np.nan, len(true))
    return Correlation(
        float(spearmanr(predicted, true).statistic),
        float(pearsonr(predicted, true).statistic),
        len(true),
    )
