"""Data frames of pandas and polars, of which neither is imported."""

from collections import Counter


def is_frame(values):
    """Tell whether `values` is a data frame that scikit-learn can index."""
    return is_pandas(values) or (
        _is_of(values, "polars") and type(values).__name__ == "DataFrame"
    )


def is_pandas(values):
    """Tell whether `values` is a pandas data frame, or of a package like it."""
    return hasattr(values, "iloc") and hasattr(values, "columns")


def check_frame(values, name):
    """Raise if `values` is a table of another package, or names two columns alike.

    An array made of such a table would lose the names and types of its columns.
    """
    if not is_frame(values):
        lazy = _is_of(values, "polars") and hasattr(values, "collect")
        if lazy or hasattr(values, "__dataframe__"):
            cure = ".collect()" if lazy else ".to_pandas(), if it has that"
            raise TypeError(
                f"{name} is a {type(values).__module__}.{type(values).__qualname__}, "
                f"but data frames must be of pandas or polars: try {cure}."
            )
        return
    twice = [column for column, n in Counter(values.columns).items() if n > 1]
    if twice:
        raise ValueError(
            f"{name} has several columns named {', '.join(map(repr, twice[:5]))}: "
            "names must differ."
        )


def shell_of(frame):
    """Return a frame of the same data that can be changed without harm to `frame`."""
    # what changes a polars frame in place makes new columns
    return frame.copy(deep=False) if is_pandas(frame) else frame.clone()


def copy_of(frame):
    """Return a copy of a frame that its owner cannot reach."""
    return frame.copy() if is_pandas(frame) else frame.clone()


def columns_of(frame):
    """Yield the name and the series of each column."""
    for number, name in enumerate(frame.columns):
        yield name, frame.iloc[:, number] if is_pandas(frame) else frame[name]


def _is_of(values, package):
    return type(values).__module__.split(".")[0] == package
