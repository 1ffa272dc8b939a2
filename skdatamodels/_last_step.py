"""The last step of a pipeline or a search."""


def chosen_by_search(estimator):
    """Return the best estimator of a fitted search; return other estimators as is."""
    return getattr(estimator, "best_estimator_", estimator)


def last_step(estimator):
    """Return the last step of a pipeline, or the best estimator of a search.

    Parameters
    ----------
    estimator : object
        Pipelines and searches may be nested. For a search that is not fitted, its
        `estimator` is used. Any other estimator is returned as is.
    """
    if hasattr(estimator, "steps"):
        return last_step(estimator.steps[-1][1])
    chosen = chosen_by_search(estimator)
    if chosen is estimator and hasattr(estimator, "refit"):
        chosen = getattr(estimator, "estimator", estimator)
    return estimator if chosen is estimator else last_step(chosen)
