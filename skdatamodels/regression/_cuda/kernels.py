"""Compiling and launching the kernels of kernels.cu; nothing is imported before use."""

from functools import cache
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("kernels.cu")

_INSTALL = (
    'device="cuda" needs {}: pip install "skdatamodels[cuda13]", or [cuda12] for a '
    "driver of CUDA 12."
)


def check_cuda(device="cuda"):
    """Check that a device can be computed on.

    Parameters
    ----------
    device : str or torch.device, default="cuda"
        As torch names it: ``"cuda"``, ``"cuda:1"``.

    Returns
    -------
    device : torch.device
        With its index.

    Raises
    ------
    ImportError
        If torch or cuda-core is not installed.
    ValueError
        If it is no CUDA device.
    RuntimeError
        If this machine, or torch as it was built, has no such device.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError(_INSTALL.format("torch")) from error
    if str(device).split(":")[0] != "cuda":
        raise ValueError(f'A CUDA device is named "cuda" or "cuda:1", got "{device}".')
    device = torch.device(device)
    try:
        import cuda.core  # noqa: F401
    except ImportError as error:
        raise ImportError(_INSTALL.format("cuda-core")) from error
    n_devices = torch.cuda.device_count()
    if (device.index or 0) >= n_devices:
        build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU alone"
        raise RuntimeError(
            f'No device "{device}": torch {torch.__version__}, built for {build}, sees '
            f'{n_devices} CUDA devices. Use device="cpu", or install a build of torch '
            "for your driver."
        )
    index = torch.cuda.current_device() if device.index is None else device.index
    return torch.device("cuda", index)


@cache
def compile_kernels(arch):
    """Compile kernels.cu, once in a process, which takes some tenths of a second.

    Parameters
    ----------
    arch : str
        Architecture, such as ``"sm_90"``. What is made is machine code: a driver older
        than the compiler would refuse PTX.

    Returns
    -------
    code : cuda.core.ObjectCode
    """
    from cuda.core import Program, ProgramOptions

    options = ProgramOptions(name=SOURCE.name, arch=arch, std="c++17")
    return Program(SOURCE.read_text("utf-8"), "c++", options).compile("cubin")


class CudaLauncher:
    """Launches kernels on torch's current stream.

    Another class with this method can run them elsewhere, as the tests do on the CPU.

    Parameters
    ----------
    device : str or torch.device
        See :func:`check_cuda`, which is called.
    """

    def __init__(self, device="cuda"):
        self.device = check_cuda(device)
        import torch
        from cuda.core import Device

        major, minor = torch.cuda.get_device_capability(self.device)
        with torch.cuda.device(self.device):
            Device(self.device.index).set_current()
            self._code = compile_kernels(f"sm_{major}{minor}")
        self._kernels = {}

    def launch(self, name, grid, block, *args):
        """Launch a kernel; it runs after what torch has been asked to do before.

        Parameters
        ----------
        name : str
        grid : (int, int)
        block : int
        args : torch.Tensor, int or float
            Passed as a pointer, as a 64-bit integer and as a 32-bit float.
        """
        import torch
        from cuda.core import LaunchConfig, Stream, launch

        if name not in self._kernels:
            self._kernels[name] = self._code.get_kernel(name)
        with torch.cuda.device(self.device):
            # Asked for at each launch: a graph is captured on a stream of its own.
            stream = Stream.from_handle(torch.cuda.current_stream().cuda_stream)
            config = LaunchConfig(grid=grid, block=block)
            launch(stream, config, self._kernels[name], *map(_as_argument, args))


def _as_argument(value):
    """Return a kernel's argument as cuda.core takes it: an int is 64 bits wide."""
    if hasattr(value, "data_ptr"):
        return value.data_ptr()
    return np.float32(value) if isinstance(value, float) else int(value)
