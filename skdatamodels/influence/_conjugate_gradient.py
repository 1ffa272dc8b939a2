"""Conjugate gradient on many right sides at once."""

import math
from typing import NamedTuple

from skdatamodels.influence._torch import import_torch


class Solution(NamedTuple):
    """What the iterations reached.

    x (n, d); residuals (n,), relative to the right sides, float64; `curvature`, the
    least v·Hv / v·v along a direction of the search, and `top`, the largest: if the
    first is not positive beyond rounding, the iterations ended there.
    """

    x: object
    residuals: object
    curvature: float
    top: float

    @property
    def is_singular(self):
        """Whether a direction had no positive curvature beyond rounding."""
        return self.curvature <= self.top * import_torch().finfo(self.x.dtype).eps


def conjugate_gradient(product, right_sides, *, tol, max_iter, progress):
    """Solve with a symmetric positive definite matrix, given by its products.

    Parameters
    ----------
    product : callable
        From vectors (n, d) to their products with the matrix, any n.
    right_sides : tensor of shape (n, d)
    tol : float
        Norm of the residual over that of the right side at which one is solved.
    max_iter : int
    progress : tqdm
        Advances by n in all, with the logarithm of the residuals.
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
    torch = import_torch()  # squares leave the range of float32 sooner than numbers
    return torch.linalg.vector_norm(vectors, dim=1, dtype=torch.float64) ** 2
