"""Informed datamodels: a cheap attribution matrix helps the LASSO along.

A prior τ for a target enters in two ways, each with a strength of its own:

- as an *offset* β·τ, scaled by least squares, from which the LASSO models only what is
  left: minimise ‖y - X(βτ + δ)‖²/2m + lam·Σ pᵢ·abs(δᵢ) over δ;
- as *penalty factors* pᵢ = (abs(τᵢ)/mean(abs(τ)) + 0.1)^(-e), which let the examples in
  first that the prior finds important; e = 0 treats all alike.

On a Gram matrix, the residual y - X·w₀ has covariances c - G·w₀ and variance
y_var - 2c·w₀ + w₀·G·w₀: an informed problem is again a LASSO problem.
"""

from typing import NamedTuple

import numpy as np

# Strengths to choose from, as (multiple of the least-squares offset, exponent of the
# penalty factors). The first is no prior at all.
STRENGTHS = ((0.0, 0.0), (1.0, 0.0), (0.0, 0.5), (1.0, 0.5))
_FLOOR = 0.1


class Prior(NamedTuple):
    """What is believed before the runs are seen."""

    weights: np.ndarray | None  # (n_targets, d), an attribution matrix of any scale
    penalty_factors: np.ndarray  # (d,) or (n_targets, d)

    def of(self, targets):
        """Return the prior of some targets."""
        weights, factors = self
        return Prior(
            None if weights is None else weights[targets],
            factors[targets] if factors.ndim == 2 else factors,
        )


class InformedProblem(NamedTuple):
    """A LASSO problem in δ = w - offset."""

    offset: np.ndarray  # (n_targets, d)
    cov: np.ndarray  # (d, n_targets)
    y_var: np.ndarray  # (n_targets,)
    penalty_factors: np.ndarray  # (d,) or (n_targets, d)


def inform(gram, cov, y_var, prior, strength):
    """Let a prior into a LASSO problem.

    Parameters
    ----------
    gram : array of shape (d, d)
    cov : float64 array of shape (d, n_targets)
    y_var : float64 array of shape (n_targets,)
    prior : Prior
    strength : tuple of float
        One of `STRENGTHS`.

    Returns
    -------
    informed : InformedProblem
    """
    share, exponent = strength
    tau, factors = prior
    if tau is None or strength == STRENGTHS[0]:
        return InformedProblem(np.zeros(cov.T.shape), cov, y_var, factors)
    product = (tau.astype(gram.dtype) @ gram).astype(np.float64)
    energy = np.einsum("td,td->t", tau, product)
    fit = np.einsum("td,dt->t", tau, cov)
    scale = share * np.divide(fit, energy, out=np.zeros_like(fit), where=energy > 0)
    size = np.abs(tau)
    mean = size.mean(axis=1, keepdims=True)
    relative = np.divide(size, mean, out=np.ones_like(size), where=mean > 0)
    return InformedProblem(
        scale[:, None] * tau,
        cov - scale * product.T,
        np.maximum(y_var - 2 * scale * fit + scale**2 * energy, 0),
        factors * (relative + _FLOOR) ** -exponent,
    )
