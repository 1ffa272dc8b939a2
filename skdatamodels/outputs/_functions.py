"""Output functions: from raw outputs to one number per target."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit

from skdatamodels._numbers import as_real
from skdatamodels.outputs._info import OutputInfo
from skdatamodels.outputs._raw import _logsumexp, check_measurable

__all__ = [
    "DEFAULT_OUTPUTS",
    "OUTPUTS",
    "Output",
    "check_output",
    "confidence",
    "correctness",
    "cross_entropy",
    "get_output",
    "info_of_output",
    "log_odds",
    "margin",
    "prediction",
    "squared_error",
]


def margin(raw, y):
    """Logit of the true class minus the highest other logit.

    The margin is unbounded, and positive if the model is right. It is the default
    because, of the usual outputs, its distribution over retrainings is closest to
    normal.

    Parameters
    ----------
    raw : array-like of shape (n_targets, n_classes)
        Logits, with two columns or more.
    y : integer array-like of shape (n_targets,)
        Column of the true class of each target (see :func:`encode_targets`).

    Returns
    -------
    margins : float64 ndarray of shape (n_targets,)
        Margins, in log-odds.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022 (arXiv:2202.00622), Section 3.1, Eq. 7.

    Examples
    --------
    >>> from skdatamodels.outputs import margin
    >>> margin([[2.0, 0.5, -1.0]], [1])
    array([-1.5])
    """
    true, others = _split(raw, y)
    return true - others.max(axis=1)


def log_odds(raw, y):
    """Log-odds of the true class against all others together.

    This is the logit of the true class minus the logsumexp of the other logits. For two
    classes it equals :func:`margin`; for more, it is a smoother version of it.

    Parameters
    ----------
    raw : array-like of shape (n_targets, n_classes)
        Logits, with two columns or more.
    y : integer array-like of shape (n_targets,)
        Column of the true class of each target (see :func:`encode_targets`).

    Returns
    -------
    log_odds : float64 ndarray of shape (n_targets,)
        Log-odds.

    Examples
    --------
    >>> from skdatamodels.outputs import log_odds
    >>> log_odds([[0.0, 0.0, 0.0]], [1]).round(4)  # -log(2)
    array([-0.6931])
    """
    true, others = _split(raw, y)
    return true - _logsumexp(others)


def confidence(raw, y):
    """Softmax probability of the true class.

    Parameters
    ----------
    raw : array-like of shape (n_targets, n_classes)
        Logits, with two columns or more.
    y : integer array-like of shape (n_targets,)
        Column of the true class of each target (see :func:`encode_targets`).

    Returns
    -------
    confidences : float64 ndarray of shape (n_targets,)
        Probabilities, from 0 to 1.

    Examples
    --------
    >>> from skdatamodels.outputs import confidence
    >>> confidence([[0.0, 0.0, 0.0, 0.0]], [1])
    array([0.25])
    """
    return expit(log_odds(raw, y))


def cross_entropy(raw, y):
    """Log loss: the negative log of the probability of the true class.

    Parameters
    ----------
    raw : array-like of shape (n_targets, n_classes)
        Logits, with two columns or more.
    y : integer array-like of shape (n_targets,)
        Column of the true class of each target (see :func:`encode_targets`).

    Returns
    -------
    losses : float64 ndarray of shape (n_targets,)
        Losses, in nats. Lower is better, so a helpful training example has a negative
        weight.

    Examples
    --------
    >>> from skdatamodels.outputs import cross_entropy
    >>> cross_entropy([[0.0, 0.0]], [1]).round(4)
    array([0.6931])
    """
    # log(1 + exp(-odds)) is accurate near 0, where logsumexp - logit is not.
    return np.logaddexp(0.0, -log_odds(raw, y))


def correctness(raw, y):
    """Whether the true class has the highest logit.

    If several logits are the highest, the first column counts, as in `predict`.

    Parameters
    ----------
    raw : array-like of shape (n_targets, n_classes)
        Logits, with two columns or more.
    y : integer array-like of shape (n_targets,)
        Column of the true class of each target (see :func:`encode_targets`).

    Returns
    -------
    correct : float64 ndarray of shape (n_targets,)
        1.0 if the prediction is correct, else 0.0.

    Examples
    --------
    >>> from skdatamodels.outputs import correctness
    >>> correctness([[2.0, 0.5], [2.0, 0.5]], [0, 1])
    array([1., 0.])
    """
    raw, y = _check_logits(raw, y)
    return (raw.argmax(axis=1) == y).astype(np.float64)


def prediction(raw, y):
    """Prediction of a regressor, unchanged.

    Parameters
    ----------
    raw : array-like of shape (n_targets,)
        Predictions.
    y : array-like of shape (n_targets,)
        True values. Only their number is used.

    Returns
    -------
    predictions : float64 ndarray of shape (n_targets,)
        Predictions, in units of y.

    Examples
    --------
    >>> from skdatamodels.outputs import prediction
    >>> prediction([1.5, 2.0], [1.0, 4.0])
    array([1.5, 2. ])
    """
    return _check_predictions(raw, y)[0].copy()


def squared_error(raw, y):
    """Squared error of the prediction of a regressor.

    Parameters
    ----------
    raw, y : array-like of shape (n_targets,)
        Predictions and true values.

    Returns
    -------
    errors : float64 ndarray of shape (n_targets,)
        Squared errors, in units of y squared. Lower is better.

    Examples
    --------
    >>> from skdatamodels.outputs import squared_error
    >>> squared_error([1.5, 2.0], [1.0, 4.0])
    array([0.25, 4.  ])
    """
    raw, y = _check_predictions(raw, y)
    return (raw - y) ** 2


@dataclass(frozen=True)
class Output:
    """An output function and what its values mean.

    Call it like the function: ``output(raw, y)`` returns the values and checks their
    shape.

    Parameters
    ----------
    name : str
        Name of the output.
    function : callable
        Function ``(raw, y) -> values`` that returns an array of shape (n_targets,).
    unit : str
        Unit of the values, such as "log-odds" or "nats".
    task : {"classification", "regression"} or None
        Kind of estimator that the output is for. None means both.
    higher_is_better : bool or None, default=None
        Whether higher values are better. None if neither direction is better (as for a
        prediction), or if it is not known.
    bounded : bool, default=False
        Whether the values are bounded, like probabilities and unlike margins. If they
        are not, predicted probabilities of 0 are raised, so that their log is not an
        outlier.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.outputs import Output
    >>> absolute_error = Output(
    ...     "absolute_error",
    ...     lambda predictions, y: np.abs(predictions - y),
    ...     unit="units of y",
    ...     task="regression",
    ...     higher_is_better=False,
    ... )
    >>> absolute_error(np.array([1.5, 2.0]), np.array([1.0, 4.0]))
    array([0.5, 2. ])
    """

    name: str
    function: Callable = field(repr=False)
    unit: str
    task: str | None
    higher_is_better: bool | None = None
    bounded: bool = False

    @property
    def info(self):
        """Description of the output, as OutputInfo."""
        return OutputInfo(self.name, self.unit, self.higher_is_better)

    def __call__(self, raw, y):
        """Return the output of each target, float64 ndarray of shape (n_targets,)."""
        values = as_real(self.function(raw, y), f"values of output {self.name!r}")
        if values.shape != (len(y),):
            raise ValueError(
                f"Output {self.name!r} must give one number per target, shape"
                f" ({len(y)},), but gave shape {values.shape}."
            )
        return values.astype(np.float64, copy=False)


OUTPUTS = {
    function.__name__: Output(function.__name__, function, unit, task, *rest)
    for function, unit, task, *rest in [
        (margin, "log-odds", "classification", True),
        (log_odds, "log-odds", "classification", True),
        (confidence, "probability", "classification", True, True),
        (cross_entropy, "nats", "classification", False),
        (correctness, "0/1", "classification", True, True),
        (prediction, "units of y", "regression", None),
        (squared_error, "units of y squared", "regression", False),
    ]
}
"""The outputs by name."""

DEFAULT_OUTPUTS = {"classification": "margin", "regression": "prediction"}
"""Name of the default output of each task."""


def get_output(output):
    """Return the output with a name, or the output that a callable defines.

    Parameters
    ----------
    output : str, callable or Output
        A key of `OUTPUTS`, or a callable ``(raw_outputs, y) -> values``, which returns
        an array of shape (n_targets,). For a classifier it gets logits of shape
        (n_targets, n_classes) and the column of each target's class; for a regressor,
        predictions of shape (n_targets,) and y.

    Returns
    -------
    output : Output
        The output.

    Raises
    ------
    ValueError
        If there is no output with this name.
    TypeError
        If `output` is neither a str nor a callable.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.outputs import get_output
    >>> get_output("cross_entropy").unit
    'nats'
    >>> get_output(lambda raw, y: np.ptp(raw, axis=1))(np.array([[1.0, 3.0]]), [1])
    array([2.])
    """
    if isinstance(output, Output):
        return output
    if isinstance(output, str) and output in OUTPUTS:
        return OUTPUTS[output]
    if callable(output):
        name = getattr(output, "__name__", type(output).__name__)
        return Output(name, output, "user-defined", None)
    error = ValueError if isinstance(output, str) else TypeError
    raise error(
        f"output must be one of {', '.join(sorted(OUTPUTS))}, or a callable"
        f" (raw_outputs, y) -> (n_targets,); got {output!r}."
    )


def info_of_output(output):
    """Return the description of an output.

    Parameters
    ----------
    output : str, callable, Output, OutputInfo or None
        An output as for :func:`get_output`, or its description. None means that nothing
        is known.

    Returns
    -------
    info : OutputInfo
        The description.

    Examples
    --------
    >>> from skdatamodels.outputs import info_of_output
    >>> info_of_output("cross_entropy")
    OutputInfo(name='cross_entropy', unit='nats', higher_is_better=False)
    >>> info_of_output(None)
    OutputInfo(name='unknown', unit='unknown', higher_is_better=None)
    """
    if output is None:
        return OutputInfo()
    return output if isinstance(output, OutputInfo) else get_output(output).info


def check_output(output, estimator, classes=None):
    """Return an output after checking that an estimator has it.

    Parameters
    ----------
    output : str, callable, Output or None
        The output, as for :func:`get_output`. None means the default of the task:
        margin for a classifier, prediction for a regressor.
    estimator : scikit-learn estimator
        The estimator, fitted or not.
    classes : array-like of shape (n_classes,), default=None
        Classes of the training set. If given, a classifier needs two or more.

    Returns
    -------
    output : Output
        The output.

    Raises
    ------
    TypeError
        If the estimator has no output to measure.
    ValueError
        If the output is unknown or for another task, or if a classifier has only one
        class.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels.outputs import check_output
    >>> check_output("margin", Ridge())
    Traceback (most recent call last):
        ...
    ValueError: output='margin' is for classification, but Ridge does regression:
    use output='prediction' (or squared_error).
    """
    task = check_measurable(estimator)
    output = get_output(DEFAULT_OUTPUTS[task] if output is None else output)
    if output.task not in (None, task):
        first, *others = (o.name for o in OUTPUTS.values() if o.task == task)
        raise ValueError(
            f"output={output.name!r} is for {output.task}, but"
            f" {type(estimator).__name__} does {task}: use output={first!r}"
            f" (or {', '.join(others)})."
        )
    if task == "classification" and classes is not None and len(classes) < 2:
        raise ValueError(
            f"The training set has the single class {np.asarray(classes).tolist()}, but"
            f" output {output.name!r} compares the true class with others. Two or more"
            " classes are needed."
        )
    return output


def _split(raw, y):
    """Return the true class's logit, and all logits with -inf in its place."""
    raw, y = _check_logits(raw, y)
    rows = np.arange(len(y))
    others = raw.copy()
    others[rows, y] = -np.inf
    return raw[rows, y], others


def _check_logits(raw, y):
    raw, y = as_real(raw, "logits").astype(np.float64, copy=False), np.asarray(y)
    if raw.ndim != 2 or raw.shape[1] < 2:
        raise ValueError(
            "Logits must have shape (n_targets, n_classes) with two or more classes,"
            f" got {raw.shape}."
        )
    if y.shape != raw.shape[:1]:
        raise ValueError(
            f"y must have one value per target, shape ({len(raw)},), got {y.shape}."
        )
    if y.dtype.kind not in "iu" or (
        y.size and not 0 <= y.min() <= y.max() < raw.shape[1]
    ):
        raise ValueError(
            f"y must hold column indices 0..{raw.shape[1] - 1} of the true classes, as"
            " encode_targets(y, classes) returns them."
        )
    return raw, y


def _check_predictions(raw, y):
    raw = as_real(raw, "predictions").astype(np.float64, copy=False)
    y = as_real(y, "true values").astype(np.float64, copy=False)
    if raw.ndim != 1 or raw.shape != y.shape:
        raise ValueError(
            "Predictions and y must both have shape (n_targets,), got"
            f" {raw.shape} and {y.shape}."
        )
    return raw, y
