"""Examples as rows of small tables, which show the columns that differ most."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from skdatamodels._example_scales import (
    cell_differences,
    column_names,
    plain_values,
    scales_of,
)
from skdatamodels._frames import columns_of, is_frame
from skdatamodels._sklearn_compat import safe_indexing
from skdatamodels._tables import format_column, shorten
from skdatamodels.plotting._matplotlib import GREY, import_pyplot, style

_ROW, _PAD, _MARGIN = 1.9, 1.4, 1.2  # in font sizes
_MOST_CHARACTERS = 24


class Group(NamedTuple):
    """Rows of a table that belong together.

    Attributes
    ----------
    name : str
        Name of the group.
    colour : str
        Colour of its rows.
    examples : Examples
        Examples that contain the rows.
    rows : int array
        Positions of the rows in `examples`.
    numbers : list of str
        A number for each row, such as its weight.
    """

    name: str
    colour: str
    examples: object
    rows: np.ndarray
    numbers: list


class Content(NamedTuple):
    """The text of one table.

    Attributes
    ----------
    cells : str array of shape (1 + n_rows, n_columns)
        The first row is the header, and the first column contains the groups' names.
    colours : list of str
        Colour of each row except the header.
    columns : list
        Names of the columns of the examples that are shown.
    marked : bool array of shape (n_rows, n_shown)
        Cells of these columns that are highlighted.
    note : str
        A note on columns that are not shown.
    """

    cells: np.ndarray
    colours: list
    columns: list
    marked: np.ndarray
    note: str


def make_table(groups, number, train, n_columns, names=None, *, mark_all=False):
    """Make a table of examples. The columns in which groups differ most come first.

    Cells are highlighted that differ from the first group by at least one standard
    deviation, or by another text or category.

    Parameters
    ----------
    groups : list of Group
        Each row of the first group is compared with each row of the others.
    number : str
        Heading of the column of numbers.
    train : Examples
        Examples whose standard deviations are the units of differences.
    n_columns : int
        Number of columns to show.
    names : sequence of str, default=None
        Names of the columns of an array.
    mark_all : bool, default=False
        Whether to highlight the cells of the first group that differ from the others,
        too.

    Returns
    -------
    content : Content
        The text of the table.
    """
    names = column_names(train.X, names)
    groups = [group for group in groups if len(group.rows)]
    parts = [_columns(group.examples.X, group.rows, train.X) for group in groups]
    gaps = _gaps(parts[0], parts[1:], scales_of(train.X))
    shown = _most_different(gaps)[:n_columns]
    columns = [
        ("", [g.name if i == 0 else "" for g in groups for i in range(len(g.rows))]),
        (_heading_of_labels(train), [x for g in groups for x in _labels(g)]),
        ("y", format_column([y for g in groups for y in g.examples.y[g.rows]])),
        (number, [text for g in groups for text in g.numbers]),
        *(
            (names[j], format_column([v for part in parts for v in part[j]]))
            for j in shown
        ),
    ]
    cells = [[shorten(x, _MOST_CHARACTERS) for x in (name, *c)] for name, c in columns]
    cells[3][1:] = columns[3][1]  # numbers stay whole
    more = len(names) - len(shown)
    return Content(
        np.array(cells).T,
        [group.colour for group in groups for _ in group.rows],
        [names[j] for j in shown],
        _marked([gaps[j] for j in shown], len(groups[0].rows), mark_all),
        f"… {more:,} more column{'s' * (more > 1)}, which differ less" if more else "",
    )


def draw_tables(figure, contents, text_kw):
    """Draw tables one below the other. Their size follows from their text.

    Parameters
    ----------
    figure : matplotlib Figure, SubFigure or None
        Where to draw. If None, a new figure of the right size is made. If the figure is
        too small, the text is made smaller.
    contents : list of Content
        The text of the tables.
    text_kw : dict or None
        Keywords of matplotlib's `Text`, for the cells.

    Returns
    -------
    figure : matplotlib Figure or SubFigure
        The figure.
    axes : array of Axes of shape (n_tables, 1)
        One for each table.
    texts : list of object array of Text
        The cells of each table, in the shape of its `cells`.
    """
    from matplotlib.font_manager import FontProperties

    look = style({"fontsize": 8}, text_kw, "Text")
    inch = FontProperties(size=look.pop("fontsize")).get_size_in_points() / 72
    widths = [_widths(content, inch) for content in contents]
    heights = [_ROW * inch * (len(c.cells) + 1.3) for c in contents]
    margin = _MARGIN * inch
    width = max(map(sum, widths)) + 2 * margin
    height = sum(heights) + 2 * margin
    if figure is None:
        figure = import_pyplot().figure(figsize=(width, height))
    across, down = np.array(figure.bbox.size) / figure.dpi
    scale = min(1, across / width, down / height)
    axes, texts, top = [], [], down - scale * margin
    for content, columns, tall in zip(contents, widths, heights, strict=True):
        box = scale * margin, top - scale * tall, scale * sum(columns), scale * tall
        ax = figure.add_axes(np.array(box) / [across, down, across, down])
        ax.set(xlim=(0, sum(columns)), ylim=(tall / (_ROW * inch), 0))
        ax.set_axis_off()
        texts.append(_write(ax, content, columns, inch * 72 * scale, look))
        axes.append([ax])
        top -= scale * tall
    return figure, np.array(axes), texts


def _write(ax, content, widths, size, look):
    """Write the cells of a table. Columns of numbers are aligned at the right."""
    cells, pad = content.cells, _PAD * size / 72
    texts = np.empty(cells.shape, dtype=object)
    left = np.cumsum([0, *widths])
    for (i, j), cell in np.ndenumerate(cells):
        at_right = j > 1 and _are_numbers(cells[1:, j])
        is_head = i == 0 or j == 0
        texts[i, j] = ax.text(
            left[j + 1] - pad if at_right else left[j],
            i + 0.5,
            cell.replace("-", "\N{MINUS SIGN}") if at_right and i else cell,
            fontsize=size,
            **style(
                {
                    "color": GREY if i == 0 else content.colours[i - 1],
                    "fontweight": "bold" if is_head else "normal",
                    "ha": "right" if at_right else "left",
                    "va": "center",
                    "parse_math": False,
                },
                look,
                "Text",
            ),
        )
    for i, j in np.argwhere(content.marked):
        start, end = left[4 + j] - pad / 2, left[5 + j] - pad / 2
        look_of_box = {"color": content.colours[i], "alpha": 0.15, "lw": 0, "zorder": 0}
        ax.fill_between([start, end], i + 1.05, i + 1.95, **look_of_box)
    ax.plot([0, left[-1] - pad], [1, 1], color=GREY, lw=0.6)
    note = {"color": GREY, "va": "center", "fontstyle": "italic", "parse_math": False}
    note = style(note, look, "Text")
    ax.text(left[4], len(cells) + 0.4, content.note, fontsize=size, **note)
    return texts


def _widths(content, inch):
    """Return the width of each column in inches, with the space to its right."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=72 * inch, weight="bold")

    def width(text):
        if not text:
            return 0
        return text_to_path.get_text_width_height_descent(text, font, False)[0] / 72

    widths = [max(map(width, column)) + _PAD * inch for column in content.cells.T]
    # The note begins below the first column of features.
    widths[-1] += max(0, width(content.note) - sum(widths[4:]))
    return widths


