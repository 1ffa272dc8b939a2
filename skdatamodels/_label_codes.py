"""Labels as codes 0 to k-1, for classifiers that take no others."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.metaestimators import available_if

# Classes whose fit takes only codes, each of which must occur, by name: libraries are
# not imported to find them.
_NEEDS_CODES = "XGBClassifier"
# LightGBM 4.7 converts the labels in `y` and in `eval_set`, but not those in `eval_y`.
_NEEDS_CODES_TO_EVALUATE = "LGBMClassifier"


class CodedClassifier(ClassifierMixin, BaseEstimator):
    """Classifier that is fitted to codes of the labels, and predicts labels.

    The codes are the positions of the labels in ``classes_``, which are those in the
    training set: a class that is missing there leaves no gap.

    Parameters
    ----------
    estimator : classifier
        The classifier, which is cloned.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    estimator_ : classifier
        The clone, fitted to codes.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skdatamodels._label_codes import CodedClassifier
    >>> model = CodedClassifier(GaussianNB()).fit([[0.0], [1.0]], ["no", "yes"])
    >>> model.predict([[0.9]]), model.estimator_.classes_
    (array(['yes'], dtype='<U3'), array([0, 1]))
    """

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y, **fit_params):
        """Fit a clone to the codes; labels to evaluate on become codes as well."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        for name, value in fit_params.items():
            last = name.rpartition("__")[2]
            if last == "eval_y" and value is not None:
                several = isinstance(value, tuple)
                coded = tuple(map(self._codes, value if several else [value]))
                fit_params[name] = coded if several else coded[0]
            elif last == "eval_set" and value is not None:
                fit_params[name] = [
                    (part, self._codes(labels)) for part, labels in value
                ]
        model = clone(self.estimator)
        if isinstance(weights := getattr(model, "class_weight", None), dict):
            coded = {i: weights.get(c, 1) for i, c in enumerate(self.classes_.tolist())}
            model.set_params(class_weight=coded)
        self.estimator_ = model.fit(X, codes, **fit_params)
        return self

    def predict(self, X):
        """Return labels of shape (n,)."""
        return self.classes_[np.asarray(self.estimator_.predict(X), dtype=np.intp)]

    def predict_proba(self, X):
        """Return probabilities of shape (n, n_classes)."""
        return self.estimator_.predict_proba(X)

    @available_if(lambda self: hasattr(self.estimator_, "decision_function"))
    def decision_function(self, X):
        """Return the scores of the classifier."""
        return self.estimator_.decision_function(X)

    def around(self, fitted):
        """Return the same classifier with another fitted estimator."""
        model = CodedClassifier(fitted)
        model.classes_, model.estimator_ = self.classes_, fitted
        return model

    def _codes(self, labels):
        labels = np.asarray(labels)
        unseen = np.setdiff1d(labels, self.classes_).tolist()
        if unseen:
            raise ValueError(
                f"The examples to evaluate on have the classes {unseen[:10]}, of which "
                "the subset has no example, so the model has no score for them."
            )
        return np.searchsorted(self.classes_, labels)


def with_codes(estimator, y, fit_params=()):
    """Return an estimator that can be fitted to the labels `y`: itself, or wrapped.

    It is wrapped if it, or an estimator in it, takes only codes, and `y` is not these.
    `fit_params` are the names of other arguments of ``fit``.
    """
    if not _needs_codes(estimator, fit_params):
        return estimator
    found = np.unique(y)
    if found.dtype.kind in "iu" and np.array_equal(found, np.arange(len(found))):
        return estimator
    return CodedClassifier(estimator)


def _needs_codes(estimator, fit_params):
    inner = estimator.get_params().values() if hasattr(estimator, "get_params") else ()
    kinds = {kind.__name__ for one in (estimator, *inner) for kind in type(one).__mro__}
    evaluates = any(name.endswith("eval_y") for name in fit_params)
    return _NEEDS_CODES in kinds or (evaluates and _NEEDS_CODES_TO_EVALUATE in kinds)
