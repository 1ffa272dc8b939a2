"""Scatter plot of the embedding of targets."""

import numpy as np

from skdatamodels.plotting._matplotlib import prepare_axes, style


class EmbeddingDisplay:
    """Scatter plot of two coordinates of the targets, coloured by class or cluster.

    Parameters
    ----------
    coordinates : array-like of shape (n_targets, n_components)
        Coordinates of the targets, with at least two columns.
    labels : array-like of shape (n_targets,), default=None
        Class or cluster of each target.
    components : tuple of two int, default=(0, 1)
        Columns to draw.
    axis_name : str, default="Component"
        Name of the columns, for the axis labels.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where the display is drawn.
    points_ : dict of label to PathCollection
        The points of each label. Without labels, the key is None.

    Raises
    ------
    ValueError
        If a component does not exist, or the numbers of labels and targets differ.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.3.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skdatamodels.plotting import EmbeddingDisplay
    >>> display = EmbeddingDisplay.from_predictions(
    ...     [[0.0, 1.0], [0.1, 0.9], [1.0, 0.0]], ["cat", "cat", "dog"]
    ... )
    >>> list(display.points_)
    ['cat', 'dog']
    >>> plt.close(display.figure_)
    """

    def __init__(
        self, coordinates, labels=None, *, components=(0, 1), axis_name="Component"
    ):
        self.coordinates = coordinates
        self.labels = labels
        self.components = components
        self.axis_name = axis_name

    @classmethod
    def from_predictions(
        cls,
        coordinates,
        labels=None,
        *,
        components=(0, 1),
        axis_name="Component",
        **plot_params,
    ):
        """Make the display from coordinates and draw it.

        Parameters
        ----------
        coordinates : array-like of shape (n_targets, n_components)
            Coordinates of the targets.
        labels : array-like of shape (n_targets,), default=None
            Class or cluster of each target.
        components : tuple of two int, default=(0, 1)
            Columns to draw.
        axis_name : str, default="Component"
            Name of the columns, for the axis labels.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : EmbeddingDisplay
            The display, drawn.
        """
        display = cls(coordinates, labels, components=components, axis_name=axis_name)
        return display.plot(**plot_params)

    @classmethod
    def from_estimator(cls, estimator, X, labels=None, **params):
        """Transform with a fitted estimator and draw the display.

        Parameters
        ----------
        estimator : fitted transformer
            For example, ``make_pipeline(DatamodelEmbedding(), PCA(2))``.
        X : TrainingRuns or array-like
            Input of the estimator: runs, run ids or an attribution matrix. Rows of the
            output are targets.
        labels : array-like of shape (n_targets,), default=None
            Class or cluster of each target.
        **params : dict
            Other arguments of :meth:`from_predictions`.

        Returns
        -------
        display : EmbeddingDisplay
            The display, drawn.
        """
        return cls.from_predictions(estimator.transform(X), labels, **params)

    def plot(self, ax=None, *, cmap="tab10", scatter_kw=None):
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. By default, a new figure is made.
        cmap : str or Colormap, default="tab10"
            Colours of the labels, in order. A continuous colormap is sampled evenly.
        scatter_kw : dict, default=None
            Keywords of matplotlib's `scatter`, for all points.

        Returns
        -------
        self : EmbeddingDisplay
            The display itself.
        """
        points, labels = self._check()
        ax, self.points_ = prepare_axes(self, ax, (5.6, 4.6)), {}
        names = [None] if labels is None else np.unique(labels).tolist()
        for i, (name, colour) in enumerate(
            zip(names, _colours(cmap, len(names)), strict=True)
        ):
            rows = slice(None) if name is None else labels == name
            look = {"color": [colour], "marker": "osD^vP"[i // 10 % 6], "label": name}
            look |= {"s": 16, "alpha": 0.75, "lw": 0}
            self.points_[name] = ax.scatter(
                *points[rows].T, **style(look, scatter_kw, "Collection")
            )
        x, y = self.components
        ax.set(xlabel=f"{self.axis_name} {x}", ylabel=f"{self.axis_name} {y}")
        if labels is not None:
            ax.legend(
                loc="center left",
                bbox_to_anchor=(1, 0.5),
                frameon=False,
                handletextpad=0,
            )
        return self

    def _check(self):
        coordinates = self.coordinates
        if hasattr(coordinates, "toarray"):
            coordinates = coordinates.toarray()
        coordinates = np.asarray(coordinates, dtype=float)
        n_columns = coordinates.shape[1] if coordinates.ndim == 2 else 0
        components = list(self.components)
        if len(components) != 2 or not np.isin(components, range(n_columns)).all():
            raise ValueError(
                f"components must be two of the {n_columns} columns of coordinates, "
                f"counted from 0; got components={self.components}."
            )
        labels = None if self.labels is None else np.asarray(self.labels)
        if labels is not None and labels.shape != (len(coordinates),):
            raise ValueError(
                f"labels must have shape ({len(coordinates)},), one per target; got "
                f"{labels.shape}."
            )
        return coordinates[:, components], labels


def _colours(cmap, n):
    from matplotlib import colormaps

    cmap = colormaps[cmap] if isinstance(cmap, str) else cmap
    if cmap.N < 256:  # a list of colours
        return [cmap(i % cmap.N) for i in range(n)]
    return [cmap(value) for value in np.linspace(0, 1, n)]
