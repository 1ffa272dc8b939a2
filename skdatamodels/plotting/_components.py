"""Examples at the two ends of each component of an embedding."""

import numpy as np

from skdatamodels.plotting._matplotlib import BLUE, ORANGE, import_pyplot
from skdatamodels.plotting._similar_examples import as_images


class ComponentDisplay:
    """A strip for each component: the examples with its most extreme coordinates.

    The most positive lie on the left, the most extreme outermost, the most negative on
    the right. If a component stands for something that the model does, each end shows
    one kind of example.

    Parameters
    ----------
    coordinates : array-like of shape (n_examples, n_components)
        Such as a PCA of datamodel embeddings gives.
    examples : Examples
        What was embedded.
    components : array-like of int, default=(0, 1, 2)
        Components to show.
    n_ends : int, default=6
        Examples at either end.
    image_shape : tuple of int, default=None
        Height and width, and channels if any, of an example's `X`; needed where
        examples are flat rows of pixels.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : array of Axes of shape (n_shown, 2 * n_ends)
    shown_ : int array of shape (n_shown, 2 * n_ends)
        Row of each example in `examples`: from the most positive coordinate inwards,
        then from inside to the most negative.

    Raises
    ------
    ValueError
        If there is not a coordinate for each example, a component does not exist,
        there are fewer examples than two ends need, or examples are no images.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.3.2, figure 14.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skdatamodels.datasets import load_digits_examples
    >>> from skdatamodels.plotting import ComponentDisplay
    >>> examples, _ = load_digits_examples(n_train=20)
    >>> ink = examples.X.sum(axis=1, keepdims=True)
    >>> display = ComponentDisplay.from_predictions(
    ...     ink, examples, components=[0], n_ends=2, image_shape=(8, 8)
    ... )
    >>> bool(ink[display.shown_[0, 0]] == ink.max())
    True
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        coordinates,
        examples,
        components=(0, 1, 2),
        *,
        n_ends=6,
        image_shape=None,
    ):
        self.coordinates = coordinates
        self.examples = examples
        self.components = components
        self.n_ends = n_ends
        self.image_shape = image_shape

    @classmethod
    def from_predictions(
        cls,
        coordinates,
        examples,
        components=(0, 1, 2),
        *,
        n_ends=6,
        image_shape=None,
        **plot_params,
    ):
        """Make the display from coordinates and draw it.

        Parameters
        ----------
        coordinates : array-like of shape (n_examples, n_components)
        examples : Examples
        components : array-like of int, default=(0, 1, 2)
        n_ends : int, default=6
        image_shape : tuple of int, default=None
        **plot_params : dict
            For :meth:`plot`.

        Returns
        -------
        display : ComponentDisplay
        """
        display = cls(
            coordinates, examples, components, n_ends=n_ends, image_shape=image_shape
        )
        return display.plot(**plot_params)

    @classmethod
    def from_estimator(cls, estimator, X, examples, components=(0, 1, 2), **params):
        """Transform with a fitted estimator and draw the display.

        Parameters
        ----------
        estimator : fitted transformer
            Such as ``make_pipeline(DatamodelEmbedding(), PCA(5))``.
        X : what it transforms
            Runs, run ids or an attribution matrix; a row of the result an example.
        examples : Examples
        components : array-like of int, default=(0, 1, 2)
        **params : dict
            For :meth:`from_predictions`.

        Returns
        -------
        display : ComponentDisplay
        """
        coordinates = estimator.transform(X)
        return cls.from_predictions(coordinates, examples, components, **params)

    def plot(self, figure=None, *, cmap="gray_r"):
        """Draw the images.

        Parameters
        ----------
        figure : matplotlib Figure or SubFigure, default=None
            An empty one to draw in; a new one by default.
        cmap : str or Colormap, default="gray_r"
            For images of one channel.

        Returns
        -------
        self : ComponentDisplay
        """
        coordinates, components = self._check()
        images = as_images(self.examples, self.image_shape)
        n = self.n_ends
        order = np.argsort(-coordinates[:, components], axis=0, kind="stable").T
        self.shown_ = np.concatenate([order[:, :n], order[:, -n:]], axis=1)
        self._make_axes(figure, len(components))
        for row, component in enumerate(components):
            self.axes_[row, 0].set_ylabel(component, fontsize=9, rotation=0, labelpad=9)
            for column, ax in enumerate(self.axes_[row]):
                colour = BLUE if column < n else ORANGE
                example = self.shown_[row, column]
                ax.imshow(images[example], cmap=cmap, interpolation="nearest")
                ax.set_title(self.examples.y[example], fontsize=8, pad=2)
                ax.set(xticks=[], yticks=[])
                for spine in ax.spines.values():
                    spine.set(color=colour, linewidth=1.5)
        return self

    def _check(self):
        coordinates = np.asarray(self.coordinates, dtype=float)
        n_examples = len(self.examples.X)
        if coordinates.ndim != 2 or len(coordinates) != n_examples:
            raise ValueError(
                f"coordinates must have shape (n_examples, n_components), n_examples="
                f"{n_examples}; got {coordinates.shape}."
            )
        components = np.atleast_1d(self.components)
        if not np.isin(components, range(coordinates.shape[1])).all():
            raise ValueError(
                f"components must be from 0 to {coordinates.shape[1] - 1}, got "
                f"{self.components}."
            )
        if not 1 <= self.n_ends <= n_examples // 2:
            raise ValueError(
                f"Two ends of {self.n_ends} cannot be had from {n_examples} examples."
            )
        return coordinates, components

    def _make_axes(self, figure, n_rows):
        n, gap, cell, heading = self.n_ends, 0.4, 0.6, 0.45
        left, right, bottom, between = 0.45, 0.15, 0.1, 0.27
        width = cell * (1.08 * 2 * n + gap) + left + right
        height = (cell + between) * n_rows + heading + bottom
        if figure is None:
            figure = import_pyplot().figure(figsize=(width, height))
        grid = figure.add_gridspec(
            n_rows,
            2 * n + 1,
            width_ratios=[*[1] * n, gap, *[1] * n],
            left=left / width,
            right=1 - right / width,
            top=1 - heading / height,
            bottom=bottom / height,
            wspace=0.1,
            hspace=between / cell,
        )
        columns = [*range(n), *range(n + 1, 2 * n + 1)]
        axes = [
            [figure.add_subplot(grid[i, j]) for j in columns] for i in range(n_rows)
        ]
        self.figure_, self.axes_ = figure, np.array(axes)
        for column, text, colour in [
            (0, "Most positive", BLUE),
            (2 * n - 1, "Most negative", ORANGE),
        ]:
            box = self.axes_[0, column].get_position()
            at_left = column == 0
            figure.text(
                box.x0 if at_left else box.x1,
                1 - 0.06 / height,
                text,
                va="top",
                ha="left" if at_left else "right",
                color=colour,
                fontsize=9,
                fontweight="bold",
            )
