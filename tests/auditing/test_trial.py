"""A model that cannot take the columns is refused in a few words, before all others."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skdatamodels import audit
from skdatamodels.auditing._inputs import check_inputs
from skdatamodels.auditing._runs_of_audit import make_trainer
from skdatamodels.auditing._trial import try_model

pd = pytest.importorskip("pandas")

N = 60
Y = np.tile(["no", "yes"], N // 2)


def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(size=N),
            "height": rng.normal(size=N),
            "city": rng.choice(["Rome", "Oslo"], N),
            "kind": pd.Categorical(rng.choice(["a", "b"], N)),
            "since": pd.date_range("2020-01-01", periods=N),
            "remark": [f"this is remark number {k}" for k in range(N)],
        }
    )
    frame.loc[::3, "height"] = np.nan
    return frame


def trial(model, X):
    given = check_inputs(model, X, Y, X[:20], Y[:20], None, None, None)
    options = {"alpha": 0.5, "store": None, "n_jobs": 1, "verbose": 0}
    return try_model(make_trainer(given, random_state=0, **options)[0])


FOREST = RandomForestClassifier(5)
TREES = GradientBoostingClassifier(n_estimators=2)


def test_a_step_that_asks_for_the_column_of_groups_is_told_where_it_is():
    X = table()[["age"]].assign(lab=[f"lab {k % 12}" for k in range(N)])
    coded = ColumnTransformer([("", OneHotEncoder(), ["age", "lab"])])
    with pytest.raises(ValueError, match=r"does not see 'lab'.* pass X\['lab'\] in"):
        audit(make_pipeline(coded, TREES), X, Y, groups="lab")
    with pytest.raises(ValueError, match="cannot be trained") as error:
        audit(make_pipeline(coded, TREES), X.drop(columns="lab"), Y)
    assert "does not see" not in str(error.value)


@pytest.mark.parametrize(
    ("columns", "model", "message"),
    [
        (
            ["age", "city"],
            FOREST,
            r"words or categories: 'city'\. Encode them with One",
        ),
        (
            ["age", "kind"],
            FOREST,
            r"words or categories: 'kind'\. Encode them with One",
        ),
        (["age", "height"], TREES, r"gaps: 'height'\. Fill them with SimpleImputer in"),
        (["age", "remark"], FOREST, r"text: 'remark'\. Turn it into numbers with Tfid"),
        (
            ["age", "since"],
            FOREST,
            r"dates: 'since'\. Turn them into numbers, such as days",
        ),
        (["city", "kind", "height"], TREES, r"'city', 'kind'\. .* gaps: 'height'"),
    ],
)
def test_columns_that_the_model_cannot_take(columns, model, message):
    with pytest.raises(ValueError, match=message) as error:
        trial(model, table()[columns])
    text = str(error.value)
    assert text.startswith(type(model).__name__)
    assert "Hint" not in text  # the labels are fine
    assert len(text) < 800
    assert error.value.__cause__.__traceback__ is None


def test_only_the_column_that_fails_is_named():
    encoder = OneHotEncoder(handle_unknown="ignore")
    encoder = make_column_transformer((encoder, ["city"]), remainder="passthrough")
    with pytest.raises(ValueError, match=r"categories: 'kind'\. Encode") as error:
        trial(make_pipeline(encoder, FOREST), table()[["age", "city", "kind"]])
    assert "'city'" not in str(error.value)


@pytest.mark.parametrize("columns", [["age", "city"], ["city", "kind"]])
def test_arrays_have_numbers_for_names(columns):
    X = table()[columns].to_numpy(dtype=object)
    at = columns.index("city")
    with pytest.raises(ValueError, match=rf"categories: (0, )?{at}") as error:
        trial(FOREST, X)
    assert "boosting" not in str(error.value)  # it needs a frame


def test_polars():
    polars = pytest.importorskip("polars")
    X = polars.DataFrame({name: table()[name].tolist() for name in ("age", "city")})
    with pytest.raises(ValueError, match="categories: 'city'"):
        trial(FOREST, X)


class Broken(ClassifierMixin, BaseEstimator):
    """A model with an error of its own."""

    def fit(self, X, y):
        raise RuntimeError("the disk is on fire\nand the house too")

    def predict_proba(self, X):
        return None


def test_other_errors_are_those_of_the_model():
    says = (
        r"^Broken cannot be trained on these rows: RuntimeError: the disk is on fire\.$"
    )
    with pytest.raises(ValueError, match=says) as error:
        trial(Broken(), table()[["age", "city"]])
    assert "house" in str(error.value.__cause__)
    assert error.value.__cause__.__traceback__ is not None


def test_a_model_that_works_is_timed():
    assert trial(FOREST, table()[["age"]]) > 0
    text = make_pipeline(CountVectorizer(), FOREST)
    assert trial(text, [f"remark {k}" for k in range(N)]) > 0


def test_the_audit_says_so_before_the_cost(capsys):
    X = table()[["age", "city"]]
    with pytest.raises(ValueError, match="categories: 'city'"):
        audit(FOREST, X, Y, n_runs=50, n_jobs=1)
    assert capsys.readouterr().err == ""


def test_warnings_are_about_the_line_of_the_user():
    X = table()[["age", "city"]].assign(id=np.arange(N) + 1000)
    with (
        pytest.warns(UserWarning, match="another value in each row: 'id'") as warned,
        pytest.raises(ValueError, match="categories: 'city'"),
    ):
        audit(FOREST, X, Y, n_runs=50, n_jobs=1)
    assert warned[0].filename == __file__
