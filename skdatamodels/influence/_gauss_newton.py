"""The Gauss-Newton matrix of a small network, formed and factored once."""

import numpy as np

from skdatamodels.influence._solve import factor_hessian
from skdatamodels.influence._torch import import_torch

_MOST_BYTES = 2**30  # of each array that is held
_ROWS = 2048  # of a block that is converted to float64


class GaussNewton:
    """Solve with the damped Gauss-Newton matrix of the sum of losses over a subset.

    With J the Jacobian of an example's raw outputs and C the second derivatives of its
    loss by them, the matrix is BᵀB + damping·I, where the rows of B are those of √C·J.
    Either this matrix is factored, or BBᵀ + damping·I, whichever is smaller. The second
    solves the same system, since (BᵀB + λI)⁻¹ = (I - Bᵀ(BBᵀ + λI)⁻¹B)/λ.

    Parameters
    ----------
    network : Network
        The network and its examples.
    state : dict
        State of the module, as ``module.state_dict()``.
    damping : float
        Added to the diagonal.
    subset : int array of shape (n_subset,)
        Indices of the training examples.
    block_bytes : int
        Maximum memory for Jacobians, in bytes, besides the arrays that are held.

    Raises
    ------
    ValueError
        If the matrix is singular, or a Jacobian is not finite.
    """

    def __init__(self, network, state, damping, subset, block_bytes):
        self._damping, self._roots = damping, None
        n_rows, n_parameters = gauss_newton_shape(network, subset)
        roots = _blocks_of_roots(network, state, subset, block_bytes)
        if n_parameters <= n_rows or damping == 0:
            matrix = np.zeros((n_parameters, n_parameters))
            for block in roots:
                block = block.astype(np.float64)
                with np.errstate(over="ignore", invalid="ignore"):  # checked below
                    matrix += block.T @ block
            name = "gauss_newton matrix of the {n} parameters"
        else:
            self._roots = np.concatenate(list(roots))
            matrix = _gram(self._roots)
            name = "Gram matrix of the {n} outputs"
        if not np.isfinite(matrix.diagonal()).all():
            raise ValueError(
                "The gauss_newton matrix is not finite, but the Jacobians are: "
                "training may have diverged."
            )
        matrix[np.diag_indices_from(matrix)] += damping
        remedy = "train a network with fewer parameters"
        self._solve = factor_hessian(matrix, name, remedy)

    @staticmethod
    def fits(n_rows, n_parameters):
        """Return whether the arrays take at most about 1 GB each.

        `n_rows` is the size of the subset times the number of raw outputs.
        """
        if n_parameters <= n_rows:
            return 8 * n_parameters**2 <= _MOST_BYTES
        return max(8 * n_rows**2, 4 * n_rows * n_parameters) <= _MOST_BYTES

    def solve(self, vectors):
        """Return the solutions for right-hand sides (n, n_parameters), a tensor."""
        h = vectors.cpu().double().numpy()
        if self._roots is None:
            x = self._solve(h.T).T
        else:
            x = self._solve(np.concatenate([part @ h.T for part in self._parts()]))
            parts = np.split(x.T, range(_ROWS, len(x), _ROWS), axis=1)
            for of_part, part in zip(parts, self._parts(), strict=True):
                h = h - of_part @ part
            x = h / self._damping
        return import_torch().from_numpy(np.ascontiguousarray(x)).to(vectors)

    def _parts(self):
        return _float64_blocks(self._roots)


def gauss_newton_shape(network, subset):
    """Return the number of rows of B and of parameters."""
    n_outputs = 1 if network.classes is None else len(network.classes)
    n_parameters = sum(value.numel() for value in network.parameters.values())
    return len(subset) * n_outputs, n_parameters


def _float64_blocks(rows):
    return (
        rows[start : start + _ROWS].astype(np.float64)
        for start in range(0, len(rows), _ROWS)
    )


def _gram(rows):
    """Return the lower half of the Gram matrix of rows, float64 (n_rows, n_rows)."""
    gram = np.zeros((len(rows), len(rows)))
    for a, left in enumerate(_float64_blocks(rows)):
        start = a * _ROWS
        for b, right in enumerate(_float64_blocks(rows[: start + len(left)])):
            columns = slice(b * _ROWS, b * _ROWS + len(right))
            gram[start : start + len(left), columns] = left @ right.T
    return gram


def _blocks_of_roots(network, state, subset, block_bytes):
    """Yield the rows √C·J of the examples of the subset, in blocks."""
    torch = import_torch()
    n_rows, _ = gauss_newton_shape(network, subset)
    for block in network.gradient_blocks(
        len(subset), block_bytes // (2 * (n_rows // len(subset)))
    ):
        raw, jacobians = network.jacobians(state, "train", subset[block])
        if network.loss == "squared_error":
            roots = 2**0.5 * jacobians
        else:
            proba = raw.softmax(1)[:, :, None]
            mean = (proba * jacobians).sum(1, keepdim=True)
            roots = proba.sqrt() * (jacobians - mean)
        if not torch.isfinite(roots).all():
            rows = subset[block]
            raise ValueError(
                f"The curvature at train examples {rows[0]} to {rows[-1]} is not "
                "finite: training may have diverged."
            )
        yield roots.flatten(0, 1).cpu().numpy()
