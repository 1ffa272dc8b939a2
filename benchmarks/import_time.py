"""Time to import skdatamodels, compared to sklearn.linear_model."""

import subprocess
import sys
import time

from _machine import describe_machine

MODULES = ("sklearn.linear_model", "skdatamodels")


def seconds_to_import(module):
    """Time a fresh interpreter that imports a module."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - start


def main():
    """Print the smallest of ten alternating times of each, and their ratio."""
    print(describe_machine())
    times = {module: [] for module in MODULES}
    for _ in range(10):
        for module in MODULES:
            times[module].append(seconds_to_import(module))
    reference, ours = (min(times[module]) for module in MODULES)
    print(
        f"import {MODULES[0]}: {reference:.2f} s\nimport {MODULES[1]}: {ours:.2f} s\n"
        f"ratio {ours / reference:.2f}"
    )


if __name__ == "__main__":
    main()
