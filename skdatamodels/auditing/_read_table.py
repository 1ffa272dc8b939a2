"""Read a table of a CSV or Parquet file, or say which line is broken."""

import csv
import gzip
import re
from pathlib import Path

from skdatamodels._tables import import_pandas

_MOST_LINES = 5  # that an error names
_HEAD = 1 << 16  # characters that tell the separator
_MISSING = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null"]
_LONGEST_CELL = 2**31 - 1  # characters


def read_table(path, encoding="utf-8", decimal=".", thousands=None):
    """Read a table, and check each of its lines.

    Parameters
    ----------
    path : path-like
        File whose name ends in ``.csv``, ``.tsv`` or ``.txt``, perhaps with ``.gz``, or
        in ``.parquet`` or ``.pq``. The separator of text is found by itself.
    encoding : str, default="utf-8"
        Encoding of text.
    decimal : {".", ","}, default="."
        Decimal point of numbers in text.
    thousands : str, default=None
        Separator of thousands in text, one character. It is taken out of columns in
        which it separates groups of digits, and of no others.

    Returns
    -------
    table : pandas.DataFrame
        The table.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is empty or cannot be decoded, lines have more or fewer cells than
        the header, columns have the same name, there are no rows, or `decimal` and
        `thousands` are the same.
    ImportError
        If pandas, or for Parquet pyarrow, is not installed.
    """
    _check_marks(decimal, thousands)
    pandas, path = import_pandas(), Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.suffix.lower() in (".parquet", ".pq"):
        try:
            return pandas.read_parquet(path)
        except ImportError as error:
            raise ImportError(
                "Reading Parquet needs pyarrow: pip install pyarrow"
            ) from error
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-8-sig"  # which leaves out a mark at the start, if there is one
    separator = _check_text(path, encoding)
    try:
        table = pandas.read_csv(
            path,
            sep=separator,
            encoding=encoding,
            decimal=decimal,
            keep_default_na=False,
            na_values=_MISSING,
            low_memory=False,
        )
    except pandas.errors.ParserError as error:
        raise ValueError(
            f"{path} cannot be read: {error}. Is a quotation mark missing?"
        ) from error
    if len(table) == 0:
        raise ValueError(f"{path} has a header, but no rows.")
    return table if thousands is None else _ungrouped(table, decimal, thousands)


def _check_marks(decimal, thousands):
    """Raise if numbers cannot be written with these marks."""
    if decimal not in (".", ","):
        raise ValueError(f"--decimal must be . or a comma, got {decimal!r}.")
    if thousands is None:
        return
    if len(thousands) != 1 or thousands.isalnum() or thousands in "+-":
        raise ValueError(
            "--thousands must be one character that is no letter, digit or sign, got "
            f"{thousands!r}."
        )
    if thousands == decimal:
        other = "," if decimal == "." else "."
        raise ValueError(
            f"{decimal!r} cannot be both the decimal point and the separator of "
            f"thousands. Say what the decimal point is, too: --decimal {other}"
        )


