"""Find rows that support each other as one strong feature, as a backdoor's do."""

import warnings
from dataclasses import dataclass, field
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.multiclass import type_of_target

from skdatamodels._last_step import last_step
from skdatamodels._random import entropy_from
from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels._tables import (
    MOST_ROWS,
    Table,
    import_pandas,
    table_html,
    table_text,
)
from skdatamodels.applications._attributions import (
    are_of_regression,
    check_other_runs,
    check_train,
    check_weights,
    names_of,
    sign_of_better,
)
from skdatamodels.applications._group_columns import group_columns
from skdatamodels.applications._mutual_support import (
    comparable_inputs,
    input_distances,
    mutual_support,
    noise_scale,
    strength_of,
    strength_without_one,
    strongest_group,
    support_beyond,
)

_LEAST_CLASSES = 3  # so that there are two others to compare with
_FEW_ROWS = 20  # of a class, in which noise alone may stand out


@dataclass(frozen=True, eq=False, repr=False)
class Shortcuts:
    """The rows of each class that support each other most, strongest class first.

    Attributes
    ----------
    groups : tuple of int arrays
        Rows of the training set, one array for each class.
    ids : tuple of arrays, or None
        Their ids. None if they are not known.
    labels : array of shape (n_groups,), or None
        Class of each group. None if rows have no classes.
    strength : float64 array of shape (n_groups,)
        How strongly the rows of each group support each other, beyond what the rest of
        their class does and what the likeness of their inputs explains. About 1 to 1.5
        in noise, whatever the size of the class.
    support : float64 array of shape (n_groups,)
        How much the outputs of the rows would fall, on average and by the weights,
        without the rest of the group rather than without as many other rows of the
        class that are not in it; NaN if there are none. In units of the output, such as
        log-odds for a margin. Measured on the held-out weights, if there are any.
    without_one : float64 array of shape (n_groups,)
        Strength of each group without the row that it hangs on most, which is little if
        one row supports all others, as an outlier may.
    held_out_strength : float64 array of shape (n_groups,), or None
        Strength of the same groups on the held-out weights. In noise it is 0, with a
        standard error of about the root of 2/n in a class of n rows.
    ratio : float
        Strength of the first group as a multiple of that of the second; `without_one`,
        or on held-out weights, where that of the second counts as at least two standard
        errors of noise, if this is smaller. NaN if fewer than three classes can be
        compared.
    min_ratio : float
        Ratio from which the first group stands out.
    scores : float64 array of shape (n_train,)
        For each row, how strongly it and the group of its class support each other, in
        the unit of `strength`. NaN in classes that are too small.
    """

    groups: tuple
    ids: tuple | None
    labels: np.ndarray | None
    strength: np.ndarray
    support: np.ndarray
    without_one: np.ndarray
    held_out_strength: np.ndarray | None
    ratio: float
    min_ratio: float
    scores: np.ndarray
    _classes: np.ndarray = field(repr=False)

    @property
    def stands_out(self):
        """Whether the ratio reaches `min_ratio`, a bool."""
        return bool(self.ratio >= self.min_ratio)

    def __len__(self):
        return len(self.groups)

    def columns(self, train, group=0):
        """Return the columns that tell a group from other rows.

        Parameters
        ----------
        train : Examples
            The training set.
        group : int, default=0
            Which of the groups.

        Returns
        -------
        columns : pandas.DataFrame
            One row for each column of the inputs, the most different first.
            `difference` is at most 1: for numbers, the Kolmogorov-Smirnov distance of
            both distributions; for others, how much larger the share of a value is. It
            is the smaller of the differences from the other rows of the class and from
            all other rows. `in_group` and `among_others` are the medians, or the shares
            of this value. Pixels are columns, counted from x0.

        Raises
        ------
        ImportError
            If pandas is not installed.
        IndexError
            If there is no such group.
        """
        check_train(train, len(self.scores))
        if not -len(self) <= group < len(self):
            raise IndexError(f"There are {len(self)} groups, and none is {group}.")
        rows = self.groups[group]
        same = np.flatnonzero(self._classes == self._classes[rows[0]])
        return group_columns(train.X, rows, np.setdiff1d(same, rows))

    def to_frame(self):
        """Return the rows of the training set as a pandas.DataFrame, best score first.

        Its columns are row, score and group (the position in `groups`, -1 for none).

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        group_of = np.full(len(self.scores), -1)
        for number, rows in enumerate(self.groups):
            group_of[rows] = number
        order = np.argsort(-self.scores, kind="stable")  # NaN last
        columns = {"row": order, "score": self.scores[order], "group": group_of[order]}
        return import_pandas().DataFrame(columns)

    def _table(self):
        first = range(len(self))[:MOST_ROWS]
        named = self.groups if self.ids is None else self.ids
        columns = {
            "class": ["all rows"]
            if self.labels is None
            else list(map(str, self.labels)),
            "rows": [len(rows) for rows in self.groups],
            "strength": self.strength,
            "support": self.support,
            "such as": [", ".join(map(str, named[k][:4].tolist())) for k in first],
        }
        columns = {name: values[:MOST_ROWS] for name, values in columns.items()}
        title = "Rows of a class that support each other most"
        return Table(title, columns, len(self), notes=(self._in_words(),))

    def _in_words(self):
        if np.isnan(self.ratio):
            return (
                f"There are fewer than {_LEAST_CLASSES} classes to compare, so nothing "
                "says whether this is more than usual."
            )
        times = f"{self.ratio:.2f} times as strongly as those of any other class"
        if not self.stands_out:
            rows, without_one = "the first rows", _ratio(self.without_one)
            # a smaller ratio on held-out weights is of something else
            if _ratio(self.strength) >= self.min_ratio > without_one == self.ratio:
                rows = "the first hangs on one row. Without it, the others"
            return (
                f"No group stands out: {rows} support each other {times}, and it takes "
                f"{self.min_ratio:g}. This does not prove that there is no shortcut: "
                "look at the first groups, and at their columns."
            )
        words = (
            f"The first {len(self.groups[0])} rows support each other {times}: they "
            "share a strong feature. It may be a backdoor, a shortcut, or a legitimate "
            "style. Look at them."
        )
        least = min(np.sum(self._classes == self._classes[r[0]]) for r in self.groups)
        if least < _FEW_ROWS:
            words += f" A class has only {least} rows, so it may also be noise."
        return words

    __repr__ = table_text
    _repr_html_ = table_html


@validate_params(
    {
        "weights": "no_validation",
        "train": "no_validation",
        "held_out": "no_validation",
        "higher_is_better": "no_validation",
        "min_size": [Interval(Integral, 2, None, closed="left")],
        "min_ratio": [Interval(Real, 1, None, closed="left")],
        "n_restarts": [Interval(Integral, 1, None, closed="left")],
        "random_state": "no_validation",
    },
    prefer_skip_nested_validation=True,
)
def find_shortcuts(
    weights,
    train=None,
    *,
    held_out=None,
    higher_is_better=None,
    min_size=4,
    min_ratio=1.4,
    n_restarts=100,
    random_state=0,
):
    """Find rows that support each other as one strong feature.

    Rows with the trigger of a backdoor, or with a mark that gives their label away,
    teach the model this mark. So each of them raises the outputs of the others, though
    they may have nothing else in common. In each class, the group of rows is searched
    that supports each other most. If that of one class is much stronger than those of
    the others, it stands out.

    The method cannot tell malice: a style that some rows of a class share is a strong
    feature, too. Look at the rows that it finds.

    Parameters
    ----------
    weights : array-like or CSR of shape (n_train, n_train), or fitted estimator
        Attribution matrix of the training set on itself: the targets of the runs are
        the training rows, in the same order. Fit the regressor with
        ``exclude=np.arange(n_train)``. The diagonal is not used.
    train : Examples, default=None
        The training set, for classes, likeness of inputs and ids. Without it, all rows
        are compared as one class. So they are if the labels are real numbers, or if the
        weights know that they are of a regression.
    held_out : array-like or CSR of shape (n_train, n_train), or fitted estimator, \
