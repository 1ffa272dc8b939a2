"""Share of the targets that a number of removals flips, for each method."""

import numpy as np

from skdatamodels.plotting._matplotlib import GREY, prepare_axes, style


class DataSupportDisplay:
    """Cumulative distribution of the sizes of data supports, by method.

    Each method has a line, which shows the share of the targets whose data support has
    at most that many examples. A higher line means tighter bounds. Targets that were
    not flipped are never counted, so a line may end below 1.

    Parameters
    ----------
    sizes : dict of str to array-like of shape (n_targets,)
        Sizes by name of the method, as in ``DataSupportSearch.support_size_``. NaN
        means that the target was not flipped.
    certified : dict of str to array-like of shape (n_targets,), default=None
        Whether each data support was certified, by name of the method. The legend
        shows the share.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where the display is drawn.
    lines_ : dict of str to Line2D
        The line of each method.

    Raises
    ------
    ValueError
        If there is no method, or the methods have different numbers of targets.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, figure 7.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skdatamodels.plotting import DataSupportDisplay
    >>> sizes = {"datamodel": [3, 0, 20, 7], "random": [9, 0, float("nan"), 40]}
    >>> display = DataSupportDisplay.from_predictions(sizes)
    >>> sorted(display.lines_)
    ['datamodel', 'random']
    >>> plt.close(display.figure_)
    """

    def __init__(self, sizes, *, certified=None):
        self.sizes = sizes
        self.certified = certified

    @classmethod
    def from_predictions(cls, sizes, *, certified=None, **plot_params):
        """Make the display from sizes and draw it.

        Parameters
        ----------
        sizes : dict of str to array-like of shape (n_targets,)
            Sizes of the data supports by name of the method.
        certified : dict of str to array-like of shape (n_targets,), default=None
            Whether each data support was certified, by name of the method.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : DataSupportDisplay
            The display, drawn.
        """
        return cls(sizes, certified=certified).plot(**plot_params)

    @classmethod
    def from_estimator(cls, searches, **plot_params):
        """Make the display from fitted searches and draw it.

        Parameters
        ----------
        searches : DataSupportSearch, or dict of str to DataSupportSearch
            Fitted searches, by name of the method whose weights they used.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : DataSupportDisplay
            The display, drawn.
        """
        searches = searches if isinstance(searches, dict) else {"search": searches}
        sizes = {name: search.support_size_ for name, search in searches.items()}
        certified = {name: search.certified_ for name, search in searches.items()}
        return cls.from_predictions(sizes, certified=certified, **plot_params)

    def plot(self, ax=None, *, line_kw=None):
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. By default, a new figure is made.
        line_kw : dict, default=None
            Keywords of matplotlib's `plot`, for all lines.

        Returns
        -------
        self : DataSupportDisplay
            The display itself.
        """
        sizes = {name: np.asarray(row, float) for name, row in self.sizes.items()}
        if len({row.shape for row in sizes.values()}) != 1:
            raise ValueError(
                "sizes needs at least one method, all with as many targets; got shapes "
                f"{[row.shape for row in sizes.values()]}."
            )
        ax, self.lines_ = prepare_axes(self, ax, (6, 4)), {}
        right = max(1.0, *(np.nanmax(np.r_[row, 0]) for row in sizes.values()))
        for (name, row), dashes in zip(sizes.items(), _dashes(), strict=False):
            steps = np.sort(row[~np.isnan(row)])
            x = np.r_[0, steps, right]
            y = np.r_[0, np.arange(1, len(steps) + 1), len(steps)] / len(row)
            look = {"ls": dashes, "label": self._label(name)}
            (self.lines_[name],) = ax.plot(
                x, y, **style({"drawstyle": "steps-post"} | look, line_kw)
            )
        self._dress(right)
        return self

    def _label(self, name):
        if self.certified is None:
            return name
        return f"{name}: {np.mean(self.certified[name]):.0%} certified"

    def _dress(self, right):
        ax = self.ax_
        # A log scale that includes zero, for targets that are misclassified from the
        # start.
        ax.set_xscale("symlog", linthresh=1, linscale=0.5)
        ticks = [0, *10.0 ** np.arange(np.ceil(np.log10(right)) + 1)]
        ax.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        ax.set(xlim=(0, right), ylim=(0, 1.02))
        ax.set(xlabel="Examples in the data support", ylabel="Share of the targets")
        ax.grid(alpha=0.3, color=GREY)
        ax.legend(loc="upper left", frameon=False)


def _dashes():
    while True:
        yield from ("-", "--", "-.", ":")
