"""Runs: the training subset of each model and its outputs on the targets."""

from skdatamodels.runs._aggregate import aggregate_targets
from skdatamodels.runs._beton import read_beton, write_beton
from skdatamodels.runs._kept_models import KeptModel
from skdatamodels.runs._released import export_released, import_released
from skdatamodels.runs._store import RunStore
from skdatamodels.runs._training_runs import TrainingRuns

__all__ = [
    "KeptModel",
    "RunStore",
    "TrainingRuns",
    "aggregate_targets",
    "export_released",
    "import_released",
    "read_beton",
    "write_beton",
]
