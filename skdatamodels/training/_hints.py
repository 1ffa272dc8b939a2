"""Hints on why an estimator could not be fitted to a subset."""

import re

import numpy as np

# In the hint on a run whose subset misses a class, by which such runs are counted.
MISSES_A_CLASS = "has no example of"
# A class with so few examples in a subset is worth a word: some estimators split it.
_FEW = 10
# What boosters say of labels that are no codes: XGBoost, LightGBM, CatBoost.
_ON_LABELS = "invalid classes|label must be|labels? (from|should be)|convert string"


def add_hints(error, X, y, classes):
    """Add notes to an error of ``fit``, which a traceback shows after its message.

    Parameters
    ----------
    error : Exception
    X, y : array-like of shape (n_subset, ...), array of shape (n_subset,)
        What the estimator was to be fitted to.
    classes : array of shape (n_classes,) or None
        All classes of the training set; None for a regression.
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
    """Tell of classes that the subset misses, or of small ones that may be why."""
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
        f'The subset {what}. With design="stratified" each subset gets its share of '
        "every class; a larger alpha gets more."
    )


def _hint_on_labels(message, classes):
    """Tell of label codes, if the error is about labels that are none."""
    are_codes = classes.dtype.kind in "biuf" and np.array_equal(
        classes, np.arange(len(classes))
    )
    if are_codes or not re.search(_ON_LABELS, message, re.I):
        return None
    first = ", ".join(map(repr, classes[:3].tolist()))
    return (
        f"The labels are {first}{', …' * (len(classes) > 3)}; some estimators, such as "
        f"XGBClassifier, take the codes 0 to {len(classes) - 1} only. Give train and "
        "targets codes: encoder = LabelEncoder().fit(y_train), encoder.transform(y)."
    )


def _hint_on_inputs(X):
    """Tell of inputs that need a vectorizer or an encoder first."""
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "OUT":
        kind = type(X[0]).__name__
        needed = "DictVectorizer" if isinstance(X[0], dict) else "TfidfVectorizer"
        return (
            f"X holds objects of type {kind}, not numbers: a pipeline that starts with "
            f"a vectorizer, such as {needed}, makes numbers of them."
        )
    return None
