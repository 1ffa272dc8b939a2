"""The players that vary within pairs of runs, as `SubsetTrainer(vary=...)` asks."""

import numpy as np

from skdatamodels.masks import DESIGNS
from skdatamodels.masks._designs import check_design

_MOST = 5  # players that an error lists


def varied_columns(vary, players):
    """Return the columns that vary within pairs of runs, sorted, or None for none.

    Parameters
    ----------
    vary : array-like of shape (k,) or None
        Rows of the training set, or with groups the labels of groups.
    players : Players
        What the masks switch.

    Returns
    -------
    columns : int array of shape (k,) or None

    Raises
    ------
    TypeError, ValueError
        If these are not distinct rows or labels, or are all that there are.

    Examples
    --------
    >>> from skdatamodels import Examples
    >>> from skdatamodels.training._players import Players
    >>> from skdatamodels.training._varied import varied_columns
    >>> train = Examples([[0.0], [1.0], [2.0]], [0, 1, 0])
    >>> varied_columns(["c", "a"], Players(train, ["a", "b", "c"]))
    array([0, 2])
    """
    if vary is None:
        return None
    asked = np.asarray(vary)
    if asked.ndim != 1 or not asked.size:
        raise ValueError(
            f"vary must be a list of one or more {players.noun}s, got {vary!r}."
        )
    columns = asked
    if players.are_groups:
        labels = players.names.tolist()
        unknown = [label for label in asked.tolist() if label not in labels]
        if unknown:
            raise ValueError(
                f"vary has {unknown[:_MOST]}, which are not labels of groups. These "
                f"are {labels[: 2 * _MOST]}{' and more' * (len(labels) > 2 * _MOST)}."
            )
        columns = np.array([labels.index(label) for label in asked.tolist()])
    elif asked.dtype.kind not in "iu":
        raise TypeError(
            "vary must be rows of train, integers that count from 0; got "
            f"{asked.dtype}. Of ids, train.positions_of(ids) gives the rows."
        )
    elif not ((asked >= 0) & (asked < len(players))).all():
        raise ValueError(
            f"vary must be rows of train from 0 to {len(players) - 1}, got "
            f"{asked.min()} to {asked.max()}."
        )
    columns, counts = np.unique(columns, return_counts=True)
    if (counts > 1).any():
        twice = players.names_at(columns[counts > 1][:_MOST]).tolist()
        raise ValueError(f"vary has {twice} more than once. Name each one once.")
    if len(columns) == len(players):
        raise ValueError(
            f"vary has all {len(players)} {players.noun}s, so that pairs have nothing "
            "in common. Vary a few, or use design='complementary' instead."
        )
    return columns


def check_others(design, alpha, y, players, columns):
    """Raise if a design or alpha does not suit the players that do not vary."""
    if columns is None:
        players.check_design(design, alpha, y)
        return
    if DESIGNS[design].pairs:
        raise ValueError(
            f"design={design!r} has pairs of its own. With vary, use another design, "
            "such as 'uniform', for the others."
        )
    strata = players.strata(design, y)
    others = np.delete(np.arange(len(players)), columns)
    try:
        strata = None if strata is None else strata[others]
        check_design(design, len(others), alpha, strata)
    except ValueError as error:
        what = f"Here, the examples are the {len(others)} that do not vary."
        raise ValueError(f"{error} {what}") from error


def training_order(columns, players):
    """Return the rows in the order of training, those that vary last; None if none do.

    A forest draws positions, and so does an order of minibatches. If the rows that two
    runs share have the same positions, their trees share more of the draws.

    Parameters
    ----------
    columns : int array of shape (k,) or None
        Columns that vary.
    players : Players
        What the masks switch.

    Returns
    -------
    order : int array of shape (n_train,) or None
    """
    if columns is None:
        return None
    of_row = players.at_rows(np.arange(players.n_rows))
    return np.argsort(np.isin(of_row, columns), kind="stable")
