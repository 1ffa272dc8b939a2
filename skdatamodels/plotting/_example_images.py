"""Examples as images: recognising them, and drawing a grid of them."""

import numpy as np

from skdatamodels.plotting._matplotlib import import_pyplot, style


def are_images(examples, image_shape):
    """Return whether examples are images, not rows; raise if they are neither."""
    shape = examples.X.shape
    if image_shape is not None or len(shape) in (3, 4):
        return True
    if len(shape) in (1, 2):
        return False
    raise ValueError(
        f"Examples of shape {shape[1:]} are neither images, of shape (height, width) "
        "or (height, width, channels), nor rows of a table."
    )


def as_images(examples, image_shape):
    """Return `examples.X` as images, or raise if the shape is wrong."""
    X = np.asarray(examples.X)
    if image_shape is None and X.ndim in (3, 4):
        return X
    if image_shape is None or np.prod(image_shape) * len(X) != X.size:
        raise ValueError(
            f"Examples of shape {X.shape[1:]} are not images of image_shape="
            f"{image_shape}; pass image_shape=(height, width), or None for a table."
        )
    return X.reshape(len(X), *image_shape)


def make_grid(figure, n_rows, groups, cell, gap, margins, between):
    """Lay out rows of square cells, in groups of columns with headings.

    All lengths are in inches.

    Parameters
    ----------
    figure : matplotlib Figure, SubFigure or None
        Where to draw. If None, a new figure of the right size is made.
    n_rows : int
        Number of rows.
    groups : list of tuple ``(heading, colour, n_columns, align)``
        Groups of columns. The heading is above its group, aligned "left" or "right".
    cell, gap : float
        Width of a cell, and of the space between groups.
    margins : tuple of float
        Left, right, top and bottom margins. The top one contains the headings.
    between : float
        Height of the space between rows, which contains titles and labels.

    Returns
    -------
    figure : matplotlib Figure or SubFigure
        The figure.
    axes : array of Axes of shape (n_rows, n_columns)
        One for each cell, where `n_columns` is the total of all groups.
    """
    left, right, top, bottom = margins
    starts, ratios = [], []
    for _, _, n_columns, _ in groups:
        ratios += [gap / cell] if ratios else []
        starts.append(len(ratios))
        ratios += [1] * n_columns
    width = cell * (sum(ratios) + 0.1 * len(ratios)) + left + right
    height = n_rows * (cell + between) - between + top + bottom
    if figure is None:
        figure = import_pyplot().figure(figsize=(width, height))
    grid = figure.add_gridspec(
        n_rows,
        len(ratios),
        width_ratios=ratios,
        left=left / width,
        right=1 - right / width,
        top=1 - top / height,
        bottom=bottom / height,
        wspace=0.1,
        hspace=between / cell,
    )
    columns = [
        start + i
        for start, (_, _, n_columns, _) in zip(starts, groups, strict=True)
        for i in range(n_columns)
    ]
    axes = [[figure.add_subplot(grid[i, j]) for j in columns] for i in range(n_rows)]
    axes, last = np.array(axes), 0
    for text, colour, n_columns, align in groups:
        first, last = last, last + n_columns
        edge = axes[0, first if align == "left" else last - 1].get_position()
        look = {"color": colour, "fontsize": 9, "fontweight": "bold", "va": "top"}
        x = edge.x0 if align == "left" else edge.x1
        figure.text(x, 1 - 0.08 / height, text, ha=align, **look)
    return figure, axes


def show_image(ax, image, title, colour, *, image_kw, text_kw):
    """Draw an image with a frame, and a title above it."""
    ax.imshow(image, **({"interpolation": "nearest"} | image_kw))
    ax.set_title(title, **style({"fontsize": 8}, text_kw, "Text"), pad=3)
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(color=colour, linewidth=2)
