"""What an audit is given: checks, before anything is trained."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from sklearn.utils.multiclass import type_of_target

from skdatamodels._examples import Examples
from skdatamodels._fitting import weight_name
from skdatamodels._frames import is_frame, is_pandas, with_types_of
from skdatamodels._tables import import_pandas
from skdatamodels.auditing._columns import (
    check_columns,
    check_same_columns,
    plain_columns,
)
from skdatamodels.auditing._models import MODELS, model_for
from skdatamodels.outputs._raw import check_measurable

_FEWEST_ROWS, _FEWEST_TEST_ROWS = 50, 10
_LARGEST_OFFSET = 1e4  # of values, in standard deviations: float32 has 7 digits
_FEW_VALUES = 10  # of a number: may be classes


class Inputs(NamedTuple):
    """Checked inputs of an audit.

    Attributes
    ----------
    estimator : classifier or regressor
        The learner.
    task : {"classification", "regression"}
    train : Examples
        Training rows. Their ids are the user's index.
    test : Examples or None
        Test rows.
    groups : array of shape (n_train,), str or None
        Label of the group of each training row, or the column that has it.
    label : str
        Name of the labels or values in results.
    """

    estimator: object
    task: str
    train: Examples
    test: Examples | None
    groups: np.ndarray | str | None
    label: str


def check_inputs(estimator, X, y, X_test, y_test, groups, sample_weight, task):
    """Check all inputs of an audit, and return them as Inputs.

    Raises
    ------
    TypeError, ValueError
        With what is wrong, where, and what to do.
    """
    _check_different(y=y, groups=groups, sample_weight=sample_weight)
    X, y, X_test, y_test = _split_labels(X, y, X_test, y_test)
    label = getattr(y, "name", None)
    if isinstance(groups, str) and is_frame(X) and groups in X.columns:
        # the source of a row is not to be learnt from
        groups, X, X_test = _take(groups, X, X_test)
    if isinstance(sample_weight, str):
        _check_named(sample_weight, "sample_weight", X)
        sample_weight, X, X_test = _take(sample_weight, X, X_test)
    if (X_test is None) != (y_test is None):
        raise ValueError("Give both X_test and y_test, or neither.")
    if isinstance(estimator, str):
        X, X_test = _for_named_model(estimator, X, X_test)
    train = _examples(X, y, "X", sample_weight)
    test = None if X_test is None else _examples(X_test, y_test, "X_test")
    check_columns(train.X)
    if test is not None:
        check_same_columns(train.X, test.X)
        if is_frame(train.X):
            X_test = with_types_of(test.X[list(train.X.columns)], train.X)
            test = Examples(X_test, test.y, test.ids, allow_nan=True)
    _check_sizes(train, test)
    _check_numbers(train.y)
    if isinstance(estimator, str):
        task = _guess_task(train.y, task)
        estimator = model_for(estimator, X, task)
    else:
        task = _task_of(estimator, train.y, task)
    learnt = train.y
    if train.sample_weight is not None:
        weight_name(estimator)
        learnt = train.y[train.sample_weight > 0]
    _check_labels(learnt, None if test is None else test.y, task)
    if label is None:
        label = "label" if task == "classification" else "value"
    return Inputs(estimator, task, train, test, groups, label)


def _check_different(**named):
    """Raise if two arguments name the same column."""
    named = [(what, name) for what, name in named.items() if isinstance(name, str)]
    for (one, name), (other, same) in combinations(named, 2):
        if name == same:
            raise ValueError(f"{one} and {other} both name the column {name!r}.")


def _check_sizes(train, test):
    if len(train) < _FEWEST_ROWS:
        raise ValueError(
            f"The training set has {len(train)} rows. An audit needs at least "
            f"{_FEWEST_ROWS}: with fewer, one row more or less changes everything."
        )
    if test is not None and len(test) < _FEWEST_TEST_ROWS:
        raise ValueError(
            f"The test set has {len(test)} rows. An audit needs at least "
            f"{_FEWEST_TEST_ROWS}: half of them choose rows to remove, and half judge. "
            "Without X_test and y_test, the training rows judge."
        )


def _split_labels(X, y, X_test, y_test):
    """Take the labels out of the tables if y is the name of a column."""
    if not isinstance(y, str):
        return X, y, X_test, y_test
    if not is_frame(X):
        raise TypeError(
            f"y={y!r} names a column, but X is a {type(X).__name__}. Pass a data "
            "frame, or the labels as an array."
        )
    tables = [X] if X_test is None else [X, X_test]
    for name, table in zip(("X", "X_test"), tables, strict=False):
        if y not in table.columns:
            names = ", ".join(map(repr, list(table.columns)[:10]))
            raise ValueError(f"{name} has no column {y!r}; it has {names}.")
    labels = [table[y] for table in tables]
    tables = [_without(table, y) for table in tables]
    if X_test is None:
        return tables[0], labels[0], None, None
    return tables[0], labels[0], tables[1], labels[1]


def _check_named(name, argument, X):
    """Raise if X has no column of this name."""
    if not is_frame(X):
        raise TypeError(
            f"{argument}={name!r} names a column, but X is a {type(X).__name__}. Pass "
            "a data frame, or an array."
        )
    if name not in X.columns:
        names = ", ".join(map(repr, list(X.columns)[:10]))
        raise ValueError(f"X has no column {name!r} for {argument}; it has {names}.")


def _take(column, X, X_test):
    """Return a column of X, and both tables without it."""
    return X[column], _without(X, column), _without(X_test, column)


def _without(table, column):
    """Return a data frame without a column, which it may lack."""
    if table is None or not is_frame(table) or column not in table.columns:
        return table
    return table.drop(columns=column) if is_pandas(table) else table.drop(column)


def _examples(X, y, name, sample_weight=None):
    if is_pandas(X) and not X.index.is_unique:
        twice = X.index[X.index.duplicated()].unique().tolist()
        listed = ", ".join(map(repr, twice[:5]))
        raise ValueError(
            f"The index of {name} names several rows alike: {listed}. Results name "
            f"rows by it: call {name}.reset_index(drop=True), or make it unique."
        )
    if is_pandas(X) and X.index.hasnans:
        raise ValueError(
            f"The index of {name} has missing values. Results name rows by it: call "
            f"{name}.reset_index(drop=True), or fill them."
        )
    ids = X.index.to_numpy() if is_pandas(X) and X.index.nlevels == 1 else None
    try:
        return Examples(X, y, ids, allow_nan=True, sample_weight=sample_weight)
    except (TypeError, ValueError) as error:
        if name == "X":
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"In X_test and y_test: {error}") from error


def _for_named_model(name, X, X_test):
    """Return the tables as the named models take them."""
    if name not in MODELS:
        raise ValueError(
            f"estimator must be an estimator or one of {', '.join(MODELS)}; got "
            f"{name!r}."
        )
    for what, table in (("X", X), ("X_test", X_test)):
        if table is not None and not is_pandas(table):
            raise TypeError(
                f"estimator={name!r} is made for the columns of a pandas data frame, "
                f"but {what} is a {type(table).__name__}. Pass a data frame or an "
                "estimator."
            )
    return plain_columns(X, X_test)


def _guess_task(y, task):
    if task == "regression" and y.dtype.kind not in "iuf":
        raise ValueError(
            f"task='regression' needs labels that are numbers; got {y.dtype}."
        )
    if task in ("classification", "regression"):
        return task
    if task is not None:
        raise ValueError(
            f"task must be 'classification' or 'regression', got {task!r}."
        )
    if y.dtype.kind not in "iuf":
        return "classification"
    n_values = len(np.unique(y))
    if y.dtype.kind == "f" and n_values <= _FEW_VALUES:
        raise ValueError(
            f"The labels are real numbers with only {n_values} different values. Say "
            "whether they are classes or amounts: task='classification' or "
            "task='regression'."
        )
    return "classification" if n_values <= _FEW_VALUES else "regression"


def _check_numbers(y):
    """Raise if labels are numbers of a kind that numpy does not compute with."""
    if y.dtype.kind != "O":
        return
    odd = {type(v).__name__ for v in y.tolist() if not isinstance(v, str | bool)}
    if odd:
        raise TypeError(
            f"The labels are objects of type {', '.join(sorted(odd))}. Convert them: "
            "y.astype(float) for amounts, y.astype(str) for classes."
        )


def _task_of(estimator, y, task):
    own = check_measurable(estimator)
    if task not in (None, own):
        raise ValueError(f"task={task!r}, but {type(estimator).__name__} does {own}.")
    kind = type_of_target(y)
    if own == "classification" and kind == "continuous":
        raise ValueError(
            f"The labels are real numbers, but {type(estimator).__name__} is a "
            "classifier. Pass a regressor, or labels of classes."
        )
    if own == "regression" and y.dtype.kind not in "iufb":
        raise ValueError(
            f"The labels are not numbers, but {type(estimator).__name__} is a "
            "regressor. Pass a classifier, or numbers."
        )
    return own


def _check_labels(y, y_test, task):
    values, counts = np.unique(y, return_counts=True)
    if len(values) == 1:
        raise ValueError(
            f"All labels are {values.tolist()[0]!r}. There is nothing to learn: is "
            "this the right column?"
        )
    if task == "regression":
        if np.abs(y).max() > _LARGEST_OFFSET * np.std(y, dtype=np.float64):
            raise ValueError(
                f"The values are about {np.mean(y):.4g} and differ by {np.std(y):.4g}, "
                "which the float32 numbers of outputs cannot tell apart. Subtract a "
                "constant from them."
            )
        return
    rare = values[counts < 2]
    if len(rare):
        listed = ", ".join(map(repr, rare[:5].tolist()))
        hint = ""
        if y.dtype.kind == "f" or (y.dtype.kind in "iu" and len(values) > _FEW_VALUES):
            hint = f" They are {len(values):,} different numbers: if they are amounts, "
            hint += 'use a regressor, or task="regression" with the name of a model.'
        elif len(values) > len(y) / 2:
            hint = " Most labels occur only once: are they names, or amounts?"
        raise ValueError(
            f"Classes with a single training row: {listed}. Every other model would "
            f"never see them. Drop these rows or merge the classes.{hint}"
        )
    if y_test is not None:
        unknown = np.setdiff1d(y_test, values)
        if len(unknown):
            listed = ", ".join(map(repr, unknown[:5].tolist()))
            raise ValueError(
                f"y_test has classes that no training row has: {listed}. Drop these "
                "rows, or check the spelling."
            )


def as_frame(examples, label):
    """Return rows as a pandas frame with their ids as index and y as first column.

    Parameters
    ----------
    examples : Examples
        The rows. Sparse matrices and images have no columns.
    label : str
        Name of the column of y.

    Returns
    -------
    frame : pandas.DataFrame
        A row for each example.
    """
    pandas, X = import_pandas(), examples.X
    if is_pandas(X):
        frame = X.copy()
    elif is_frame(X):
        frame = pandas.DataFrame({name: X[name].to_list() for name in X.columns})
    elif X.ndim == 2 and isinstance(X, np.ndarray):
        names = [f"column {k}" for k in range(X.shape[1])]
        frame = pandas.DataFrame(X, columns=names)
    elif X.ndim == 1 and X.dtype.kind in "OUT":
        frame = pandas.DataFrame({"text": X})
    else:
        frame = pandas.DataFrame(index=range(len(examples)))
    frame.index = pandas.Index(examples.ids, name="row")
    own = label
    while own in frame.columns:
        own = f"{own} (y)"
    frame.insert(0, own, examples.y)
    return frame
