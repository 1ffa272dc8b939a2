"""Suspicious targets beside the training examples that may be copies of them."""

import numpy as np

from skdatamodels._tables import format_column
from skdatamodels.plotting._example_images import as_images, make_grid, show_image
from skdatamodels.plotting._example_tables import Group, make_table
from skdatamodels.plotting._examples_display import ExamplesDisplay
from skdatamodels.plotting._matplotlib import BLUE, GREY, style


class LeakageDisplay(ExamplesDisplay):
    """Suspicious targets, each beside the training examples that may be copies of it.

    Examples that are not images are shown in tables, one for each target, as in
    :class:`SimilarExamplesDisplay`: a row without a highlighted cell is a near copy.

    Parameters
    ----------
    candidates : int array-like of shape (n_rows, n_candidates)
        Training examples to compare each target with, the most suspicious first; -1 for
        none.
    train : Examples
        The training set.
    targets : Examples
        The targets to show, in the order of the rows of `candidates`.
    scores : array-like of shape (n_rows,), default=None
        How suspicious each target is.
    image_shape : tuple of int, default=None
        Shape of an image: ``(height, width)`` or ``(height, width, channels)``.
        Required if the examples are flat rows of pixels.
    n_columns : int, default=5
        Number of columns that a table shows: those in which the target and the
        candidates differ most.
    feature_names : sequence of str, default=None
        Names of the columns of an array, for tables. A data frame has its own.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : array of Axes of shape (n_rows, 1 + n_candidates)
        Targets and candidates. For tables, the shape is (n_rows, 1).
    cells_ : list of object array of Text
        Cells of the table of each target, the header first. Empty for images.
    columns_ : list of list
        Names of the columns shown for each target. Empty for images.

    Raises
    ------
    ValueError
        If the lengths differ, a candidate is no training example, the examples do not
        have the shape `image_shape`, or the targets and the training set have different
        columns.

    See Also
    --------
    LeakageRecallDisplay : Share of known leaks that were found.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skdatamodels import Examples
    >>> from skdatamodels.plotting import LeakageDisplay
    >>> train = Examples([[1.0, 2.0], [5.0, 0.0], [5.0, 9.0]], ["a", "b", "b"])
    >>> targets = Examples([[5.1, 0.0]], ["b"])
    >>> display = LeakageDisplay.from_predictions([[1, 2]], train, targets)
    >>> display.columns_
    [['x1', 'x0']]
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        candidates,
        train,
        targets,
        *,
        scores=None,
        image_shape=None,
        n_columns=5,
        feature_names=None,
    ):
        self.candidates = candidates
        self.train = train
        self.targets = targets
        self.scores = scores
        super().__init__(image_shape, n_columns, feature_names)

    @classmethod
    def from_predictions(cls, candidates, train, targets, **params):
        """Make the display from candidates and draw it.

        Parameters
        ----------
        candidates : int array-like of shape (n_rows, n_candidates)
            Training examples to compare each target with; -1 for none.
        train, targets : Examples
            The training set and the targets to show.
        **params : dict
            Other arguments of :class:`LeakageDisplay` and of :meth:`plot`.

        Returns
        -------
        display : LeakageDisplay
            The display, drawn.
        """
        return cls._drawn(candidates, train, targets, **params)

    @classmethod
    def from_estimator(
        cls,
        detector,
        train,
        targets,
        target_indices=None,
        *,
        n_targets=3,
        n_candidates=3,
        **params,
    ):
        """Take the candidates of a fitted detector and draw the display.

        Parameters
        ----------
        detector : LeakageDetector
            A fitted detector.
        train, targets : Examples
            The training set and all targets.
        target_indices : array-like of int, default=None
            Positions of the targets to show. By default, those with the highest scores,
            the highest first.
        n_targets : int, default=3
            Number of targets to show by default.
        n_candidates : int, default=3
            Number of candidates of each target.
        **params : dict
            Other arguments of :meth:`from_predictions`.

        Returns
        -------
        display : LeakageDisplay
            The display, drawn.
        """
        scores = detector.leakage_score_
        if target_indices is None:
            target_indices = np.argsort(-scores, kind="stable")[:n_targets]
        rows = np.asarray(target_indices)
        return cls.from_predictions(
            detector.candidates_[rows, :n_candidates],
            train,
            targets[rows],
            scores=scores[rows],
            **params,
        )

    def _choose(self):
        self._candidates = np.asarray(self.candidates)
        n_rows, n_train = len(self.targets.y), len(self.train.y)
        shape = self._candidates.shape
        if len(shape) != 2 or shape[0] != n_rows:
            raise ValueError(
                f"candidates must have shape (n_rows, n_candidates), n_rows={n_rows} "
                f"for these targets; got {shape}."
            )
        if not ((self._candidates >= -1) & (self._candidates < n_train)).all():
            raise ValueError(
                f"candidates must be from 0 to {n_train - 1}, or -1 for none."
            )
        if self.scores is not None and np.shape(self.scores) != (n_rows,):
            raise ValueError(
                f"scores must have shape (n_rows,) = ({n_rows},), got "
                f"{np.shape(self.scores)}."
            )

    def _train(self):
        return self.train

    def _numbers(self):
        if self.scores is None:
            return [""] * len(self._candidates)
        return format_column(self.scores)

    def _draw_images(self, figure, image_kw, text_kw):
        images, train_images = (
            as_images(examples, self.image_shape)
            for examples in (self.targets, self.train)
        )
        groups = [
            ("Target", GREY, 1, "left"),
            ("Candidates", BLUE, self._candidates.shape[1], "left"),
        ]
        self.figure_, self.axes_ = make_grid(
            figure, len(images), groups, 0.85, 0.2, (0.2, 0.2, 0.5, 0.3), 0.45
        )
        look = {"image_kw": image_kw, "text_kw": text_kw}
        label = style({"fontsize": 8, "color": GREY}, text_kw, "Text")
        for row, (first, *cells) in enumerate(self.axes_):
            show_image(first, images[row], self.targets.y[row], GREY, **look)
            first.set_xlabel(self._numbers()[row], labelpad=3, **label)
            for ax, i in zip(cells, self._candidates[row], strict=True):
                if i < 0:
                    ax.set_axis_off()
                else:
                    show_image(ax, train_images[i], self.train.y[i], BLUE, **look)

    def _contents(self):
        return [self._table_of(*row) for row in enumerate(self._candidates)]

    def _table_of(self, row, candidates):
        rows, number = candidates[candidates >= 0], self._numbers()[row]
        groups = [
            Group("Target", GREY, self.targets, np.array([row]), [number]),
            Group("Candidates", BLUE, self.train, rows, [""] * len(rows)),
        ]
        return make_table(
            groups, "score", self.train, self.n_columns, self.feature_names
        )
