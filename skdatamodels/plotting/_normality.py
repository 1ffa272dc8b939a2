"""P-values of tests for the normality of outputs."""

import numpy as np

from skdatamodels.metrics import normality_p_values
from skdatamodels.plotting._matplotlib import GREY, prepare_axes, style

_COLOURS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"


class NormalityDisplay:
    """Cumulative distribution over targets of normality p-values, by output.

    The closer a line is to the diagonal, the better the output fits the normal
    distribution that least squares assumes. If a line ends below 1, the output of some
    targets never varies.

    Parameters
    ----------
    p_values : dict of str to array-like
        P-values by name of the output, as
        :func:`~skdatamodels.metrics.normality_p_values` returns them. NaN means that
        the output does not vary.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where the display is drawn.
    lines_ : dict of str to Line2D
        The line of each output.
    diagonal_ : Line2D
        The line of normally distributed outputs.

    Raises
    ------
    ValueError
        If there are no p-values, or one is not between 0 and 1.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, appendix C, figure 17.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skdatamodels.plotting import NormalityDisplay
    >>> p_values = {"margin": [0.1, 0.4, 0.7, 0.9], "loss": [0.0, 0.0, 0.01, 0.2]}
    >>> display = NormalityDisplay(p_values).plot()
    >>> list(display.lines_)
    ['margin', 'loss']
    >>> plt.close(display.figure_)
    """

    def __init__(self, p_values):
        self.p_values = p_values

    @classmethod
    def from_predictions(cls, repeats, **plot_params):
        """Test outputs of repeated trainings for normality and draw the display.

        Parameters
        ----------
        repeats : dict of str to array-like
            Outputs of several trainings on the same subsets, by name of the output, as
            :func:`~skdatamodels.metrics.normality_p_values` expects them.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : NormalityDisplay
            The display, drawn.
        """
        p_values = {name: normality_p_values(given) for name, given in repeats.items()}
        return cls(p_values).plot(**plot_params)

    def plot(self, ax=None, *, line_kw=None):
        """Draw a line for each output, and the diagonal.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. By default, a new figure is made.
        line_kw : dict, default=None
            Keywords of matplotlib's `plot`, for the lines of the outputs.

        Returns
        -------
        self : NormalityDisplay
            The display itself.
        """
        values = {name: _check(name, given) for name, given in self.p_values.items()}
        ax, self.lines_ = prepare_axes(self, ax, (5, 4.4)), {}
        (self.diagonal_,) = ax.plot(
            [0, 1], [0, 1], color=GREY, ls="--", lw=1.2, label="normal"
        )
        for i, (name, p) in enumerate(values.items()):
            known = np.sort(p[~np.isnan(p)])
            share = np.arange(1, len(known) + 1) / len(p)
            constant = 1 - len(known) / len(p)
            note = f", {constant:.0%} never vary" if constant else ""
            look = {"color": _COLOURS[i % len(_COLOURS)], "drawstyle": "steps-post"}
            look["label"] = f"{name}: {np.mean(p <= 0.05):.0%} at most .05{note}"
            (self.lines_[name],) = ax.plot(
                np.r_[0, known, 1],
                np.r_[0, share, share.max(initial=0)],
                **style(look, line_kw),
            )
        ax.set(
            xlabel="p-value of the test for normality",
            ylabel="Share of the targets",
            xlim=(0, 1),
            ylim=(0, 1.01),
        )
        ax.grid(alpha=0.3)
        ax.legend(loc="best", fontsize="small")
        return self


def _check(name, given):
    p = np.ravel(np.asarray(given, dtype=float))
    known = p[~np.isnan(p)]
    if p.size == 0 or not ((known >= 0) & (known <= 1)).all():
        raise ValueError(
            f"P-values of {name!r} must be one or more numbers from 0 to 1, or NaN for "
            "an output that does not vary."
        )
    return p
