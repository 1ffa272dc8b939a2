"""Examples at the two ends of each component of an embedding."""

import numpy as np

from skdatamodels._tables import format_column
from skdatamodels.plotting._example_images import as_images, make_grid, show_image
from skdatamodels.plotting._example_tables import Group, make_table
from skdatamodels.plotting._examples_display import ExamplesDisplay
from skdatamodels.plotting._matplotlib import BLUE, ORANGE, style


class ComponentDisplay(ExamplesDisplay):
    """Examples with the most extreme coordinates, one row for each component.

    The most positive examples are on the left and the most negative ones on the right,
    with the most extreme on the outside. If a component stands for a behaviour of the
    model, each end shows one kind of example.

    Examples that are not images are shown in tables, one for each component, as in
    :class:`SimilarExamplesDisplay`. Cells that differ from the other end by at least
    one standard deviation on average, or from all its texts or categories, are
    highlighted.

    Parameters
    ----------
    coordinates : array-like of shape (n_examples, n_components)
        Coordinates of the examples, such as a PCA of datamodel embeddings.
    examples : Examples
        The examples that were embedded.
    components : array-like of int, default=(0, 1, 2)
        Components to show.
    n_ends : int, default=6
        Number of examples at each end.
    image_shape : tuple of int, default=None
        Shape of an image: ``(height, width)`` or ``(height, width, channels)``.
        Required if the examples are flat rows of pixels.
    n_columns : int, default=5
        Number of columns that a table shows: those in which the two ends differ most.
        Differences of numbers are measured in standard deviations of the column; two
        different texts or categories differ by 1.
    feature_names : sequence of str, default=None
        Names of the columns of an array, for tables. A data frame has its own.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : array of Axes of shape (n_shown, 2 * n_ends)
        One for each image. For tables, the shape is (n_shown, 1).
    cells_ : list of object array of Text
        Cells of the table of each component, the header first. Empty for images.
    columns_ : list of list
        Names of the columns shown for each component. Empty for images.
    shown_ : int array of shape (n_shown, 2 * n_ends)
        Row of each example in `examples`, from the most positive coordinate to the
        most negative.

    Raises
    ------
    ValueError
        If the numbers of coordinates and examples differ, a component does not exist,
        there are too few examples for two ends, or the examples do not have the shape
        `image_shape`.

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
        n_columns=5,
        feature_names=None,
    ):
        self.coordinates = coordinates
        self.examples = examples
        self.components = components
        self.n_ends = n_ends
        super().__init__(image_shape, n_columns, feature_names)

    @classmethod
    def from_predictions(cls, coordinates, examples, components=(0, 1, 2), **params):
        """Make the display from coordinates and draw it.

        Parameters
        ----------
        coordinates : array-like of shape (n_examples, n_components)
            Coordinates of the examples.
        examples : Examples
            The examples that were embedded.
        components : array-like of int, default=(0, 1, 2)
            Components to show.
        **params : dict
            Other arguments of :class:`ComponentDisplay` and of :meth:`plot`.

        Returns
        -------
        display : ComponentDisplay
            The display, drawn.
        """
        return cls._drawn(coordinates, examples, components, **params)

    @classmethod
    def from_estimator(cls, estimator, X, examples, components=(0, 1, 2), **params):
        """Transform with a fitted estimator and draw the display.

        Parameters
        ----------
        estimator : fitted transformer
            For example, ``make_pipeline(DatamodelEmbedding(), PCA(5))``.
        X : TrainingRuns or array-like
            Input of the estimator: runs, run ids or an attribution matrix. Rows of the
            output are examples.
        examples : Examples
            The examples that were embedded.
        components : array-like of int, default=(0, 1, 2)
            Components to show.
        **params : dict
            Other arguments of :meth:`from_predictions`.

        Returns
        -------
        display : ComponentDisplay
            The display, drawn.
        """
        coordinates = estimator.transform(X)
        return cls.from_predictions(coordinates, examples, components, **params)

    def _choose(self):
        coordinates, self._components = self._check()
        self._shown_coordinates = coordinates[:, self._components]
        n = self.n_ends
        order = np.argsort(-self._shown_coordinates, axis=0, kind="stable").T
        self.shown_ = np.concatenate([order[:, :n], order[:, -n:]], axis=1)

    def _train(self):
        return self.examples

    def _draw_images(self, figure, image_kw, text_kw):
        images, n = as_images(self.examples, self.image_shape), self.n_ends
        groups = [
            ("Most positive", BLUE, n, "left"),
            ("Most negative", ORANGE, n, "right"),
        ]
        self.figure_, self.axes_ = make_grid(
            figure, len(self.shown_), groups, 0.6, 0.25, (0.45, 0.15, 0.45, 0.1), 0.27
        )
        name = style({"fontsize": 9, "rotation": 0}, text_kw, "Text")
        for component, axes, shown in zip(
            self._components, self.axes_, self.shown_, strict=True
        ):
            axes[0].set_ylabel(component, labelpad=9, **name)
            for column, (ax, i) in enumerate(zip(axes, shown, strict=True)):
                show_image(
                    ax,
                    images[i],
                    self.examples.y[i],
                    BLUE if column < n else ORANGE,
                    image_kw=image_kw,
                    text_kw=text_kw,
                )

    def _contents(self):
        columns = self._components, self.shown_, self._shown_coordinates.T
        return [self._table_of(*column) for column in zip(*columns, strict=True)]

    def _table_of(self, component, shown, coordinates):
        ends = [("Most positive", BLUE), ("Most negative", ORANGE)]
        groups = [
            Group(name, colour, self.examples, rows, format_column(coordinates[rows]))
            for (name, colour), rows in zip(ends, np.split(shown, 2), strict=True)
        ]
        heading = f"component {component}"
        return make_table(
            groups,
            heading,
            self.examples,
            self.n_columns,
            self.feature_names,
            mark_all=True,
        )

    def _check(self):
        coordinates = np.asarray(self.coordinates, dtype=float)
        n_examples = len(self.examples.y)
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
                f"n_ends must be from 1 to {n_examples // 2}, half of the number of "
                f"examples, got {self.n_ends}."
            )
        return coordinates, components
