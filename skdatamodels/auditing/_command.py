"""The command line: ``skdatamodels audit train.csv --target species``."""

import argparse
import os
import sys
import warnings
from contextlib import contextmanager
from itertools import combinations
from math import floor, log10
from pathlib import Path

from skdatamodels.auditing._audit import audit
from skdatamodels.auditing._dates import date_columns, parse_dates
from skdatamodels.auditing._models import MODELS
from skdatamodels.auditing._read_table import check_numbers, read_table
from skdatamodels.auditing._safe_text import for_spreadsheets, visible

_SHOWN, _COLUMNS = 10, 6  # rows and columns of a table that are printed


def run_command(arguments=None):
    """Run a command of the command line, and return its exit code.

    Parameters
    ----------
    arguments : list of str, default=None
        Arguments. None takes those of the command line.

    Returns
    -------
    code : int
        0 if all went well, 2 if the input is wrong, 130 if interrupted.

    Examples
    --------
    >>> from skdatamodels.auditing import run_command
    >>> code = run_command(["audit", "no.csv", "--target", "species"])
    >>> code
    2
    """
    options = _parser().parse_args(arguments)
    try:
        with _plain_warnings():
            _audit(options)
    except (ValueError, TypeError, OSError, ImportError, RuntimeError) as error:
        print(f"skdatamodels: {visible(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        hint = (
            f" The same command goes on with {options.store}." if options.store else ""
        )
        print(f"\nskdatamodels: interrupted.{hint}", file=sys.stderr)
        return 130
    return 0


