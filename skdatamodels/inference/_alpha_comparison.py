"""Weights as functions of alpha, their integrals and their trends."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from skdatamodels._numbers import as_real
from skdatamodels._sklearn_compat import StrOptions, validate_params
from skdatamodels._tables import (
    MOST_ROWS,
    Table,
    import_pandas,
    table_html,
    table_text,
)
from skdatamodels.inference._false_discovery import cut_of_all, cuts_of_targets
from skdatamodels.inference._removal_inference import INSIDE, interval_of

_FDR = 0.1  # of the table
TRENDS = {-1: "redundant", 0: "undecided", 1: "works with others"}


class Efficiency(NamedTuple):
    """Whether Shapley values sum to what they must.

    Attributes
    ----------
    total : float64 array of shape (n_targets,)
        Sums of the Shapley values of all rows.
    error : float64 array of shape (n_targets,)
        Standard errors of the sums.
    expected : float64 array of shape (n_targets,)
        Output on everything minus output on nothing.
    """

    total: np.ndarray
    error: np.ndarray
    expected: np.ndarray

    def _table(self):
        columns = {"target": np.arange(len(self.total))} | self._asdict()
        return Table("Sums of Shapley values", columns)

    __repr__ = table_text
    _repr_html_ = table_html


@dataclass(frozen=True, eq=False)
class AlphaComparison:
    """Weights at several fractions, and what they say together.

    Attributes
    ----------
    alphas : float64 array of shape (n_alphas,)
        The fractions, increasing.
    n_runs : int array of shape (n_alphas,)
        Number of runs at each.
    weights : float64 array of shape (n_alphas, n_targets, n_train)
        Debiased weights at each fraction, in units of the output. NaN for a target
        whose runs at this fraction are too few for a fit, and so are its slopes and
        Shapley values.
    standard_error : float64 array of shape (n_alphas, n_targets, n_train)
        Their standard errors; NaN where nothing is known.
    sum_error : float64 array of shape (n_alphas, n_targets)
        Standard errors of the sums of the weights over all rows.
    freedom : float64 array of shape (n_targets,)
        Degrees of freedom of the standard errors: the fewest of all fractions.
    degree : int
        Degree of the polynomials in alpha.
    centred : bool
        Whether subsets have fixed sizes, so that 0 is the typical row.
    player_ids : array of shape (n_train,) or None
        Names of the training examples.
    target_ids : array of shape (n_targets,) or None
        Names of the targets.

    See Also
    --------
    compare_alphas : Computes the comparison.
    skdatamodels.plotting.AlphaDisplay : Draws the weights of some rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.inference import compare_alphas
    >>> from skdatamodels.masks import sample_masks
    >>> runs = {}
    >>> for alpha in (0.2, 0.8):
    ...     masks = sample_masks(500, 3, alpha, design="bernoulli").dense()
    ...     runs[alpha] = masks, masks[:, :2].any(axis=1) * 1.0
    >>> comparison = compare_alphas(runs)
    >>> comparison.trends()
    array([[-1, -1,  0]], dtype=int8)
    >>> comparison.efficiency([1.0], [0.0]).total.round(1)
    array([1.])
    """

    alphas: np.ndarray
    n_runs: np.ndarray
    weights: np.ndarray
    standard_error: np.ndarray
    sum_error: np.ndarray
    freedom: np.ndarray
    degree: int
    centred: bool
    player_ids: np.ndarray | None = None
    target_ids: np.ndarray | None = None

    def _sum(self, factors):
        """Return sums of the weights at each alpha times a factor, and their errors."""
        squares = np.tensordot(factors**2, self.standard_error**2, axes=1)
        return np.tensordot(factors, self.weights, axes=1), np.sqrt(squares)

    def _factors(self, degree):
        """Return the coefficients (degree + 1, n_alphas) of fits, by least squares."""
        return np.linalg.pinv(np.vander(self.alphas, degree + 1, increasing=True))

    @property
    def shapley(self):
        """Shapley values, float64 array of shape (n_targets, n_train)."""
        return self._shapley()[0]

    @property
    def shapley_error(self):
        """Standard errors of the Shapley values, (n_targets, n_train)."""
        return self._shapley()[1]

    def _shapley(self):
        return self._sum(self._integral())

    def _integral(self):
        """Return factors (n_alphas,) of the weights that sum to the integral."""
        return 1 / np.arange(1, self.degree + 2) @ self._factors(self.degree)

    @property
    def slope(self):
        """Slopes over alpha of a straight line, (n_targets, n_train)."""
        return self._sum(self._factors(1)[1])[0]

    @property
    def slope_error(self):
        """Standard errors of the slopes, (n_targets, n_train)."""
        return self._sum(self._factors(1)[1])[1]

    def curve(self, alphas):
        """Return the fitted weights at other fractions.

        Parameters
        ----------
        alphas : array-like of shape (n_points,)
            Fractions from 0 to 1.

        Returns
        -------
        weights : float64 array of shape (n_points, n_targets, n_train)
            The polynomials of all rows at these fractions.

        Raises
        ------
        ValueError
            If they are not numbers from 0 to 1.
        """
        alphas = np.atleast_1d(as_real(alphas, "alphas").astype(np.float64))
        if alphas.ndim != 1 or not ((alphas >= 0) & (alphas <= 1)).all():
            raise ValueError(f"alphas must be numbers from 0 to 1, got {alphas}.")
        powers = np.vander(alphas, self.degree + 1, increasing=True)
        return np.tensordot(powers @ self._factors(self.degree), self.weights, axes=1)

    def shapley_interval(self, confidence=0.95):
        """Return confidence intervals of the Shapley values.

        Parameters
        ----------
        confidence : float, default=0.95
            Probability that an interval contains its value, if the weight is a
            polynomial of this degree in alpha.

        Returns
        -------
        interval : float64 array of shape (n_targets, n_train, 2)
            Lower and upper ends.
        """
        return interval_of(*self._shapley(), self.freedom, confidence)

    @validate_params(
        {
            "self": "no_validation",
            "fdr": [INSIDE],
            "scope": [StrOptions({"target", "all"})],
        },
        prefer_skip_nested_validation=True,
    )
    def trends(self, fdr=0.1, *, scope="target"):
        """Tell which weights grow and which shrink with alpha.

        Parameters
        ----------
        fdr : float, default=0.1
            Expected share of the decided weights that are decided wrongly, by Benjamini
            and Hochberg.
        scope : {"target", "all"}, default="target"
            Whether the rate holds for each target, or for all weights together.

        Returns
        -------
        trends : int8 array of shape (n_targets, n_train)
            -1 for *redundant* rows: the weight shrinks towards 0 as more of the others
            are present. 1 for rows that *work with others*: it grows away from 0. 0 if
            it is undecided. Decided weights have both a slope and a Shapley value that
            differ from 0: the larger p-value counts.
        """
        slope, value = (
            np.divide(*pair, out=np.full_like(pair[0], np.nan), where=pair[1] > 0)
            for pair in ((self.slope, self.slope_error), self._shapley())
        )
        score = np.minimum(abs(slope), abs(value))
        if scope == "target":
            cuts = cuts_of_targets(score, self.freedom, fdr, "bh")
        else:
            cuts = cut_of_all([lambda: score], [self.freedom], fdr, "bh")[0]
        decided = score >= cuts[:, None]
        return np.where(decided, np.sign(slope * value), 0).astype(np.int8)

    def efficiency(self, everything, nothing):
        """Compare the sum of the Shapley values with what it must be.

        Parameters
        ----------
        everything, nothing : array-like of shape (n_targets,)
            Outputs with all rows, and with none.

        Returns
        -------
        efficiency : Efficiency
            A total that differs from the expected one by many standard errors shows
            that the polynomials do not fit, most often near 0 or 1.

        Raises
        ------
        ValueError
            If subsets have a fixed size, which does not tell the sum, or the outputs
            are not one for each target.
        """
        if self.centred:
            raise ValueError(
                "Subsets of a fixed size do not tell the sum of the Shapley values. "
                'Use runs of design="bernoulli".'
            )
        ends = []
        for name, values in (("everything", everything), ("nothing", nothing)):
            ends.append(as_real(values, name).astype(np.float64))
            if ends[-1].shape != (len(self.freedom),):
                raise ValueError(
                    f"{name} must be an output for each target, shape "
                    f"({len(self.freedom)},); got shape {ends[-1].shape}."
                )
        squares = self._integral() ** 2 @ self.sum_error**2
        total = self.shapley.sum(axis=1)
        return Efficiency(total, np.sqrt(squares), ends[0] - ends[1])

    def to_frame(self, fdr=0.1):
        """Return a pandas.DataFrame with a row for each target and training example.

        Its columns are target, row, a weight for each alpha, slope, shapley, their
        standard errors, and trend.

        Parameters
        ----------
        fdr : float, default=0.1
            As for :meth:`trends`.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        n, d = self.weights.shape[1:]
        columns = {
            "target": np.repeat(self._names("target_ids", n), d),
            "row": np.tile(self._names("player_ids", d), n),
        }
        for alpha, weights in zip(self.alphas, self.weights, strict=True):
            columns[f"weight at {alpha:.4g}"] = weights.ravel()
        for name in ("slope", "slope_error", "shapley", "shapley_error"):
            columns[name] = getattr(self, name).ravel()
        columns["trend"] = [TRENDS[trend] for trend in self.trends(fdr).ravel()]
        return import_pandas().DataFrame(columns)

    def _names(self, name, n):
        names = getattr(self, name)
        return np.arange(n) if names is None else names

    def _table(self):
        n, d = self.weights.shape[1:]
        trends, values = self.trends(_FDR), self.shapley[:MOST_ROWS]
        largest, rows = abs(values).argmax(axis=1), np.arange(len(values))
        columns = {
            "target": list(self._names("target_ids", n)[:MOST_ROWS]),
            "redundant": (trends < 0).sum(axis=1)[:MOST_ROWS],
            "with others": (trends > 0).sum(axis=1)[:MOST_ROWS],
            "largest": list(self._names("player_ids", d)[largest]),
            "Shapley value": values[rows, largest],
        }
        for alpha, weights in zip(self.alphas, self.weights, strict=True):
            columns[f"at {alpha:.3g}"] = weights[rows, largest]
        title = f"Weights of {d:,} training examples for {n:,} targets by alpha"
        return Table(title, columns, n, self._notes())

    def _notes(self):
        low, high = self.alphas[[0, -1]]
        notes = [
            f"Redundant rows and those that work with others: decided at FDR {_FDR}.",
            f"Shapley values integrate polynomials of degree {self.degree}, which were "
            f"measured from alpha {low:.3g} to {high:.3g} and are extrapolated beyond.",
        ]
        if self.centred:
            notes.append("Sizes are fixed: 0 is the typical training example.")
        return tuple(notes)

    __repr__ = table_text
    _repr_html_ = table_html
