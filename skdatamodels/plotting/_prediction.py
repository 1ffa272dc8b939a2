"""Predicted against true outputs."""

import numpy as np

from skdatamodels.metrics import linear_datamodeling_score
from skdatamodels.plotting._matplotlib import BLUE, ORANGE, prepare_axes, style


class PredictionDisplay:
    """True outputs of the trained models against those that a datamodel predicts.

    Each point is one run and one target. All targets share the axes.

    Parameters
    ----------
    y_true : array-like of shape (n_runs, n_targets) or (n_runs,)
        Outputs of the trained models, in runs that the datamodel was not fitted on.
    y_pred : array-like of the same shape
        Predicted outputs.
    output_name : str, default="margin"
        Name of the output, for the axis labels.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where the display is drawn.
    points_ : PathCollection or PolyCollection
        The points or the hexagons.
    line_ : Line2D
        The diagonal, where prediction and truth are equal.
    lds_ : float
        Linear datamodeling score, which compares the runs of each target.
    pearson_ : float
        Pearson correlation of all points. It is also high if only the mean of each
        target is right.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 3.2.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skdatamodels.plotting import PredictionDisplay
    >>> y_true = np.random.default_rng(0).normal(size=(50, 3))
    >>> display = PredictionDisplay.from_predictions(y_true, 0.8 * y_true)
    >>> round(display.lds_, 2)
    1.0
    >>> plt.close(display.figure_)
    """

    def __init__(self, y_true, y_pred, *, output_name="margin"):
        self.y_true = y_true
        self.y_pred = y_pred
        self.output_name = output_name

    @classmethod
    def from_predictions(cls, y_true, y_pred, *, output_name="margin", **plot_params):
        """Make the display from outputs and draw it.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_runs, n_targets) or (n_runs,)
            True and predicted outputs.
        output_name : str, default="margin"
            Name of the output, for the axis labels.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : PredictionDisplay
            The display, drawn.
        """
        return cls(y_true, y_pred, output_name=output_name).plot(**plot_params)

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, output_name="margin", **plot_params
    ):
        """Predict held-out runs with a fitted datamodel and draw the display.

        Parameters
        ----------
        estimator : fitted estimator
            A datamodel with the method ``predict``.
        X : TrainingRuns, or array-like of shape (n_runs, n_train)
            Runs or masks that the datamodel was not fitted on.
        y : array-like of shape (n_runs, n_targets) or (n_runs,), default=None
            True outputs. By default, those of `X`, which must be TrainingRuns.
        output_name : str, default="margin"
            Name of the output, for the axis labels.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : PredictionDisplay
            The display, drawn.
        """
        y = X.outputs if y is None else y
        predicted = estimator.predict(X)
        return cls.from_predictions(
            y, predicted, output_name=output_name, **plot_params
        )

    def plot(
        self, ax=None, *, kind="auto", scatter_kw=None, hexbin_kw=None, line_kw=None
    ):
        """Draw the points and the diagonal.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. By default, a new figure is made.
        kind : {"auto", "scatter", "hexbin"}, default="auto"
            Draw points, or hexagons that are shaded by the number of points in them.
            "auto" draws hexagons if there are 3,000 points or more.
        scatter_kw, hexbin_kw : dict, default=None
            Keywords of matplotlib's `scatter` or `hexbin`.
        line_kw : dict, default=None
            Keywords of matplotlib's `plot`, for the diagonal.

        Returns
        -------
        self : PredictionDisplay
            The display itself.
        """
        if kind not in ("auto", "scatter", "hexbin"):
            raise ValueError(
                f'kind must be "auto", "scatter" or "hexbin", got {kind!r}.'
            )
        self.lds_ = linear_datamodeling_score(self.y_true, self.y_pred)
        y_true, y_pred = np.ravel(self.y_true), np.ravel(self.y_pred)
        constant = np.ptp(y_pred) == 0
        self.pearson_ = 0.0 if constant else float(np.corrcoef(y_true, y_pred)[0, 1])
        ax = prepare_axes(self, ax, (5.2, 4.6))
        if kind == "hexbin" or (kind == "auto" and y_true.size >= 3000):
            self._draw_hexagons(y_pred, y_true, hexbin_kw)
        else:
            look = {"s": 9, "alpha": 0.5, "lw": 0, "color": BLUE}
            look = style(look, scatter_kw, "Collection")
            self.points_ = ax.scatter(y_pred, y_true, **look)
        ends = [min(y_true.min(), y_pred.min()), max(y_true.max(), y_pred.max())]
        look = {"color": ORANGE, "lw": 1.2, "ls": "--", "label": "predicted = true"}
        (self.line_,) = ax.plot(ends, ends, **style(look, line_kw))
        ax.set(
            xlabel=f"Predicted {self.output_name}",
            ylabel=f"True {self.output_name}",
            title=f"LDS = {self.lds_:.2f}   (pooled Pearson r = {self.pearson_:.2f})",
        )
        ax.title.set_fontsize("medium")
        ax.legend(loc="upper left", frameon=False)
        return self

    def _draw_hexagons(self, x, y, hexbin_kw):
        from matplotlib import colormaps
        from matplotlib.colors import ListedColormap

        # The faintest hexagon must still show on white.
        blues = ListedColormap(colormaps["Blues"](np.linspace(0.25, 1, 256)))
        look = {"gridsize": 45, "bins": "log", "mincnt": 1, "cmap": blues, "lw": 0.2}
        self.points_ = self.ax_.hexbin(x, y, **style(look, hexbin_kw, "Collection"))
        self.figure_.colorbar(self.points_, ax=self.ax_, label="Points", pad=0.02)
