"""P-values of the normality of outputs, candidate by candidate."""

import numpy as np

from skdatamodels.metrics import normality_p_values
from skdatamodels.plotting._matplotlib import GREY, prepare_axes, style

_COLOURS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"


class NormalityDisplay:
    """Share of the targets with a p-value of at most so much, for each output.

    The nearer a line is to the diagonal, the better the output fits the normal
    distribution that least squares presumes. A line that ends below 1 has targets that
    never vary.

    Parameters
    ----------
    p_values : dict of str to array-like
        By name of the output, p-values as
        :func:`~skdatamodels.metrics.normality_p_values` gives them; NaN where an output
        does not vary.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    lines_ : dict of str to Line2D
    diagonal_ : Line2D

    Raises
    ------
    ValueError
        If there is no p-value, or one is not from 0 to 1.

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
            By name of the output, the outputs of several trainings of the same subsets,
            as :func:`~skdatamodels.metrics.normality_p_values` takes them.
        **plot_params : dict
            For :meth:`plot`.

        Returns
        -------
        display : NormalityDisplay
        """
        p_values = {name: normality_p_values(given) for name, given in repeats.items()}
        return cls(p_values).plot(**plot_params)

    def plot(self, ax=None, *, line_kw=None):
        """Draw a line an output, and the diagonal.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A new figure by default.
        line_kw : dict, default=None
            Keywords of matplotlib's `plot`, for the lines of the outputs.

        Returns
        -------
        self : NormalityDisplay
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
            f"P-values of {name!r} must be numbers from 0 to 1, at least one; NaN for "
            "an output that does not vary."
        )
    return p
