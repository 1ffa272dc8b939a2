"""Linear datamodeling score against the number of runs."""

import numpy as np

from skdatamodels.plotting._matplotlib import GREY, import_pyplot


class LDSCurveDisplay:
    """How the score grows with the number of training runs, method by method.

    Parameters
    ----------
    n_runs : array-like of shape (n_sizes,)
        Numbers of runs that the methods were fitted on.
    scores : dict
        For each method's name, its scores, of shape (n_sizes,), or with the ends
        of an interval, of shape (n_sizes, 3), as a list of
        :func:`~skdatamodels.metrics.lds_interval` gives.
    ceiling : float, default=None
        Score that a perfect predictor would reach, see
        :func:`~skdatamodels.metrics.noise_ceiling`.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    lines_ : dict of str to Line2D
    bands_ : dict of str to PolyCollection
        For the methods with intervals.
    ceiling_ : Line2D or None

    Raises
    ------
    ValueError
        If scores have another shape than `n_runs` asks for.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skdatamodels.plotting import LDSCurveDisplay
    >>> scores = {"LASSO": [0.5, 0.6], "difference of means": [0.3, 0.4]}
    >>> display = LDSCurveDisplay([500, 1000], scores, ceiling=0.8).plot()
    >>> sorted(display.lines_)
    ['LASSO', 'difference of means']
    >>> plt.close(display.figure_)
    """

    def __init__(self, n_runs, scores, *, ceiling=None):
        self.n_runs = n_runs
        self.scores = scores
        self.ceiling = ceiling

    def plot(self, ax=None):
        """Draw a line a method, its band, and the ceiling.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A new figure by default.

        Returns
        -------
        self : LDSCurveDisplay
        """
        n_runs = np.asarray(self.n_runs)
        scores = {name: self._check(name, n_runs) for name in self.scores}
        if ax is None:
            _, ax = import_pyplot().subplots(figsize=(6, 4), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        self.lines_, self.bands_, self.ceiling_ = {}, {}, None
        for (name, values), marker in zip(scores.items(), _markers(), strict=False):
            (line,) = ax.plot(n_runs, values[:, 0], marker=marker, ms=5, label=name)
            self.lines_[name] = line
            if values.shape[1] == 3:
                self.bands_[name] = ax.fill_between(
                    n_runs, *values[:, 1:].T, color=line.get_color(), alpha=0.2, lw=0
                )
        if self.ceiling is not None:
            self.ceiling_ = ax.axhline(
                self.ceiling, color=GREY, ls="--", lw=1.2, label="noise ceiling"
            )
        self._dress(n_runs)
        return self

    def _check(self, name, n_runs):
        values = np.asarray(self.scores[name], dtype=float)
        if values.shape not in [(len(n_runs),), (len(n_runs), 3)]:
            raise ValueError(
                f"The scores of {name!r} have shape {values.shape}; {len(n_runs)} "
                f"numbers of runs need ({len(n_runs)},) or ({len(n_runs)}, 3)."
            )
        return values.reshape(len(n_runs), -1)

    def _dress(self, n_runs):
        from matplotlib.ticker import NullLocator

        ax = self.ax_
        ax.set_xscale("log")
        ax.set_xticks(n_runs, [f"{n:,}" for n in n_runs])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set(xlabel="Training runs", ylabel="LDS (mean Spearman correlation)")
        # From zero up to a bit above the highest: lengths compare, nothing is cut.
        ax.set_ylim(bottom=min(0, ax.dataLim.ymin))
        ax.grid(axis="y", alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(loc="best", frameon=False)


def _markers():
    while True:
        yield from "os^Dv"
