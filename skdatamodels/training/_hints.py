"""Hints about why an estimator could not be fitted to a subset."""

import re

import numpy as np

# Part of the hint on subsets that miss a class. It serves to count such runs.
MISSES_A_CLASS = "has no example of"
# A class with fewer examples in a subset is mentioned: some estimators split it.
_FEW = 10
# Errors of XGBoost, LightGBM and CatBoost about labels that are not codes.
_ON_LABELS = "invalid classes|label must be|labels? (from|should be)"
_ON_TEXT = "convert string"  # about labels if it quotes one


def add_hints(error, X, y, classes):
    """Add hints to an error of ``fit``, as notes that a traceback shows at its end.

    Parameters
    ----------
    error : Exception
        The error.
    X : array-like of shape (n_subset, ...)
        Inputs that the estimator was fitted to.
    y : array of shape (n_subset,)
        Labels that the estimator was fitted to.
    classes : array of shape (n_classes,) or None
        All classes of the training set. None for regression.
    """
    hints, message = [_hint_on_inputs(X)], str(error)
    if classes is not None:
        hints += [
            _hint_on_classes(message, y, classes),
            _hint_on_labels(message, classes),
        ]
    for hint in filter(None, hints):
        error.add_note(f"Hint: {hint}")


def _hint_on_classes(message, y, classes):
    """Return a hint about classes that are missing or rare in the subset."""
    found, counts = np.unique(y, return_counts=True)
    missing = np.setdiff1d(classes, found).tolist()
    if missing:
        shown = ", ".join(map(repr, missing[:5])) + ", …" * (len(missing) > 5)
        what = f"{MISSES_A_CLASS} {len(missing)} of {len(classes)} classes ({shown})"
    elif counts.min() < _FEW and re.search("class|member|fold|split", message, re.I):
        rarest, n = found.tolist()[counts.argmin()], int(counts.min())
        what = f"has {n} example{'s' * (n > 1)} of its rarest class, {rarest!r}"
    else:
        return None
    return (
        f'The subset {what}. With design="stratified", each subset gets its share of '
        "every class. A larger alpha gives larger subsets."
    )


def _hint_on_labels(message, classes):
    """Return a hint about label codes, if the error is about labels."""
    are_codes = classes.dtype.kind in "biuf" and np.array_equal(
        classes, np.arange(len(classes))
    )
    on_labels = re.search(_ON_LABELS, message, re.I)
    if not on_labels and re.search(_ON_TEXT, message, re.I):
        on_labels = any(f"'{name}'" in message for name in classes.tolist())
    if are_codes or not on_labels:
        return None
    first = ", ".join(map(repr, classes[:3].tolist()))
    return (
        f"The labels are {first}{', …' * (len(classes) > 3)}; some estimators take "
        f"the codes 0 to {len(classes) - 1} only. Encode the labels of train and "
        "targets: encoder = LabelEncoder().fit(y_train), encoder.transform(y)."
    )


def _hint_on_inputs(X):
    """Return a hint about inputs that need a vectorizer."""
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "OUT":
        kind = type(X[0]).__name__
        needed = "DictVectorizer" if isinstance(X[0], dict) else "TfidfVectorizer"
        return (
            f"X holds objects of type {kind}, not numbers: a pipeline that starts with "
            f"a vectorizer, such as {needed}, converts them."
        )
    return None
