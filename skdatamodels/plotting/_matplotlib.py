"""What the displays share."""

# Told apart by people with any kind of colour vision (Okabe and Ito).
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"


def import_pyplot():
    """Import pyplot, or say how to install it."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            'Plots need matplotlib: pip install "skdatamodels[plot]"'
        ) from error
    return pyplot


def prepare_axes(display, ax, figsize):
    """Take the axes to draw in, or make a figure; note them in the display.

    Parameters
    ----------
    display : display
        Gets ``ax_`` and ``figure_``.
    ax : matplotlib Axes or None
    figsize : tuple of float
        Width and height of a new figure, in inches.

    Returns
    -------
    ax : matplotlib Axes
    """
    if ax is None:
        _, ax = import_pyplot().subplots(figsize=figsize, layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def style(defaults, given, artist="Line2D"):
    """Put the user's keywords over the defaults, whatever alias either uses.

    Parameters
    ----------
    defaults : dict
    given : dict or None
    artist : {"Line2D", "Collection", "Text"}
        What the keywords are for.

    Returns
    -------
    keywords : dict
    """
    from matplotlib import cbook, collections, lines, text

    kind = {
        "Line2D": lines.Line2D,
        "Collection": collections.Collection,
        "Text": text.Text,
    }[artist]
    defaults, given = (cbook.normalize_kwargs(kw, kind) for kw in (defaults, given))
    if "c" in given:  # scatter takes one or the other
        defaults.pop("color", None)
    return defaults | given
