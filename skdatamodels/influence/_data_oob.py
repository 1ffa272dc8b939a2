"""Data-OOB: how well bagged models predict the examples that they have not seen."""

import warnings
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from joblib import Parallel, delayed
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skdatamodels._examples import check_examples
from skdatamodels._fitting import check_fit, fit_rows, take_rows
from skdatamodels._one_thread import with_one_thread
from skdatamodels._process_state import single_threaded
from skdatamodels._progress import progress_bar
from skdatamodels._random import (
    entropy_from,
    mask_generator,
    set_seeds,
    training_seed,
    unseeded,
)
from skdatamodels._sklearn_compat import Interval, validate_params

__all__ = ["data_oob"]

_N_ESTIMATORS = 500


@validate_params(
    {
        "n_estimators": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def data_oob(
    estimator, train, *, n_estimators=None, random_state=None, n_jobs=None, verbose=0
):
    """Value each training example by how well bagged models predict it unseen.

    Models are trained on bootstrap samples of the training set. The value of an example
    is the mean score of the models whose sample does not contain it: 1 if the predicted
    class is right and 0 if it is wrong, or minus the squared error of a regression. A
    low value means that the other examples contradict the label or value of this one.

    Parameters
    ----------
    estimator : classifier, regressor or FrozenEstimator
        The model to bag. A `RandomForest`, `ExtraTrees` or `Bagging`, classifier or
        regressor, is a bag already: it is cloned and fitted here, once, and its members
        are the models. A bag in a :class:`~sklearn.frozen.FrozenEstimator` was fitted
        on `train`, and is used as it is.
    train : Examples
        The training set. Models get its weights, if it has some.
    n_estimators : int, default=None
        Number of models to train; 500 for None. A bag has its own number.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the bootstrap samples and of training.
    n_jobs : int, default=None
        Number of workers, as in joblib.
    verbose : int, default=0
        If not 0, show a progress bar.

    Returns
    -------
    values : float64 array of shape (n_train,)
        Fraction of correct predictions, from 0 to 1, or minus the mean squared error,
        in units of y squared. Higher is better. NaN for an example that all models have
        seen.

    Warns
    -----
    UserWarning
        If all models have seen some examples.

    Raises
    ------
    TypeError
        If the estimator is neither a classifier nor a regressor.
    ValueError
        If a bag has no examples left out (``bootstrap=False``) or was fitted on another
        number of examples or other labels, `n_estimators` is passed with a bag, a
        classifier has only one class to learn, or a regression has values that are not
        numbers.

    See Also
    --------
    skdatamodels.applications.find_label_errors : Finds wrong labels from runs, and
        gives each a probability.
    skdatamodels.applications.removal_curves : Tests an order of examples by retraining.

    Notes
    -----
    There is one value for each example, and none for each target: it says how well an
    example agrees with the others, not whom it helps. So it is not an attribution
    matrix, and it can only be used where examples are ranked, as in
    ``np.argsort(values)`` for :func:`~skdatamodels.applications.removal_check` and in
    :func:`~skdatamodels.applications.removal_curves`. An unusual example whose label is
    right has a low value, although a model may need it.

    Each example is left out of about 37 % of the bootstrap samples. A sample with a
    single class is drawn again if the estimator is a classifier, so the only example of
    one of two classes has no value. A copy of an example in another row stands in for
    it: models that have seen the copy count as not having seen the example, and copies
    of a wrong label can have high values.

    References
    ----------
    Kwon and Zou, "Data-OOB: out-of-bag estimate as a simple and efficient data value",
    ICML 2023, equation 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import data_oob
    >>> x = np.arange(20.0)[:, None]
    >>> y = np.where(x[:, 0] < 10, "low", "high")
    >>> y[3] = "high"  # a wrong label
    >>> tree = DecisionTreeClassifier(max_depth=1)
    >>> values = data_oob(tree, Examples(x, y), n_estimators=50, random_state=0)
    >>> print(values.argmin(), values[[3, 15]])
    3 [0. 1.]
    """
    check_examples(train, "train")
    frozen = isinstance(estimator, FrozenEstimator)
    estimator = estimator.estimator if frozen else estimator
    is_bag = _check_estimator(estimator, frozen, train, n_estimators)
    entropy = entropy_from(random_state)
    if is_bag:
        scores = _scores_of_bag(estimator, frozen, train, entropy, n_jobs)
        n_estimators = estimator.n_estimators
    else:
        n_estimators = _N_ESTIMATORS if n_estimators is None else n_estimators
        names, estimator = unseeded(estimator), with_one_thread(estimator)
        jobs = (
            delayed(_score_one)(estimator, names, train, entropy, number)
            for number in range(n_estimators)
        )
        scores = Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    total, n_unseen = np.zeros(len(train)), np.zeros(len(train))
    for unseen, score in progress_bar(
        scores, total=n_estimators, unit="model", verbose=verbose
    ):
        total[unseen] += score
        n_unseen[unseen] += 1
    n_seen = np.sum(n_unseen == 0)
    if n_seen:
        warnings.warn(
            f"{n_seen} of {len(train)} training examples were seen by all models, and "
            f"their values are NaN. Use more models{' or smaller samples' * is_bag}.",
            UserWarning,
            stacklevel=3,
        )
    return np.divide(
        total, n_unseen, out=np.full(len(train), np.nan), where=n_unseen > 0
    )


def _check_estimator(estimator, frozen, train, n_estimators):
    """Raise if the estimator cannot be used; return whether it is a bag."""
    name = type(estimator).__name__
    fits = hasattr(estimator, "fit") and not isinstance(estimator, type)
    if not (fits and (is_classifier(estimator) or is_regressor(estimator))):
        raise TypeError(f"estimator must be a classifier or a regressor, got {name}.")
    is_bag = hasattr(type(estimator), "estimators_samples_")
    if frozen and not is_bag:
        raise ValueError(
            f"A FrozenEstimator must contain a bag, such as a random forest, not "
            f"the single model {name}. Pass that alone, and it is bagged."
        )
    if is_bag and n_estimators is not None:
        raise ValueError(
            f"{name} is a bag and has its own n_estimators={estimator.n_estimators}. "
            "Set it there."
        )
    # what has sizes of samples may draw without replacement
    if is_bag and not (estimator.bootstrap or hasattr(estimator, "bootstrap_features")):
        raise ValueError(
            f"{name}(bootstrap=False) trains all its members on all examples, so none "
            "are left out. Use bootstrap=True."
        )
    if is_regressor(estimator) and train.y.dtype.kind not in "biuf":
        raise ValueError(f"A regression needs numbers as y, got {train.y.dtype}.")
    if is_classifier(estimator) and (train.y == train.y[0]).all():
        label = train.y[:1].tolist()[0]
        raise ValueError(f"All training examples have the label {label!r}.")
    if frozen:
        check_is_fitted(estimator)
        n_fitted = getattr(estimator, "_n_samples", len(train))
        if n_fitted != len(train):
            raise ValueError(
                f"The {name} was fitted on {n_fitted} examples, but train has "
                f"{len(train)}."
            )
        unknown = np.setdiff1d(train.y, getattr(estimator, "classes_", train.y))
        if unknown.size:
            raise ValueError(
                f"The {name} was not fitted on the label {unknown.tolist()[0]!r} of "
                "train. Fit it on train."
            )
    else:
        check_fit(estimator, train)
    return is_bag


def _score_one(estimator, names, train, entropy, number):
    """Train on one bootstrap sample; return the examples outside, and their scores."""
    n, rng = len(train), mask_generator(entropy, number)
    drawn = rng.integers(n, size=n)
    while is_classifier(estimator) and (train.y[drawn] == train.y[drawn[0]]).all():
        drawn = rng.integers(n, size=n)
    unseen = np.setdiff1d(np.arange(n), drawn)
    with single_threaded():  # as runs do
        model = set_seeds(clone(estimator), names, training_seed(entropy, number))
        model = fit_rows(model, train, drawn)
        if not unseen.size:
            return unseen, np.zeros(0)
        predicted = np.asarray(model.predict(take_rows(train.X, unseen)))
    return unseen, _scores(estimator, train.y[unseen], predicted)


def _scores_of_bag(bag, frozen, train, entropy, n_jobs):
    """Yield, for each member of a bag, the examples outside, and their scores."""
    n = len(train)
    if not frozen:
        bag, names = clone(with_one_thread(bag)), unseeded(bag)
        bag = set_seeds(bag, names, training_seed(entropy, 0))
        if n_jobs is not None:
            bag.set_params(n_jobs=n_jobs)
        bag = fit_rows(bag, train, np.arange(n))
    # members do not know the columns of a frame
    X = train.X.tocsr() if sp.issparse(train.X) else np.asarray(train.X)
    features = getattr(bag, "estimators_features_", [slice(None)] * bag.n_estimators)
    members = zip(bag.estimators_, bag.estimators_samples_, features, strict=True)
    for member, drawn, columns in members:
        unseen = np.setdiff1d(np.arange(n), drawn)
        if not unseen.size:
            yield unseen, np.zeros(0)
            continue
        predicted = member.predict(X[unseen][:, columns])
        if is_classifier(bag):  # members predict positions in classes_
            predicted = bag.classes_[predicted.astype(np.intp)]
        yield unseen, _scores(bag, train.y[unseen], predicted)


def _scores(estimator, y, predicted):
    if is_classifier(estimator):
        return (np.ravel(predicted) == y).astype(np.float64)
    return -((np.ravel(predicted).astype(np.float64) - y) ** 2)
