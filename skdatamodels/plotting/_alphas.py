"""Weights of some rows as curves over alpha."""

from numbers import Integral

import numpy as np

from skdatamodels.inference import AlphaComparison
from skdatamodels.plotting._matplotlib import GREY, prepare_axes, style


class AlphaDisplay:
    """Weights of some training examples for a target, as curves over alpha.

    Points are the weights at each fraction, bars their 95 % intervals, and lines the
    fitted polynomials. The area below a line is the Shapley value.

    Parameters
    ----------
    comparison : AlphaComparison
        Result of :func:`~skdatamodels.inference.compare_alphas`.
    rows : int array-like of shape (n_rows,)
        Training examples to draw.
    target : int, default=0
        The target.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where the display is drawn.
    lines_ : list of Line2D
        The curve of each row.
    points_ : list of ErrorbarContainer
        The weights of each row with their intervals.

    Raises
    ------
    TypeError, ValueError
        If `comparison` is not an AlphaComparison, a row or the target does not exist,
        or `n_rows` is below 1.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skdatamodels.inference import compare_alphas
    >>> from skdatamodels.masks import sample_masks
    >>> from skdatamodels.plotting import AlphaDisplay
    >>> runs = {}
    >>> for alpha in (0.2, 0.8):
    ...     masks = sample_masks(500, 3, alpha, design="bernoulli").dense()
    ...     runs[alpha] = masks, masks[:, :2].any(axis=1) * 1.0
    >>> display = AlphaDisplay.from_comparison(compare_alphas(runs), n_rows=2)
    >>> [line.get_label() for line in display.lines_]
    ['0', '1']
    >>> plt.close(display.figure_)
    """

    def __init__(self, comparison, rows, *, target=0):
        self.comparison = comparison
        self.rows = rows
        self.target = target

    @classmethod
    def from_comparison(
        cls, comparison, rows=None, *, target=0, n_rows=5, **plot_params
    ):
        """Make the display and draw it.

        Parameters
        ----------
        comparison : AlphaComparison
            Result of :func:`~skdatamodels.inference.compare_alphas`.
        rows : int array-like of shape (n_rows,), default=None
            Training examples to draw. None draws those with the largest Shapley values.
        target : int, default=0
            The target.
        n_rows : int, default=5
            How many to draw, if `rows` is None.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : AlphaDisplay
            The display, drawn.
        """
        if rows is None:
            _check(comparison, [0], target)
            if not (isinstance(n_rows, Integral) and n_rows >= 1):
                message = f"n_rows must be an integer of 1 or more, got {n_rows}."
                raise ValueError(message)
            sizes = abs(comparison.shapley[target])
            rows = np.sort(np.argsort(-sizes, kind="stable")[:n_rows])
        return cls(comparison, rows, target=target).plot(**plot_params)

    def plot(self, ax=None, *, line_kw=None, errorbar_kw=None):
        """Draw a curve, with points and intervals, for each row.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. By default, a new figure is made.
        line_kw : dict, default=None
            Keywords of matplotlib's `plot`, for all curves.
        errorbar_kw : dict, default=None
            Keywords of matplotlib's `errorbar`, for all points.

        Returns
        -------
        self : AlphaDisplay
            The display itself.
        """
        rows = _check(self.comparison, self.rows, self.target)
        found, target = self.comparison, self.target
        ax = prepare_axes(self, ax, (6, 4))
        self.lines_, self.points_ = [], []
        grid = np.linspace(0, 1, 101)
        curves = found.curve(grid)[:, target]
        names = rows if found.player_ids is None else found.player_ids[rows]
        for row, name in zip(rows, names, strict=True):
            look = style({"lw": 1.5, "label": f"{name}"}, line_kw)
            (line,) = ax.plot(grid, curves[:, row], **look)
            look = {"color": line.get_color(), "marker": "o", "ms": 4, "ls": "none"}
            points = ax.errorbar(
                found.alphas,
                found.weights[:, target, row],
                1.96 * found.standard_error[:, target, row],
                **style(look, errorbar_kw),
            )
            self.lines_.append(line)
            self.points_.append(points)
        ax.axhline(0, color=GREY, lw=0.8)
        ax.set(xlabel="alpha, fraction of the others present", ylabel="weight")
        ax.set_xlim(0, 1)
        ax.legend(frameon=False)
        return self


def _check(comparison, rows, target):
    """Return rows as an int array, or raise if they or the target do not exist."""
    if not isinstance(comparison, AlphaComparison):
        raise TypeError(
            "comparison must be an AlphaComparison, the result of compare_alphas; got "
            f"{type(comparison).__name__}."
        )
    n, d = comparison.weights.shape[1:]
    rows = np.atleast_1d(rows)
    if (
        rows.ndim != 1
        or rows.dtype.kind not in "iu"
        or not np.isin(rows, range(d)).all()
    ):
        raise ValueError(f"rows must be integers from 0 to {d - 1}, got {rows}.")
    if not isinstance(target, Integral) or not 0 <= target < n:
        raise ValueError(f"target must be an integer from 0 to {n - 1}, got {target}.")
    return rows
