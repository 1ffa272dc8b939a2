"""Attribution methods side by side: scores, controls and cost."""

import numpy as np

from skdatamodels.plotting._matplotlib import BLUE, GREY, import_pyplot, style


class AttributionComparisonDisplay:
    """Scores of attribution methods with their intervals, the best on top.

    If the comparison has them, two more panels show the agreement with counterfactuals
    and the size of the data supports. Controls are grey. The cost of a method is
    written under its name.

    Parameters
    ----------
    comparison : AttributionComparison
        The result of :func:`~skdatamodels.judging.compare_attributions`.

    Attributes
    ----------
    axes_ : array of Axes of shape (n_panels,)
        The panels, from left to right.
    figure_ : matplotlib Figure
        The figure that contains them.
    order_ : int array of shape (n_methods,)
        Rows of the comparison, from the top of the figure to the bottom.
    points_ : dict of str to PathCollection
        The points of each column of the comparison.
    intervals_ : LineCollection
        Intervals of the scores.
    ceiling_ : Line2D or None
        The noise ceiling, if it is known.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skdatamodels import Examples
    >>> from skdatamodels.judging import compare_attributions
    >>> from skdatamodels.datasets import make_linear_runs
    >>> from skdatamodels.plotting import AttributionComparisonDisplay
    >>> runs, coef = make_linear_runs(200, n_train=20, n_targets=4)
    >>> train, targets = Examples(np.eye(20), np.arange(20) % 2), Examples(
    ...     np.eye(4, 20), np.arange(4) % 2
    ... )
    >>> comparison = compare_attributions(
    ...     {"truth": coef}, runs, train, targets, random_state=0
    ... )
    >>> display = AttributionComparisonDisplay.from_comparison(comparison)
    >>> comparison.name[display.order_][0] == "truth"
    True
    >>> plt.close(display.figure_)
    """

    def __init__(self, comparison):
        self.comparison = comparison

    @classmethod
    def from_comparison(cls, comparison, **plot_params):
        """Make the display from a comparison and draw it.

        Parameters
        ----------
        comparison : AttributionComparison
            The result of :func:`~skdatamodels.judging.compare_attributions`.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : AttributionComparisonDisplay
            The display, drawn.
        """
        return cls(comparison).plot(**plot_params)

    def plot(self, figure=None, *, scatter_kw=None, line_kw=None):
        """Draw the panels.

        Parameters
        ----------
        figure : matplotlib Figure, default=None
            An empty figure to draw in. By default, a new one is made.
        scatter_kw : dict, default=None
            Keywords of matplotlib's `scatter`, for the points of all panels.
        line_kw : dict, default=None
            Keywords of matplotlib's `hlines`, for the intervals.

        Returns
        -------
        self : AttributionComparisonDisplay
            The display itself.
        """
        table = self.comparison
        self.order_ = np.argsort(-table.lds, kind="stable")
        panels = [
            (column, label)
            for column, label in (
                ("lds", "LDS (mean Spearman\ncorrelation over runs)"),
                ("counterfactual_spearman", "Counterfactuals\n(Spearman)"),
                ("support_size", "Examples in the\nmedian data support"),
            )
            if not np.isnan(getattr(table, column)).all()
        ]
        if figure is None:
            size = (3.4 + 2.2 * len(panels), 1.2 + 0.45 * len(table))
            figure = import_pyplot().figure(figsize=size, layout="constrained")
        self.figure_, self.points_ = figure, {}
        self.axes_ = figure.subplots(
            1, len(panels), sharey=True, squeeze=False, width_ratios=_widths(panels)
        )[0]
        for ax, (column, label) in zip(self.axes_, panels, strict=True):
            self._draw(ax, column, label, scatter_kw)
        self._draw_intervals(self.axes_[0], line_kw)
        self._dress(self.axes_[0])
        return self

    def _draw(self, ax, column, label, scatter_kw):
        values = getattr(self.comparison, column)[self.order_]
        control = self.comparison.is_control[self.order_]
        y = np.arange(len(values))
        known = np.isfinite(values)
        look = {"s": 36, "color": np.where(control, GREY, BLUE)[known], "zorder": 3}
        self.points_[column] = ax.scatter(
            values[known], y[known], **style(look, scatter_kw, "Collection")
        )
        for row in np.flatnonzero(np.isinf(values)):
            where = ax.get_yaxis_transform()
            ax.text(0.97, row, "not flipped", transform=where, ha="right", va="center")
        ax.set_xlabel(label)
        ax.set_axisbelow(True)
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
        if column == "support_size":
            ax.set_xlim(0, 1.15 * max(1, *values[known]))
        else:
            ax.axvline(0, color=GREY, lw=0.8)

    def _draw_intervals(self, ax, line_kw):
        table, order = self.comparison, self.order_
        look = {"color": np.where(table.is_control[order], GREY, BLUE), "lw": 2}
        self.intervals_ = ax.hlines(
            np.arange(len(order)),
            table.lds_low[order],
            table.lds_high[order],
            **style(look, line_kw, "Collection"),
        )
        self.ceiling_ = None
        if not np.isnan(table.ceiling):
            self.ceiling_ = ax.axvline(table.ceiling, color=GREY, ls="--", lw=1.2)
            ax.set_title(
                f"noise ceiling {table.ceiling:.2f}", fontsize="small", loc="right"
            )

    def _dress(self, ax):
        names = [self._name(row) for row in self.order_]
        ax.set_yticks(np.arange(len(names)), names)
        ax.set_ylim(len(names) - 0.5, -0.5)

    def _name(self, row):
        table = self.comparison
        name = str(table.name[row])
        if table.setting[row]:
            name += f" ({table.setting[row]})"
        cost = []
        if table.n_trainings[row] > 0:
            plural = "s" if table.n_trainings[row] > 1 else ""
            cost.append(f"{table.n_trainings[row]:,.0f} training{plural}")
        if table.seconds[row] >= 0.1:
            cost.append(f"{table.seconds[row]:,.1f} s")
        return name + ("\n" + ", ".join(cost) if cost else "")


def _widths(panels):
    return [1.6, *[1] * (len(panels) - 1)]
