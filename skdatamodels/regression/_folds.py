"""Splitting runs into those that are fitted and those that are held out.

The rules for splitting are `Cut` and `Splits`. A rule is called with the usable runs of
some targets, and returns their folds.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np


class Fold(NamedTuple):
    """Held-out runs, and runs to fit on.

    `held_out` is empty if the targets have no runs for this fold.
    """

    held_out: np.ndarray
    train: np.ndarray | None  # None: all usable runs that are not held out

    def train_of(self, rows):
        """Return the runs to fit on, among the usable `rows`."""
        if self.train is not None:
            return self.train
        return rows[~np.isin(rows, self.held_out)]


class Cut(NamedTuple):
    """Cut the runs, in the given order, into parts that consist of whole units."""

    fractions: np.ndarray  # increasing; the edges of the parts
    unit: np.ndarray  # (n_runs,), number of the unit of each run

    @classmethod
    def of(cls, fractions, n_runs, groups):
        """Make a Cut; units are the numbered groups, or single runs if that is None."""
        return cls(fractions, np.arange(n_runs) if groups is None else groups)

    @property
    def n_least(self):
        """Smallest number of units that can be cut."""
        return max(2, self.n_folds)

    def enough(self, usable):
        """Return whether there are enough units for each target.

        Parameters
        ----------
        usable : bool array of shape (n_runs, n_targets) or None
            Runs that each target can use. None: all; the result is then one bool.
        """
        order = np.argsort(self.unit, kind="stable")
        starts = np.flatnonzero(np.diff(self.unit[order], prepend=-1))
        if usable is None:
            return len(starts) >= self.n_least
        used = np.logical_or.reduceat(usable[order], starts, axis=0)
        return used.sum(axis=0) >= self.n_least

    @property
    def n_folds(self):
        """Number of parts."""
        return len(self.fractions) - 1

    def __call__(self, rows):
        """Return the folds of some runs; the runs of a unit must be consecutive."""
        unit = self.unit[rows]
        starts = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])
        edges = np.round(np.multiply(self.fractions, len(starts))).astype(int)
        if self.n_folds == 1:  # hold out at least a unit; keep two if there are three
            edges[0] = np.clip(edges[0], min(2, len(starts) - 1), len(starts) - 1)
        bounds = np.r_[starts, len(rows)]
        return [Fold(rows[bounds[a] : bounds[b]], None) for a, b in pairwise(edges)]


class Splits(NamedTuple):
    """Folds of a scikit-learn splitter, or of a list of splits."""

    train: list  # of bool arrays (n_runs,)
    held_out: list  # of bool arrays (n_runs,)

    @classmethod
    def by(cls, splitter, n_runs, groups, pairs):
        """Split runs by a scikit-learn splitter.

        Parameters
        ----------
        splitter : object
            Has ``split(X, y, groups)``.
        n_runs : int
            Number of runs.
        groups : int array of shape (n_runs,) or None
            Group of each run, for the splitter.
        pairs : int array of shape (n_runs,) or None
            Pair of each run. Without groups, pairs are split instead of runs.
        """
        unit = pairs if groups is None and pairs is not None else np.arange(n_runs)
        rows = np.zeros((unit.max() + 1, 1))
        # the splitter requires groups
        if groups is None and hasattr(splitter, "set_split_request"):
            groups = np.arange(len(rows)) if pairs is not None else None
        return cls._of(splitter.split(rows, None, groups), len(rows), unit)

    @classmethod
    def given(cls, splits, n_runs, kept):
        """Restrict splits of all runs to the runs that are kept."""
        return cls._of(splits, n_runs, kept)

    @classmethod
    def _of(cls, splits, n_units, unit):
        train, held_out = [], []
        for split in splits:
            for part, parts in zip(split, (train, held_out), strict=True):
                chosen = np.zeros(n_units, bool)
                chosen[part] = True
                parts.append(chosen[unit])
        if not train:
            raise ValueError("cv contains no split.")
        return cls(train, held_out)

    n_least = 3  # runs: one to hold out, and two to fit on

    def enough(self, usable):
        """Return whether there is a usable fold for each target; see `Cut.enough`."""
        usable = np.ones((len(self.train[0]), 1), bool) if usable is None else usable
        found = np.zeros(usable.shape[1], bool)
        for train, held_out in zip(self.train, self.held_out, strict=True):
            judged = usable[held_out].any(axis=0)
            found |= judged & (usable[train].sum(axis=0) >= 2)
        return found

    def __call__(self, rows):
        """Return the folds of some runs."""
        folds = []
        for train, held_out in zip(self.train, self.held_out, strict=True):
            fit_on, judges = rows[train[rows]], rows[held_out[rows]]
            others = (train[rows] != held_out[rows]).all()
            if len(fit_on) < 2:
                judges = judges[:0]
            folds.append(Fold(judges, None if others else fit_on))
        return folds


def shuffled(rng, n_runs, groups):
    """Return the runs in random order, the runs of a numbered group together."""
    if groups is None:
        return rng.permutation(n_runs)
    place = rng.permutation(groups.max() + 1)
    return np.argsort(place[groups], kind="stable")
