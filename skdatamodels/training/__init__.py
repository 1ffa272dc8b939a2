"""Training many models on subsets."""

from skdatamodels.training.subset_trainer import SubsetTrainer

__all__ = ["SubsetTrainer"]
