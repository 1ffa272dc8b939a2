"""The rows for and against a prediction, with the columns in which they differ."""

import numpy as np

from skdatamodels._example_scales import scales_of
from skdatamodels._tables import import_pandas, shorten
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
    target : pandas.Series
        The row of the target, by column.
    train_table : pandas.DataFrame
        The training rows.
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
    scales = dict(zip(target.index, scales_of(train_table), strict=True))
    facts = {
        "for_or_against": ["for"] * len(helping) + ["against"] * len(harming),
        "effect": effects[rows],
        "low": effects[rows] - NORMAL * errors[rows],
        "high": effects[rows] + NORMAL * errors[rows],
        "distinguishable": marked[rows],
        "differs": [
            ", ".join(differences(row, target, scales)) for _, row in found.iterrows()
        ],
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
            f"No row is to blame: none is distinguishable from nothing at FDR {FDR}. "
            "The prediction hangs on many rows, each a little, or there are too few "
            "runs."
        )
    return (
        f"Rows that are distinguishable from nothing at FDR {FDR}: {n_for:,} for the "
        f"prediction, {n_against:,} against it."
    )


def differences(row, target, scales, most=_MOST_DIFFERENT):
    """Return texts such as "age 31, not 60", the largest difference first."""
    gaps = {
        name: _gap(row[name], target[name], scale)
        for name, scale in scales.items()
        if name in row.index
    }
    names = sorted((name for name in gaps if gaps[name] > 0), key=lambda n: -gaps[n])
    return [
        f"{name} {_short(row[name])}, not {_short(target[name])}"
        for name in names[:most]
    ]


def _gap(one, other, scale):
    missing = import_pandas().isna([one, other])
    if missing.any():
        return 0.0 if missing.all() else 1.0
    if not scale > 0:
        return 0.0 if one == other else 1.0
    return abs(float(one) - float(other)) / scale


def _short(value):
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    return shorten(value, _MOST_CHARACTERS)