@contextmanager
def _plain_warnings():
    """Show warnings as sentences, without the place in the code."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        yield


def _show_warning(message, *args, **kwargs):
    print(f"skdatamodels: {visible(str(message))}", file=sys.stderr, flush=True)


def _parser():
    parser = argparse.ArgumentParser(prog="skdatamodels", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser(
        "audit",
        help="find label errors, harmful rows, leaks, and what predictions hang on",
        description="Find out which rows the predictions of a model hang on.",
    )
    add = command.add_argument
    add("train", type=Path, help="training table: CSV or Parquet")
    add("--target", required=True, help="column to predict")
    add("--test", type=Path, help="test table with the same columns")
    add("--model", choices=MODELS, default="boosting", help="default: boosting")
    add("--task", choices=("classification", "regression"))
    of_groups = "column that names the source of a row; the model does not see it"
    add("--groups", metavar="COLUMN", help=of_groups)
    add("--weights", metavar="COLUMN", help="column of the weights of rows in training")
    add("--index", metavar="COLUMN", help="column that names the rows")
    add("--drop", metavar="COLUMN", nargs="+", default=[], help="columns to ignore")
    add("--runs", type=int, default=None, help="number of models, default: 150")
    add("--encoding", default="utf-8", help="of CSV files, default: utf-8")
    add("--decimal", default=".", help="decimal point of CSV files")
    add("--thousands", help="separator of thousands of CSV files")
    add("--out", type=Path, help="write a page to explore in a browser")
    add("--tables", type=Path, metavar="FOLDER", help="write results as CSV files")
    add("--store", type=Path, metavar="FOLDER", help="keep runs, to resume")
    add("--jobs", type=int, default=-1, help="workers, default: one for each core")
    add("--seed", type=int, default=0)
    return parser


def _audit(options):
    _check_columns(options)
    _check_places(options)
    train = _read(options.train, options)
    tables = [train] if options.test is None else [train, _read(options.test, options)]
    for path, table in zip((options.train, options.test), tables, strict=False):
        if options.target not in table.columns:
            names = ", ".join(map(str, table.columns[:20]))
            raise ValueError(
                f"{path} has no column {options.target!r}; it has {names}."
            )
    for column in (options.groups, options.weights):
        if column is not None and column not in train.columns:
            raise ValueError(f"{options.train} has no column {column!r}.")
    kept = [options.target, options.groups, options.weights]  # as they are written
    dates = date_columns(train.drop(columns=[name for name in kept if name]))
    paths = options.train, options.test
    tables = [parse_dates(*pair, dates) for pair in zip(paths, tables, strict=False)]
    groups = None
    if options.groups is not None:
        groups = train[options.groups].to_numpy()
        # the source of a row is not to be learnt from
        tables = [t.drop(columns=options.groups, errors="ignore") for t in tables]
    found = audit(
        options.model,
        tables[0],
        options.target,
        *tables[1:],
        groups=groups,
        sample_weight=options.weights,
        task=options.task,
        n_runs="auto" if options.runs is None else options.runs,
        store=options.store,
        n_jobs=options.jobs,
        random_state=options.seed,
    )
    print(visible(str(found)))
    frames = found.frames()
    for name, frame in frames.items():
        shown = frame.iloc[:_SHOWN, :_COLUMNS].to_string(float_format=_four_digits)
        more = frame.shape[1] - _COLUMNS
        more = f", {more} more columns" if more > 0 else ""
        print(f"\n{name}: {len(frame):,} rows{more}")
        if len(frame):
            print(visible(shown))
    if options.tables is not None:
        options.tables.mkdir(parents=True, exist_ok=True)
        for name, frame in frames.items():
            for_spreadsheets(frame).to_csv(options.tables / f"{name}.csv")
        print(f"\nTables are in {options.tables}.")
    if options.out is not None and not found.trust.enough:
        print(f"\n{options.out} is not written, because there is no answer.")
    elif options.out is not None:
        found.to_html(options.out)
        print(f"\nOpen {options.out} in a browser.")


def _check_columns(options):
    """Raise if two options name the same column."""
    named = {
        "--target": [options.target],
        "--groups": [options.groups],
        "--weights": [options.weights],
        "--index": [options.index],
        "--drop": options.drop,
    }
    for (one, names), (other, others) in combinations(named.items(), 2):
        same = [name for name in names if name is not None and name in others]
        if same:
            raise ValueError(f"{one} and {other} both name the column {same[0]!r}.")


def _four_digits(number):
    """Return a number with four digits, and without an exponent if it can be."""
    size = abs(number)
    if size and not 1e-4 <= size < 1e9:
        return f"{number:.4g}"
    decimals = 3 - floor(log10(size)) if size else 0
    return f"{number:,.{max(0, decimals)}f}"


def _check_places(options):
    """Raise if results could not be written, before anything is trained."""
    out = options.out
    if out is not None and out.is_dir():
        raise ValueError(
            f"{out} is a folder. Name a file for the page: --out {out / 'audit.html'}"
        )
    read = [path.absolute() for path in (options.train, options.test) if path]
    if out is not None and out.absolute() in read:
        raise ValueError(f"--out {out} would replace a table that is to be read.")
    if out is not None:
        if not out.absolute().parent.exists():
            raise ValueError(f"There is no folder {out.parent} for {out}.")
        _check_folder(out.parent)
    for folder in (options.tables, options.store):
        if folder is not None:
            _check_folder(folder)


def _check_folder(path):
    """Raise if nothing can be written in a folder, which may be made first."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise ValueError(f"{place} is a file, not a folder: {path} cannot be one.")
    if not os.access(place, os.W_OK):
        raise ValueError(f"Nothing can be written in {place}: choose another folder.")


def _read(path, options):
    form = options.decimal, options.thousands
    table = read_table(path, options.encoding, *form)
    unknown = [name for name in options.drop if name not in table.columns]
    if unknown and path == options.train:  # test rows may lack it
        raise ValueError(f"{path} has no column {unknown[0]!r} to drop.")
    table = table.drop(columns=options.drop, errors="ignore")
    check_numbers(path, table, *form)
    if options.index is not None:
        if options.index not in table.columns:
            raise ValueError(f"{path} has no column {options.index!r}.")
        if table[options.index].isna().any():
            raise ValueError(
                f"Column {options.index!r} of {path} has gaps, so it cannot name the "
                "rows. Fill them, or leave out --index."
            )
        table = table.set_index(options.index)
    missing = table[options.target].isna() if options.target in table.columns else None
    if missing is not None and missing.all():
        raise ValueError(f"No row of {path} has a value of {options.target!r}.")
    if missing is not None and missing.any():
        print(
            f"{path}: {missing.sum():,} rows without {options.target} are left out.",
            file=sys.stderr,
        )
        table = table[~missing]
    return table
