"""The size of the memory."""

import ctypes
import os
from pathlib import Path

import numpy as np

_CGROUP_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)


def available_memory():
    """Return the memory of the machine or container in bytes; infinity if unknown."""
    limits = [np.inf]
    for path in map(Path, _CGROUP_LIMITS):
        if path.exists() and (limit := path.read_text().strip()) != "max":
            limits.append(int(limit))
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    elif hasattr(ctypes, "windll"):
        kilobytes = ctypes.c_ulonglong()
        ask = ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory
        if ask(ctypes.byref(kilobytes)):
            limits.append(1024 * kilobytes.value)
    return min(limits)
