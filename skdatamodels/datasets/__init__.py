"""Data sets: small real ones, generated runs, and the files released with the paper."""

from skdatamodels.datasets._digits import load_digits_examples
from skdatamodels.datasets._judged_runs import JudgedRuns, load_judged_runs
from skdatamodels.datasets._linear_runs import make_linear_runs
from skdatamodels.datasets._released import (
    ReleasedDatamodels,
    load_released_datamodels,
    load_released_runs,
)

__all__ = [
    "JudgedRuns",
    "ReleasedDatamodels",
    "load_digits_examples",
    "load_judged_runs",
    "load_released_datamodels",
    "load_released_runs",
    "make_linear_runs",
]
