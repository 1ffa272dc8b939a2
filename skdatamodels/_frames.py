"""Data frames of pandas and polars, without importing either library."""

from collections import Counter


def is_frame(values):
    """Return whether `values` is a data frame that scikit-learn can index."""
    return is_pandas(values) or (
        _is_of(values, "polars") and type(values).__name__ == "DataFrame"
    )


def is_pandas(values):
    """Return whether `values` is a data frame of pandas or a similar library."""
    return hasattr(values, "iloc") and hasattr(values, "columns")


def check_frame(values, name):
    """Raise if `values` is a table of another library, or has duplicate column names.

    Converting such a table to an array would lose the names and types of its columns.
    """
    if not is_frame(values):
        lazy = _is_of(values, "polars") and hasattr(values, "collect")
        if lazy or hasattr(values, "__dataframe__"):
            cure = ".collect()" if lazy else ".to_pandas(), if available"
            raise TypeError(
                f"{name} is a {type(values).__module__}.{type(values).__qualname__}, "
                f"but data frames must be from pandas or polars: try {cure}."
            )
        return
    twice = [column for column, n in Counter(values.columns).items() if n > 1]
    if twice:
        raise ValueError(
            f"{name} has several columns named {', '.join(map(repr, twice[:5]))}: "
            "column names must be unique."
        )


def shell_of(frame):
    """Return a shallow copy, so that changing it does not change `frame`."""
    # In-place changes of a polars frame create new columns.
    return frame.copy(deep=False) if is_pandas(frame) else frame.clone()


def copy_of(frame):
    """Return a copy of a frame, which its owner cannot change."""
    return frame.copy() if is_pandas(frame) else frame.clone()


def columns_of(frame):
    """Yield the name and the series of each column."""
    for number, name in enumerate(frame.columns):
        yield name, frame.iloc[:, number] if is_pandas(frame) else frame[name]


def with_types_of(frame, other):
    """Return a frame whose columns are text or objects where those of `other` are.

    A column of text may have only numbers, or only gaps, in another table: a table of
    both would have text, and encoders expect it. Times get the time zone of `other`.
    """
    frame = _with_zones_of(frame, other)
    own, others = (dict(columns_of(table)) for table in (frame, other))
    change = [
        name
        for name, column in own.items()
        if name in others and _is_object(others[name].dtype) > _is_object(column.dtype)
    ]
    if not change:
        return frame
    if is_pandas(frame):
        return frame.astype(dict.fromkeys(change, object))
    return frame.with_columns(own[name].cast(str) for name in change)


def _with_zones_of(frame, other):
    """Return a frame with the same times in the time zones of another frame."""
    others, found = dict(columns_of(other)), {}
    for name, column in columns_of(frame):
        zone = time_zone(others[name]) if name in others else None
        if zone is not None and time_zone(column) not in (None, zone):
            times = column.dt
            convert = getattr(times, "tz_convert", None) or times.convert_time_zone
            found[name] = convert(zone)
    if not found:
        return frame
    return frame.assign(**found) if is_pandas(frame) else frame.with_columns(**found)


def time_zone(column):
    """Return the time zone of a column of pandas or polars, None if it has none."""
    return getattr(column.dtype, "tz", getattr(column.dtype, "time_zone", None))


def _is_object(dtype):
    """Return whether a column of pandas or polars has text, categories or objects."""
    if hasattr(dtype, "is_nested"):
        return str(dtype).startswith(("String", "Categorical", "Enum", "Object"))
    return dtype.kind == "O"


def _is_of(values, package):
    return type(values).__module__.split(".")[0] == package
