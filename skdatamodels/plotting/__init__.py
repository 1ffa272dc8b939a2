"""Displays, in the manner of scikit-learn: arrays in, ``plot()`` draws them."""

from skdatamodels.plotting.lds_curve import LDSCurveDisplay
from skdatamodels.plotting.prediction import PredictionDisplay
from skdatamodels.plotting.similar_examples import SimilarExamplesDisplay

__all__ = ["LDSCurveDisplay", "PredictionDisplay", "SimilarExamplesDisplay"]
