"""Where the kernels run: on the CPU, built by g++, and on a GPU if there is one."""

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from skdatamodels.regression._cuda import CudaLauncher, CudaOps
from skdatamodels.regression._cuda.kernels import SOURCE

HERE = Path(__file__).parent / "cuda"


class Platform(NamedTuple):
    """Where kernels are launched, and where the tensors are that they are given."""

    device: str
    launcher: Any

    def ops(self, **parameters):
        return CudaOps(self.device, launcher=self.launcher, **parameters)


class ShimLauncher:
    """Calls the kernels in a shared library on tensors in the memory of the CPU."""

    def __init__(self, library):
        import torch

        self.device = torch.device("cpu")
        self._library = ctypes.CDLL(library)

    def launch(self, name, grid, block, *args):
        values = [self._argument(a) for a in args]
        pointers = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
        getattr(self._library, f"launch_{name}")(*grid, block, pointers)

    @staticmethod
    def _argument(value):
        if hasattr(value, "data_ptr"):
            return ctypes.c_void_p(value.data_ptr())
        kind = ctypes.c_float if isinstance(value, float) else ctypes.c_longlong
        return kind(value)


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    pytest.importorskip("torch")
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    library = tmp_path_factory.mktemp("shim") / "kernels.so"
    flags = ["-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    kernels = f'-DKERNELS="{SOURCE}"'
    command = ["g++", *flags, kernels, HERE / "shim.cpp", "-o", library]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return Platform("cpu", ShimLauncher(library))


@pytest.fixture(scope="session")
def gpu():
    torch = pytest.importorskip("torch")
    pytest.importorskip("cuda.core")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return Platform("cuda", CudaLauncher("cuda"))


@pytest.fixture(params=["shim", "gpu"])
def platform(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def on_device(request, monkeypatch):
    """Return a function that has the regressor run on the device of a test."""

    def put(device):
        if device == "cpu":
            return "cpu"
        platform = request.getfixturevalue(device)
        monkeypatch.setattr(
            "skdatamodels.regression._cuda.ops.CudaLauncher",
            lambda device: platform.launcher,
        )
        return "cuda"

    return put
