"""Datamodels: tell which training examples made a model say what it says."""

from skdatamodels._examples import Examples
from skdatamodels.masks import PackedMasks, sample_masks
from skdatamodels.regression import DatamodelRegressor, lasso_path
from skdatamodels.runs import RunStore, TrainingRuns
from skdatamodels.training import SubsetTrainer

__all__ = [
    "DatamodelRegressor",
    "Examples",
    "PackedMasks",
    "RunStore",
    "SubsetTrainer",
    "TrainingRuns",
    "lasso_path",
    "sample_masks",
]
