"""Adapters to methods of other packages, with the interface of the baselines.

Each function imports its package when it is called.
"""

from skdatamodels.influence.adapters._captum import captum_influence, captum_tracin
from skdatamodels.influence.adapters._catboost import catboost_importance
from skdatamodels.influence.adapters._dattri import dattri_influence, dattri_tracin
from skdatamodels.influence.adapters._kronfluence import kronfluence_influence
from skdatamodels.influence.adapters._traker import traker_trak

__all__ = [
    "captum_influence",
    "captum_tracin",
    "catboost_importance",
    "dattri_influence",
    "dattri_tracin",
    "kronfluence_influence",
    "traker_trak",
]
