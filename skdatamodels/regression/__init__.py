"""LASSO regression from masks to outputs, for all targets at once."""

from skdatamodels._attribution_matrix import AttributionMatrix
from skdatamodels.regression._datamodel_regressor import DatamodelRegressor
from skdatamodels.regression._gram.lasso_path import lasso_path
from skdatamodels.regression._residual.residual_path import residual_path
from skdatamodels.regression._saga.saga_path import saga_path

__all__ = [
    "AttributionMatrix",
    "DatamodelRegressor",
    "lasso_path",
    "residual_path",
    "saga_path",
]
