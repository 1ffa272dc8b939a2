"""Scores of datamodels, the noise in them, and scorers for model selection."""

from skdatamodels.metrics._lds import (
    ScoreInterval,
    lds_interval,
    linear_datamodeling_score,
)
from skdatamodels.metrics._leakage_recall import (
    LeakageRecall,
    leakage_recall,
    metadata_distances,
)
from skdatamodels.metrics._noise import noise_ceiling, optimal_mse
from skdatamodels.metrics._normality import normality_p_values
from skdatamodels.metrics._scorers import lds_scorer, make_lds_scorer
from skdatamodels.metrics._variance_components import (
    VarianceComponents,
    variance_components,
)

__all__ = [
    "LeakageRecall",
    "ScoreInterval",
    "VarianceComponents",
    "lds_interval",
    "lds_scorer",
    "leakage_recall",
    "linear_datamodeling_score",
    "make_lds_scorer",
    "metadata_distances",
    "noise_ceiling",
    "normality_p_values",
    "optimal_mse",
    "variance_components",
]
