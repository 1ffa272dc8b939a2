"""Predicted against true effects of removing training examples."""

import numpy as np

from skdatamodels.plotting._matplotlib import GREY, prepare_axes, style

# Okabe and Ito's colours, in an order that keeps neighbours apart.
_COLOURS = "#D55E00", "#0072B2", "#999999", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"


class CounterfactualDisplay:
    """Predicted effects of removals against those that retraining shows.

    Each point is a target and a set of removed training examples. Its colour shows how
    the set was chosen.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_effects,)
        True and predicted changes of the output. NaN in `y_true` is ignored.
    heuristic : array-like of str of shape (n_effects,), default=None
        How each set was chosen.
    output_name : str, default="margin"
        Name of the output, for the axis labels.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where the display is drawn.
    points_ : dict of str to PathCollection
        The points of each heuristic.
    line_ : Line2D
        The diagonal, where prediction and truth are equal.

    Raises
    ------
    ValueError
        If lengths differ, or all true effects are NaN.

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
            True and predicted changes of the output.
        heuristic : array-like of str of shape (n_effects,), default=None
            How each set was chosen.
        output_name : str, default="margin"
            Name of the output, for the axis labels.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : CounterfactualDisplay
            The display, drawn.
        """
        display = cls(y_true, y_pred, heuristic, output_name=output_name)
        return display.plot(**plot_params)

    @classmethod
    def from_estimator(cls, evaluation, *, output_name="margin", **plot_params):
        """Draw the effects of a fitted evaluation.

        Parameters
        ----------
        evaluation : CounterfactualEvaluation
            A fitted evaluation.
        output_name : str, default="margin"
            Name of the output, for the axis labels.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : CounterfactualDisplay
            The display, drawn.
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
            Axes to draw in. By default, a new figure is made.
        scatter_kw : dict, default=None
            Keywords of matplotlib's `scatter`, for the points.
        line_kw : dict, default=None
            Keywords of matplotlib's `plot`, for the diagonal.

        Returns
        -------
        self : CounterfactualDisplay
            The display itself.
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
                "y_true, y_pred and heuristic must be 1-d and have the same length; "
                f"got {true.shape}, {predicted.shape} and {names.shape}."
            )
        if not known.any():
            raise ValueError("There are no effects to draw: all are NaN.")
        return true[known], predicted[known], names[known]

    def _dress(self, true, predicted):
        # Imported here, because scipy.stats is slow to import.
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
