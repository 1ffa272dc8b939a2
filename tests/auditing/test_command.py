"""The command line on real files, good and broken."""

import gzip
import sys
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris

from skdatamodels.auditing._command import _four_digits, run_command
from skdatamodels.auditing._inputs import check_inputs
from skdatamodels.auditing._read_table import check_numbers, read_table

pd = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def iris(tmp_path_factory):
    """Return a folder with iris as CSV, with dates, texts, gaps and sources."""
    folder = tmp_path_factory.mktemp("iris")
    X, y = load_iris(return_X_y=True, as_frame=True)
    X.columns = ["sepal length", "sepal width", "petal length", "petal width"]
    X["species"] = y.map({0: "setosa", 1: "versicolor", 2: "virginica"})
    X = X.iloc[np.random.default_rng(0).permutation(len(X))].reset_index(drop=True)
    X["found"] = pd.date_range("2020-01-01", periods=len(X)).astype(str)
    X["source"] = np.arange(len(X)) % 10
    X.loc[3, "petal width"] = None
    X[:60].to_csv(folder / "train.csv", index=False)
    X[60:80].to_csv(folder / "test.csv", index=False, sep=";")
    return folder


def test_audit_writes_tables(iris, tmp_path, capsys):
    code = run_command(
        [
            *("audit", str(iris / "train.csv"), "--test", str(iris / "test.csv")),
            *("--target", "species", "--model", "linear", "--groups", "source"),
            *("--drop", "found", "--runs", "50", "--jobs", "1"),
            *("--tables", str(tmp_path)),
        ]
    )
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert "Audit of 60 training rows, by 50 models" in printed.out
    errors = pd.read_csv(tmp_path / "label_errors.csv", index_col=0)
    assert sorted(errors.index) == list(range(60))
    assert {"probability", "species", "sepal length"} <= set(errors.columns)
    assert "source" not in errors.columns
    assert len(pd.read_csv(tmp_path / "groups.csv")) == 10
    check = pd.read_csv(tmp_path / "groups_removal_check.csv")
    assert {"removed", "size", "accuracy", "mean_margin"} <= set(check.columns)
    assert "\ngroups_removal_check: 7 rows" in printed.out
    assert "of 10 " in printed.out.split("groups ")[1].splitlines()[0]
    assert "Without the worst" in printed.out


def test_few_groups_are_left_out_one_at_a_time(iris, tmp_path, capsys):
    for name, separator in (("train", ","), ("test", ";")):
        table = pd.read_csv(iris / f"{name}.csv", sep=separator)
        table["source"] = table["source"] % 3
        table.drop(columns="found").to_csv(tmp_path / f"{name}.csv", index=False)
    code = run_command(
        [
            *("audit", str(tmp_path / "train.csv"), "--target", "species"),
            *("--test", str(tmp_path / "test.csv"), "--groups", "source"),
            *("--model", "linear", "--runs", "50", "--jobs", "1"),
            *("--tables", str(tmp_path)),
        ]
    )
    printed = capsys.readouterr()
    assert code == 0, printed.err
    groups = pd.read_csv(tmp_path / "groups.csv", index_col=0)
    assert sorted(groups.index) == [0, 1, 2]
    assert {"accuracy", "accuracy_without"} < set(groups.columns)
    assert "Models were trained without each of the 3 groups" in printed.out
    assert "groups_removal_check" not in printed.out
    assert not (tmp_path / "groups_removal_check.csv").exists()


