"""Conjugate gradient for many right-hand sides at once."""

import math
from typing import NamedTuple

from skdatamodels.influence._torch import import_torch


class Solution(NamedTuple):
    """Result of the iterations.

    Attributes
    ----------
    x : tensor of shape (n, d)
        The solutions.
    residuals : float64 tensor of shape (n,)
        Norms of the residuals relative to those of the right-hand sides.
    curvature, top : float
        The smallest and the largest v·Hv / v·v over the search directions v. The
        iterations stop if the smallest is not positive, up to rounding.
    """

    x: object
    residuals: object
    curvature: float
    top: float

    @property
    def is_singular(self):
        """Whether a direction had no positive curvature, up to rounding."""
        return self.curvature <= self.top * import_torch().finfo(self.x.dtype).eps


def conjugate_gradient(product, right_sides, *, tol, max_iter, progress):
    """Solve linear systems with a positive definite matrix, given by its products.

    Parameters
    ----------
    product : callable
        Maps vectors (n, d), for any n, to their products with the matrix.
    right_sides : tensor of shape (n, d)
        The right-hand sides.
    tol : float
        A system is solved if the norm of its residual is at most `tol` times the norm
        of its right-hand side.
    max_iter : int
        Maximum number of iterations.
    progress : tqdm
        Progress bar. It advances by n in total, with the logarithm of the residuals.

    Returns
    -------
    solution : Solution
        The solutions and their residuals.
    """
    torch = import_torch()
    x, norms = torch.zeros_like(right_sides), _squares(right_sides)
    squares = norms.clone()
    curvature, top = torch.inf, 0.0
    left = torch.nonzero(norms > 0)[:, 0]
    start = progress.n
    part, rest = x[left], right_sides[left].clone()
    direction = rest.clone()
    for _ in range(max_iter):
        if not len(left):
            break
        image, old = product(direction), squares[left]
        bend, lengths = (direction * image).sum(1).double(), _squares(direction)
        quotients = bend / lengths
        curvature = min(curvature, float(quotients.min()))
        top = max(top, float(quotients.max()))
        if curvature <= top * torch.finfo(x.dtype).eps:
            break
        step = (old / bend)[:, None].to(x.dtype)
        part, rest = part + step * direction, rest - step * image
        squares[left] = _squares(rest)
        ratio = (squares[left] / old)[:, None].to(x.dtype)
        direction = rest + ratio * direction
        x[left] = part
        unsolved = squares[left] > tol**2 * norms[left]
        left, part, rest, direction = (
            value[unsolved] for value in (left, part, rest, direction)
        )
        residuals = _ratio(squares, norms)
        share = (residuals.clamp(tol, 1).log() / math.log(tol)).sum()
        progress.update(max(0, start + int(share) - progress.n))
    progress.update(start + len(x) - progress.n)
    return Solution(x, _ratio(squares, norms), curvature, top)


def _ratio(squares, norms):
    tiny = import_torch().finfo(norms.dtype).tiny
    return (squares / norms.clamp_min(tiny)).sqrt()


def _squares(vectors):
    torch = import_torch()  # squares overflow float32 sooner than the numbers
    return torch.linalg.vector_norm(vectors, dim=1, dtype=torch.float64) ** 2
