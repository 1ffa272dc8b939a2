"""What weights are worth: standard errors, intervals, false-discovery control."""

from skdatamodels.inference._alpha_comparison import AlphaComparison, Efficiency
from skdatamodels.inference._compare_alphas import compare_alphas
from skdatamodels.inference._infer_varied import infer_varied
from skdatamodels.inference._infer_weights import infer_weights
from skdatamodels.inference._knockoffs import knockoff_filter
from skdatamodels.inference._weight_inference import RemovalInference, WeightInference

__all__ = [
    "AlphaComparison",
    "Efficiency",
    "RemovalInference",
    "WeightInference",
    "compare_alphas",
    "infer_varied",
    "infer_weights",
    "knockoff_filter",
]