default=None
        Weights from other runs. Groups are found on `weights`, whose noise flatters
        them. If `held_out` is given, their support is measured on it, and the first
        group stands out only if it does so there, too.
    higher_is_better : bool, default=None
        Whether higher outputs are better. Needed if `weights` does not know it, as an
        array does not.
    min_size : int, default=4
        Least number of rows of a group; one of two rows hangs on either, and never
        stands out. Classes of fewer than twice as many are left out. In classes of
        fewer than about 20 rows, noise alone may stand out.
    min_ratio : float, default=1.4
        How much stronger the first group must be than the second to stand out. The
        default is meant for weights that were fitted without a prior: a prior makes the
        styles of a class stronger.
    n_restarts : int, default=100
        Number of local searches in each class. They start from random rows, or from
        each row if the class has no more.
    random_state : int, RandomState instance or None, default=0
        Seed of the starts.

    Returns
    -------
    found : Shortcuts
        The group of each class, whether the first stands out, and a score for each row.

    Raises
    ------
    ValueError
        If the weights are not a finite square matrix, or are known to be of other
        targets than the training rows; if `train` or `held_out` do not match them; if
        no class is large enough; or if it is not known which outputs are better.
    TypeError
        If `train` is not Examples.

    Warns
    -----
    UserWarning
        If `weights` is a regressor that was fitted without `exclude`.

    See Also
    --------
    removal_check : Retrain without the rows, and judge on targets with the mark.
    find_label_errors : Find single rows whose label is wrong.

    Notes
    -----
    Let W be the weights of the rows of a class on each other. From each target's
    weights, their mean is subtracted, and then what the rank of its distance to the row
    explains: the mean weight by rank over the class, decreasing. Distances are Gower's,
    in which each column counts alike. The strength of a group R is the sum of the
    result, made symmetric, over all pairs of different rows of R, divided by the size
    of R, so that its size need not be given. The unit is the root mean square outside
    R times the root of the number of rows of the class.

    Groups are also compared without the row that each hangs on most: rows that share a
    feature all support each other, but an outlier may be all that supports some others.

    Khaddaj et al. maximise the sum of the weights for given sizes, over all classes,
    and rank rows by how often they are in such a set; :doc:`/shortcuts` compares both.

    References
    ----------
    Khaddaj, Leclerc, Makelov, Georgiev, Salman, Ilyas, Madry, "Rethinking Backdoor
    Attacks", ICML 2023, section 4.

    Examples
    --------
    Rows 0 to 5, of class 0, support each other:

    >>> import numpy as np
    >>> from skdatamodels import Examples
    >>> from skdatamodels.applications import find_shortcuts
    >>> rng = np.random.default_rng(0)
    >>> weights = rng.normal(size=(60, 60))
    >>> weights[:6, :6] += 5
    >>> train = Examples(rng.normal(size=(60, 3)), np.arange(60) // 20)
    >>> found = find_shortcuts(weights, train, higher_is_better=True)
    >>> found.stands_out, found.groups[0]
    (True, array([0, 1, 2, 3, 4, 5]))
    """
    sign = sign_of_better(weights, higher_is_better)
    matrices = [_square(weights, "weights", sign)]
    if getattr(last_step(weights), "exclude", ()) is None:
        warnings.warn(
            "The weights were fitted without exclude, on runs in which rows speak for "
            "their own labels. So their groups may be others. Fit the regressor with "
            "exclude=np.arange(n_train).",
            UserWarning,
            stacklevel=3,
        )
    n_train = len(matrices[0])
    if held_out is not None:
        matrices.append(_square(held_out, "held_out", sign))
        check_other_runs(*matrices)
    check_train(train, n_train)
    for given, name in ((weights, "weights"), (held_out, "held_out")):
        _check_targets_are_training_rows(given, name, train)
    classes, labels = _classes(train, n_train, weights)
    rng = np.random.default_rng(entropy_from(random_state))
    table = None if train is None else comparable_inputs(train.X)
    scores, found = np.full(n_train, np.nan), []
    for code, label in enumerate(labels):
        rows = np.flatnonzero(classes == code)
        if len(rows) < 2 * min_size:
            continue
        distances = None if table is None else input_distances(table, rows)
        supports = [
            mutual_support(matrix[np.ix_(rows, rows)], distances) for matrix in matrices
        ]
        starts = rng.permutation(len(rows))[:n_restarts]
        group, _ = strongest_group(supports[0].excess, min_size, starts)
        scores[rows] = _scores(supports[0].excess, group)
        strengths = [
            measure(part.excess, group) / noise_scale(part.excess, group)
            for measure in (strength_of, strength_without_one)
            for part in supports
        ]
        support = support_beyond(supports[-1].weights, group)
        found.append((strengths, support, label, rows[group]))
    if not found:
        raise ValueError(
            f"No class has {2 * min_size} rows, twice min_size, so there are no "
            "groups. If the labels are amounts that happen to be whole numbers, pass "
            "the regressor, which knows that they are no classes, or leave train "
            "out."
        )
    found.sort(key=lambda one: -one[0][0])
    strengths, support, named, groups = zip(*found, strict=True)
    strengths = np.transpose(strengths)
    # On held-out weights, a second strength below what noise reaches is this noise.
    n_rows = np.count_nonzero(classes == classes[groups[0][0]])
    least = np.resize([0, 2 * np.sqrt(2 / n_rows)][: len(matrices)], len(strengths))
    ids = names_of(weights, train, "player_ids_")
    return Shortcuts(
        groups,
        None if ids is None else tuple(np.asarray(ids)[rows] for rows in groups),
        None if named[0] is None else np.array(named),
        strengths[0],
        np.array(support),
        strengths[len(matrices)],
        None if held_out is None else strengths[1],
        min(map(_ratio, strengths, least)),
        float(min_ratio),
        scores,
        classes,
    )


def _scores(excess, group):
    """Return how strongly each row (n,) and the group support each other."""
    return excess[:, group].sum(axis=1) / noise_scale(excess, group)


def _square(weights, name, sign):
    matrix = check_weights(weights, name)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            f"{name} must be square, with the training rows as targets, got shape "
            f"{matrix.shape}. Pass the training set as the targets of the trainer, and "
            "fit the regressor with exclude=np.arange(n_train)."
        )
    dense = matrix.toarray() if issparse(matrix) else matrix
    return sign * dense.astype(np.float64)


def _check_targets_are_training_rows(weights, name, train):
    """Raise if a fitted regressor knows that its targets are others."""
    known = last_step(weights)
    ids, own = (getattr(known, f"{part}_ids_", None) for part in ("player", "target"))
    classes = getattr(known, "target_classes_", None)
    other_ids = ids is not None and own is not None and not np.array_equal(ids, own)
    other_classes = (
        train is not None
        and classes is not None
        and not np.array_equal(classes, train.y)
    )
    if other_ids or other_classes:
        what = "ids" if other_ids else "classes"
        raise ValueError(
            f"The targets of {name} have other {what} than the training rows, so they "
            "are not these rows. Pass the training set as the targets of the trainer."
        )


def _classes(train, n_train, weights):
    """Return the class of each row, as a position, and the classes or [None]."""
    if (
        train is None
        or are_of_regression(weights)
        or type_of_target(train.y).startswith("continuous")
    ):
        return np.zeros(n_train, dtype=int), [None]
    labels, classes = np.unique(train.y, return_inverse=True)
    return classes, labels


def _ratio(strength, least=0.0):
    """Return the first strength over the largest other, NaN if there are too few.

    The largest other counts as `least` if it is smaller.
    """
    if len(strength) < _LEAST_CLASSES:
        return np.nan
    first, second = strength[0], max(strength[1:].max(), least)
    if first <= 0:
        return 1.0 if second == 0 else 0.0
    return float(first / second) if second > 0 else np.inf
