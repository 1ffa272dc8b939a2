"""Players: what the columns of the masks switch on and off."""

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from skdatamodels._examples import check_same_index, names_at
from skdatamodels._frames import columns_of, is_frame
from skdatamodels._frozen import frozen_array
from skdatamodels._numbers import is_missing
from skdatamodels.masks._designs import check_design

_MOST = 5  # rows, columns or labels that an error lists


class Players:
    """The columns of the masks: training rows, or groups of training rows.

    Masks, weights and outputs of applications are about players. Learners and influence
    functions are about rows. The methods translate between the two; if the players are
    rows, they return what they are given.

    Parameters
    ----------
    train : Examples
        Training set.
    groups : array-like of shape (n_train,), str or None
        Label of each row, or the name of the column that has them; None for rows.
    noun : str, default="training example"
        What to call a row in messages.

    Attributes
    ----------
    names : array of shape (n_players,)
        Ids of the rows, or the labels of the groups, which are sorted.
    of_row : int array of shape (n_train,), or None
        Player of each row. None if the players are rows.
    noun : str
        What to call a player in messages.

    Raises
    ------
    TypeError, ValueError
        If there is not one label for each row, labels are missing or cannot be sorted,
        all are the same, or there is no column of that name.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels import Examples
    >>> from skdatamodels.training._players import Players
    >>> train = Examples(np.eye(4), [0, 1, 0, 1])
    >>> players = Players(train, ["lab", "web", "lab", "app"])
    >>> players.names.tolist(), players.sizes
    (['app', 'lab', 'web'], array([1, 2, 1]))
    >>> players.expand(np.array([[True, False, True]]))
    array([[False,  True, False,  True]])
    >>> players.total(np.array([10.0, 2.0, 5.0, 1.0]))
    array([ 1., 15.,  2.])
    """

    def __init__(self, train, groups=None, noun="training example"):
        self.n_rows = len(train)
        self.names, self.of_row, self.noun = train.ids, None, noun
        if groups is not None:
            self.noun = "group"
            labels = _labels(train, groups)
            self.names, self.of_row = _sorted_labels(labels)
            if isinstance(groups, list | tuple):
                self.names = np.array(self.names.tolist())

    def __len__(self):
        return len(self.names)

    @property
    def are_groups(self):
        """Whether the players are groups of rows."""
        return self.of_row is not None

    @property
    def are_examples(self):
        """Whether the players are rows of a training set, not groups or components."""
        return self.noun == "training example"

    @property
    def sizes(self):
        """Number of rows of each player, int array of shape (n_players,)."""
        return self.total(np.ones(self.n_rows, dtype=int))

    def are_like(self, other):
        """Return whether other Players are the same rows or groups of rows."""
        if self.are_groups != other.are_groups:
            return False
        return not self.are_groups or np.array_equal(self.of_row, other.of_row)

    def expand(self, masks):
        """Return masks of rows (n_runs, n_train) for masks of players, bool arrays."""
        return masks[..., self.of_row] if self.are_groups else masks

    def total(self, values):
        """Sum values (n_train, ...) over the rows of each player, along axis 0."""
        if not self.are_groups:
            return values
        ones = np.ones(self.n_rows, dtype=values.dtype)
        places = self.of_row, np.arange(self.n_rows)
        return sp.csr_array((ones, places), (len(self), self.n_rows)) @ values

    def total_weights(self, weights):
        """Sum weights (n_targets, n_train), dense or CSR, over the rows of players."""
        if not self.are_groups:
            return weights
        weights = weights if sp.issparse(weights) else np.asarray(weights)
        if weights.ndim != 2 or weights.shape[1] != self.n_rows:
            raise ValueError(
                "weights must have a column for each training example, shape "
                f"(n_targets, {self.n_rows}); got shape {weights.shape}."
            )
        sums = self.total(weights.T.astype(np.float64)).T.astype(weights.dtype)
        return sums.tocsr() if sp.issparse(sums) else np.ascontiguousarray(sums)

    def have(self, of_rows):
        """Return whether a bool array (n_train,) is true for any row of each player."""
        return self.total(of_rows.astype(int)) > 0 if self.are_groups else of_rows

    def rows_of(self, players):
        """Return a list with the rows of each of some players, int arrays."""
        if not self.are_groups:
            return [np.array([row]) for row in players]
        return [np.flatnonzero(self.of_row == player) for player in players]

    def at_rows(self, rows):
        """Return the players of rows, an int array in which -1 stands for none."""
        rows = np.asarray(rows)
        whole = rows.dtype.kind in "iu"
        if not whole or ((rows < -1) | (rows >= self.n_rows)).any():
            raise ValueError(
                f"rows must be integers from 0 to {self.n_rows - 1}, or -1 for none; "
                f"got {rows.dtype} of shape {rows.shape}."
            )
        return np.where(rows < 0, -1, self.of_row[rows]) if self.are_groups else rows

    def names_at(self, positions):
        """Return the names at positions, an object array; None for -1."""
        return names_at(self.names, positions)

    def strata(self, design, y):
        """Return the class of each player, if the design needs it, or None."""
        if design != "stratified":
            return None
        return self.single_values(
            y, "design='stratified' needs groups of one class each"
        )

    def check_design(self, design, alpha, y):
        """Raise if a design or alpha does not suit the number or classes of players."""
        strata = self.strata(design, y)
        try:
            check_design(design, len(self), alpha, strata)
        except ValueError as error:
            if self.are_examples:
                raise
            what = f"Here, the examples are {len(self)} {self.noun}s."
            raise ValueError(f"{error} {what}") from error

    def single_values(self, values, why):
        """Return the value of each player, whose rows must have the same one.

        Parameters
        ----------
        values : array of shape (n_train,)
            Values of the rows.
        why : str
            Start of the error: what needs this.
        """
        if not self.are_groups:
            return values
        first = np.empty(len(self), dtype=int)
        first[self.of_row[::-1]] = np.arange(self.n_rows)[::-1]
        unlike = np.flatnonzero(values != values[first][self.of_row])
        if unlike.size:
            row = unlike[0]
            group = self.of_row[row]
            one, other = values[[first[group], row]].tolist()
            raise ValueError(
                f"{why}, but group {self.names.tolist()[group]!r} has rows of {one!r} "
                f"and of {other!r}."
            )
        return values[first]


