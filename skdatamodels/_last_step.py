"""The last step of a pipeline, a search or a choice of threshold."""

from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

_THRESHOLDS = (TunedThresholdClassifierCV, FixedThresholdClassifier)


def chosen_by_search(estimator):
    """Return the best estimator of a fitted search; return other estimators as is.

    A classifier with a threshold of its own has the scores of the one inside.
    """
    name = "estimator_" if isinstance(estimator, _THRESHOLDS) else "best_estimator_"
    return getattr(estimator, name, estimator)


def last_step(estimator):
    """Return the last step of a pipeline, or the best estimator of a search.

    Parameters
    ----------
    estimator : object
        Pipelines, searches and choices of a threshold may be nested. For one that is
        not fitted, its `estimator` is used. Any other estimator is returned as is.
    """
    if hasattr(estimator, "steps"):
        return last_step(estimator.steps[-1][1])
    chosen = chosen_by_search(estimator)
    searches = hasattr(estimator, "refit") or isinstance(estimator, _THRESHOLDS)
    if chosen is estimator and searches:
        chosen = getattr(estimator, "estimator", estimator)
    return estimator if chosen is estimator else last_step(chosen)
