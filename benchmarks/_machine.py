"""Description of the machine that a benchmark runs on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def describe_machine():
    """Return processor, cores and versions as one line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = [line.split(": ")[1] for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    packages = ("numpy", "scipy", "scikit-learn", "numba")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    python = platform.python_version()
    return f"{model}, {os.cpu_count()} cores, Python {python}, {versions}"
