"""Read a table of a CSV or Parquet file, or say which line is broken."""

import csv
from pathlib import Path

from skdatamodels._tables import import_pandas

_MOST_LINES = 5  # that an error names


def read_table(path, encoding="utf-8"):
    """Read a table. Columns of text become categories unless they have many words.

    Parameters
    ----------
    path : path-like
        File whose name ends in ``.csv``, ``.tsv``, ``.txt`` (or one of these and
        ``.gz``) or ``.parquet``. The separator of text is found by itself.
    encoding : str, default="utf-8"
        Encoding of text.

    Returns
    -------
    table : pandas.DataFrame
        The table.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is empty, its encoding is another one, or lines have more or fewer
        cells than the header, with their numbers.
    ImportError
        If pandas, or for Parquet pyarrow, is not installed.
    """
    pandas, path = import_pandas(), Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.suffix == ".parquet":
        try:
            return pandas.read_parquet(path)
        except ImportError as error:
            raise ImportError(
                "Reading Parquet needs pyarrow: pip install pyarrow"
            ) from error
    separator = _check_text(path, encoding)
    return pandas.read_csv(path, sep=separator, encoding=encoding, low_memory=False)


def _check_text(path, encoding):
    """Return the separator; raise if a line does not have the cells of the header."""
    try:
        with _open(path, encoding) as file:
            head = file.read(1 << 16)
            if not head.strip():
                raise ValueError(f"{path} is empty.")
            separator = _separator(head)
            file.seek(0)
            lines = csv.reader(file, delimiter=separator)
            n_cells, broken = len(next(lines)), []
            for cells in lines:
                if cells and len(cells) != n_cells:
                    broken.append((lines.line_num, len(cells)))
    except UnicodeDecodeError as error:
        line = path_line(path, error.start)
        raise ValueError(
            f"{path} is not in the encoding {encoding}, see near line {line}. Name its "
            "encoding, such as --encoding latin-1 or --encoding cp1252, or save it as "
            "UTF-8."
        ) from error
    if broken:
        listed = ", ".join(f"line {n} has {k}" for n, k in broken[:_MOST_LINES])
        more = len(broken) - _MOST_LINES
        listed += f" and {more:,} more lines" if more > 0 else ""
        raise ValueError(
            f"The header of {path} has {n_cells} cells, but {listed}. Mend these "
            "lines: is a quotation mark or a separator missing?"
        )
    return separator


def path_line(path, position):
    """Return the number of the line at a position in a file, roughly if compressed."""
    with open(path, "rb") as file:
        return file.read(position).count(b"\n") + 1


def _open(path, encoding):
    if path.suffix == ".gz":
        import gzip

        return gzip.open(path, "rt", encoding=encoding, newline="")
    return open(path, encoding=encoding, newline="")


def _separator(head):
    """Return the separator that occurs most often in the header."""
    header = head.splitlines()[0]
    return max(",;\t|", key=header.count)
