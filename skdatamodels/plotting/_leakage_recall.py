"""Recall of known leaks against the distance that counts as a leak."""

import numpy as np

from skdatamodels.metrics import leakage_recall
from skdatamodels.plotting._matplotlib import GREY, prepare_axes, style


class LeakageRecallDisplay:
    """Share of the leaks found among the candidates, by threshold and method.

    A dotted line shows how many targets leak at each threshold. Where they are few, the
    recall is unreliable.

    Parameters
    ----------
    thresholds : array-like of shape (n_thresholds,)
        Distances up to which a pair counts as a leak.
    recalls : dict of str to array-like of shape (n_thresholds,)
        Recall by name of the method; see
        :func:`~skdatamodels.metrics.leakage_recall`. NaN is not drawn.
    n_leaks : array-like of shape (n_thresholds,), default=None
        Number of targets that leak at each threshold.
    unit : str, default="km"
        Unit of the thresholds, for the axis label.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where the display is drawn.
    lines_ : dict of str to Line2D
        The line of each method.
    count_ : Line2D or None
        The number of leaks, with its axis on the right.

    Raises
    ------
    ValueError
        If lengths differ.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, figure 12.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skdatamodels.plotting import LeakageRecallDisplay
    >>> display = LeakageRecallDisplay.from_predictions(
    ...     {"weights": [[0], [2]], "pixels": [[0], [1]]},
    ...     train=[[0.1], [5.3], [9.0]],
    ...     targets=[[0.0], [5.0]],
    ...     thresholds=[0.2, 1.0],
    ...     metric="euclidean",
    ... )
    >>> display.recalls
    {'weights': array([1. , 0.5]), 'pixels': array([1., 1.])}
    >>> plt.close(display.figure_)
    """

    def __init__(self, thresholds, recalls, *, n_leaks=None, unit="km"):
        self.thresholds = thresholds
        self.recalls = recalls
        self.n_leaks = n_leaks
        self.unit = unit

    @classmethod
    def from_predictions(
        cls,
        candidates,
        *,
        train,
        targets,
        thresholds,
        metric="haversine",
        unit="km",
        **plot_params,
    ):
        """Make the display from candidates and metadata, and draw it.

        Parameters
        ----------
        candidates : dict of str to int array-like of shape (n_targets, n_candidates)
            Training examples that each method proposes, by name of the method.
        train : array-like of shape (n_train, n_values)
            Metadata of the training examples.
        targets : array-like of shape (n_targets, n_values)
            Metadata of the targets.
        thresholds : array-like of shape (n_thresholds,)
            Distances up to which a pair counts as a leak.
        metric : str or callable, default="haversine"
            Distance; see :func:`~skdatamodels.metrics.metadata_distances`.
        unit : str, default="km"
            Unit of the thresholds, for the axis label.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : LeakageRecallDisplay
            The display, drawn.
        """
        recalls, n_leaks = {}, None
        for name, rows in candidates.items():
            recalls[name], n_leaks = leakage_recall(
                rows,
                train=train,
                targets=targets,
                thresholds=thresholds,
                metric=metric,
            )
        display = cls(thresholds, recalls, n_leaks=n_leaks, unit=unit)
        return display.plot(**plot_params)

    @classmethod
    def from_estimator(cls, detectors, *, train, targets, thresholds, **params):
        """Make the display from fitted detectors and metadata, and draw it.

        Parameters
        ----------
        detectors : LeakageDetector, or dict of str to LeakageDetector
            Fitted detectors by name of the method.
        train : array-like of shape (n_train, n_values)
            Metadata of the training examples.
        targets : array-like of shape (n_targets, n_values)
            Metadata of the targets.
        thresholds : array-like of shape (n_thresholds,)
            Distances up to which a pair counts as a leak.
        **params : dict
            Other arguments of :meth:`from_predictions`.

        Returns
        -------
        display : LeakageRecallDisplay
            The display, drawn.
        """
        detectors = detectors if isinstance(detectors, dict) else {"found": detectors}
        candidates = {name: each.candidates_ for name, each in detectors.items()}
        return cls.from_predictions(
            candidates, train=train, targets=targets, thresholds=thresholds, **params
        )

    def plot(self, ax=None, *, line_kw=None, count_kw=None):
        """Draw the recall of each method and the number of leaks.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. By default, a new figure is made.
        line_kw, count_kw : dict, default=None
            Keywords of matplotlib's `plot`, for the lines of the methods and for the
            line of the number of leaks.

        Returns
        -------
        self : LeakageRecallDisplay
            The display itself.
        """
        thresholds = np.asarray(self.thresholds, float)
        rows = {name: np.asarray(row, float) for name, row in self.recalls.items()}
        counts = {} if self.n_leaks is None else {"n_leaks": np.asarray(self.n_leaks)}
        for name, row in (rows | counts).items():
            if row.shape != thresholds.shape or thresholds.ndim != 1:
                raise ValueError(
                    f"{name!r} must have one number per threshold, and thresholds have "
                    f"shape {thresholds.shape}; got {row.shape}."
                )
        ax = prepare_axes(self, ax, (6, 4))
        self.lines_, self.count_ = {}, None
        for (name, row), marker in zip(rows.items(), "os^Dv" * len(rows), strict=False):
            look = style({"marker": marker, "ms": 5, "label": name}, line_kw)
            (self.lines_[name],) = ax.plot(thresholds, row, **look)
        ax.set(xlabel=f"Distance that counts as a leak ({self.unit})")
        ax.set(ylabel="Leaks among the candidates", ylim=(0, 1.02))
        ax.grid(axis="y", alpha=0.3)
        ax.legend(loc="best", edgecolor="none")
        if counts:
            self._draw_counts(thresholds, counts["n_leaks"], count_kw)
        return self

    def _draw_counts(self, thresholds, n_leaks, count_kw):
        right = self.ax_.twinx()
        look = style({"color": GREY, "ls": ":", "lw": 1.2}, count_kw)
        (self.count_,) = right.plot(thresholds, n_leaks, **look)
        right.set_ylim(0, max(1, n_leaks.max()) * 1.05)
        right.set_ylabel("Targets that leak (dotted)", color=GREY)
        right.spines["top"].set_visible(False)
        self.ax_.set_zorder(right.get_zorder() + 1)  # keeps the legend on top
        self.ax_.patch.set_visible(False)
