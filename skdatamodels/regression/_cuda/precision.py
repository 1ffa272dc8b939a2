"""The precision of float32 products by torch on a GPU, whatever the user has set."""

from contextlib import contextmanager
from functools import partial


@contextmanager
def precision(wanted):
    """Set the precision of float32 products within a block.

    Parameters
    ----------
    wanted : {"highest", "high"}
        "highest": full float32. "high": factors are rounded to the 10 bits of TF32,
        which is many times faster, and exact for factors of 0 and 1.
    """
    import torch

    try:
        before, new = torch.get_float32_matmul_precision(), wanted
        put = torch.set_float32_matmul_precision
    except RuntimeError:  # the user has set torch's newer option, which excludes this
        matmul = torch.backends.cuda.matmul
        before, new = matmul.fp32_precision, {"highest": "ieee", "high": "tf32"}[wanted]
        put = partial(setattr, matmul, "fp32_precision")
    if before == new:
        yield
        return
    put(new)
    try:
        yield
    finally:
        put(before)
