"""Training many models on subsets."""

from skdatamodels.training.subset_trainer import SubsetTrainer
from skdatamodels.training.torch_learner import TorchLearner

__all__ = ["SubsetTrainer", "TorchLearner"]
