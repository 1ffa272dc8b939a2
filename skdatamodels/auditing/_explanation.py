"""The rows for and against a prediction, with the columns in which they differ."""

import numpy as np

from skdatamodels._example_scales import cell_differences, plain_values, scales_of
from skdatamodels._numbers import is_missing
from skdatamodels._tables import shorten
from skdatamodels.applications import similar_examples
from skdatamodels.auditing._effect_check import NORMAL
from skdatamodels.auditing._findings import beside
from skdatamodels.inference._false_discovery import distinguishable
from skdatamodels.inference._named_weights import FDR

_MOST_DIFFERENT = 3  # columns that are named
_MOST_CHARACTERS = 20  # of a cell


def explain(effects, errors, target, train_table, n_rows):
    """Return the rows that raise and lower an output most.

    Parameters
    ----------
    effects, errors : arrays of shape (n_train,)
        Effects of the training rows on the target, and their standard errors.
    target : pandas.DataFrame
        The row of the target.
    train_table : pandas.DataFrame
        The training rows, with the columns of the target.
    n_rows : int
        Number of rows of each sign.

    Returns
    -------
    frame : pandas.DataFrame
        The rows for the output, the most important first, and then those against it.
        Its first columns are `for_or_against`, `effect` (what the presence of the row
        adds to the output), `low` and `high` (its 95 % interval), `distinguishable`,
        and `differs` (the columns that differ most from the target). Its
        ``attrs["message"]`` says in words how many rows are distinguishable.
    """
    extremes = similar_examples(effects[None], n_rows)
    helping, harming = (
        rows[0][rows[0] >= 0] for rows in (extremes.positive, extremes.negative)
    )
    rows = np.concatenate([helping, harming])
    found = train_table.iloc[rows]
    marked = distinguishable(effects, errors, FDR)
    facts = {
        "for_or_against": ["for"] * len(helping) + ["against"] * len(harming),
        "effect": effects[rows],
        "low": effects[rows] - NORMAL * errors[rows],
        "high": effects[rows] + NORMAL * errors[rows],
        "distinguishable": marked[rows],
        "differs": _differences(found, target, scales_of(train_table)),
    }
    frame = beside(facts, found)
    frame.attrs["message"] = _in_words(marked, effects)
    return frame


def _in_words(marked, effects):
    n_for, n_against = (
        int((marked & side).sum()) for side in (effects > 0, effects < 0)
    )
    if n_for == n_against == 0:
        return (
            f"No row stands out: none is distinguishable from nothing at FDR {FDR}. "
            "The prediction hangs on many rows, each a little, or there are too few "
            "runs."
        )
    return (
        f"Rows that are distinguishable from nothing at FDR {FDR}: {n_for:,} for the "
        f"prediction, {n_against:,} against it."
    )


def _differences(found, target, scales):
    """Return a text for each row such as "age 31, not 60", the largest gap first."""
    gaps = np.column_stack(
        [
            cell_differences(
                plain_values(found[name]), plain_values(target[name]), scale
            )
            for name, scale in zip(found.columns, scales, strict=True)
        ]
    )
    order = np.argsort(-gaps, axis=1, kind="stable")[:, :_MOST_DIFFERENT]
    return [
        ", ".join(
            f"{found.columns[j]} {_short(found.iat[i, j])}, "
            f"not {_short(target.iat[0, j])}"
            for j in columns
            if gaps[i, j] > 0
        )
        for i, columns in enumerate(order)
    ]


def _short(value):
    if is_missing(value):
        return "missing"
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    return shorten(value, _MOST_CHARACTERS)