def players_of(trainer):
    """Return the Players of a trainer."""
    return Players(trainer.train, trainer.groups, trainer._noun)


def _labels(train, groups):
    """Return the label of each row, array (n_train,)."""
    if isinstance(groups, str):
        groups = _column(train, groups)
    check_same_index(train.X, groups, "groups")
    if isinstance(groups, list | tuple):  # an array of a list may turn NaN into text
        groups = np.array(groups, dtype=object)
    labels = frozen_array(groups, "groups")
    if labels.shape != (len(train),):
        raise ValueError(
            "groups must have one label for each training example, shape "
            f"({len(train)},); got shape {labels.shape}."
        )
    _check_no_missing(labels)
    return labels


def _column(train, name):
    """Return a column of the metadata, or else of a frame X."""
    columns = {}
    for table in (train.X, train.metadata):  # metadata come first
        if is_frame(table):
            columns |= dict(columns_of(table))
        elif isinstance(table, Mapping):
            columns |= table
    if name not in columns:
        known = ", ".join(map(repr, list(columns)[: 2 * _MOST])) or "no columns"
        raise ValueError(
            f"groups={name!r} is not a column of train.metadata, nor of a data frame "
            f"train.X, which have {known}. Pass the labels themselves, one for each "
            "training example, or Examples(X, y, metadata={" + repr(name) + ": …})."
        )
    column = columns[name]
    return column.to_numpy() if hasattr(column, "to_numpy") else column


def _check_no_missing(labels):
    if labels.dtype.kind == "O":
        missing = np.array([is_missing(label) for label in labels.tolist()])
    else:
        missing = labels != labels  # NaN and NaT
    rows = np.flatnonzero(missing).tolist()
    if rows:
        listed = ", ".join(map(str, rows[:_MOST])) + ", …" * (len(rows) > _MOST)
        raise ValueError(
            f"groups has no label for {len(rows)} training examples, in rows {listed}. "
            "Give each of them a group of its own, or leave them out of train."
        )


def _sorted_labels(labels):
    """Return the sorted labels and the position of that of each row."""
    try:
        names, of_row = np.unique(labels, return_inverse=True)
    except TypeError as error:
        kinds = sorted({type(label).__name__ for label in labels.tolist()})
        raise TypeError(
            f"groups mixes labels of types {', '.join(kinds)}, which have no order. "
            "Use labels of one type, such as text."
        ) from error
    if names.dtype.kind in "mM":  # a list of them would have integers
        names = np.array(list(names), dtype=object)
    if len(names) == 1:
        raise ValueError(
            f"groups has the same label, {names.tolist()[0]!r}, for all training "
            "examples. Subsets of groups need at least two groups."
        )
    return names, of_row.reshape(-1)
