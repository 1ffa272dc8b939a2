"""Scores of models as more and more training examples go, or come."""

import numpy as np

from skdatamodels.plotting._matplotlib import GREY, prepare_axes, style

_DASHES = {"best first": "--", "worst first": "-", "random": ":"}
# Okabe and Ito's colours, which colour-blind people can distinguish.
_COLOURS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
_MARKERS = "", "o", "s", "^"  # of the attributions after these, and so on


class RemovalCurvesDisplay:
    """Score against the share of examples that are removed or added, by attribution.

    Each attribution has a colour, and from the seventh on a marker. Lines are solid if
    its worst examples come first, and dashed if its best do. Bands are one standard
    error to each side.

    Parameters
    ----------
    curves : RemovalCurves
        Result of :func:`~skdatamodels.applications.removal_curves`.
    order : {"best first", "worst first"}, default=None
        Draw only the curves of this order, and the random one. None draws all.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where the display is drawn.
    lines_ : dict of tuple (attribution, order) to Line2D
        The line of each curve.
    bands_ : dict of tuple (attribution, order) to PolyCollection
        The band of each curve.

    Raises
    ------
    ValueError
        If there is no such order.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels import Examples, SubsetTrainer
    >>> from skdatamodels.applications import removal_curves
    >>> from skdatamodels.plotting import RemovalCurvesDisplay
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> train, targets = Examples(X[:40], X[:40, 0]), Examples(X[40:], X[40:, 0])
    >>> trainer = SubsetTrainer(Ridge(), train, targets)
    >>> values = {"length": np.abs(X[:40]).sum(axis=1)}
    >>> curves = removal_curves(trainer, values, n_trials=2, random_state=0)
    >>> display = RemovalCurvesDisplay.from_curves(curves)
    >>> list(display.lines_)[0]
    ('length', 'best first')
    >>> plt.close(display.figure_)
    """

    def __init__(self, curves, *, order=None):
        self.curves = curves
        self.order = order

    @classmethod
    def from_curves(cls, curves, *, order=None, **plot_params):
        """Make the display and draw it.

        Parameters
        ----------
        curves : RemovalCurves
            Result of :func:`~skdatamodels.applications.removal_curves`.
        order : {"best first", "worst first"}, default=None
            Draw only the curves of this order, and the random one.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : RemovalCurvesDisplay
            The display, drawn.
        """
        return cls(curves, order=order).plot(**plot_params)

    def plot(self, ax=None, *, line_kw=None, fill_between_kw=None):
        """Draw a line and a band for each curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. By default, a new figure is made.
        line_kw : dict, default=None
            Keywords of matplotlib's `plot`, for all lines.
        fill_between_kw : dict, default=None
            Keywords of matplotlib's `fill_between`, for the bands.

        Returns
        -------
        self : RemovalCurvesDisplay
            The display itself.
        """
        curves, orders = self.curves, list(_DASHES)[:2]
        if self.order not in (None, *orders):
            raise ValueError(
                f"order must be one of {orders} or None, got {self.order}."
            )
        ax = prepare_axes(self, ax, (6, 4))
        self.lines_, self.bands_ = {}, {}
        x = curves.size / curves.n_train
        names = list(dict.fromkeys(curves.attribution.tolist()))
        for name, order, score, error in zip(
            curves.attribution.tolist(),
            curves.order.tolist(),
            curves.score,
            curves.error,
            strict=True,
        ):
            if order not in (self.order or order, "random"):
                continue
            turn, place = divmod(names.index(name), len(_COLOURS))
            look = {"color": _COLOURS[place], "marker": _MARKERS[turn % len(_MARKERS)]}
            if order == "random":
                look = {"color": GREY}
            # one entry of the legend for each name, and one for each order
            label = "_" if order == "best first" and not self.order else name
            look |= {"ls": _DASHES[order], "label": label}
            (line,) = ax.plot(x, score, **style(look, line_kw))
            look = {"color": line.get_color(), "alpha": 0.2, "lw": 0}
            look = style(look, fill_between_kw, "Collection")
            half = np.nan_to_num(error)
            band = ax.fill_between(x, score - half, score + half, **look)
            self.lines_[name, order], self.bands_[name, order] = line, band
        for order in [] if self.order else orders:
            ax.plot([], [], color="black", ls=_DASHES[order], label=order)
        self._dress()
        return self

    def _dress(self):
        from matplotlib.ticker import PercentFormatter

        how = "that models see" if self.curves.added else "that are removed"
        self.ax_.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        self.ax_.set(xlabel=f"Training examples {how}")
        self.ax_.set(ylabel=self.curves.metric.replace("_", " "))
        if self.order:
            self.ax_.set(title=self.order)
        self.ax_.grid(axis="y", alpha=0.3)
        self.ax_.legend(loc="best", edgecolor="none", fontsize="small")
