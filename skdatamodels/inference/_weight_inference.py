"""Estimates with standard errors, and what is distinguishable from zero."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import special

from skdatamodels._numbers import as_real
from skdatamodels._sklearn_compat import StrOptions, validate_params
from skdatamodels._tables import MOST_ROWS, Table, table_html, table_text
from skdatamodels.inference._false_discovery import cut_of_all, cuts_of_targets
from skdatamodels.inference._mask_spread import MaskSpread
from skdatamodels.inference._removal_inference import (
    INSIDE,
    RemovalInference,
    interval_of,
    p_value_of,
)
from skdatamodels.masks._packed import row_blocks

_FDR = 0.1  # of the table
_ALTERNATIVES = StrOptions({"two-sided", "greater", "less"})


@dataclass(frozen=True, eq=False)
class WeightInference:
    """Debiased weights with their standard errors.

    Matrices other than `estimate` are computed when they are asked for. For large ones,
    take some targets at a time: ``inference[:100].p_value``.

    Attributes
    ----------
    estimate : array of shape (n_targets, n_train)
        Debiased weights: unbiased, not sparse, in units of the output. If subsets have
        a fixed size, 0 is the typical training example (of its stratum), whose weight
        cannot be known. 0 where `standard_error` is NaN.
    scale : float64 array of shape (n_targets, n_strata)
        Standard errors of the weights of each stratum before centring.
    freedom : float64 array of shape (n_targets,)
        Degrees of freedom of the standard errors.
    stratum : int array of shape (n_train,)
        Stratum of each training example.
    n_columns : int array of shape (n_strata,) or None
        Examples of each stratum whose weights were centred; None: not centred.
    exclude : int array of shape (n_targets,) or None
        The training example that each target is, -1 for none.
    target_ids : array of shape (n_targets,) or None
        Names of the targets.
    player_ids : array of shape (n_train,) or None
        Names of the training examples.
    noise : float32 array of shape (n_targets, n_runs) or None
        What each run adds to the errors, in vectors of length 1: the product of two is
        the correlation of the errors of two targets.
    variance_ratio : float32 array of shape (n_targets, n_train) or None
        At least 1: the variance of a weight relative to that by `scale`. More than 1 if
        residuals are larger on subsets with the example than on those without, and
        `alpha` is not 1/2. None: all are 1.

    See Also
    --------
    infer_weights : Computes the inference.

    Examples
    --------
    >>> from skdatamodels import DatamodelRegressor
    >>> from skdatamodels.datasets import make_linear_runs
    >>> from skdatamodels.inference import infer_weights
    >>> runs, coef = make_linear_runs(200, n_train=50, n_targets=2, noise=0.5)
    >>> model = DatamodelRegressor(random_state=0).fit(runs)
    >>> inference = infer_weights(model, runs)
    >>> inference.interval(0.95).shape
    (2, 50, 2)
    >>> inference.select(fdr=0.1).sum(axis=1) < 10
    array([ True,  True])
    """

    estimate: np.ndarray
    scale: np.ndarray
    freedom: np.ndarray
    stratum: np.ndarray
    n_columns: np.ndarray | None = None
    exclude: np.ndarray | None = None
    target_ids: np.ndarray | None = None
    player_ids: np.ndarray | None = None
    noise: np.ndarray | None = None
    variance_ratio: np.ndarray | None = None
    _spread: MaskSpread | None = None  # for the errors of sums

    def __len__(self):
        return len(self.estimate)

    def __getitem__(self, targets):
        """Return the inference of some targets: a slice, an int array or a bool one."""
        if isinstance(targets, int | np.integer):
            targets = [targets]
        own = ("estimate", "scale", "freedom", "noise", "exclude", "target_ids")
        own += ("variance_ratio",)
        parts = {name: getattr(self, name) for name in own}
        parts = {k: v if v is None else v[targets] for k, v in parts.items()}
        return replace(self, **parts)

    @property
    def standard_error(self):
        """Standard errors, float64 array of shape (n_targets, n_train).

        NaN for a training example that is the target itself, which no run shows, and
        for targets whose fit left no degrees of freedom.
        """
        spread = np.sqrt(self._shares())[..., self.stratum]
        found = self.scale[:, self.stratum] * spread
        if self.variance_ratio is not None:
            found *= np.sqrt(self.variance_ratio)
        if self.exclude is not None:
            own = np.flatnonzero(self.exclude >= 0)
            found[own, self.exclude[own]] = np.nan
        return found

    def _shares(self):
        """Return the share of a variance that centring leaves, by stratum."""
        if self.n_columns is None:
            return np.ones((1, len(self.scale.T)))
        return 1 - 1 / np.maximum(self._n_usable(), 1)

    def _n_usable(self):
        """Return the examples of each stratum (n_targets, n_strata) less excluded."""
        n = np.tile(self.n_columns.astype(float), (len(self), 1))
        if self.exclude is not None:
            own = np.flatnonzero(self.exclude >= 0)
            n[own, self.stratum[self.exclude[own]]] -= 1
        return n

    @property
    def z_score(self):
        """Estimates by their standard errors, array of shape (n_targets, n_train).

        If the error is 0, the score is infinite for an estimate that is not 0, whose
        p-value is 0; it is NaN for an estimate of 0, which is not tested.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.estimate / self.standard_error

    @property
    def p_value(self):
        """Two-sided p-values of a weight of 0, array of shape (n_targets, n_train)."""
        return p_value_of(self.z_score, self.freedom)

    def interval(self, confidence=0.95):
        """Return confidence intervals.

        Parameters
        ----------
        confidence : float, default=0.95
            Probability that an interval contains its weight. It holds for each weight
            alone: of 1,000 weights, 50 are outside of their 95 % intervals.

        Returns
        -------
        interval : float64 array of shape (n_targets, n_train, 2)
            Lower and upper ends.
        """
        return interval_of(self.estimate, self.standard_error, self.freedom, confidence)

    @validate_params(
        {"self": "no_validation", "fdr": [INSIDE], "alternative": [_ALTERNATIVES]},
        prefer_skip_nested_validation=True,
    )
    def adjusted_interval(self, fdr=0.1, *, alternative="two-sided"):
        """Return intervals that hold for weights that were chosen as the largest.

        They are above 0, or below it, for the weights that ``select`` selects with the
        same arguments, and for no others. Where it selects k of n weights of a target,
        the level is that of the k-th of its tests.

        Parameters
        ----------
        fdr : float, default=0.1
            Expected share of the selected weights that are outside of their intervals;
            with one side, that are nearer to 0.
        alternative : {"two-sided", "greater", "less"}, default="two-sided"
            As in :meth:`select`.

        Returns
        -------
        interval : float64 array of shape (n_targets, n_train, 2)
            Lower and upper ends.

        References
        ----------
        Benjamini, Yekutieli, "False Discovery Rate-Adjusted Multiple Confidence
        Intervals for Selected Parameters", Journal of the American Statistical
        Association 100, 2005.
        """
        score, rate = self._score(alternative), _rate(fdr, alternative)
        n = np.maximum((~np.isnan(score)).sum(axis=1), 1)
        cut = cuts_of_targets(score, self.freedom, rate, "bh")
        of_one = -special.stdtrit(self.freedom, rate / n / 2)
        half = np.where(np.isfinite(cut), cut, of_one)[:, None] * self.standard_error
        return np.stack([self.estimate - half, self.estimate + half], axis=-1)

    def _score(self, alternative):
        """Return scores (n_targets, n_train), of which the large ones are selected."""
        score = self.z_score
        return {"greater": score, "less": -score}.get(alternative, abs(score))

    def combine(self, factors):
        """Infer sums of the weights over targets, such as means.

        The outputs of all targets come from the same runs, so their errors are
        correlated. They are added run by run, as if the sum of the outputs were one
        target.

        Parameters
        ----------
        factors : array-like of shape (n_sums, n_targets) or (n_targets,)
            Factor of each target in each sum, such as 1 / n_targets for a mean.

        Returns
        -------
        sums : WeightInference
            Each sum takes the place of a target. The degrees of freedom are means of
            those of the targets, weighted by the magnitudes of their factors.

        Raises
        ------
        ValueError
            If there is not one finite factor for each target, or `noise` is None.

        Notes
        -----
        The weight of a target that is the training example itself counts as 0, but
        its error is counted in: that of other examples is the same.

        Examples
        --------
        >>> import numpy as np
        >>> from skdatamodels import DatamodelRegressor
        >>> from skdatamodels.datasets import make_linear_runs
        >>> from skdatamodels.inference import infer_weights
        >>> runs, coef = make_linear_runs(200, n_train=50, n_targets=2, noise=0.5)
        >>> model = DatamodelRegressor(random_state=0).fit(runs)
        >>> mean = infer_weights(model, runs).combine([0.5, 0.5])
        >>> mean.estimate.shape
        (1, 50)
        """
        if self.noise is None:
            raise ValueError(
                "It is not known how the errors of these targets are correlated. Use "
                "the inference that infer_weights returns. Of infer_varied, pass the "
                "runs through aggregate_targets first."
            )
        factors = np.atleast_2d(as_real(factors, "factors")).astype(np.float64)
        if factors.shape[1:] != (len(self),) or not np.isfinite(factors).all():
            raise ValueError(
                f"factors must have one finite number for each of the {len(self)} "
                f"targets, got shape {factors.shape}."
            )
        used = factors != 0
        scaled = [np.where(used, factors * scale, 0) for scale in self.scale.T]
        errors = np.array([part @ self.noise for part in scaled])  # by stratum
        size = np.abs(factors)
        total = np.maximum(size.sum(axis=1), np.finfo(float).tiny)
        noise = errors.mean(axis=0)
        length = np.sqrt((noise**2).sum(axis=1, keepdims=True))
        noise = (noise / np.where(length > 0, length, 1)).astype(np.float32)
        ratio = None
        if self.variance_ratio is not None:
            ratio = self._spread.ratios(noise).astype(np.float32)
        return replace(
            self,
            estimate=factors @ self.estimate,
            scale=np.sqrt((errors**2).sum(axis=-1)).T,
            freedom=size @ self.freedom / total,
            noise=noise,
            variance_ratio=ratio,
            exclude=None,
            target_ids=None,
        )

    @validate_params(
        {
            "self": "no_validation",
            "fdr": [INSIDE],
            "method": [StrOptions({"bh", "by"})],
            "scope": [StrOptions({"target", "all"})],
            "alternative": [_ALTERNATIVES],
        },
        prefer_skip_nested_validation=True,
    )
    def select(self, fdr=0.1, *, method="bh", scope="target", alternative="two-sided"):
        """Return which weights differ from 0, with few false discoveries.

        Parameters
        ----------
        fdr : float, default=0.1
            Expected share of the selected weights that are 0.
        method : {"bh", "by"}, default="bh"
            "bh": Benjamini and Hochberg, for errors that are independent or positively
            dependent, as those of one target nearly are. "by": Benjamini and Yekutieli,
            for any dependence; it selects less.
        scope : {"target", "all"}, default="target"
            Whether the rate holds for each target, or for all selected weights
            together. To ask one question of many targets, such as which examples matter
            for any, take "all".
        alternative : {"two-sided", "greater", "less"}, default="two-sided"
            Whether to select weights that differ from 0, that are greater, or that are
            less. Of many selected weights above 0 and few below, most of the few may be
            false. To look at one side alone, select from it.

        Returns
        -------
        selected : bool array of shape (n_targets, n_train)
            Weights that are not 0 (of a typical example). Nothing may be selected.

        References
        ----------
        Benjamini, Hochberg, "Controlling the False Discovery Rate", Journal of the
        Royal Statistical Society B 57(1), 1995.

        Benjamini, Yekutieli, "The Control of the False Discovery Rate in Multiple
        Testing under Dependency", Annals of Statistics 29(4), 2001.
        """
        rate = _rate(fdr, alternative)
        blocks = list(row_blocks(len(self), 32 * self.estimate.shape[1]))
        scores = [lambda rows=rows: self[rows]._score(alternative) for rows in blocks]
        if scope == "all":
            cuts = cut_of_all(scores, [self.freedom[b] for b in blocks], rate, method)
        else:
            cuts = [
                cuts_of_targets(score(), self.freedom[rows], rate, method)
                for score, rows in zip(scores, blocks, strict=True)
            ]
        selected = np.zeros(self.estimate.shape, bool)
        for rows, cut, score in zip(blocks, cuts, scores, strict=True):
            selected[rows] = score() >= cut[:, None]
        return selected

    def effect_of_removal(self, sets):
        """Infer how outputs change if sets of training examples are removed.

        Parameters
        ----------
        sets : array-like of shape (n_sets, n_train)
            Masks of the sets, 1 for an example that is removed. They must not have been
            chosen by these weights: the largest of many estimates are large by chance
            too. Choose the sets on some runs, and infer their effects on others.

        Returns
        -------
        effects : RemovalInference
            Effects to first order: minus the sums of the weights. If subsets have a
            fixed size, effects are those of removing these examples instead of as many
            typical ones (of the same strata).

        Raises
        ------
        ValueError
            If the sets do not have a column for each training example.

        Notes
        -----
        Errors allow for examples of a set that interact. Of copies, one is enough, so
        residuals are large on the few runs that have none of them, and the error is
        larger than if those of the weights were independent.
        """
        sets = np.atleast_2d(as_real(sets, "sets")).astype(np.float64)
        if sets.shape[1:] != self.stratum.shape:
            raise ValueError(
                f"sets must have a column for each of the {len(self.stratum)} training "
                f"examples, got shape {sets.shape}."
            )
        members = np.eye(self.scale.shape[1])[self.stratum]
        squares = (sets**2 @ members)[None].repeat(len(self), 0)
        sums = (sets @ members)[None].repeat(len(self), 0)
        if self.exclude is not None:
            own = np.flatnonzero(self.exclude >= 0)
            column = self.exclude[own]
            squares[own, :, self.stratum[column]] -= sets[:, column].T ** 2
            sums[own, :, self.stratum[column]] -= sets[:, column].T
        if self.n_columns is not None:
            squares -= sums**2 / np.maximum(self._n_usable(), 1)[:, None]
        variance = (np.maximum(squares, 0) @ (self.scale**2)[:, :, None])[..., 0]
        if self._spread is not None:
            variance *= self._spread.ratios_of_sums(self.noise, sets, self.exclude)
        error = np.sqrt(variance)
        effect = -np.where(np.isfinite(error), self.estimate @ sets.T, 0)
        return RemovalInference(effect, error, self.freedom, self.n_columns is not None)

    def with_level_of(self, weights):
        """Return the inference with the mean of some weights, to show it beside them.

        Subsets of a fixed size do not tell the mean weight of all examples, which is 0
        in the estimates. Weights of a regressor have one, by their penalty or prior.

        Parameters
        ----------
        weights : array or CSR of shape (n_targets, n_train)
            Weights whose means, over the examples of each stratum, are taken as known.

        Returns
        -------
        inference : WeightInference
            Its estimates and intervals are on the scale of `weights`. What it selects
            differs from a typical example, and from 0 if the mean of `weights` is
            right, which these runs cannot tell.
        """
        if self.n_columns is None:
            return self
        members = np.eye(len(self.n_columns))[self.stratum]
        level = (weights @ members) / np.maximum(self._n_usable(), 1)
        return replace(self, estimate=self.estimate + level[:, self.stratum])

    @cached_property
    def _n_selected(self):
        """Number of weights of each target that are selected from all of them."""
        return self.select(_FDR, scope="all").sum(axis=1)

    def _table(self):
        n, d = self.estimate.shape
        first = self[:MOST_ROWS]
        largest = abs(first.estimate).argmax(axis=1)
        rows = np.arange(len(first))
        ends = first.interval(1 - 0.05 / d)[rows, largest]  # it is the largest of d
        names = largest if self.player_ids is None else self.player_ids[largest]
        columns = {
            "target": list(rows if self.target_ids is None else first.target_ids),
            "distinguishable": self._n_selected[:MOST_ROWS],
            "largest": list(names),
            "weight": first.estimate[rows, largest],
            "from": ends[:, 0],
            "to": ends[:, 1],
        }
        title = f"Weights of {d:,} training examples for {n:,} targets"
        return Table(title, columns, n, self._notes())

    def _notes(self):
        zero = "zero" if self.n_columns is None else "a typical one"
        if self.n_columns is not None and len(self.n_columns) > 1:
            zero += " of its class"
        n_selected, n = self._n_selected, len(self)
        unknown = np.isnan(self.scale).all(axis=1).sum()
        notes = ["The 95 % intervals allow for the choice of the largest."]
        notes += [f"No interval for {unknown:,} targets."] if unknown else []
        if n_selected.any():
            return (
                *notes,
                f"{n_selected.sum():,} weights of {(n_selected > 0).sum():,} of {n:,} "
                f"targets are distinguishable from {zero} at FDR {_FDR}.",
            )
        return (
            *notes,
            f"No training example is distinguishable from {zero} at FDR {_FDR}:",
            "these runs do not tell which rows the outputs hang on, for any target.",
        )

    __repr__ = table_text
    _repr_html_ = table_html


def _rate(fdr, alternative):
    """Return the rate for two-sided p-values; one tail has half of their size."""
    return fdr if alternative == "two-sided" else 2 * fdr
