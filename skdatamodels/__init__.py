"""Datamodels: find the training examples behind the predictions of a model."""

from importlib import import_module

__version__ = "0.1.0.dev0"

# The main names and their subpackages. They are imported when they are first used, so
# that importing this package is as fast as importing scikit-learn.
_HOMES = {
    "Audit": "auditing",
    "CounterfactualEvaluation": "applications",
    "DataSupportSearch": "applications",
    "DatamodelEmbedding": "applications",
    "DatamodelRegressor": "regression",
    "Examples": "_examples",
    "LeakageDetector": "applications",
    "PackedMasks": "masks",
    "RunStore": "runs",
    "SubsetTrainer": "training",
    "TrainingRuns": "runs",
    "audit": "auditing",
    "compare_attributions": "judging",
    "lasso_path": "regression",
    "sample_masks": "masks",
}
_SUBPACKAGES = {
    "applications",
    "auditing",
    "datasets",
    "inference",
    "influence",
    "judging",
    "masks",
    "metrics",
    "outputs",
    "pages",
    "plotting",
    "regression",
    "runs",
    "training",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name):
    """Import a main name or a subpackage when it is first used."""
    if name in _SUBPACKAGES:
        return import_module(f"skdatamodels.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"skdatamodels.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    """List the names that can be imported from this package."""
    return sorted({*globals(), *__all__, *_SUBPACKAGES})
