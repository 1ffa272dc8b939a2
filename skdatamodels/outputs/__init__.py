"""Outputs: the number that is measured on each target of a trained model."""

from skdatamodels.outputs._functions import (
    DEFAULT_OUTPUTS,
    OUTPUTS,
    Output,
    check_output,
    confidence,
    correctness,
    cross_entropy,
    get_output,
    info_of_output,
    log_odds,
    margin,
    prediction,
    squared_error,
)
from skdatamodels.outputs._info import OutputInfo
from skdatamodels.outputs._raw import (
    PROBA_FLOOR,
    check_measurable,
    encode_targets,
    raw_outputs,
)

__all__ = [
    "DEFAULT_OUTPUTS",
    "OUTPUTS",
    "PROBA_FLOOR",
    "Output",
    "OutputInfo",
    "check_measurable",
    "check_output",
    "confidence",
    "correctness",
    "cross_entropy",
    "encode_targets",
    "get_output",
    "info_of_output",
    "log_odds",
    "margin",
    "prediction",
    "raw_outputs",
    "squared_error",
]
