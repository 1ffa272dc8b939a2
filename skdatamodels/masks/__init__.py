"""Subset designs and packed mask matrices: the training examples that each run sees."""

from skdatamodels.masks._designs import DESIGNS, sample_masks, subset_size
from skdatamodels.masks._packed import PackedMasks, as_masks

__all__ = ["DESIGNS", "PackedMasks", "as_masks", "sample_masks", "subset_size"]
