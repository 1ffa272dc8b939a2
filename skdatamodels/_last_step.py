"""What a pipeline or a search ends in."""


def chosen_by_search(estimator):
    """Return the estimator that a fitted search has chosen; any other as it is."""
    return getattr(estimator, "best_estimator_", estimator)


def last_step(estimator):
    """Return the estimator that a pipeline ends with and a search has chosen.

    Parameters
    ----------
    estimator : object
        Pipelines and searches may hold each other. Of a search that was not fitted it
        is the estimator searched over. What is neither is returned as it is.
    """
    if hasattr(estimator, "steps"):
        return last_step(estimator.steps[-1][1])
    chosen = chosen_by_search(estimator)
    if chosen is estimator and hasattr(estimator, "refit"):
        chosen = getattr(estimator, "estimator", estimator)
    return estimator if chosen is estimator else last_step(chosen)