def test_dates_and_booleans_with_gaps(tmp_path, monkeypatch):
    n, given = 60, {}
    table = pd.DataFrame({"at": pd.date_range("2020-01-01 07:00", periods=n, freq="h")})
    table = table.assign(paid=np.tile([True, False], n // 2), x=range(n), y="a")
    table["seen"] = table["at"]
    table[:20].to_csv(tmp_path / "test.csv", index=False)
    gappy = table.astype({"paid": object})
    gappy.loc[3, ["at", "paid"]] = None
    gappy.to_csv(tmp_path / "train.csv", index=False)

    def check_only(estimator, X, y, X_test, **options):
        rest = None, None, options["sample_weight"], "regression"
        given["inputs"] = check_inputs(estimator, X, y, X_test, *rest)
        given["groups"] = options["groups"]
        raise ValueError("enough")

    monkeypatch.setattr("skdatamodels.auditing._command.audit", check_only)
    arguments = ["audit", str(tmp_path / "train.csv"), "--groups", "seen"]
    arguments += ["--test", str(tmp_path / "test.csv"), "--target", "x"]
    assert run_command(arguments) == 2
    for part in (given["inputs"].train.X, given["inputs"].test.X):
        assert part["at"].dtype.kind == "M"
        assert part["paid"].dtype == np.float64
    assert given["inputs"].train.X["at"][1] == table["at"][1]
    assert given["groups"][0] == "2020-01-01 07:00:00"


def test_weights_are_a_column_that_the_model_does_not_see(iris, tmp_path, capsys):
    options = ["--target", "species", "--model", "linear", "--weights", "sepal width"]
    options += ["--runs", "50", "--jobs", "1", "--drop", "found", "source"]
    options += ["--tables", str(tmp_path)]
    assert run_command(["audit", str(iris / "train.csv"), *options]) == 0
    columns = pd.read_csv(tmp_path / "columns.csv")["column"]
    assert sorted(columns) == ["petal length", "petal width", "sepal length"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target", "kind"], "train.csv has no column 'kind'; it has sepal length"),
        (["--target", "species", "--groups", "lab"], "train.csv has no column 'lab'"),
        (["--target", "species", "--weights", "kg"], "train.csv has no column 'kg'"),
        (["--target", "species", "--weights", "found"], "one number per example"),
        (["--target", "species", "--weights", "petal width"], "weight has missing"),
        (["--target", "species", "--drop", "x"], "has no column 'x' to drop"),
        (["--target", "species", "--index", "x"], "has no column 'x'"),
        (["--target", "species", "--index", "petal width"], "has gaps, so it cannot"),
        (["--target", "x", "--groups", "x"], "--target and --groups both name the"),
        (["--target", "x", "--drop", "y", "x"], "--target and --drop both name the"),
        (["--target", "x", "--weights", "y", "--index", "y"], "--weights and --index"),
    ],
)
def test_wrong_options(iris, capsys, options, message):
    assert run_command(["audit", str(iris / "train.csv"), *options]) == 2
    assert message in capsys.readouterr().err


def test_warnings_are_plain_sentences(iris, capsys, monkeypatch):
    def warns(*args, **kwargs):
        warnings.warn("This is odd.", UserWarning, stacklevel=2)
        raise ValueError("This is wrong.")

    monkeypatch.setattr("skdatamodels.auditing._command.audit", warns)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        before = warnings.showwarning
        code = run_command(["audit", str(iris / "train.csv"), "--target", "species"])
        assert warnings.showwarning is before
    assert code == 2
    assert capsys.readouterr().err == (
        "skdatamodels: This is odd.\nskdatamodels: This is wrong.\n"
    )


def test_parquet_is_read_with_its_types(tmp_path):
    pytest.importorskip("pyarrow")
    table = pd.DataFrame(
        {
            "n": pd.array([1, None, 3], dtype="Int64"),
            "size": pd.Categorical(["s", "l", None]),
            "when": pd.to_datetime(["2020-01-01", None, "2021-01-01"]),
        },
        index=pd.Index(["a", "b", "c"], name="name"),
    )
    for name in ("table.parquet", "table.PQ"):
        table.to_parquet(tmp_path / name)
        pd.testing.assert_frame_equal(read_table(tmp_path / name), table)
    (tmp_path / "broken.parquet").write_bytes(b"no table")
    with pytest.raises(ValueError, match=r"[Pp]arquet"):
        read_table(tmp_path / "broken.parquet")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch, capsys):
    for package in ("pyarrow", "fastparquet"):
        monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "train.parquet").write_bytes(b"")
    assert run_command(["audit", str(tmp_path / "train.parquet"), "--target", "y"]) == 2
    assert "pip install pyarrow" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (103533.2, "103,533"),
        (-14030.0, "-14,030"),
        (0.99984, "0.9998"),
        (0.0123456, "0.01235"),
        (0.0, "0"),
        (2.5e-7, "2.5e-07"),
        (-97.618, "-97.62"),
    ],
)
def test_printed_numbers_have_four_digits(value, text):
    assert _four_digits(value) == text


