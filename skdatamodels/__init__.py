"""Datamodels: tell which training examples made a model say what it says."""

from skdatamodels.runs import RunStore, TrainingRuns

__all__ = ["RunStore", "TrainingRuns"]
