"""Wrong inputs of an audit get an error before anything is trained."""

from decimal import Decimal

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression, Perceptron, Ridge
from sklearn.neighbors import KNeighborsClassifier

from skdatamodels.auditing._inputs import as_frame, check_inputs

pd = pytest.importorskip("pandas")

N = 60


def table(**columns):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"age": rng.normal(size=N), "city": rng.choice(["Rome", "Oslo"], N), **columns}
    )


def labels():
    return np.tile(["no", "yes"], N // 2)


def check(estimator="boosting", X=None, y=None, X_test=None, y_test=None, **rest):
    X = table() if X is None else X
    y = labels() if y is None else y
    rest = {"groups": None, "sample_weight": None, "task": None} | rest
    return check_inputs(estimator, X, y, X_test, y_test, **rest)


def test_few_rows():
    with pytest.raises(ValueError, match=r"has 20 rows. An audit needs at least 50"):
        check(X=table()[:20], y=labels()[:20])


def test_one_class():
    with pytest.raises(ValueError, match=r"All labels are 'no'. There is nothing"):
        check(y=["no"] * N)


def test_weights_of_rows():
    weight = np.linspace(1, 2, N)
    X = table(cost=weight)
    for given in (weight, pd.Series(weight), weight.tolist()):
        assert_array_equal(check(sample_weight=given).train.sample_weight, weight)
    named = check(X=X, X_test=X[:10], y_test=labels()[:10], sample_weight="cost")
    assert_array_equal(named.train.sample_weight, weight)
    assert list(named.train.X.columns) == list(named.test.X.columns) == ["age", "city"]
    with pytest.raises(ValueError, match="no column 'price' for sample_weight; it has"):
        check(sample_weight="price")
    with pytest.raises(TypeError, match="'cost' names a column, but X is a ndarray"):
        check(LogisticRegression(), X=np.eye(N), sample_weight="cost")
    shuffled = pd.Series(weight, index=range(10, N + 10))
    with pytest.raises(ValueError, match="indexes of X and sample_weight differ"):
        check(X=table().set_index(np.arange(N)[::-1]), sample_weight=shuffled)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(N - 1), "sample_weight has 59"),
        (-np.ones(N), "sample_weight must be at least 0"),
        (np.zeros(N), "above 0 for some"),
        (np.full(N, np.nan), "sample_weight has missing"),
        (["heavy"] * N, "sample_weight must have one number per example"),
        (np.arange(N) % 2, "All labels are 'yes'"),  # of rows that are learnt from
    ],
)
def test_bad_weights(weight, message):
    with pytest.raises(ValueError, match=message):
        check(sample_weight=weight)


def test_models_that_take_no_weights():
    with pytest.raises(TypeError, match="fit of KNeighborsClassifier takes none"):
        check(KNeighborsClassifier(), X=table()[["age"]], sample_weight=np.ones(N))


def test_few_real_values_need_a_task():
    y = np.tile([0.0, 1.0, 2.5], N // 3)
    with pytest.raises(ValueError, match=r"only 3 different values. Say whether"):
        check(y=y)
    assert check(y=y, task="regression").task == "regression"
    assert check(y=y, task="classification").task == "classification"


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (labels(), "classification"),
        (np.arange(N) % 3, "classification"),
        (np.arange(N), "regression"),
        (np.linspace(0, 1, N), "regression"),
    ],
)
def test_task_is_guessed(y, task):
    assert check(y=y).task == task


def test_estimator_of_another_task():
    with pytest.raises(ValueError, match="LogisticRegression is a classifier"):
        check(LogisticRegression(), y=np.linspace(0, 1, N))
    with pytest.raises(ValueError, match="The labels are not numbers, but Ridge"):
        check(Ridge())
    with pytest.raises(ValueError, match="task='regression', but LogisticRegression"):
        check(LogisticRegression(), task="regression")


