"""Training examples that raise or lower the output of a target most."""

import numpy as np

from skdatamodels._examples import swap_hint
from skdatamodels._last_step import last_step
from skdatamodels.applications import similar_examples
from skdatamodels.inference._named_weights import FDR
from skdatamodels.plotting._example_images import as_images, make_grid, show_image
from skdatamodels.plotting._example_tables import Group, make_table
from skdatamodels.plotting._examples_display import ExamplesDisplay
from skdatamodels.plotting._matplotlib import BLUE, GREY, ORANGE, style

_SIGNS = "positive", "negative"
_BAR = 0.12  # inches
_STAR = f"* distinguishable at FDR {FDR}"


class SimilarExamplesDisplay(ExamplesDisplay):
    """Targets and the training examples with the most extreme weights for them.

    Each row shows the image of a target, then the training examples with the largest
    positive weights, framed in blue, and those with the most negative weights, framed
    in orange. Each image is labelled with its class and its weight. Examples with a
    weight of zero are left blank.

    Examples that are not images (a data frame, a matrix of features or a list of texts)
    are shown in tables, one for each target. The columns in which these training
    examples differ most from the target come first. Cells that differ from the target
    by at least one standard deviation, or by another text or category, are highlighted.
    Long text is shortened. Rows are labelled with the ids of `Examples`, or with the
    index of a data frame without ids.

    Parameters
    ----------
    weights : array-like of shape (n_rows, n_train)
        Rows of the attribution matrix for the targets to show.
    train : Examples
        The training set.
    targets : Examples
        The targets to show, in the order of the rows of `weights`.
    n_examples : int, default=5
        Number of examples of each sign.
    image_shape : tuple of int, default=None
        Shape of an image: ``(height, width)`` or ``(height, width, channels)``.
        Required if the examples are flat rows of pixels.
    n_columns : int, default=5
        Number of columns that a table shows: those in which the target and the training
        examples differ most. Differences of numbers are measured in standard deviations
        of the column; two different texts or categories differ by 1.
    feature_names : sequence of str, default=None
        Names of the columns of an array, for tables. A data frame has its own.
    inference : WeightInference, default=None
        Result of :func:`~skdatamodels.inference.infer_weights` for these weights. With
        it, the display shows intervals, and marks distinguishable examples by a star,
        as :func:`~skdatamodels.applications.similar_examples` does.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : array of Axes of shape (n_rows, 1 + 2 * n_examples)
        Targets, positive examples, then negative examples. For tables, the shape is
        (n_rows, 1).
    cells_ : list of object array of Text
        Cells of the table of each target, the header first. Empty for images.
    columns_ : list of list
        Names of the columns shown for each target. Empty for images.
    positive_, negative_ : int array of shape (n_rows, n_examples)
        Row of each example in `train`, the most extreme first; -1 for a blank cell.

    Raises
    ------
    ValueError
        If the lengths differ, the examples do not have the shape `image_shape`, or the
        targets and the training set have different columns.

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

    def __init__(
        self,
        weights,
        train,
        targets,
        *,
        n_examples=5,
        image_shape=None,
        n_columns=5,
        feature_names=None,
        inference=None,
    ):
        self.weights = weights
        self.train = train
        self.targets = targets
        self.n_examples = n_examples
        self.inference = inference
        super().__init__(image_shape, n_columns, feature_names)

    @classmethod
    def from_predictions(cls, weights, train, targets, **params):
        """Make the display from weights and draw it.

        Parameters
        ----------
        weights : array-like of shape (n_rows, n_train)
            Rows of an attribution matrix, one for each target.
        train, targets : Examples
            The training set and the targets to show.
        **params : dict
            Other arguments of :class:`SimilarExamplesDisplay` and of :meth:`plot`.

        Returns
        -------
        display : SimilarExamplesDisplay
            The display, drawn.
        """
        return cls._drawn(weights, train, targets, **params)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        train,
        targets,
        target_indices=(0, 1, 2),
        *,
        inference=None,
        **params,
    ):
        """Take the weights from a fitted datamodel and draw the display.

        Parameters
        ----------
        estimator : fitted estimator
            Estimator with ``coef_`` of shape (n_targets, n_train). For a pipeline or a
            search, the last step is used.
        train, targets : Examples
            The training set and all targets.
        target_indices : array-like of int, default=(0, 1, 2)
            Positions of the targets to show.
        inference : WeightInference, default=None
            Inference of the weights of all targets.
        **params : dict
            Other arguments of :meth:`from_predictions`.

        Returns
        -------
        display : SimilarExamplesDisplay
            The display, drawn.
        """
        target_indices = np.asarray(target_indices)
        coef = last_step(estimator).coef_
        weights = coef[target_indices] if coef.ndim == 2 else coef[None]
        if hasattr(weights, "toarray"):
            weights = weights.toarray()
        if inference is not None:
            params["inference"] = inference[target_indices]
        return cls.from_predictions(weights, train, targets[target_indices], **params)

    def _choose(self):
        self._weights = self._check_weights()
        found = similar_examples(
            self._weights, self.n_examples, inference=self.inference
        )
        self.positive_, self.negative_ = found.positive, found.negative
        self._found = found

    def _train(self):
        return self.train

    def _check_weights(self):
        weights = np.asarray(self.weights, dtype=float)
        shape = (len(self.targets.y), len(self.train.y))
        if weights.shape != shape:
            raise ValueError(
                f"weights must have shape (n_rows, n_train) = {shape} for these "
                f"targets and training examples; got {weights.shape}."
                f"{swap_hint(shape, weights.shape)}"
            )
        return weights

    def _draw_images(self, figure, image_kw, text_kw):
        images, train_images = (
            as_images(examples, self.image_shape)
            for examples in (self.targets, self.train)
        )
        groups = [
            ("Target", GREY, 1, "left"),
            ("Raise output", BLUE, self.n_examples, "left"),
            ("Lower output", ORANGE, self.n_examples, "left"),
        ]
        more = 0 if self.inference is None else _BAR
        self.figure_, self.axes_ = make_grid(
            figure,
            len(images),
            groups,
            0.85,
            0.2,
            (0.2, 0.2, 0.5, 0.3 + 2.5 * more),
            0.45 + more,
        )
        look = {"image_kw": image_kw, "text_kw": text_kw}
        for row, (first, *cells) in enumerate(self.axes_):
            show_image(first, images[row], self.targets.y[row], GREY, **look)
            shown = np.concatenate([self.positive_[row], self.negative_[row]])
            ends, marks = self._known(row)
            for ax, i, mark in zip(cells, shown, marks, strict=True):
                if i < 0:
                    ax.set_axis_off()
                    continue
                weight = self._weights[row, i]
                colour = BLUE if weight > 0 else ORANGE
                show_image(ax, train_images[i], self.train.y[i], colour, **look)
                look_of_weight = {"fontsize": 8, "color": colour}
                look_of_weight = style(look_of_weight, text_kw, "Text")
                ax.set_xlabel(_signed(weight) + mark, labelpad=3, **look_of_weight)
            if ends is not None:
                weights = np.where(shown < 0, np.nan, self._weights[row, shown])
                _draw_bars(cells, weights, ends)
        if self.inference is not None:
            text = f"{_STAR}. Bars are intervals, relative to 0 in the middle."
            look_of_note = style({"fontsize": 8, "color": GREY}, text_kw, "Text")
            edge = self.axes_[0, 0].get_position().x0
            self.figure_.text(edge, 0.02, text, va="bottom", **look_of_note)

    def _known(self, row):
        """Return intervals (n_shown, 2) of a target or None, and marks as text."""
        if self.inference is None:
            return None, [""] * (2 * self.n_examples)
        intervals, marks = (
            np.concatenate(
                [getattr(self._found, f"{sign}_{name}")[row] for sign in _SIGNS]
            )
            for name in ("intervals", "distinguishable")
        )
        return intervals, ["*" if mark else "" for mark in marks]

    def _contents(self):
        return [self._table_of(*row) for row in enumerate(self._weights)]

    def _table_of(self, row, weights):
        groups = [Group("Target", GREY, self.targets, np.array([row]), [""])]
        ends, marks = self._known(row)
        for name, colour, found, first in [
            ("Raise output", BLUE, self.positive_, 0),
            ("Lower output", ORANGE, self.negative_, self.n_examples),
        ]:
            rows = found[row][found[row] >= 0]
            signed = [
                _signed(weight) + mark
                for weight, mark in zip(weights[rows], marks[first:], strict=False)
            ]
            if ends is not None:
                signed = [
                    f"{text} ({_signed(low)} to {_signed(high)})"
                    for text, (low, high) in zip(signed, ends[first:], strict=False)
                ]
            groups.append(Group(name, colour, self.train, rows, signed))
        heading = "weight" if ends is None else "weight (interval)"
        content = make_table(
            groups, heading, self.train, self.n_columns, self.feature_names
        )
        if ends is None:
            return content
        return content._replace(note=". ".join(filter(None, [content.note, _STAR])))


def _draw_bars(cells, weights, ends):
    """Draw intervals below images, on one scale for a target with 0 in the middle."""
    known = np.isfinite(weights)
    if not known.any():
        return
    reach = max(np.abs(weights[known]).max(), np.nanmax(np.abs(ends[known])))
    for ax, weight, interval in zip(cells, weights, ends, strict=True):
        if np.isnan(weight):
            continue
        colour = BLUE if weight > 0 else ORANGE
        look = {"transform": ax.transAxes, "clip_on": False, "color": colour}
        at = 0.5 + 0.5 * np.array([*interval, weight]) / reach
        y = -(0.17 + _BAR) / 0.85
        ax.plot([0, 1], [y, y], **look | {"color": GREY, "lw": 0.5})
        ax.plot([0.5, 0.5], [y - 0.06, y + 0.06], **look | {"color": GREY, "lw": 1})
        ax.plot(at[:2], [y, y], **look, lw=2)
        ax.plot(at[2:], [y], "o", **look, ms=4)


def _signed(weight):
    """Format a weight with its sign and two significant digits."""
    return f"{weight:+#.2g}".rstrip(".").replace("-", "\N{MINUS SIGN}")
