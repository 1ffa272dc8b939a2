"""Baselines that make the same attribution matrix as a datamodel."""

from skdatamodels.influence.difference_of_means import DifferenceOfMeans

__all__ = ["DifferenceOfMeans"]
