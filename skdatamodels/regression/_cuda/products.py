"""Matrix products on tensor cores, as precise as in float32, and faster.

A float32 matrix is split into a sum of two float16 matrices, which share its digits.
Products of float16 are summed in float32. The sums are split into short parts, so that
the truncation of intermediate sums by tensor cores does not add up.
"""

from typing import Any, NamedTuple

# A float16 holds 11 bits, so the remainder times this is as large as the first half.
_SHIFT = 2048.0

# Largest entry of a scaled matrix: 2 to the power of this, well below 65504.
_EXPONENT = 14

# Terms of a sum. Tensor cores truncate the sum after every 16 terms, towards zero.
_TERMS = 4096


class Halves(NamedTuple):
    """A matrix as ``(high + low / 2048) / scale``."""

    high: Any  # float16, (n, k)
    low: Any  # float16, (n, k); None if it is 0
    scale: Any  # float32, () or (n, 1), powers of two; None if it is 1


def split(a, by_row=False):
    """Split a float32 matrix, with one scale for all rows or one for each.

    Entries below 2⁻²⁸ of the largest lose digits; those below 2⁻⁵⁰ become 0.
    """
    import torch

    largest = torch.linalg.vector_norm(a, torch.inf, 1, keepdim=True)
    if not by_row:
        largest = largest.amax()
    exponent = (_EXPONENT - torch.frexp(largest)[1]).clamp(max=100)
    scale = torch.ldexp(torch.ones_like(largest), exponent)
    rest = a * scale
    high = rest.half()
    low = rest.sub_(high).mul_(_SHIFT).half()
    return Halves(high, low, scale)


def rough_product(a, b):
    """Multiply halves like :func:`product`, but ignore the low ones.

    This takes at most a third of the time, with a relative error of 3e-4.
    """
    a, b = a._replace(low=None), b._replace(low=None)
    return product(a, b, terms=b.high.shape[0])


def product(a, b, terms=_TERMS):
    """Multiply halves (n, k) by halves (k, d) with one scale.

    Parameters
    ----------
    a, b : Halves
        Factors.
    terms : int
        Number of terms in a sum that tensor cores compute.

    Returns
    -------
    product : float32 tensor of shape (n, d)
        The product, with a relative error of a few times 1e-6, like a float32 product.
    """
    out = None
    for start in range(0, b.high.shape[0], terms):
        part = slice(start, start + terms)
        part = _multiply(a.high[:, part], b.high[part])
        out = part if out is None else out.add_(part)
    small = [
        _multiply(x, y)
        for x, y in ((a.low, b.high), (a.high, b.low))
        if x is not None and y is not None
    ]
    for part in small:
        out.add_(part, alpha=1 / _SHIFT)
    for scale in (a.scale, b.scale):
        if scale is not None:
            out.div_(scale)
    return out


def _multiply(x, y):
    """Multiply float16 matrices, with sums in float32."""
    import torch

    if x.is_cuda:
        return torch.mm(x, y, out_dtype=torch.float32)
    return x.float() @ y.float()
