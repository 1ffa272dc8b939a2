"""What weights are worth: standard errors, intervals, false-discovery control."""

from skdatamodels.inference._infer_varied import infer_varied
from skdatamodels.inference._infer_weights import infer_weights
from skdatamodels.inference._knockoffs import knockoff_filter
from skdatamodels.inference._weight_inference import RemovalInference, WeightInference

__all__ = [
    "RemovalInference",
    "WeightInference",
    "infer_varied",
    "infer_weights",
    "knockoff_filter",
]
