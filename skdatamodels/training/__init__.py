"""Training of many models on subsets."""

from skdatamodels.training._component_ablation import ComponentAblation
from skdatamodels.training._learners.image_beton import read_image_beton
from skdatamodels.training._learners.image_learner import ImageLearner
from skdatamodels.training._learners.resnets import resnet9, resnet18
from skdatamodels.training._learners.torch_learner import TorchLearner
from skdatamodels.training._subset_trainer import SubsetTrainer

__all__ = [
    "ComponentAblation",
    "ImageLearner",
    "SubsetTrainer",
    "TorchLearner",
    "read_image_beton",
    "resnet9",
    "resnet18",
]
