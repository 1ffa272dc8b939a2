"""Scores and tests of weights, the noise in them, and scorers for model selection."""

from skdatamodels.metrics._attribution_correlation import attribution_correlation
from skdatamodels.metrics._class_detection import class_detection
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
from skdatamodels.metrics._mark_detection import mark_detection
from skdatamodels.metrics._noise import noise_ceiling, optimal_mse
from skdatamodels.metrics._normality import normality_p_values
from skdatamodels.metrics._scorers import lds_scorer, make_lds_scorer
from skdatamodels.metrics._top_k_overlap import top_k_overlap
from skdatamodels.metrics._variance_components import (
    VarianceComponents,
    variance_components,
)
from skdatamodels.metrics._wrong_label_detection import wrong_label_detection

__all__ = [
    "LeakageRecall",
    "ScoreInterval",
    "VarianceComponents",
    "attribution_correlation",
    "class_detection",
    "lds_interval",
    "lds_scorer",
    "leakage_recall",
    "linear_datamodeling_score",
    "make_lds_scorer",
    "mark_detection",
    "metadata_distances",
    "noise_ceiling",
    "normality_p_values",
    "optimal_mse",
    "top_k_overlap",
    "variance_components",
    "wrong_label_detection",
]
