"""Compiling and launching the kernels of kernels.cu; torch is imported on first use."""

from functools import cache
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("kernels.cu")

_INSTALL = (
    'device="cuda" needs {}: pip install "skdatamodels[cuda13]", or [cuda12] for a '
    "CUDA 12 driver."
)


def check_cuda(device="cuda"):
    """Check that a CUDA device is available.

    Parameters
    ----------
    device : str or torch.device, default="cuda"
        Name of the device in torch, such as ``"cuda"`` or ``"cuda:1"``.

    Returns
    -------
    device : torch.device
        The device, with its index.

    Raises
    ------
    ImportError
        If torch or cuda-core is not installed.
    ValueError
        If the device is not a CUDA device.
    RuntimeError
        If this machine has no such device, or torch was built without CUDA.
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
    """Compile kernels.cu, once per process, in some tenths of a second.

    Parameters
    ----------
    arch : str
        Architecture, such as ``"sm_90"``. The result is machine code, because a driver
        that is older than the compiler would reject PTX.

    Returns
    -------
    code : cuda.core.ObjectCode
        The compiled kernels.
    """
    from cuda.core import Program, ProgramOptions

    options = ProgramOptions(name=SOURCE.name, arch=arch, std="c++17")
    return Program(SOURCE.read_text("utf-8"), "c++", options).compile("cubin")


class CudaLauncher:
    """Launches kernels on the current stream of torch.

    Another class with the same method can run them elsewhere, as the tests do on the
    CPU.

    Parameters
    ----------
    device : str or torch.device
        Device, which :func:`check_cuda` checks.
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
        """Launch a kernel; it runs after the operations that torch has queued.

        Parameters
        ----------
        name : str
            Name of the kernel.
        grid : (int, int)
            Number of blocks.
        block : int
            Number of threads in a block.
        args : torch.Tensor, int or float
            Passed as a pointer, a 64-bit integer or a 32-bit float.
        """
        import torch
        from cuda.core import LaunchConfig, Stream, launch

        if name not in self._kernels:
            self._kernels[name] = self._code.get_kernel(name)
        with torch.cuda.device(self.device):
            # Ask at each launch, because a graph is captured on another stream.
            stream = Stream.from_handle(torch.cuda.current_stream().cuda_stream)
            config = LaunchConfig(grid=grid, block=block)
            launch(stream, config, self._kernels[name], *map(_as_argument, args))


def _as_argument(value):
    """Convert an argument of a kernel for cuda.core, where an int has 64 bits."""
    if hasattr(value, "data_ptr"):
        return value.data_ptr()
    return np.float32(value) if isinstance(value, float) else int(value)
