"""Scorers for :class:`~sklearn.model_selection.GridSearchCV` and similar tools."""

import numpy as np
from sklearn.pipeline import Pipeline

from skdatamodels._last_step import chosen_by_search
from skdatamodels.metrics._lds import linear_datamodeling_score


def lds_scorer(estimator, X, y=None):
    """Score a fitted datamodel by its LDS on held-out runs.

    Pass it as ``scoring=lds_scorer``. If ``y`` is None, the true outputs are those
    of the runs: ``X`` itself if it has outputs, else the runs into which the first
    steps of a pipeline transform ``X``. The runs are trained only once.

    Parameters
    ----------
    estimator : fitted estimator
        A datamodel, a pipeline that ends in one, or a search over either.
    X : TrainingRuns, array-like of masks, or array-like of run ids
        Held-out runs, in a form that ``estimator`` accepts.
    y : array-like of shape (n_runs, n_targets) or (n_runs,), default=None
        True outputs.

    Returns
    -------
    score : float
        The linear datamodeling score; see
        :func:`~skdatamodels.metrics.linear_datamodeling_score`.

    Raises
    ------
    ValueError
        If there are no true outputs to compare with.

    See Also
    --------
    make_lds_scorer : Make a scorer that uses the same runs for every setting.
        A search over the subsampling fraction needs it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdatamodels.metrics import lds_scorer
    >>> rng = np.random.default_rng(0)
    >>> masks = rng.random((60, 8)) < 0.5
    >>> outputs = masks @ rng.normal(size=(8, 3))
    >>> search = GridSearchCV(Ridge(), {"alpha": [0.1, 1e4]}, scoring=lds_scorer)
    >>> search.fit(masks, outputs).best_params_
    {'alpha': 0.1}
    """
    if y is None:
        estimator, X = _apply_training(chosen_by_search(estimator), X)
        y = X.outputs
    return linear_datamodeling_score(y, estimator.predict(X))


def make_lds_scorer(evaluation_runs):
    """Make a scorer that scores every setting on the same fixed runs.

    Runs with different subsampling fractions have different distributions, so the
    scores that cross-validation computes for each fraction are not comparable. This
    scorer ignores the held-out fold. It scores the setting's datamodel on
    ``evaluation_runs``, which may come from any design.

    In a pipeline, the datamodel is the part after the last step that trains runs.
    Such a step has a ``targets`` attribute.

    Parameters
    ----------
    evaluation_runs : TrainingRuns
        The runs to score on, or any object with ``masks`` (n_runs, n_train) and
        ``outputs`` (n_runs, n_targets). Do not use these runs in the search.

    Returns
    -------
    scorer : callable
        A picklable callable ``scorer(estimator, X=None, y=None)``.

    Raises
    ------
    TypeError
        If ``evaluation_runs`` has no masks or no outputs.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels.metrics import make_lds_scorer
    >>> rng = np.random.default_rng(0)
    >>> masks = rng.random((60, 8)) < 0.5
    >>> outputs = masks @ rng.normal(size=(8, 3))
    >>> runs = SimpleNamespace(masks=masks[:20], outputs=outputs[:20])
    >>> scorer = make_lds_scorer(runs)
    >>> scorer
    make_lds_scorer(<20 runs, 8 training examples, 3 targets>)
    >>> round(scorer(Ridge(1e-6).fit(masks[20:], outputs[20:])), 3)
    1.0
    """
    return _FixedRunsScorer(evaluation_runs)


class _FixedRunsScorer:
    def __init__(self, runs):
        if not (hasattr(runs, "masks") and hasattr(runs, "outputs")):
            raise TypeError(
                "evaluation_runs must have masks and outputs, as TrainingRuns has; "
                f"got {type(runs).__name__}."
            )
        self.runs = runs

    def __call__(self, estimator, X=None, y=None):
        datamodel = _after_training(chosen_by_search(estimator))
        masks, outputs = self.runs.masks, np.asarray(self.runs.outputs)
        n_train = getattr(datamodel, "n_features_in_", masks.shape[1])
        if n_train != masks.shape[1]:
            raise ValueError(
                f"The datamodel was fitted on {n_train} training examples, but the "
                f"evaluation runs have {masks.shape[1]}. Use runs of the same training "
                "set."
            )
        predicted = np.asarray(datamodel.predict(masks))
        if _n_targets(predicted) != _n_targets(outputs):
            raise ValueError(
                f"The datamodel predicts {_n_targets(predicted)} targets, but the "
                f"evaluation runs have {_n_targets(outputs)}. Use runs with the same "
                "targets."
            )
        return linear_datamodeling_score(outputs, predicted)

    def __repr__(self):
        n_runs, n_train = self.runs.masks.shape
        return (
            f"make_lds_scorer(<{n_runs} runs, {n_train} training examples, "
            f"{_n_targets(np.asarray(self.runs.outputs))} targets>)"
        )


def _n_targets(y):
    return 1 if y.ndim == 1 else y.shape[1]


def _apply_training(estimator, X):
    """Apply the steps up to the one that trains; return the other steps and runs."""
    while not hasattr(X, "outputs"):
        if not isinstance(estimator, Pipeline):
            raise ValueError(
                "There are no true outputs to score against. Pass y, or runs as X, "
                "or a pipeline with a SubsetTrainer."
            )
        step = estimator.steps[0][1]
        if len(estimator) == 1:
            estimator = step
        else:
            estimator = estimator[1:]
            X = X if step in (None, "passthrough") else step.transform(X)
    return estimator, X


def _after_training(estimator):
    """Return the part of a pipeline that takes masks."""
    if not isinstance(estimator, Pipeline):
        return estimator
    trains = [_trains(step) for _, step in estimator.steps]
    if not any(trains):
        return estimator
    if trains[-1]:
        return _after_training(estimator[-1])
    rest = estimator[len(trains) - trains[::-1].index(True) :]
    return rest if len(rest) > 1 else rest[-1]


def _trains(step):
    if isinstance(step, Pipeline):
        return any(_trains(inner) for _, inner in step.steps)
    return hasattr(step, "targets")
