"""Displays, in the manner of scikit-learn: arrays in, ``plot()`` draws them."""

from skdatamodels.plotting.attribution_comparison import AttributionComparisonDisplay
from skdatamodels.plotting.components import ComponentDisplay
from skdatamodels.plotting.counterfactuals import CounterfactualDisplay
from skdatamodels.plotting.data_support import DataSupportDisplay
from skdatamodels.plotting.embedding import EmbeddingDisplay
from skdatamodels.plotting.lds_curve import LDSCurveDisplay
from skdatamodels.plotting.leakage_recall import LeakageRecallDisplay
from skdatamodels.plotting.normality import NormalityDisplay
from skdatamodels.plotting.prediction import PredictionDisplay
from skdatamodels.plotting.similar_examples import SimilarExamplesDisplay

__all__ = [
    "AttributionComparisonDisplay",
    "ComponentDisplay",
    "CounterfactualDisplay",
    "DataSupportDisplay",
    "EmbeddingDisplay",
    "LDSCurveDisplay",
    "LeakageRecallDisplay",
    "NormalityDisplay",
    "PredictionDisplay",
    "SimilarExamplesDisplay",
]
