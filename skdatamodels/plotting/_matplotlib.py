"""Helpers of the displays."""

# Okabe and Ito's colours, which colour-blind people can distinguish.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"


def import_pyplot():
    """Import and return pyplot, or raise an error that says how to install it."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            'Plots need matplotlib: pip install "skdatamodels[plot]"'
        ) from error
    return pyplot


def prepare_axes(display, ax, figsize):
    """Set ``ax_`` and ``figure_`` of a display, and make a figure if needed.

    Parameters
    ----------
    display : display
        The display, which is changed in place.
    ax : matplotlib Axes or None
        Axes to draw in. If None, a new figure is made.
    figsize : tuple of float
        Width and height of a new figure, in inches.

    Returns
    -------
    ax : matplotlib Axes
        Axes to draw in.
    """
    if ax is None:
        _, ax = import_pyplot().subplots(figsize=figsize, layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def style(defaults, given, artist="Line2D"):
    """Override default keywords by the user's, even if they use different aliases.

    Parameters
    ----------
    defaults : dict
        Keywords of the display.
    given : dict or None
        Keywords of the user.
    artist : {"Line2D", "Collection", "Text"}
        Kind of artist that the keywords are for.

    Returns
    -------
    keywords : dict
        The merged keywords, with their full names.
    """
    from matplotlib import cbook, collections, lines, text

    kind = {
        "Line2D": lines.Line2D,
        "Collection": collections.Collection,
        "Text": text.Text,
    }[artist]
    defaults, given = (cbook.normalize_kwargs(kw, kind) for kw in (defaults, given))
    if "c" in given:  # scatter accepts only one of them
        defaults.pop("color", None)
    return defaults | given
