"""Predicted against true outputs."""

import numpy as np

from skdatamodels.metrics import linear_datamodeling_score
from skdatamodels.plotting._matplotlib import BLUE, ORANGE, prepare_axes, style


class PredictionDisplay:
    """Outputs that a datamodel predicts against those of the trained models.

    A point is one run and one target; all targets share the axes.

    Parameters
    ----------
    y_true : array-like of shape (n_runs, n_targets) or (n_runs,)
        Outputs of the trained models, on runs that the datamodel has not seen.
    y_pred : array-like of the same shape
        Predicted outputs.
    output_name : str, default="margin"
        What the outputs are, for the axis labels.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    points_ : PathCollection or PolyCollection
        The scatter or the hexagons.
    line_ : Line2D
        The diagonal, where prediction and truth are equal.
    lds_, pearson_ : float
        Linear datamodeling score, which compares the runs of one target, and
        the linear correlation of all points together, which is also high when
        only the mean of each target is right.

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
        output_name : str, default="margin"
        **plot_params : dict
            For :meth:`plot`.

        Returns
        -------
        display : PredictionDisplay
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
            With ``predict``.
        X : TrainingRuns, or array-like of shape (n_runs, n_train)
        y : array-like of shape (n_runs, n_targets) or (n_runs,), default=None
            True outputs; those of `X` where it is TrainingRuns.
        output_name : str, default="margin"
        **plot_params : dict
            For :meth:`plot`.

        Returns
        -------
        display : PredictionDisplay
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
            A new figure by default.
        kind : {"auto", "scatter", "hexbin"}, default="auto"
            Points, or hexagons shaded by the number of points in them; "auto"
            takes hexagons from 3,000 points on.
        scatter_kw, hexbin_kw : dict, default=None
            Keywords of matplotlib's `scatter` or `hexbin`, for the points.
        line_kw : dict, default=None
            Keywords of matplotlib's `plot`, for the diagonal.

        Returns
        -------
        self : PredictionDisplay
        """
        if kind not in ("auto", "scatter", "hexbin"):
            raise ValueError(f'kind is "auto", "scatter" or "hexbin", not {kind!r}.')
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
