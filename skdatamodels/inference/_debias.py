"""Debiased weights of some targets: the arithmetic of `infer_weights`.

Everything is vectorised over targets. A run that a target cannot use has a residual of
0 for it, so that one product of all masks with the residuals serves all targets.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skdatamodels.inference._mask_covariance import MaskCovariance
from skdatamodels.inference._mask_spread import MaskSpread
from skdatamodels.masks import PackedMasks
from skdatamodels.runs._usable_runs import usable_runs

LEAST_FREEDOM = 2  # observations less degrees of freedom
_NEARLY_HALF = 0.02  # difference of alpha from 1/2 that does not matter


class Debiased(NamedTuple):
    """Debiased weights of some targets."""

    estimate: np.ndarray  # (n, d)
    scale: np.ndarray  # (n, n_strata), standard errors before centring
    freedom: np.ndarray  # (n,), observations less degrees of freedom
    noise: np.ndarray  # (n, m), what each run adds to the errors; of length 1
    variance_ratio: np.ndarray | None  # (n, d), of variances to those of `scale`
    offset: np.ndarray  # (n_fitted,), mean residuals by their error if runs were new


class Residuals(NamedTuple):
    """Residuals of the usable runs of some targets."""

    values: np.ndarray  # (m, n), 0 where not usable
    usable: np.ndarray  # (m, n)

    @property
    def n_runs(self):
        """Number of usable runs of each target (n,), at least 1."""
        return np.maximum(self.usable.sum(axis=0), 1)


@dataclass(frozen=True)
class FittedRuns:
    """A fit and its runs."""

    model: Any
    masks: PackedMasks
    outputs: np.ndarray  # (m, n_targets)
    exclude: np.ndarray | None  # (n_targets,)
    design: MaskCovariance
    correlation: float  # mean squared one, times the number of runs; 0 if orthogonal

    def debias(self, targets, variances):
        """Debias the weights of some targets, which exclude columns of one stratum.

        Parameters
        ----------
        targets : int array of shape (n,)
            The targets.
        variances : float64 array of shape (n_strata, m)
            Of the masks of each run.

        Returns
        -------
        found : Debiased
        """
        coef = self._rows("coef_", targets)
        exclude = None if self.exclude is None else self.exclude[targets]
        residuals, offset = self._residuals(targets, coef, exclude)
        total = variances @ residuals.usable
        total = np.where(total > 0, total, np.nan)  # m·v
        if self.correlation:
            used = self._degrees_of_freedom(targets, coef, residuals)
        else:
            coef, residuals = self._least_squares(coef, residuals, total)
            used = np.full(len(targets), len(self.design.stratum))
        left_out, n = leave_out(residuals, used, self.design)
        freedom = n - used
        left_out *= np.where(freedom >= LEAST_FREEDOM, self._correction(used, n), 0)
        scale = np.sqrt(self._squares(left_out, residuals.usable, variances)) / total
        scale[:, freedom < LEAST_FREEDOM] = np.nan
        step = self.masks.T_dot(left_out) / total[self.design.stratum]
        absent = None
        if exclude is not None:
            absent = exclude[:, None] == np.arange(len(step))
        estimate = self.design.centred(coef + np.nan_to_num(step.T), absent)
        noise = self._noise(left_out, variances)
        ratio = None
        if self.unlike:
            ratio = self.spread.ratios(noise)
            if absent is not None:
                ratio[absent] = 1
        return Debiased(estimate, scale.T, freedom, noise, ratio, offset)

    @cached_property
    def spread(self):
        """The MaskSpread of the runs."""
        alpha = self.design.alpha[self.design.level]
        # the masks of a pair are opposite, so that all squares are equal
        alpha[self.design.pairs] = 0.5
        return MaskSpread(self.masks, alpha, self.design)

    @property
    def unlike(self):
        """Whether errors of weights depend on the mask: a fraction is not 1/2."""
        return abs(self.design.alpha - 0.5).max() > _NEARLY_HALF

    def _rows(self, name, targets):
        """Return rows of a matrix of the model, dense (n, d)."""
        matrix = getattr(self.model, name)
        if sparse.issparse(matrix):
            return matrix[targets].toarray().astype(np.float64)
        return np.atleast_2d(matrix)[targets].astype(np.float64)

    def _residuals(self, targets, coef, exclude):
        """Return residuals, and their means by their error if runs were new."""
        Y = np.array(self.outputs[:, targets], np.float64)
        intercept = np.atleast_1d(self.model.intercept_)[targets]
        usable = usable_runs(self.masks, Y, exclude)
        usable = np.ones(Y.shape, bool) if usable is None else usable
        usable &= np.isfinite(intercept)
        values = Y - self.masks.dot(np.ascontiguousarray(coef.T)) - intercept
        residuals = Residuals(np.where(usable, values, 0), usable)
        m, R = residuals.n_runs, residuals.values
        spread = np.sqrt((R**2).sum(axis=0) / m)
        rounding = 1e-4 * np.sqrt(np.where(usable, Y**2, 0).sum(axis=0) / m)
        error = np.maximum((spread + rounding) / np.sqrt(m), np.finfo(float).tiny)
        return residuals, (abs(R.sum(axis=0) / m) / error)[np.isfinite(intercept)]

    def _degrees_of_freedom(self, targets, coef, residuals):
        """Return degrees of freedom (n,) beyond the intercept."""
        model = self.model
        if model.penalty_ == "l2":
            # its noise is the sum of squares by the runs less degrees of freedom
            noise = model.noise_variance_[targets]
            squares = (residuals.values**2).sum(axis=0)
            left = np.divide(squares, noise, where=noise > 0, out=0 * squares)
            return np.maximum(residuals.n_runs - left - 1, 0)
        if not hasattr(model, "prior_coef_"):
            return np.count_nonzero(coef, axis=1)
        share = model.prior_strength_[targets, 0]
        prior = share[:, None] * self._rows("prior_coef_", targets)
        rounding = 4 * np.finfo(model.coef_.dtype).eps
        size = np.maximum(abs(prior), abs(coef))
        return (abs(coef - prior) > rounding * size).sum(axis=1)

    def _correction(self, used, n):
        """Return factors of left-out residuals if columns are not quite independent.

        The share of a column in the span of s others is s times the mean squared
        correlation, to first order: s/n for independent runs, and 0 for orthogonal
        columns, where the standard error needs the residual's degrees of freedom only.
        """
        left = np.maximum(1 - used / n, 0)
        if not self.correlation:
            return np.sqrt(left)
        rest = np.maximum(1 - used / n * self.correlation, np.finfo(float).eps)
        return left / rest

    def _squares(self, left_out, usable, variances):
        """Return the variances of masks times left-out residuals, summed over runs."""
        first, second = self.design.pairs.T
        both = usable[first] & usable[second]
        squares, sums = left_out**2, left_out[first] - left_out[second]
        squares[first] *= ~both
        squares[second] *= ~both
        return variances @ squares + variances[:, first] @ (sums**2 * both)

    def _noise(self, left_out, variances):
        """Return vectors of length 1, whose products are the correlations of errors.

        Errors are the products of masks with left-out residuals. The masks of a pair
        are opposite, so it adds the difference of its residuals.
        """
        first, second = self.design.pairs.T
        noise = left_out * np.sqrt(variances.mean(axis=0))[:, None]
        noise[first] -= noise[second]
        noise[second] = 0
        size = np.sqrt((noise**2).sum(axis=0))
        return (noise / np.where(size > 0, size, 1)).T

    def _least_squares(self, coef, residuals, total):
        """Return least-squares weights and residuals for orthogonal columns."""
        if self.exclude is None and not residuals.usable.all():
            raise ValueError(
                "A run of an orthogonal block has no output (NaN) for some targets. "
                "Infer the weights of the other targets, or use another design."
            )
        centred = leave_out(residuals, np.zeros(len(coef)), self.design)[0]
        step = self.masks.T_dot(centred) / total[self.design.stratum]
        change = self.masks.dot(np.nan_to_num(step)) * residuals.usable
        change -= change.sum(axis=0) / residuals.n_runs
        values = np.where(residuals.usable, residuals.values - change, 0)
        return coef + np.nan_to_num(step.T), residuals._replace(values=values)


def leave_out(residuals, used, design):
    """Return residuals of runs, or of pairs, that are left out of the fit.

    A run has leverage s/m in a fit with s degrees of freedom, and a pair, whose
    observation is a difference, twice as much. The residuals of a pair are replaced by
    plus and minus half of their difference.

    Parameters
    ----------
    residuals : Residuals
        Residuals of the fit.
    used : array of shape (n,)
        Degrees of freedom.
    design : MaskCovariance
        Pairs, and levels that single runs are centred within.

    Returns
    -------
    left_out : float64 array of shape (m, n)
    n_observations : int array of shape (n,)
        Pairs and single runs, less the means of these.
    """
    (R, usable), m = residuals, residuals.n_runs
    first, second = design.pairs.T
    both = usable[first] & usable[second]
    single = usable.copy()
    single[first] &= ~both
    single[second] &= ~both
    found, n_means = R.copy(), np.zeros(len(m), int)
    for level in range(len(design.alpha)):
        own = single & (design.level == level)[:, None]
        n = own.sum(axis=0)
        found -= own * ((R * own).sum(axis=0) / np.maximum(n, 1))
        n_means += n > 0
    tiny = np.finfo(float).eps
    found /= np.maximum(1 - (used + n_means) / m, tiny)
    half = (R[first] - R[second]) / 2 / np.maximum(1 - 2 * used / m, tiny)
    found[first] = np.where(both, half, found[first])
    found[second] = np.where(both, -half, found[second])
    return found * usable, np.maximum(m - both.sum(axis=0) - n_means, 1)
