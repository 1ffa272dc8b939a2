"""Predicted against true effects of removing training examples."""

import numpy as np

from skdatamodels.plotting._matplotlib import GREY, prepare_axes, style

# Okabe and Ito's colours, in an order that keeps neighbours apart.
_COLOURS = "#D55E00", "#0072B2", "#999999", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"


class CounterfactualDisplay:
    """Effects that weights predict against those that retraining shows.

    A point is a set of removed training examples and a target; its colour tells how
    the set was chosen.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_effects,)
        True and predicted change of the output.
    heuristic : array-like of str of shape (n_effects,), default=None
        How each set was chosen.
    output_name : str, default="margin"
        What the outputs are, for the axis labels.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    points_ : dict of str to PathCollection
        By heuristic.
    line_ : Line2D
        The diagonal, where prediction and truth are equal.

    Raises
    ------
    ValueError
        If lengths differ, or no effect is known.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.1.2, figure 8.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skdatamodels.plotting import CounterfactualDisplay
    >>> display = CounterfactualDisplay.from_predictions(
    ...     [-2.1, 0.3, 0.0], [-1.8, 0.2, 0.1], ["top", "bottom", "random"]
    ... )
    >>> list(display.points_)
    ['top', 'bottom', 'random']
    >>> plt.close(display.figure_)
    """

    def __init__(self, y_true, y_pred, heuristic=None, *, output_name="margin"):
        self.y_true = y_true
        self.y_pred = y_pred
        self.heuristic = heuristic
        self.output_name = output_name

    @classmethod
    def from_predictions(
        cls, y_true, y_pred, heuristic=None, *, output_name="margin", **plot_params
    ):
        """Make the display from effects and draw it.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_effects,)
        heuristic : array-like of str of shape (n_effects,), default=None
        output_name : str, default="margin"
        **plot_params : dict
            For :meth:`plot`.

        Returns
        -------
        display : CounterfactualDisplay
        """
        display = cls(y_true, y_pred, heuristic, output_name=output_name)
        return display.plot(**plot_params)

    @classmethod
    def from_estimator(cls, evaluation, *, output_name="margin", **plot_params):
        """Draw the effects of a fitted evaluation.

        Parameters
        ----------
        evaluation : CounterfactualEvaluation
            Fitted.
        output_name : str, default="margin"
        **plot_params : dict
            For :meth:`plot`.

        Returns
        -------
        display : CounterfactualDisplay
        """
        effects = evaluation.effects_
        return cls.from_predictions(
            effects.true,
            effects.predicted,
            effects.heuristic,
            output_name=output_name,
            **plot_params,
        )

    def plot(self, ax=None, *, scatter_kw=None, line_kw=None):
        """Draw the points and the diagonal.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A new figure by default.
        scatter_kw : dict, default=None
            Keywords of matplotlib's `scatter`, for the points.
        line_kw : dict, default=None
            Keywords of matplotlib's `plot`, for the diagonal.

        Returns
        -------
        self : CounterfactualDisplay
        """
        true, predicted, heuristic = self._check()
        ax, self.points_ = prepare_axes(self, ax, (5.6, 4.6)), {}
        ax.axhline(0, color=GREY, lw=0.6, zorder=0)
        ax.axvline(0, color=GREY, lw=0.6, zorder=0)
        for i, name in enumerate(dict.fromkeys(heuristic.tolist())):
            rows = heuristic == name
            look = {"color": _COLOURS[i % len(_COLOURS)], "marker": "osD^v"[i % 5]}
            look |= {"s": 14, "alpha": 0.7, "lw": 0, "label": name or None}
            self.points_[name] = ax.scatter(
                predicted[rows], true[rows], **style(look, scatter_kw, "Collection")
            )
        ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
        look = {"color": GREY, "lw": 1.2, "ls": "--", "zorder": 0}
        look["label"] = "predicted = true"
        (self.line_,) = ax.plot(ends, ends, **style(look, line_kw))
        self._dress(true, predicted)
        return self

    def _check(self):
        true, predicted = (
            np.asarray(y, dtype=float) for y in (self.y_true, self.y_pred)
        )
        names = np.full(true.shape, "") if self.heuristic is None else self.heuristic
        names = np.asarray(names)
        known = ~np.isnan(true)
        if true.ndim != 1 or not true.shape == predicted.shape == names.shape:
            raise ValueError(
                "True and predicted effects and heuristics must be 1-d, and as many; "
                f"got {true.shape}, {predicted.shape} and {names.shape}."
            )
        if not known.any():
            raise ValueError("There is no effect to draw: all are NaN.")
        return true[known], predicted[known], names[known]

    def _dress(self, true, predicted):
        # imported here, for statistics are slow to load
        from scipy.stats import pearsonr, spearmanr

        ax = self.ax_
        ax.set(
            xlabel=f"Predicted change of the {self.output_name}",
            ylabel=f"True change of the {self.output_name}",
        )
        if len(true) > 1 and np.ptp(true) > 0 and np.ptp(predicted) > 0:
            rank, linear = (f(predicted, true).statistic for f in (spearmanr, pearsonr))
            title = f"{len(true):,} sets: Spearman {rank:.2f}, Pearson {linear:.2f}"
            ax.set_title(title, fontsize="medium")
        ax.legend(loc="best", frameon=False)
