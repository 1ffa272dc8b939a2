"""Other packages' methods behind the interface of the baselines.

Each function imports its package when it is called.
"""

from skdatamodels.influence.adapters.captum import captum_influence, captum_tracin
from skdatamodels.influence.adapters.dattri import dattri_influence, dattri_tracin
from skdatamodels.influence.adapters.kronfluence import kronfluence_influence
from skdatamodels.influence.adapters.traker import traker_trak

__all__ = [
    "captum_influence",
    "captum_tracin",
    "dattri_influence",
    "dattri_tracin",
    "kronfluence_influence",
    "traker_trak",
]
