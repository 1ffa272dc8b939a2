"""How torch multiplies float32 matrices on a GPU, whatever a user has set."""

from contextlib import contextmanager
from functools import partial


@contextmanager
def precision(wanted):
    """Set it for a while.

    Parameters
    ----------
    wanted : {"highest", "high"}
        In full float32, or with factors rounded to the 10 bits of TF32, which is many
        times as fast, and exact for factors of 0 and 1.
    """
    import torch

    try:
        before, new = torch.get_float32_matmul_precision(), wanted
        put = torch.set_float32_matmul_precision
    except RuntimeError:  # told by its newer setting, which does not mix with this one
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
