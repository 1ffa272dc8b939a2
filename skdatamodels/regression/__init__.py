"""The LASSO from masks to outputs, for all targets at once."""

from skdatamodels.regression.datamodel_regressor import DatamodelRegressor
from skdatamodels.regression.lasso_path import lasso_path

__all__ = ["DatamodelRegressor", "lasso_path"]
