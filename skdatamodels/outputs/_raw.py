"""Logits or predictions of a fitted scikit-learn estimator."""

import numpy as np
from sklearn.base import is_classifier, is_regressor

from skdatamodels._last_step import last_step
from skdatamodels._numbers import as_real

__all__ = ["PROBA_FLOOR", "check_measurable", "encode_targets", "raw_outputs"]

PROBA_FLOOR = float(np.finfo(np.float64).eps)
"""Least probability: of a prediction of 0, and of a class that was never seen."""


def check_measurable(estimator):
    """Tell which task an estimator solves, if its outputs can be measured.

    Parameters
    ----------
    estimator : scikit-learn estimator
        Fitted or not; meta-estimators and pipelines are fine.

    Returns
    -------
    task : {"classification", "regression"}

    Raises
    ------
    TypeError
        If it is neither a classifier with class scores (`decision_function` or
        `predict_proba`) nor a regressor.

    Examples
    --------
    >>> from sklearn.svm import SVC
    >>> from skdatamodels.outputs import check_measurable
    >>> check_measurable(SVC())
    'classification'
    """
    name = type(estimator).__name__
    if isinstance(estimator, type) or not hasattr(estimator, "__sklearn_tags__"):
        what = estimator.__name__ if isinstance(estimator, type) else name
        raise TypeError(f"Expected an instance of a scikit-learn estimator, got {what}")
    if is_regressor(estimator) and hasattr(estimator, "predict"):
        return "regression"
    if not is_classifier(estimator):
        last = last_step(estimator)
        end = "" if last is estimator else f", which ends in {type(last).__name__},"
        raise TypeError(
            f"{name}{end} has no output to measure: it is neither a classifier nor a"
            " regressor. A pipeline must end in one of these."
        )
    if not _has_scores(estimator):
        raise TypeError(
            f"{name} has neither decision_function nor predict_proba, and every output"
            " of a classifier is computed from class scores. Use settings that give"
            " them (such as VotingClassifier(voting='soft')), or wrap it in"
            " sklearn.calibration.CalibratedClassifierCV."
        )
    return "classification"


def raw_outputs(estimator, X, classes=None, *, y=None, zero_proba=PROBA_FLOOR):
    """Compute the outputs of a fitted estimator from which all others follow.

    Parameters
    ----------
    estimator : fitted scikit-learn classifier or regressor
    X : array-like of shape (n_targets, ...)
        The targets' inputs.
    classes : array-like of shape (n_classes,), default=None
        All classes of the training set, sorted as `numpy.unique` gives them.
        The estimator may have seen only some of them. None stands for
        ``estimator.classes_``. Ignored for regressors.
    y : integer array-like of shape (n_targets,), default=None
        Column of each target's class. If given, `zero_proba` stands for probabilities
        of 0 that the odds of the target's class hang on.
    zero_proba : float in (0, 1), default=PROBA_FLOOR
        Where the target's class has the probability 0, because it was never seen or by
        a count of trees or neighbours, it gets this one; where all others have the
        probability 0, they get this one together. A class that was seen gets the
        least probability that the estimator gives otherwise, if that is smaller.

    Returns
    -------
    raw : float64 ndarray of shape (n_targets, n_classes) or (n_targets,)
        Classifiers: logits, one column a class in the order of `classes`. They
        are the scores of `decision_function` (a binary score s gives the columns
        0 and s), else the log of `predict_proba`, floored at `PROBA_FLOOR`.
        A class that the estimator never saw gets
        ``logsumexp(other logits) + log(PROBA_FLOOR)``, so that softmax gives it
        the probability `PROBA_FLOOR`. An estimator that saw one class only gives
        that class the logit 0. Regressors: `predict`, in units of y.

    Raises
    ------
    TypeError
        If the estimator has no such output.
    ValueError
        If it gives no score per class, knows a class that isn't in `classes`, or
        gives NaN or infinite values.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skdatamodels.outputs import raw_outputs
    >>> model = DummyClassifier().fit([[0], [1], [2], [3]], ["a", "a", "a", "c"])
    >>> raw_outputs(model, [[5]], classes=["a", "b", "c"]).round(3)
    array([[ -0.288, -36.044,  -1.386]])
    """
    if check_measurable(estimator) == "regression":
        raw = _as_float(estimator.predict(X))
        if raw.ndim == 2 and raw.shape[1] == 1:
            raw = raw.ravel()
        if raw.ndim != 1:
            raise ValueError(
                f"{type(estimator).__name__} predicts an array of shape {raw.shape};"
                " a regressor of a single y is needed."
            )
        return _check_finite(estimator, raw)
    seen = estimator.classes_
    present, least_proba = _logits(estimator, X, len(seen))
    classes = seen if classes is None else classes
    columns = encode_targets(seen, classes)
    raw = np.full((len(present), len(classes)), -np.inf)
    raw[:, columns] = present
    if y is not None:
        zeros = np.full(len(classes), zero_proba)
        zeros[columns] = min(zero_proba, least_proba)
        _raise_zeros(raw, np.asarray(y), zeros)
    floor = _logsumexp(raw) + np.log(PROBA_FLOOR)
    return np.where(np.isneginf(raw), floor[:, None], raw)


