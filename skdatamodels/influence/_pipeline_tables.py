"""The last step of a fitted pipeline, with the table that reaches it."""

from skdatamodels._examples import with_inputs
from skdatamodels._frames import is_frame, with_types_of
from skdatamodels._label_codes import CodedClassifier
from skdatamodels._last_step import chosen_by_search


def split_pipeline(model, train, targets):
    """Return the last step of a fitted pipeline, and both parts as it sees them.

    Parameters
    ----------
    model : fitted estimator
        Pipelines, searches and choices of a threshold may be nested. Any other
        estimator is returned as is.
    train, targets : Examples
        Examples as the whole pipeline sees them.

    Returns
    -------
    model : fitted estimator
        The last step.
    train, targets : Examples
        The same examples, with X transformed by all other steps.
    """
    model = chosen_by_search(model)
    if isinstance(model, CodedClassifier):
        inner, train, targets = split_pipeline(model.estimator_, train, targets)
        return model.around(inner), train, targets
    if not hasattr(model, "steps"):
        return model, train, targets
    if len(model.steps) > 1:
        before, inputs = model[:-1], [train.X, targets.X]
        if all(map(is_frame, inputs)):
            inputs[1] = with_types_of(inputs[1], train.X)
        train, targets = (
            with_inputs(part, before.transform(X))
            for part, X in zip((train, targets), inputs, strict=True)
        )
    return split_pipeline(model.steps[-1][1], train, targets)
