"""Informed datamodels: a cheap attribution matrix as a prior for the LASSO.

A prior τ for a target, in units of its output, is used in two ways, each with its own
strength:

- as an *offset*. The LASSO then models the difference δ from it: minimise
  ‖y - X(τ + δ)‖²/2m + lam·Σ pᵢ·abs(δᵢ) over δ;
- as *penalty factors* pᵢ = (abs(τᵢ)/mean(abs(τ)) + 0.1)^(-e), which penalise the
  examples less that the prior finds important; with e = 0 all factors are 1.

On a Gram matrix, the residual y - X·w₀ has covariances c - G·w₀ and variance
y_var - 2c·w₀ + w₀·G·w₀: an informed problem is again a LASSO problem.
"""

from typing import Any, NamedTuple

import numpy as np

# Strengths to choose from, as (whether to use the offset, exponent of the penalty
# factors). The first uses no prior.
STRENGTHS = ((0.0, 0.0), (1.0, 0.0), (0.0, 0.5), (1.0, 0.5))
_FLOOR = 0.1


class Prior(NamedTuple):
    """Prior weights and penalty factors."""

    weights: (
        Any  # Stack or float array (n_targets, d), in units of the outputs; or None
    )
    penalty_factors: np.ndarray  # (d,) or (n_targets, d)
    exclude: np.ndarray | None = None  # (n_targets,), examples of weight 0; -1 for none

    def of(self, targets):
        """Return the prior of some targets, with dense weights.

        Only this part of a stack of large matrices is computed.
        """
        weights, factors, exclude = self
        if weights is not None:
            weights = weights[targets]
        if weights is not None and exclude is not None:
            set_zero(weights, exclude[targets])
        own = factors.ndim == 2 and len(factors) > 1
        return Prior(weights, factors[targets] if own else factors)


def set_zero(weights, exclude):
    """Set the weight of the excluded example of each row to 0; -1 is none."""
    some = np.flatnonzero(exclude >= 0)
    weights[some, exclude[some]] = 0


class InformedProblem(NamedTuple):
    """A LASSO problem in δ = w - offset, one row for each target."""

    cov: np.ndarray  # (n_targets, d)
    y_var: np.ndarray  # (n_targets,)
    penalty_factors: np.ndarray  # (1, d) or (n_targets, d)
    offset: np.ndarray | None  # (n_targets, d)

    def of(self, targets, dtype):
        """Return the problem of some targets, in the dtype of a computation."""
        cov, y_var, factors, offset = self
        return InformedProblem(
            np.ascontiguousarray(cov[targets], dtype),
            y_var[targets],
            np.ascontiguousarray(
                factors if len(factors) == 1 else factors[targets]
            ).astype(dtype, copy=False),
            None if offset is None else offset[targets].astype(dtype, copy=False),
        )

    def weights(self, delta):
        """Add the offset to solutions (n_targets, n_lams, d)."""
        return delta if self.offset is None else delta + self.offset[:, None]


def inform(data, prior, strengths):
    """Apply a prior to a LASSO problem on moments.

    Parameters
    ----------
    data : Moments
        Moments of the runs.
    prior : Prior
        Prior of the targets.
    strengths : sequence
        Elements of `STRENGTHS`.

    Returns
    -------
    problems : list of InformedProblem
        One for each strength.
    """
    cov, y_var = data.covariances()
    tau, factors, _ = prior
    plain = InformedProblem(cov, y_var, np.atleast_2d(factors), None)
    if tau is None:
        return [plain]
    product = data.gram_dot(tau)
    energy = np.einsum("td,td->t", tau, product)
    fit = np.einsum("td,td->t", tau, cov)
    rest = plain._replace(
        cov=cov - product,
        y_var=np.maximum(y_var - 2 * fit + energy, 0),
        offset=tau,
    )
    return [
        (rest if share else plain)._replace(penalty_factors=factors_of(prior, exponent))
        for share, exponent in strengths
    ]


def factors_of(prior, exponent):
    """Return penalty factors (1 or n_targets, d) at a strength of the prior."""
    factors = np.atleast_2d(prior.penalty_factors)
    if not exponent:
        return factors
    return factors * relative_size(prior.weights) ** -exponent


def relative_size(weights):
    """Return abs(τ)/mean(abs(τ)) + 0.1 for each row τ of weights."""
    size = np.abs(weights)
    mean = size.mean(axis=1, keepdims=True)
    return np.divide(size, mean, out=np.ones_like(size), where=mean > 0) + _FLOOR
