"""Rows of two tables with the same content, compared with a search."""

import numpy as np
import pandas as pd
import scipy.sparse as sp

from skdatamodels.applications._row_keys import equal_rows


def table(n, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "label": rng.choice(["a", "b"], n),
            "size": rng.normal(size=n).round(3),
            "count": rng.integers(0, 9, n),
            "city": rng.choice(["Oslo", "Rome", None], n),
            "when": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 999, n), "D"),
        },
    )


def test_rows_of_frames_are_those_of_a_search():
    train, test = table(60), table(20, seed=2)
    test.iloc[[4, 9]] = train.iloc[[8, 30]].to_numpy()
    train.iloc[40] = train.iloc[8]
    expected = [
        next(
            (
                i
                for i in range(len(train))
                if all(
                    (pd.isna(a) and pd.isna(b)) or a == b
                    for a, b in zip(row, train.iloc[i], strict=True)
                )
            ),
            -1,
        )
        for row in test.itertuples(index=False)
    ]
    assert equal_rows(test, train).tolist() == expected
    assert expected[4] == 8


def test_numbers_are_equal_whatever_their_type():
    frame = pd.DataFrame({"x": [1, 2], "y": ["u", "v"]})
    assert equal_rows(frame.astype({"x": float}), frame).tolist() == [0, 1]
    categories = frame.astype({"y": "category"})
    assert equal_rows(categories, frame).tolist() == [0, 1]
    matrix = np.array([[0.0, 2.0], [1.0, np.nan], [0.0, 2.0]])
    for other in (matrix, matrix.astype(np.float32)):
        assert equal_rows(matrix, other).tolist() == [0, 1, 0]
    stored = sp.csr_matrix(matrix)
    assert equal_rows(stored, stored).tolist() == [0, 1, 0]
