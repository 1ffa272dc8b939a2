"""Training many models on subsets."""

from skdatamodels.training.image_beton import read_image_beton
from skdatamodels.training.image_learner import ImageLearner
from skdatamodels.training.subset_trainer import SubsetTrainer
from skdatamodels.training.torch_learner import TorchLearner

__all__ = ["ImageLearner", "SubsetTrainer", "TorchLearner", "read_image_beton"]
