"""Groups of training rows: labels of the rows, or columns of the weights."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from skdatamodels.pages._columns import as_texts, cut
from skdatamodels.pages._page import embed_counts

_MOST_NAME = 80


class Groups(NamedTuple):
    """Groups of training rows.

    Attributes
    ----------
    labels : array of shape (n_groups,)
        Labels of the groups.
    names : list of str
        The same as text that is not too long.
    rows : list of int array
        Rows of each group.
    are_columns : bool
        Whether the weights have a column for each group, not for each row.
    n_train : int
        Number of training examples.
    """

    labels: np.ndarray
    names: list
    rows: list
    are_columns: bool
    n_train: int

    @classmethod
    def of(cls, groups, n_train, n_columns):
        """Check the groups that the user gave, and return them; None for none."""
        if groups is None:
            return None
        if isinstance(groups, Mapping):
            different, rows = np.array([*groups], dtype=object), []
            for name, members in groups.items():
                members = np.asarray(members)
                if members.shape == (0,):
                    raise ValueError(f"groups[{name!r}] has no rows. Leave it out.")
                fine = members.ndim == 1 and members.dtype.kind in "iu"
                if not fine or not np.isin(members, range(n_train)).all():
                    raise ValueError(
                        f"groups[{name!r}] must be rows of the training set, integers "
                        f"from 0 to {n_train - 1}."
                    )
                rows.append(members)
            found = np.concatenate(rows) if rows else np.array([])
            if len(np.unique(found)) < len(found):
                raise ValueError("groups has a row in two groups.")
        else:
            labels = np.asarray(groups)
            if labels.shape != (n_train,):
                raise ValueError(
                    f"groups must have a label for each of the {n_train} training "
                    f"examples, got shape {labels.shape}."
                )
            different, codes = np.unique(labels, return_inverse=True)
            order = np.argsort(codes, kind="stable")
            rows = np.split(order, np.cumsum(np.bincount(codes))[:-1])
        if len(rows) == n_columns == n_train and not np.array_equal(
            np.concatenate(rows), np.arange(n_train)
        ):
            raise ValueError(
                "Each row is a group of its own, but not in the order of the rows, so "
                "a column of weights could mean a row or a group. Order the columns as "
                "the rows are, and leave groups out."
            )
        are_columns = n_columns == len(rows) and n_columns != n_train
        names = [cut(name, _MOST_NAME) for name in as_texts(different)]
        return cls(different, names, rows, are_columns, n_train)

    @property
    def n_columns(self):
        """Number of columns that the weights must have."""
        return len(self.rows) if self.are_columns else self.n_train

    def rows_of(self, columns):
        """Return the rows of some columns of the weights, a few of each group."""
        if not self.are_columns or not len(columns):
            return columns
        return np.concatenate([self.rows[column][:5] for column in columns])

    def embed(self):
        """Return the data of the page. A row of no group has the code of no name."""
        codes = np.full(self.n_train, len(self.names))
        for code, rows in enumerate(self.rows):
            codes[rows] = code
        return {
            "areColumns": self.are_columns,
            "names": self.names,
            "codes": embed_counts(codes),
        }
