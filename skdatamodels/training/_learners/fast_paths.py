"""Choice of the learner for a scikit-learn estimator."""

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
    fast : bool
        If False, the estimator's own ``fit`` is used, as it is with `fit_params`.
    fit_params : dict of str to object, default=None
        More arguments of ``fit``.

    Returns
    -------
    learner : EstimatorLearner
        The learner.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels import Examples
    >>> from skdatamodels.training._learners.fast_paths import estimator_learner
    >>> data = Examples([[0.0], [1.0], [2.0]], [0.0, 1.0, 3.0])
    >>> for solver in "auto", "svd":
    ...     ridge = Ridge(solver=solver)
    ...     learner = estimator_learner(ridge, data, data, "prediction", fast=True)
    ...     print(type(learner).__name__)
    RidgeLearner
    EstimatorLearner
    """
    plain = EstimatorLearner(estimator, train, targets, output, fit_params)
    if not fast or fit_params:
        return plain
    for kind in FAST_LEARNERS:
        if kind.serves(estimator, train, targets):
            return kind(estimator, train, targets, output)
    return plain
