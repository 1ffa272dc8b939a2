"""Dates in text are told apart from what only looks alike."""

from datetime import UTC, datetime

import pytest

from skdatamodels.auditing._dates import date_columns, parse_dates

pd = pytest.importorskip("pandas")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2020-01-31", None, "1999-12-01"], True),
        (["2020-01-01 07:00:00", "2020-01-01T07:00"], True),
        (["2020-01-01T07:00:00.25Z", "2020-01-01 07:00+02:00"], True),
        (["2020-01-31", "soon"], False),
        (["2020-02-30"], False),
        (["31.01.2020"], False),
        (["2020"], False),
        (["2020-01"], False),
        (["20200131"], False),
        ([20200131], False),
        ([True, None], False),
        ([None, None], False),
    ],
)
def test_which_columns_are_dates(values, expected):
    names = date_columns(pd.DataFrame({"x": values, "other": 1.5}))
    assert names == (["x"] if expected else [])


def test_dates_are_parsed_as_the_standard_library_does():
    texts = ["2020-01-31", None, "2020-02-01 07:30:15"]
    found = parse_dates("x.csv", pd.DataFrame({"day": texts, "n": 1}), ["day"])["day"]
    assert found.dt.tz is None
    assert found[[0, 2]].tolist() == [datetime.fromisoformat(texts[k]) for k in (0, 2)]
    assert found.isna().tolist() == [False, True, False]


def test_time_zones_become_utc():
    texts = ["2020-01-31T07:00:00+01:00", "2020-07-31T07:00:00+02:00"]
    found = parse_dates("x.csv", pd.DataFrame({"at": texts}), ["at"])["at"]
    assert found.tolist() == [datetime.fromisoformat(text) for text in texts]
    assert found[0] == datetime(2020, 1, 31, 6, tzinfo=UTC)


def test_gaps_and_lacking_columns_of_test_rows():
    gaps = pd.DataFrame({"day": [None, None]}, dtype=float)
    found = parse_dates("x.csv", gaps, ["day", "hour"])
    assert list(found.columns) == ["day"]
    assert found["day"].dtype.kind == "M"
    assert found["day"].isna().all()


def test_other_values_and_mixed_zones_are_refused():
    with pytest.raises(ValueError, match=r"dates in the training .* b.csv has 'soon'"):
        parse_dates("b.csv", pd.DataFrame({"day": ["2020-01-01", "soon"]}), ["day"])
    mixed = pd.DataFrame({"day": ["2020-01-01 07:00Z", "2020-01-01 07:00"]})
    with pytest.raises(ValueError, match="'2020-01-01 07:00Z', and others without, su"):
        parse_dates("a.csv", mixed, date_columns(mixed))
