"""One training before all others: whether the model can take the rows, and how fast."""

import time
import warnings

import numpy as np

from skdatamodels._examples import Examples
from skdatamodels._frames import columns_of, is_frame, is_pandas
from skdatamodels._process_state import single_threaded
from skdatamodels._tables import import_pandas
from skdatamodels.auditing._columns import column_kinds, listed
from skdatamodels.training._learners.learners import EstimatorLearner

_MOST_TRIED = 20  # columns that are tried one by one
_MOST_CHARACTERS = 200  # of an error


def try_model(trainer, hidden=()):
    """Train the model on a random subset and measure it; return the seconds.

    Parameters
    ----------
    trainer : SubsetTrainer
        Trainer of the runs. Its first targets are the training rows.
    hidden : sequence of str, default=()
        Columns that were given, but that the model does not get.

    Returns
    -------
    seconds : float

    Raises
    ------
    ValueError
        If that fails: with the columns that the model cannot take and what to do, or
        with the error of the model.
    """
    mask = trainer.draw_subsets([0], trainer.random_state).dense()[0]
    subset = np.flatnonzero(mask)
    start = time.perf_counter()
    error = _error_of(trainer, trainer.targets.X, subset)
    seconds = time.perf_counter() - start
    if error is None:
        return seconds
    message = [
        f"{type(trainer.estimator).__name__} cannot be trained on these rows: "
        f"{_in_short(error)}"
    ]
    # scikit-learn 1.8 names the column in the cause alone
    said = f"{error} {error.__cause__}"
    missed = [name for name in hidden if repr(name) in said]
    if missed:
        message.append(
            f"The model does not see {listed(missed)}, the column of the groups or "
            f"weights. To let it, pass X[{missed[0]!r}] in place of the name."
        )
    culprits = _culprits(trainer, subset)
    if not culprits:
        message += getattr(error, "__notes__", [])
        raise ValueError(" ".join(message)) from error
    for kind, (what, cure) in _CURES.items():
        names = [name for name, its_kind in culprits.items() if its_kind == kind]
        if names:
            message.append(
                f"Columns with {what}: {listed(names)}. {cure} in a Pipeline before "
                "the model."
            )
    if is_pandas(trainer.train.X):
        message.append('Or use the model "boosting", which takes such columns.')
    # where in the library it failed is of no interest
    raise ValueError(" ".join(message)) from error.with_traceback(None)


_CURES = {
    "text": ("text", "Turn it into numbers with TfidfVectorizer"),
    "category": (
        "words or categories",
        'Encode them with OneHotEncoder(handle_unknown="ignore") or OrdinalEncoder',
    ),
    "date": ("dates", "Turn them into numbers, such as days,"),
    "number": ("gaps", "Fill them with SimpleImputer"),
}


def _error_of(trainer, X, subset):
    """Return the error of training on a subset, with other inputs; None if it works."""
    known, n_train = trainer.train, len(trainer.train)
    weight = known.sample_weight
    targets = Examples(X, trainer.targets.y, allow_nan=True)
    train = targets[np.arange(n_train)]
    train = Examples(train.X, train.y, allow_nan=True, sample_weight=weight)
    learner = EstimatorLearner(
        trainer.estimator, train, targets, trainer.output, trainer.fit_params
    )
    try:
        with single_threaded(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # training tells them, and counts them
            learner(subset, 0)
    except Exception as error:
        return error
    return None


def _culprits(trainer, subset):
    """Return the columns that the model cannot take, with what they hold.

    All columns that are not plain numbers are coded as such. If the model can learn
    from these, each is put back alone.
    """
    X = trainer.targets.X
    odd = _odd_columns(X)
    coded = _with_codes(X, odd)
    if not odd or _error_of(trainer, coded, subset) is not None:
        return {}
    if len(odd) > _MOST_TRIED:
        return odd
    return {
        name: kind
        for name, kind in odd.items()
        if _error_of(trainer, _with_codes(X, set(odd) - {name}), subset) is not None
    } or odd


def _odd_columns(X):
    """Return what columns hold that are not numbers or have gaps, by name."""
    pandas_frame = _as_pandas(X)
    if pandas_frame is None:
        return {}
    kinds = column_kinds(pandas_frame)
    return {
        name: kinds[name]
        for name, column in columns_of(pandas_frame)
        if kinds[name] != "number" or column.isna().any()
    }


def _as_pandas(X):
    """Return a table as a frame of pandas; None if it has no columns."""
    if is_pandas(X):
        return X
    if is_frame(X):
        return import_pandas().DataFrame(
            {name: X[name].to_list() for name in X.columns}
        )
    if isinstance(X, np.ndarray) and X.ndim == 2:
        return import_pandas().DataFrame(X).infer_objects()
    return None


def _with_codes(X, names):
    """Return a table with numbers instead of the values of some columns."""
    codes = {
        name: import_pandas().factorize(column)[0].astype(float)
        for name, column in columns_of(_as_pandas(X))
        if name in names
    }
    if is_pandas(X):
        return X.assign(**codes) if codes else X
    if is_frame(X):
        import polars

        return X.with_columns(polars.Series(name, c) for name, c in codes.items())
    if not isinstance(X, np.ndarray) or not codes:
        return X
    X = X.astype(object)
    for name, values in codes.items():
        X[:, name] = values
    try:
        return X.astype(float)
    except (ValueError, TypeError):  # there is still some text
        return X


def _in_short(error):
    """Return the kind of an error and the beginning of its message."""
    kind = f"{type(error).__name__}."
    text = next(iter(str(error).strip().splitlines()), "")
    if len(text) > _MOST_CHARACTERS:
        text = f"{text[:_MOST_CHARACTERS]}…"
    return f"{type(error).__name__}: {text.rstrip('.')}." if text else kind
