import numpy as np
import pandas as pd
import pytest

from skdatamodels import Examples
from skdatamodels.auditing import _copies
from skdatamodels.auditing._models import model_for
from skdatamodels.influence._surrogate_table import surrogate_table


def table(n=300, seed=0):
    rng = np.random.default_rng(seed)
    words = ["late", "fog", "plane", "bird", "snow", "crew", "gate", "noise", "queue"]
    return pd.DataFrame(
        {
            "label": rng.choice(["a", "b"], n),
            "size": rng.normal(size=n).round(3),
            "count": rng.integers(0, 9, n),
            "city": rng.choice(["Oslo", "Rome", None], n),
            "when": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 999, n), "D"),
            "text": [" ".join(rng.choice(words, 6)) + f" {i}" for i in range(n)],
        },
        index=[f"row {i}" for i in range(n)],
    )


def look(train, test, model="boosting", weights=None):
    examples = [
        Examples(part.drop(columns="label"), part["label"], allow_nan=True)
        for part in (train, test)
    ]
    fitted = model_for(model, examples[0].X, "classification")
    fitted.fit(examples[0].X, examples[0].y)
    return _copies.leaks(
        weights, *_copies.representation(fitted, *examples), train, test
    )


@pytest.mark.parametrize("model", ["boosting", "linear"])
def test_every_copy_is_found_whatever_the_model_sees(model):
    train, test = table(), table(40, seed=1)
    own = [3, 7, 11, 30]
    test.iloc[own] = train.iloc[[9, 90, 190, 290]].to_numpy()
    test.iloc[7, 0] = "b" if test.iloc[7, 0] == "a" else "a"  # another label
    test = test.astype(train.dtypes.to_dict()).assign(count=lambda t: t["count"] * 1.0)
    found = look(train, test, model)
    copies = found[found["copy"]]
    assert sorted(copies.index) == sorted(test.index[own])
    assert copies.loc["row 3", "train_row"] == "row 9"
    assert copies.loc["row 7", "n_differ"] == 1
    assert (copies.drop("row 7")["n_differ"] == 0).all()
    assert len(found) < 8


def test_a_copy_with_a_changed_cell_is_nearly_one():
    train, test = table(), table(40, seed=1)
    test.iloc[5] = train.iloc[17]
    test.iloc[5, 1] += 0.01
    found = look(train, test, "linear")
    assert found.loc["row 5", ["train_row", "copy", "n_differ"]].tolist() == [
        "row 17",
        False,
        1,
    ]


def test_rows_as_near_as_training_rows_are_among_each_other_are_no_leaks():
    rng = np.random.default_rng(0)  # few dimensions, so many rows are near one other
    train, test = (
        pd.DataFrame(rng.normal(size=(n, 3)), columns=["label", "x", "y"])
        for n in (1000, 500)
    )
    plane = [part[["x", "y"]].to_numpy() for part in (train, test)]
    found = _copies.leaks(None, *plane, train, test)
    assert len(found) <= 15  # 1 % of 500, by chance a few more
    distances = np.linalg.norm(plane[1][:, None] - plane[0], axis=2)
    first, second = np.sort(distances, axis=1)[:, :2].T
    assert (first < 0.2 * second).sum() > 2 * len(found)


def test_count_of_differences():
    one = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"], "c": [np.nan, 1.0, 2.0]})
    other = pd.DataFrame(
        {"a": [1.0, 2.0, 4.0], "b": ["x", None, "y"], "c": [np.nan] * 3}
    )
    assert _copies.count_differences(one, other).tolist() == [0, 1, 3]


def test_reduced_tables_of_equal_rows_are_equal():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(700, 400))  # so wide that it is reduced
    train, targets = Examples(X, np.zeros(700, int)), Examples(X[:9], np.zeros(9, int))
    Z, Z_targets = (part.X for part in surrogate_table(train, targets, 20))
    assert Z.shape[1] == 100
    np.testing.assert_allclose(Z_targets, Z[:9], atol=1e-10)


def test_share_of_training_rows_that_have_a_copy():
    frame = pd.DataFrame(
        {"label": [0, 1, 0, 1, 0], "x": [1, 1, 2, np.nan, np.nan], "y": list("aabcd")}
    )
    assert _copies.share_of_copies(frame) == 0.4
    assert _copies.share_of_copies(frame.drop(columns="y")) == 0.8


def test_duplicates_are_copies_and_near_copies_alone():
    train = table()
    train.iloc[[20, 30]] = train.iloc[[40, 50]].to_numpy()
    train = train.infer_objects().assign(when=pd.to_datetime(train["when"]))
    train.iloc[30, 1] += 0.01
    examples = Examples(train.drop(columns="label"), train["label"], allow_nan=True)
    fitted = model_for("linear", examples.X, "classification")
    fitted.fit(examples.X, examples.y)
    Z, _ = _copies.representation(fitted, examples, examples)
    found = _copies.duplicates(Z, train)
    pairs = list(zip(found.index, found["twin"], found["n_differ"], strict=True))
    assert pairs == [("row 20", "row 40", 0), ("row 30", "row 50", 1)]
    plane = np.random.default_rng(0).normal(size=(300, 1))
    frame = pd.DataFrame({"label": np.arange(300) % 2, "x": plane[:, 0]})
    assert len(_copies.duplicates(plane, frame)) == 0