def test_missing_file(tmp_path, capsys):
    assert run_command(["audit", str(tmp_path / "no.csv"), "--target", "y"]) == 2
    assert "There is no file" in capsys.readouterr().err


def test_broken_line_is_named(tmp_path):
    path = tmp_path / "broken.csv"
    path.write_text('a,b\n1,2\n3,"4\n5"\n6\n7,8,9\n')
    with pytest.raises(ValueError, match="2 cells, but line 5 has 1, line 6 has 3"):
        read_table(path)


def test_other_encoding_is_named(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("a,b\n1,x\n2,Málaga\n".encode("latin-1"))
    with pytest.raises(ValueError, match="not in the encoding utf-8, see near line 3"):
        read_table(path)
    assert read_table(path, "latin-1")["b"].tolist() == ["x", "Málaga"]


def test_empty_file(tmp_path):
    path = tmp_path / "empty.csv"
    path.write_text("\n")
    with pytest.raises(ValueError, match=r"empty.csv is empty"):
        read_table(path)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separator_is_found(tmp_path, separator):
    path = tmp_path / "table.txt"
    path.write_text(f'a{separator}b\n1{separator}"x, y; z"\n')
    assert read_table(path).to_dict("list") == {"a": [1], "b": ["x, y; z"]}


def test_interrupt_says_how_to_go_on(iris, capsys, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("skdatamodels.auditing._command.audit", interrupted)
    arguments = ["audit", str(iris / "train.csv"), "--target", "species"]
    assert run_command([*arguments, "--store", "runs"]) == 130
    assert "goes on with runs" in capsys.readouterr().err


def test_marks_empty_lines_and_quoted_headers(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b'\xef\xbb\xbf\r\n"a, cm";b\r\n1;None\r\n')
    table = read_table(path)
    assert table.to_dict("list") == {"a, cm": [1], "b": ["None"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,a\n1,2\n", "several columns named 'a'. Rename them"),
        ('a;b\n"1,5";2\n2,5;3\n', "such as '1,5'. Say what they mean: --decimal ,"),
        ("a;b\n1,500;2\n", "--thousands , or, if the comma is a decimal one"),
        ('a,b\n1,"x\n2,y\n', "Is a quotation mark missing"),
        ("a,b\n", "has a header, but no rows"),
    ],
)
def test_tables_that_would_be_read_wrongly(tmp_path, text, message):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read(path, ".")


def test_decimal_comma_and_thousands(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a;b\n1.500,5;2\n")
    assert read_table(path, decimal=",", thousands=".")["a"].tolist() == [1500.5]


def test_long_cells_are_read(tmp_path):
    path, text = tmp_path / "table.csv", "x" * 140_000
    path.write_text(f"a,b\n1,{text}\n")
    assert read_table(path)["b"].tolist() == [text]


@pytest.mark.parametrize(
    ("decimal", "thousands", "message"),
    [
        (".", ".", "cannot be both the decimal point and the separator of thousands"),
        (",", ",", r"what the decimal point is, too: --decimal \."),
        ("", None, "--decimal must be"),
        (".", "ab", "--thousands must be one character"),
        (".", "5", "--thousands must be one character"),
    ],
)
def test_marks_of_numbers_are_checked(tmp_path, decimal, thousands, message):
    path = tmp_path / "table.csv"
    path.write_text("a;b\n0.125;2\n")
    with pytest.raises(ValueError, match=message):
        read_table(path, decimal=decimal, thousands=thousands)


def read(path, decimal, thousands=None):
    table = read_table(path, decimal=decimal, thousands=thousands)
    check_numbers(path, table, decimal, thousands)
    return table


def test_decimal_points_where_commas_are_expected(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a;b\n0.125;2\n2.5;3\n")
    for thousands in (None, "."):  # .125 is no group of thousands after a zero
        with pytest.raises(ValueError, match=r"points, such as '0.125', but --decimal"):
            read(path, ",", thousands)
    path.write_text("a;b\n1.250;2\n")
    with pytest.raises(ValueError, match=r"separate thousands, add --thousands \."):
        read(path, ",")
    assert read(path, ",", ".")["a"].tolist() == [1250]


def test_dropped_columns_may_have_any_numbers(tmp_path, capsys):
    path = tmp_path / "table.csv"
    path.write_text("version;x;y\n1.2;0,5;a\n1.10;1,5;b\n")
    arguments = ["audit", str(path), "--target", "y", "--decimal", ","]
    assert run_command(arguments) == 2
    assert "Leave that option out" in capsys.readouterr().err
    assert run_command([*arguments, "--drop", "version"]) == 2
    assert "needs at least 50" in capsys.readouterr().err


def test_quoted_decimal_commas_between_commas(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('a,b\n"1,5",2\n')
    assert read_table(path, decimal=",").to_dict("list") == {"a": [1.5], "b": [2]}


def test_thousands_leave_other_columns_alone(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a;day;n;share\n1.500;01.02.2020;7;0,5\n;12.10.2021;8;1,25\n")
    table = read_table(path, decimal=",", thousands=".")
    assert table["day"].tolist() == ["01.02.2020", "12.10.2021"]
    assert table["a"].dropna().tolist() == [1500]
    assert table["share"].tolist() == [0.5, 1.25]
    path.write_text("a\n12'345\n900\n-1'000.5\n")
    assert read_table(path, thousands="'")["a"].tolist() == [12345, 900, -1000.5]


def test_unknown_encoding_and_broken_gzip(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n" * 100)[:-12])
    with pytest.raises(ValueError, match="not a complete gzip file"):
        read_table(path)
    with pytest.raises(ValueError, match="There is no encoding 'foo'"):
        read_table(path, "foo")


def test_test_rows_without_any_target(iris, tmp_path, capsys):
    path = tmp_path / "test.csv"
    pd.read_csv(iris / "train.csv").assign(species="").to_csv(path, index=False)
    arguments = ["audit", str(iris / "train.csv"), "--target", "species"]
    assert run_command([*arguments, "--test", str(path)]) == 2
    assert "No row of" in (message := capsys.readouterr().err)
    assert "test.csv has a value of 'species'" in message


@pytest.mark.parametrize(
    ("option", "place", "message"),
    [
        ("--out", "no/x.html", "There is no folder"),
        ("--out", ".", "is a folder. Name a file for the page: --out"),
        ("--out", "train.csv/x.html", "train.csv is a file, not a folder"),
        ("--out", "train.csv", "would replace a table"),
        ("--tables", "train.csv", "train.csv is a file, not a folder"),
        ("--tables", "train.csv/x", "train.csv is a file, not a folder"),
        ("--store", "train.csv/x/y", "train.csv is a file, not a folder"),
    ],
)
def test_places_are_checked_first(iris, monkeypatch, capsys, option, place, message):
    monkeypatch.delattr("skdatamodels.auditing._command.audit")
    arguments = ["audit", str(iris / "train.csv"), "--target", "species"]
    assert run_command([*arguments, option, str(iris / place)]) == 2
    assert message in capsys.readouterr().err


def test_folders_without_permission(iris, monkeypatch, capsys):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    arguments = ["audit", str(iris / "train.csv"), "--target", "species"]
    for option in ("--out", "--tables"):
        assert run_command([*arguments, option, str(iris / "new")]) == 2
        assert "Nothing can be written in" in capsys.readouterr().err