def _check_text(path, encoding):
    """Return the separator; raise if a line does not have the cells of the header."""
    try:
        with _open(path, encoding) as file:
            head = file.read(_HEAD)
            if not head.strip():
                raise ValueError(f"{path} is empty.")
            separator = _separator(head)
            file.seek(0)
            limit = csv.field_size_limit(_LONGEST_CELL)
            try:
                broken = _broken_lines(path, csv.reader(file, delimiter=separator))
            finally:
                csv.field_size_limit(limit)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not in the encoding {encoding.removesuffix('-sig')}, see near "
            f"line {_line(path, error.start)}. Name its encoding, such as --encoding "
            "latin-1 or --encoding cp1252, or save it as UTF-8."
        ) from error
    except LookupError as error:
        raise ValueError(f"There is no encoding {encoding!r}.") from error
    except (EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is not a complete gzip file: {error}.") from error
    if broken:
        n_cells, lines = broken[0][2], broken[:_MOST_LINES]
        listed = ", ".join(f"line {line} has {n}" for line, n, _ in lines)
        more = len(broken) - len(lines)
        listed += f" and {more:,} more lines" if more > 0 else ""
        raise ValueError(
            f"The header of {path} has {n_cells} cells, but {listed}. Mend these "
            "lines: is a quotation mark or a separator missing?"
        )
    return separator


def _broken_lines(path, lines):
    """Return the number and the cells of broken lines, and the cells of the header."""
    header, broken = [], []
    try:
        for cells in lines:
            if not header:
                header = cells
            elif cells and len(cells) != len(header):
                broken.append((lines.line_num, len(cells), len(header)))
    except csv.Error as error:
        raise ValueError(
            f"{path} cannot be read near line {lines.line_num}: {error}. Is a "
            "quotation mark missing?"
        ) from error
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        listed = ", ".join(map(repr, twice[:_MOST_LINES]))
        raise ValueError(f"{path} has several columns named {listed}. Rename them.")
    return broken


def _ungrouped(table, decimal, thousands):
    """Return a table in which columns of text that are grouped numbers are numbers."""
    grouped = _grouped(thousands)
    number = re.compile(rf"(?=.*\d)({grouped}|[+-]?\d*)({re.escape(decimal)}\d*)?")
    found = {}
    for name in table.select_dtypes(exclude="number").columns:
        texts = table[name].dropna().astype(str).str.strip()
        if len(texts) and texts.str.fullmatch(number).all():
            plain = texts.str.replace(thousands, "").str.replace(decimal, ".")
            found[name] = import_pandas().to_numeric(plain).reindex(table.index)
    return table.assign(**found)


def check_numbers(path, table, decimal, thousands):
    """Raise if a column of text has numbers with another decimal point.

    Parameters
    ----------
    path, decimal, thousands
        As they were for :func:`read_table`.
    table : pandas.DataFrame
        What it returned, or columns thereof.

    Raises
    ------
    ValueError
        If more than half of the values of a column have another decimal point.
    """
    other = "," if decimal == "." else "."
    number = re.compile(rf"[+-]?\d+{re.escape(other)}\d+")
    for name in table.select_dtypes(exclude="number").columns:
        texts = table[name].dropna().astype(str)
        if len(texts) == 0 or not texts.str.fullmatch(number).mean() > 0.5:
            continue
        groups = thousands is None and bool(texts.str.fullmatch(_grouped(other)).all())
        first = texts.iloc[0]
        if decimal == ",":
            cure = " If the points separate thousands, add --thousands ." * groups
            raise ValueError(
                f"Column {name!r} of {path} has numbers with points, such as "
                f"{first!r}, but --decimal , says that the decimal point is a comma. "
                f"Leave that option out.{cure}"
            )
        cure = "--thousands , or, if the comma is a decimal one, " * groups
        raise ValueError(
            f"Column {name!r} of {path} has numbers with commas, such as {first!r}. "
            f"Say what they mean: {cure}--decimal ,"
        )


def _grouped(thousands):
    """Return a pattern of whole numbers such as 1,500 or 12,34,567, not of 0.125."""
    mark = re.escape(thousands)
    return rf"[+-]?[1-9]\d{{0,2}}({mark}\d{{2,3}})*{mark}\d{{3}}"


def _line(path, position):
    """Return the number of the line at a position in a file, roughly if compressed."""
    with open(path, "rb") as file:
        return file.read(position).count(b"\n") + 1


def _open(path, encoding):
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return open(path, encoding=encoding, newline="")


def _separator(head):
    """Return the separator that cuts the header into most cells."""
    header = next(line for line in head.splitlines() if line)

    def n_cells(separator):
        return len(next(csv.reader([header], delimiter=separator), []))

    return max(",;\t|", key=n_cells)
