"""The columns that differ most are named, with both cells."""

import numpy as np
import pandas as pd

from skdatamodels.auditing._explanation import explain

TRAIN = pd.DataFrame(
    {
        "y": ["yes", "no", "no", "no"],
        "age": [30.0, 31, 90, np.nan],
        "town": ["Rome", "Oslo", None, "Rome"],
        "same": 7,
    }
)


def test_the_largest_differences_come_first():
    target = TRAIN.iloc[[0]].assign(same=8)
    # one standard deviation of the ages is 28; other cells differ or not
    frame = explain(np.array([0.0, 3, 2, 1]), np.ones(4), target, TRAIN, 3)
    assert frame["differs"].tolist() == [
        "y no, not yes, town Oslo, not Rome, same 7, not 8",
        "age 90, not 30, y no, not yes, town missing, not Rome",
        "y no, not yes, age missing, not 30, same 7, not 8",
    ]
    same = explain(np.array([1.0, 0, 0, 0]), np.ones(4), TRAIN[:1], TRAIN, 3)
    assert same["differs"][0] == ""