def encode_targets(y, classes):
    """Column index of each label.

    Parameters
    ----------
    y : array-like of shape (n_targets,)
        Class labels.
    classes : array-like of shape (n_classes,)
        All classes, in the order of the columns of `raw_outputs`.

    Returns
    -------
    indices : intp ndarray of shape (n_targets,)
        ``classes[indices]`` equals `y`.

    Raises
    ------
    ValueError
        If a label isn't among `classes`.

    Examples
    --------
    >>> from skdatamodels.outputs import encode_targets
    >>> encode_targets(["b", "a", "b"], classes=["a", "b"])
    array([1, 0, 1])
    """
    classes = np.asarray(classes).tolist()
    labels = np.asarray(y).tolist()
    column = {label: index for index, label in enumerate(classes)}
    unseen = list(dict.fromkeys(label for label in labels if label not in column))
    if unseen:
        raise ValueError(
            f"y has classes that are not in the training set: {unseen[:10]}. Those"
            f" of the training set are {classes[:10]}{'...' * (len(classes) > 10)}"
        )
    return np.array([column[label] for label in labels], dtype=np.intp)


def _logits(estimator, X, n_seen):
    """Logits of the classes that the estimator saw, and its least probability above 0.

    Logits have shape (n_targets, n_seen), and are -inf where the probability is 0.
    """
    if n_seen == 1:  # scikit-learn's classifiers do not agree on what to return here
        return np.zeros((X.shape[0] if hasattr(X, "shape") else len(X), 1)), 1.0
    if not hasattr(estimator, "decision_function"):
        proba = _check_finite(estimator, _as_float(estimator.predict_proba(X)))
        above = np.maximum(proba, PROBA_FLOOR)
        logits = np.where(proba > 0, np.log(above), -np.inf)
        return logits, above[proba > 0].min()
    return _check_finite(estimator, _decision_scores(estimator, X, n_seen)), 1.0


def _decision_scores(estimator, X, n_seen):
    scores = _as_float(estimator.decision_function(X))
    if n_seen == 2 and scores.size == len(scores):
        return np.column_stack([np.zeros(len(scores)), scores.ravel()])
    # Three classes have three pairs, so the width alone can't tell "ovo".
    pairwise = n_seen > 2 and _is_one_vs_one(estimator)
    if pairwise or scores.shape[1:] != (n_seen,):
        raise ValueError(
            f"decision_function of {type(estimator).__name__} gives scores of shape"
            f" {scores.shape}, not one a class for {n_seen} classes. For SVC and NuSVC"
            ' set decision_function_shape="ovr".'
        )
    return scores


def _raise_zeros(raw, y, zeros):
    """Give a probability to the target's class, or to all others, where it is 0.

    `zeros` (n_classes,) has the probability for each class.
    """
    odds = np.log(zeros) - np.log1p(-zeros)
    is_zero, is_own = np.isneginf(raw), np.arange(raw.shape[1]) == y[:, None]
    no_own = np.flatnonzero((is_zero & is_own).any(axis=1))
    no_other = np.flatnonzero((is_zero | is_own).all(axis=1))
    raw[no_own, y[no_own]] = _logsumexp(raw[no_own]) + odds[y[no_own]]
    others = ~is_own[no_other]
    together = raw[no_other, y[no_other]] + np.where(others, odds, np.inf).min(axis=1)
    share = together - np.log(max(1, raw.shape[1] - 1))
    raw[no_other] = np.where(others, share[:, None], raw[no_other])


def _has_scores(estimator):
    if hasattr(estimator, "decision_function") or hasattr(estimator, "predict_proba"):
        return True
    # An unfitted stack with the default head will have scores, but denies it.
    return getattr(last_step(estimator), "final_estimator", estimator) is None


def _is_one_vs_one(estimator):
    return getattr(last_step(estimator), "decision_function_shape", None) == "ovo"


def _as_float(values):
    return as_real(values, "outputs of the estimator").astype(np.float64, copy=False)


def _check_finite(estimator, raw):
    finite = np.isfinite(raw)
    if finite.all():
        return raw
    n_bad = int((~finite).reshape(len(raw), -1).any(axis=1).sum())
    raise ValueError(
        f"{type(estimator).__name__} gives NaN or infinite outputs on {n_bad} of"
        f" {len(raw)} targets; its training may have diverged."
    )


def _logsumexp(logits):
    """Log of the sum of exponentials of each row, with -inf allowed in some columns.

    As scipy.special.logsumexp, without its overhead, which would show beside a
    fit of a few milliseconds.
    """
    highest = logits.max(axis=1)
    return highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
