"""The only file that imports private names of scikit-learn.

They are private, but third-party estimators commonly use them. If scikit-learn moves
one, change it here.
"""

from sklearn.base import _fit_context as fit_context
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._metadata_requests import RequestMethod
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_params,
)

__all__ = [
    "HasMethods",
    "Interval",
    "RequestMethod",
    "StrOptions",
    "fit_context",
    "safe_indexing",
    "validate_params",
]
