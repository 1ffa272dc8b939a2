"""Raw outputs of a fitted scikit-learn estimator: logits or predictions."""

import numpy as np
from sklearn.base import is_classifier, is_regressor

from skdatamodels._last_step import last_step
from skdatamodels._numbers import as_real

__all__ = ["PROBA_FLOOR", "check_measurable", "encode_targets", "raw_outputs"]

PROBA_FLOOR = float(np.finfo(np.float64).eps)
"""Smallest probability: used for predictions of 0 and for classes never seen."""


def check_measurable(estimator):
    """Check that the outputs of an estimator can be measured, and return its task.

    Parameters
    ----------
    estimator : scikit-learn estimator
        An estimator, fitted or not. It may be a meta-estimator or a pipeline.

    Returns
    -------
    task : {"classification", "regression"}
        Whether the estimator is a classifier or a regressor.

    Raises
    ------
    TypeError
        If the estimator is neither a regressor nor a classifier with class scores
        (`decision_function` or `predict_proba`).

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
    """Compute the raw outputs of a fitted estimator: logits or predictions.

    All other outputs are computed from these.

    Parameters
    ----------
    estimator : fitted scikit-learn classifier or regressor
        The trained model.
    X : array-like of shape (n_targets, ...)
        Inputs of the targets.
    classes : array-like of shape (n_classes,), default=None
        All classes of the training set, sorted as by `numpy.unique`. The estimator may
        have seen only some of them. By default, ``estimator.classes_``. Ignored for
        regressors.
    y : integer array-like of shape (n_targets,), default=None
        Column of each target's class. If given, `zero_proba` replaces the
        probabilities of 0 that would make the odds of that class 0 or infinite.
    zero_proba : float in (0, 1), default=PROBA_FLOOR
        Probability of the target's class if the estimator predicts 0 for it, either
        because it has not seen the class, or because it counts trees or neighbours. If
        all other classes have the probability 0, this is their joint probability. For a
        class that was seen, the smallest positive probability that the estimator
        predicts is used instead, if it is smaller.

    Returns
    -------
    raw : float64 ndarray of shape (n_targets, n_classes) or (n_targets,)
        For classifiers, logits with one column per class, in the order of `classes`:
        the scores of `decision_function` (a binary score s gives the columns 0 and
        s), else the log of `predict_proba`, floored at `PROBA_FLOOR`. A class that
        the estimator has not seen gets ``logsumexp(other logits) + log(PROBA_FLOOR)``,
        so that its softmax probability is `PROBA_FLOOR`. If the estimator has seen
        only one class, the logit of that class is 0. For regressors, the result of
        `predict`, in units of y.

    Raises
    ------
    TypeError
        If the estimator is neither a regressor nor a classifier with class scores.
    ValueError
        If the estimator does not return one score per class, has seen a class that is
        not in `classes`, or returns NaN or infinite values.

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
                " a regressor with a single output is needed."
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
    """Return the column index of each label.

    Parameters
    ----------
    y : array-like of shape (n_targets,)
        Class labels.
    classes : array-like of shape (n_classes,)
        All classes, in the order of the columns of `raw_outputs`.

    Returns
    -------
    indices : intp ndarray of shape (n_targets,)
        Indices such that ``classes[indices]`` equals `y`.

    Raises
    ------
    ValueError
        If a label is not in `classes`.

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
    """Return logits of the seen classes, and the smallest positive probability.

    Logits have shape (n_targets, n_seen), and are -inf where the probability is 0.
    """
    if n_seen == 1:  # scikit-learn's classifiers return different things here
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
    # Three classes have three pairs, so the number of columns does not identify "ovo".
    pairwise = n_seen > 2 and _is_one_vs_one(estimator)
    if pairwise or scores.shape[1:] != (n_seen,):
        raise ValueError(
            f"decision_function of {type(estimator).__name__} gives scores of shape"
            f" {scores.shape}, not one score for each of {n_seen} classes. For SVC and"
            ' NuSVC set decision_function_shape="ovr".'
        )
    return scores


def _raise_zeros(raw, y, zeros):
    """Replace probabilities of 0 of the target's class, or of all other classes.

    `zeros` (n_classes,) contains the new probability of each class.
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
    # A stack with the default final estimator has scores, but only once it is fitted.
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
        f"{type(estimator).__name__} returns NaN or infinite outputs on {n_bad} of"
        f" {len(raw)} targets; its training may have diverged."
    )


def _logsumexp(logits):
    """Compute the logsumexp of each row; some columns may be -inf.

    This is scipy.special.logsumexp without its overhead, which is noticeable next to a
    fit of a few milliseconds.
    """
    highest = logits.max(axis=1)
    return highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
