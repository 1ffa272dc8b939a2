"""Training examples that raise and lower a target's output the most."""

import numpy as np

from skdatamodels._examples import swap_hint
from skdatamodels._last_step import last_step
from skdatamodels.applications import similar_examples
from skdatamodels.plotting._matplotlib import BLUE, GREY, ORANGE, import_pyplot


class SimilarExamplesDisplay:
    """Targets beside the training examples with the most extreme weights.

    A row is a target: its image, the training examples with the largest positive
    weights, framed in blue, and those with the most negative, framed in orange.
    Each bears its class and its weight. An example of weight zero is not shown:
    its cell stays blank.

    Parameters
    ----------
    weights : array-like of shape (n_rows, n_train)
        Rows of the attribution matrix for the targets to show.
    train : Examples
        The training set.
    targets : Examples
        The targets to show, ``len(targets)`` rows.
    n_examples : int, default=5
        Examples of either sign.
    image_shape : tuple of int, default=None
        Height and width, and channels if any, of an example's `X`; needed where
        examples are flat rows of pixels.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : array of Axes of shape (n_rows, 1 + 2 * n_examples)
        Target, positive, then negative.
    positive_, negative_ : int array of shape (n_rows, n_examples)
        Row of each example in `train`, most extreme first; -1 for a blank cell.

    Raises
    ------
    ValueError
        If the lengths differ, or examples are not images.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.2.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from types import SimpleNamespace
    >>> from sklearn.datasets import load_digits
    >>> from skdatamodels.plotting import SimilarExamplesDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> train, targets = (
    ...     SimpleNamespace(X=X[rows], y=y[rows])
    ...     for rows in (slice(0, 4), slice(4, 5))
    ... )
    >>> display = SimilarExamplesDisplay.from_predictions(
    ...     [[0.2, -0.1, 0.0, 0.3]], train, targets, n_examples=2, image_shape=(8, 8)
    ... )
    >>> display.positive_, display.negative_
    (array([[3, 0]]), array([[ 1, -1]]))
    >>> plt.close(display.figure_)
    """

    def __init__(self, weights, train, targets, *, n_examples=5, image_shape=None):
        self.weights = weights
        self.train = train
        self.targets = targets
        self.n_examples = n_examples
        self.image_shape = image_shape

    @classmethod
    def from_predictions(
        cls,
        weights,
        train,
        targets,
        *,
        n_examples=5,
        image_shape=None,
        **plot_params,
    ):
        """Make the display from weights and draw it.

        Parameters
        ----------
        weights : array-like of shape (n_rows, n_train)
            Rows of an attribution matrix, one a target.
        train, targets : Examples
            The training set, and the targets to show.
        n_examples : int, default=5
        image_shape : tuple of int, default=None
        **plot_params : dict
            For :meth:`plot`.

        Returns
        -------
        display : SimilarExamplesDisplay
        """
        display = cls(
            weights, train, targets, n_examples=n_examples, image_shape=image_shape
        )
        return display.plot(**plot_params)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        train,
        targets,
        target_indices=(0, 1, 2),
        *,
        n_examples=5,
        image_shape=None,
        **plot_params,
    ):
        """Take the weights from a fitted datamodel and draw the display.

        Parameters
        ----------
        estimator : fitted estimator
            With ``coef_`` (n_targets, n_train); a pipeline or a search is asked for
            its last step.
        train, targets : Examples
            The training set and all targets.
        target_indices : array-like of int, default=(0, 1, 2)
            Targets to show.
        n_examples : int, default=5
        image_shape : tuple of int, default=None
        **plot_params : dict
            For :meth:`plot`.

        Returns
        -------
        display : SimilarExamplesDisplay
        """
        target_indices = np.asarray(target_indices)
        coef = last_step(estimator).coef_
        weights = coef[target_indices] if coef.ndim == 2 else coef[None]
        if hasattr(weights, "toarray"):
            weights = weights.toarray()
        return cls.from_predictions(
            weights,
            train,
            targets[target_indices],
            n_examples=n_examples,
            image_shape=image_shape,
            **plot_params,
        )

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
        self : SimilarExamplesDisplay
        """
        weights = self._check_weights()
        train_images, images = (
            as_images(examples, self.image_shape)
            for examples in (self.train, self.targets)
        )
        self.positive_, self.negative_, *_ = similar_examples(weights, self.n_examples)
        self._make_axes(figure, len(weights))
        for row, cells in enumerate(self.axes_):
            _show(cells[0], images[row], self.targets.y[row], cmap)
            shown = np.concatenate([self.positive_[row], self.negative_[row]])
            for ax, i in zip(cells[1:], shown, strict=True):
                if i < 0:
                    ax.set_axis_off()
                else:
                    weight = weights[row, i]
                    _show(ax, train_images[i], self.train.y[i], cmap, weight)
        return self

    def _check_weights(self):
        weights = np.asarray(self.weights, dtype=float)
        shape = (len(self.targets.X), len(self.train.X))
        if weights.shape != shape:
            raise ValueError(
                f"weights must have shape (n_rows, n_train) = {shape} for these "
                f"targets and training examples; got {weights.shape}."
                f"{swap_hint(shape, weights.shape)}"
            )
        return weights

    def _make_axes(self, figure, n_rows):
        """Lay out one grid, in inches, with empty columns between the groups."""
        n, gap, cell, heading, margin = self.n_examples, 0.25, 0.85, 0.5, 0.2
        row_height = cell + 0.45  # an image, its class above and weight below
        width = cell * (1.08 * (2 * n + 1) + 2 * gap) + 2 * margin
        height = row_height * n_rows + heading
        if figure is None:
            figure = import_pyplot().figure(figsize=(width, height))
        grid = figure.add_gridspec(
            n_rows,
            2 * n + 3,
            width_ratios=[1, gap, *[1] * n, gap, *[1] * n],
            left=margin / width,
            right=1 - margin / width,
            top=1 - heading / height,
            bottom=0.3 / height,
            wspace=0.1,
            hspace=0.45 / cell,
        )
        columns = [0, *range(2, n + 2), *range(n + 3, 2 * n + 3)]
        axes = [
            [figure.add_subplot(grid[i, j]) for j in columns] for i in range(n_rows)
        ]
        self.figure_, self.axes_ = figure, np.array(axes)
        groups = [
            (0, "Target", GREY),
            (1, "Raise output", BLUE),
            (n + 1, "Lower output", ORANGE),
        ]
        for column, text, colour in groups:
            x = self.axes_[0, column].get_position().x0
            y = 1 - 0.12 / height
            style = {"color": colour, "fontsize": 9, "fontweight": "bold"}
            figure.text(x, y, text, va="top", **style)


def as_images(examples, image_shape):
    """Return `examples.X` as images, or raise if it is none."""
    X = np.asarray(examples.X)
    if image_shape is None and X.ndim in (3, 4):
        return X
    if image_shape is None or np.prod(image_shape) * len(X) != X.size:
        raise ValueError(
            f"Examples of shape {X.shape[1:]} are no images of image_shape="
            f"{image_shape}; pass image_shape=(height, width)."
        )
    return X.reshape(len(X), *image_shape)


def _show(ax, image, label, cmap, weight=0):
    colour = BLUE if weight > 0 else ORANGE if weight < 0 else GREY
    ax.imshow(image, cmap=cmap, interpolation="nearest")
    ax.set_title(label, fontsize=8, pad=3)
    ax.set(xticks=[], yticks=[])
    if weight:
        ax.set_xlabel(_signed(weight), fontsize=8, labelpad=3, color=colour)
    for spine in ax.spines.values():
        spine.set(color=colour, linewidth=2)


def _signed(weight):
    """Two significant digits and a true minus sign."""
    return f"{weight:+#.2g}".rstrip(".").replace("-", "\N{MINUS SIGN}")
