"""Splitting runs into those that are fitted and those that are held out.

The rules for splitting are `Cut` and `Splits`. A rule is called with the usable runs of
some targets, and returns their folds.
"""

import warnings
from numbers import Integral
from typing import NamedTuple

import numpy as np

# Fewest held-out runs that can tell whether a prior helps.
_MIN_JUDGES = 50


def choose_split(regressor, n_runs, kept, groups, pairs):
    """Return the rule for splitting the runs that a DatamodelRegressor keeps.

    Parameters
    ----------
    regressor : DatamodelRegressor
        Its parameters say how.
    n_runs : int
        Number of all runs.
    kept : int array
        The runs that are kept.
    groups, pairs : int array of shape (n_kept,) or None
        Group and pair of each run.

    Returns
    -------
    split : Cut, Splits or None
        None if lam is given.
    """
    lam, cv, fraction = regressor.lam, regressor.cv, regressor.validation_fraction
    if not isinstance(lam, str):
        return None
    units = pairs if groups is None else groups
    if regressor.penalty == "l2":  # two units, so that one can be left out
        return Cut.of([0, 0.5, 1], len(kept), units)
    few = regressor.prior is not None and fraction * len(kept) < _MIN_JUDGES
    by_number = cv is None or isinstance(cv, Integral)
    if lam == "validation" and not few:
        if not by_number:
            warnings.warn(
                f"cv is used with lam='cv' only, got lam={lam!r}.",
                UserWarning,
                stacklevel=4,
            )
        return Cut.of([1 - fraction, 1], len(kept), units)
    if by_number:
        n_folds = 5 if cv is None else cv
        return Cut.of(np.linspace(0, 1, n_folds + 1), len(kept), units)
    if hasattr(cv, "split"):
        return Splits.by(cv, len(kept), groups, pairs)
    return Splits.given(cv, n_runs, kept)


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
    """Cut the runs into parts of whole units, near the wanted shares of the runs."""

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
        sizes = np.diff(np.r_[starts, len(rows)])
        if self.n_folds == 1:
            n_train = round(self.fractions[0] * len(rows))
            part = _last_units(sizes, len(rows) - n_train)
        elif sizes.min() == sizes.max():
            edges = np.round(np.multiply(self.fractions, len(sizes))).astype(int)
            part = np.repeat(np.arange(self.n_folds), np.diff(edges))
        else:
            part = _spread_units(sizes, np.diff(self.fractions))
        part = np.repeat(part, sizes)
        parts = [rows[part == k] for k in range(self.n_folds)]
        # as in Splits, a fold needs two runs to fit on
        return [Fold(p if len(rows) - len(p) >= 2 else p[:0], None) for p in parts]


def _last_units(sizes, wanted):
    """Return 0 for units to hold out, near the wanted number of runs, -1 for others."""
    part, n = np.full(len(sizes), -1), 0
    least, most = sizes.min(), sizes.sum() - 2  # two runs to fit on
    for k in range(len(sizes) - 1, -1, -1):
        if least >= 2 * (wanted - n):  # no unit brings it nearer
            break
        with_it = n + sizes[k]
        if with_it <= most and abs(with_it - wanted) < abs(n - wanted):
            part[k], n = 0, with_it
    if n == 0:
        part[len(sizes) - 1 - sizes[::-1].argmin()] = 0
    return part


def _spread_units(sizes, shares):
    """Return the part of each unit: the largest first, where most runs are missing."""
    part, filled = np.empty(len(sizes), int), [0.0] * len(shares)
    for k in np.argsort(-sizes, kind="stable"):
        part[k] = p = min(range(len(shares)), key=filled.__getitem__)
        filled[p] += sizes[k] / shares[p]
    return part


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
        try:
            splits = list(splitter.split(rows, None, groups))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"cv={splitter!r} cannot split the runs. It gets {len(rows)} samples, "
                f"their groups if there are any, and no classes y. {error}"
            ) from error
        return cls._of(splits, len(rows), unit)

    @classmethod
    def given(cls, splits, n_runs, kept):
        """Restrict splits of all runs to the runs that are kept."""
        return cls._of(splits, n_runs, kept)

    @classmethod
    def _of(cls, splits, n_units, unit):
        splits = list(splits)
        if not splits:
            raise ValueError(
                "cv contains no split. A generator can be used only once: give a list."
            )
        if not all(hasattr(split, "__len__") and len(split) == 2 for split in splits):
            raise ValueError("cv must contain pairs (train, test) of row indices.")
        train, held_out = (
            [_members(part, n_units)[unit] for part in parts]
            for parts in zip(*splits, strict=True)
        )
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


def _members(part, n_units):
    """Return which units a part of a given split contains, a bool array."""
    part = np.asarray(part)
    if part.dtype == bool and part.shape == (n_units,):
        return part
    if part.ndim != 1 or (part.size and part.dtype.kind not in "iu"):
        raise ValueError(
            "cv must contain pairs (train, test) of row indices, got an array of "
            f"{part.dtype} of shape {part.shape} as one of them."
        )
    part = part.astype(int)
    if part.size and not 0 <= part.min() <= part.max() < n_units:
        raise ValueError(
            f"cv has the indices {part.min()} to {part.max()}, but there are {n_units} "
            "samples. A splitter gets one sample for each pair of runs that share a "
            "training seed, and none for runs of weight 0."
        )
    times = np.bincount(part, minlength=n_units)
    if times.max() > 1:
        raise ValueError(
            f"cv has index {times.argmax()} {times.max()} times in one part of a split."
            " A run counts once: remove repeated indices."
        )
    return times > 0


def shuffled(rng, n_runs, groups):
    """Return the runs in random order, the runs of a numbered group together."""
    if groups is None:
        return rng.permutation(n_runs)
    place = rng.permutation(groups.max() + 1)
    return np.argsort(place[groups], kind="stable")