def test_model_without_scores():
    assert check(Perceptron()).task == "classification"
    vote = VotingClassifier([("one", LogisticRegression())])
    with pytest.raises(TypeError, match="VotingClassifier has neither decision_func"):
        check(vote)
    with pytest.raises(ValueError, match="one of boosting, forest, linear; got 'tree'"):
        check("tree")


def test_columns_of_test_rows():
    X = table()
    with pytest.raises(ValueError, match="X_test lacks 'city' and X lacks 'town'"):
        check(X=X, X_test=X.rename(columns={"city": "town"}), y_test=labels())
    found = check(X=X, X_test=X[["city", "age"]], y_test=labels())
    assert list(found.test.X.columns) == ["age", "city"]
    with pytest.raises(TypeError, match="X is a DataFrame, but X_test is a ndarray"):
        check(Perceptron(), X=X, X_test=X.to_numpy(), y_test=labels())
    with pytest.raises(ValueError, match="'age' holds numbers in X, but text in X_te"):
        check(X=X, X_test=X.assign(age="n/a?"), y_test=labels())
    with pytest.raises(ValueError, match="both X_test and y_test, or neither"):
        check(X=X, X_test=X)
    with pytest.raises(ValueError, match="y_test has classes that no training row"):
        check(X=X, X_test=X[:10], y_test=["no", "maybe"] * 5)


