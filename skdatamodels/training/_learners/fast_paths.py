"""Choice of the learner for a scikit-learn estimator."""

import warnings

import numpy as np

from skdatamodels._examples import describe_kind
from skdatamodels.training._learners.learners import EstimatorLearner
from skdatamodels.training._learners.logistic_learner import LogisticLearner
from skdatamodels.training._learners.ridge_learner import RidgeLearner

FAST_LEARNERS = (RidgeLearner, LogisticLearner)


def estimator_learner(estimator, train, targets, output, *, fast, fit_params=None):
    """Return the fastest learner that gives the results of the estimator's own fit.

    Parameters
    ----------
    estimator : classifier or regressor
        The estimator.
    train, targets : Examples
        Training set and targets.
    output : str or callable
        Output to measure.
    fast : bool or "exact"
        If False, the estimator's own ``fit`` is used, as it is with `fit_params`. If
        "exact", results may be closer to the optimum than those of ``fit``.
    fit_params : dict of str to object, default=None
        More arguments of ``fit``.

    Returns
    -------
    learner : EstimatorLearner
        The learner.

    Raises
    ------
    ValueError
        If ``fast="exact"`` is not possible.

    Warns
    -----
    UserWarning
        If the estimator has a fast path, but with other settings or inputs.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels import Examples
    >>> from skdatamodels.training._learners.fast_paths import estimator_learner
    >>> data = Examples([[0.0], [1.0], [2.0]], [0.0, 1.0, 3.0])
    >>> for positive in False, True:
    ...     ridge = Ridge(positive=positive)
    ...     learner = estimator_learner(ridge, data, data, "prediction", fast=True)
    ...     print(type(learner).__name__)
    RidgeLearner
    EstimatorLearner
    """
    plain = EstimatorLearner(estimator, train, targets, output, fit_params)
    exact = isinstance(fast, str)
    kinds = [kind for kind in FAST_LEARNERS if kind.is_for(estimator)]
    if exact and not kinds:
        raise ValueError(
            'fast="exact" is for Ridge and RidgeClassifier with one alpha and without '
            "positive, and for LogisticRegression with its default penalty, l1_ratio=0 "
            "and a finite C, alone or after a StandardScaler that scales, with an "
            f"intercept. For this {describe_kind(estimator)}, leave it out."
        )
    if not fast or not kinds or fit_params:
        return plain
    obstacle = kinds[0].obstacle(estimator, train, targets, exact=exact)
    if obstacle is None:
        return kinds[0](estimator, train, targets, output, exact=exact)
    if exact:
        raise ValueError(f'fast="exact" is not possible: {obstacle}.')
    if getattr(train.X, "dtype", np.dtype(float)).kind not in "biufc":
        return plain  # text or dicts: its own fit will say so
    warnings.warn(
        f"Each run is fitted by {describe_kind(estimator)} itself, which takes longer "
        f"than to fit many together: {obstacle}. fast=False keeps its own fits without "
        "this warning.",
        stacklevel=2,
    )
    return plain
