"""Displays, as in scikit-learn: they hold arrays, and ``plot()`` draws them."""

from skdatamodels.plotting._alphas import AlphaDisplay
from skdatamodels.plotting._attribution_comparison import AttributionComparisonDisplay
from skdatamodels.plotting._components import ComponentDisplay
from skdatamodels.plotting._counterfactuals import CounterfactualDisplay
from skdatamodels.plotting._data_support import DataSupportDisplay
from skdatamodels.plotting._embedding import EmbeddingDisplay
from skdatamodels.plotting._lds_curve import LDSCurveDisplay
from skdatamodels.plotting._leakage import LeakageDisplay
from skdatamodels.plotting._leakage_recall import LeakageRecallDisplay
from skdatamodels.plotting._normality import NormalityDisplay
from skdatamodels.plotting._prediction import PredictionDisplay
from skdatamodels.plotting._removal_curves import RemovalCurvesDisplay
from skdatamodels.plotting._similar_examples import SimilarExamplesDisplay

__all__ = [
    "AlphaDisplay",
    "AttributionComparisonDisplay",
    "ComponentDisplay",
    "CounterfactualDisplay",
    "DataSupportDisplay",
    "EmbeddingDisplay",
    "LDSCurveDisplay",
    "LeakageDisplay",
    "LeakageRecallDisplay",
    "NormalityDisplay",
    "PredictionDisplay",
    "RemovalCurvesDisplay",
    "SimilarExamplesDisplay",
]