@pytest.mark.parametrize("estimator", ["linear", Perceptron()])
def test_booleans_with_gaps_in_one_table(estimator):
    full = np.tile([True, False], N // 2)
    for gap in (None, np.nan, pd.NA):
        gaps = pd.Series(full, dtype=object)
        gaps[3] = gap
        for one, other in ((gaps, full), (full, gaps), (full, [gap] * N)):
            X, X_test = table(paid=one), table(paid=other)
            given = check(estimator, X=X, X_test=X_test, y_test=labels())
            if isinstance(estimator, str):
                for part in (given.train.X, given.test.X):
                    assert part["paid"].dtype == np.float64
    given = check(X=table(paid=full), X_test=table(paid=full), y_test=labels())
    assert given.train.X["paid"].dtype == bool
    with pytest.raises(ValueError, match="'paid' holds numbers in X, but text in X_te"):
        check(X=table(paid=gaps), X_test=table(paid="yes"), y_test=labels())


def test_dates_of_test_rows():
    day = pd.date_range("2020-01-01", periods=N)
    local = day.tz_localize("Europe/Rome")
    given = check(
        X=table(day=local), X_test=table(day=local.tz_convert("UTC")), y_test=labels()
    )
    assert given.test.X["day"].dtype == given.train.X["day"].dtype
    assert given.test.X["day"].tolist() == local.tolist()
    with pytest.raises(ValueError, match="time zone in X, but without one in X_test"):
        check(X=table(day=local), X_test=table(day=day), y_test=labels())
    with pytest.raises(ValueError, match="time zone in X_test, but without one in X"):
        check(X=table(day=day), X_test=table(day=local), y_test=labels())
    with pytest.raises(
        ValueError, match="'day' holds dates in X, but text in X_test, "
    ):
        check(X=table(day=day), X_test=table(day="Monday"), y_test=labels())


def test_duplicate_index():
    X = table()
    X.index = [0, 0, *range(2, N)]
    with pytest.raises(ValueError, match="index of X names several rows alike: 0"):
        check(X=X)


def test_empty_column_and_column_of_names():
    with pytest.raises(ValueError, match=r"Columns without any value: 'nothing'. Drop"):
        check(X=table(nothing=[None] * N))
    with pytest.warns(UserWarning, match="another value in each row: 'id', 'name'"):
        check(X=table(id=np.arange(N) + 1000, name=[f"n{k}" for k in range(N)]))


def test_rare_class():
    y = labels().astype(object)
    y[3] = "perhaps"
    with pytest.raises(ValueError, match="single training row: 'perhaps'"):
        check(y=y)
    with pytest.raises(ValueError, match="are they names, or amounts"):
        check(y=[f"label {k}" for k in range(N)])


def test_amounts_for_a_classifier():
    amounts = np.random.default_rng(0).integers(2000, 4000, N) * 1.0
    for y in (amounts, amounts.astype(int)):
        with pytest.raises(
            ValueError, match=r"if they are amounts, use a regressor, or"
        ):
            check(LogisticRegression(), y=y)
    ratings = np.r_[np.arange(N - 1) % 3, 7]  # whole numbers may be classes
    with pytest.raises(ValueError, match=r"row: 7. Every .* merge the classes\.$"):
        check(LogisticRegression(), y=ratings)


def test_name_of_the_label_column():
    X = table(species=labels())
    given = check(X=X, y="species", X_test=X[:10].copy(), y_test=None)
    assert given.label == "species"
    assert list(given.train.X.columns) == ["age", "city"]
    assert given.test.y.tolist() == ["no", "yes"] * 5
    with pytest.raises(ValueError, match="X has no column 'kind'; it has 'age'"):
        check(X=X, y="kind")
    with pytest.raises(TypeError, match="names a column, but X is a ndarray"):
        check(X=X.to_numpy(), y="species")


def test_as_frame_keeps_index_and_label():
    X = table()
    X.index = [f"row {k}" for k in range(N)]
    frame = as_frame(check(X=X).train, "city")
    assert list(frame.columns) == ["city (y)", "age", "city"]
    assert frame.index.tolist() == X.index.tolist()
    assert frame["city (y)"].tolist() == labels().tolist()


def test_few_test_rows():
    with pytest.raises(ValueError, match=r"test set has 3 rows. An audit needs at"):
        check(X_test=table()[:3], y_test=labels()[:3])


def test_labels_in_another_order_are_refused():
    X = table()
    X.index = [f"row {k}" for k in range(N)]
    y = pd.Series(labels(), X.index)
    with pytest.raises(ValueError, match="indexes of X and y differ"):
        check(X=X, y=y[::-1])
    assert check(X=X, y=y).train.y.tolist() == labels().tolist()


def test_missing_and_odd_labels():
    y = labels().astype(object)
    y[4] = np.nan
    with pytest.raises((ValueError, TypeError), match=r"y (has missing|mixes text)"):
        check(y=y)
    with pytest.raises(TypeError, match=r"objects of type Decimal. Convert them"):
        check(y=[Decimal(k) for k in range(N)])
    with pytest.raises(ValueError, match="task='regression' needs labels that are num"):
        check(task="regression")


def test_values_far_from_zero():
    y = 1.7e9 + np.arange(N)
    with pytest.raises(ValueError, match="Subtract a constant"):
        check(Ridge(), X=table()[["age"]], y=y)


def test_no_columns_and_levels_of_columns():
    X = table()
    with pytest.raises(ValueError, match="X has no columns"):
        check(X=X[[]])
    X.columns = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])
    with pytest.raises(ValueError, match="several levels of column names"):
        check(X=X)


def test_messages_name_what_is_wrong():
    X, y = table(), labels()
    gappy = X.set_axis([np.nan, *range(1, N)])
    with pytest.raises(ValueError, match="The index of X has missing values"):
        check(X=gappy)
    with pytest.raises(ValueError, match="The index of X_test has missing values"):
        check(X=X, X_test=gappy, y_test=y)
    missing = np.where(np.arange(N) == 3, np.nan, np.arange(N))
    with pytest.raises(ValueError, match=r"^In X_test and y_test: y has missing"):
        check(X=X, y=np.arange(N), X_test=X, y_test=missing)
    with pytest.raises(ValueError, match=r"^y has missing"):
        check(X=X, y=missing)
    with pytest.raises(
        ValueError, match=r"^In X_test and y_test: X has 60 rows but y has 59"
    ):
        check(X=X, X_test=X, y_test=y[1:])


def test_one_column_for_two_things():
    X = table(t=labels())
    with pytest.raises(ValueError, match="y and groups both name the column 't'"):
        check(X=X, y="t", groups="t")
    with pytest.raises(ValueError, match="groups and sample_weight both name the colu"):
        check(X=X, y="t", groups="age", sample_weight="age")
