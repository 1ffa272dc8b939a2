"""Products of matrices by tensor cores: as precise as in float32, and faster.

A float32 matrix is the sum of two of float16, its digits shared between them. Products
of float16 are summed in float32, in parts so short that what tensor cores cut off an
intermediate sum does not add up.
"""

from typing import Any, NamedTuple

# A half holds 11 bits, so this times what the first half leaves is as large as itself.
_SHIFT = 2048.0

# Largest entry of a scaled matrix: 2 to the power of this, well below 65504.
_EXPONENT = 14

# Terms of a sum. An intermediate sum is cut off at each 16th, always towards zero.
_TERMS = 4096


class Halves(NamedTuple):
    """A matrix as ``(high + low / 2048) / scale``."""

    high: Any  # float16, (n, k)
    low: Any  # float16, (n, k); None if nothing is left
    scale: Any  # float32, () or (n, 1), powers of two; None if it is 1


def split(a, by_row=False):
    """Split a float32 matrix, with one scale or one for each row.

    Entries below 2⁻²⁸ of the largest lose digits, and those below 2⁻⁵⁰ vanish.
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
    """Multiply halves as :func:`product` does, but for what the low ones hold.

    It takes a third of the time or less, and has a relative error of 3e-4.
    """
    a, b = a._replace(low=None), b._replace(low=None)
    return product(a, b, terms=b.high.shape[0])


def product(a, b, terms=_TERMS):
    """Multiply halves (n, k) with halves (k, d) of one scale.

    Parameters
    ----------
    a, b : Halves
    terms : int
        Length of sums that are left to tensor cores.

    Returns
    -------
    product : float32 tensor of shape (n, d)
        With a relative error of a few times 1e-6, as float32 products have.
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
