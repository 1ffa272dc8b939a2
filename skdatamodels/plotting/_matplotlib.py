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
