"""Baselines that compute an attribution matrix, as datamodels do."""

from skdatamodels.influence._attribution import Attribution
from skdatamodels.influence._attribution_regressor import AttributionRegressor
from skdatamodels.influence._boosting_influence import boosting_influence
from skdatamodels.influence._cheap_attributions import (
    CheapAttributions,
    cheap_attributions,
)
from skdatamodels.influence._controls import random_influence, same_class_influence
from skdatamodels.influence._data_oob import data_oob
from skdatamodels.influence._difference_of_means import DifferenceOfMeans
from skdatamodels.influence._forest_influence import forest_influence
from skdatamodels.influence._influence_functions import influence_functions
from skdatamodels.influence._knn_shapley import knn_shapley
from skdatamodels.influence._last_layer_influence import last_layer_influence
from skdatamodels.influence._logistic_influence import logistic_influence
from skdatamodels.influence._mlp_influence import mlp_influence
from skdatamodels.influence._over_subsets import over_subsets
from skdatamodels.influence._representation import representation_similarity
from skdatamodels.influence._ridge_influence import ridge_influence, ridge_leave_one_out
from skdatamodels.influence._semivalues import banzhaf_values, shapley_values
from skdatamodels.influence._tracin import gradient_dot, tracin
from skdatamodels.influence._trak import trak

__all__ = [
    "Attribution",
    "AttributionRegressor",
    "CheapAttributions",
    "DifferenceOfMeans",
    "banzhaf_values",
    "boosting_influence",
    "cheap_attributions",
    "data_oob",
    "forest_influence",
    "gradient_dot",
    "influence_functions",
    "knn_shapley",
    "last_layer_influence",
    "logistic_influence",
    "mlp_influence",
    "over_subsets",
    "random_influence",
    "representation_similarity",
    "ridge_influence",
    "ridge_leave_one_out",
    "same_class_influence",
    "shapley_values",
    "tracin",
    "trak",
]