def _are_numbers(cells):
    stripped = (cell.replace("\N{MINUS SIGN}", "-").replace(",", "") for cell in cells)
    try:
        return bool([float(cell) for cell in stripped if cell])
    except ValueError:
        return False


def _columns(X, rows, like):
    """Return some rows as a list of columns, in the column order of `like`."""
    part = safe_indexing(X, rows)
    if is_frame(like):
        names = list(like.columns)
        if not is_frame(X) or set(X.columns) != set(names):
            raise ValueError(
                "targets and train must be tables with the same columns; train has "
                f"{shorten(names, 200)}."
            )
        return [plain_values(column) for _, column in columns_of(part[names])]
    part = part.toarray() if issparse(part) else np.asarray(part)
    if part.shape[1:] != like.shape[1:]:
        raise ValueError(
            "targets and train must have the same columns; got examples of shape "
            f"{part.shape[1:]} and {like.shape[1:]}."
        )
    return list(part.reshape(len(part), -1).T)


def _gaps(one, others, scales):
    """Return, for each column, the differences between one group and the others.

    They have shape (n_one, n_others).
    """
    others = [np.concatenate(column) for column in zip(*others, strict=True)]
    others = others or [values[:0] for values in one]
    return [
        cell_differences(own[:, None], other, scale)
        for own, other, scale in zip(one, others, scales, strict=True)
    ]


def _most_different(gaps):
    """Sort columns by their mean difference."""
    means = [gap.mean() if gap.size else 0.0 for gap in gaps]
    return np.argsort(-np.array(means), kind="stable")


def _marked(gaps, n_one, mark_all):
    """Return the cells (n_rows, n_columns) whose mean difference is at least 1."""
    n_others, columns = gaps[0].shape[1], []
    for gap in gaps:
        if not n_others:
            columns.append(np.zeros(n_one))
            continue
        of_one = gap.mean(axis=1) if mark_all else np.zeros(n_one)
        columns.append(np.r_[of_one, gap.mean(axis=0)])
    return np.array(columns).T >= 1


def _labels(group):
    """Return the ids of rows as text."""
    ids = _ids(group.examples)[group.rows]
    return [str(name) for name in plain_values(ids)]


def _heading_of_labels(examples):
    return "row" if _are_positions(_ids(examples)) else "id"


def _ids(examples):
    return getattr(examples, "ids", np.arange(len(examples.y)))


def _are_positions(ids):
    return np.array_equal(ids, np.arange(len(ids)))
