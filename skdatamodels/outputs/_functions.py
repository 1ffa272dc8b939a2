"""From raw outputs to one number a target: what a datamodel predicts."""

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

    Unbounded, and positive where the model is right. Of the usual outputs it is
    the closest to normally distributed over retrainings, hence the default.

    Parameters
    ----------
    raw : array-like of shape (n_targets, n_classes)
        Logits, at least two columns.
    y : integer array-like of shape (n_targets,)
        Column of the true class (see `encode_targets`).

    Returns
    -------
    margins : float64 ndarray of shape (n_targets,)
        In log-odds.

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

    The logit of the true class minus the logsumexp of the other logits; the same
    as `margin` for two classes, and a smoother one for more.

    Parameters
    ----------
    raw, y : array-like
        Logits and columns of the true classes, as for :func:`margin`.

    Returns
    -------
    log_odds : float64 ndarray of shape (n_targets,)
        In log-odds.

    Examples
    --------
    >>> from skdatamodels.outputs import log_odds
    >>> log_odds([[0.0, 0.0, 0.0]], [1]).round(4)  # -log(2)
    array([-0.6931])
    """
    true, others = _split(raw, y)
    return true - _logsumexp(others)


def confidence(raw, y):
    """Probability that softmax of the logits gives to the true class.

    Parameters
    ----------
    raw, y : array-like
        Logits and columns of the true classes, as for :func:`margin`.

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
    """Negative log of the probability of the true class: the log loss.

    Parameters
    ----------
    raw, y : array-like
        Logits and columns of the true classes, as for :func:`margin`.

    Returns
    -------
    losses : float64 ndarray of shape (n_targets,)
        In nats; lower is better, so an example that helps has a negative weight.

    Examples
    --------
    >>> from skdatamodels.outputs import cross_entropy
    >>> cross_entropy([[0.0, 0.0]], [1]).round(4)
    array([0.6931])
    """
    # log(1 + exp(-odds)) keeps its digits near 0, where logsumexp - logit loses them.
    return np.logaddexp(0.0, -log_odds(raw, y))


def correctness(raw, y):
    """Whether the true class has the highest logit.

    Among equal highest logits the first column counts, as in `predict`.

    Parameters
    ----------
    raw, y : array-like
        Logits and columns of the true classes, as for :func:`margin`.

    Returns
    -------
    correct : float64 ndarray of shape (n_targets,)
        1.0 or 0.0.

    Examples
    --------
    >>> from skdatamodels.outputs import correctness
    >>> correctness([[2.0, 0.5], [2.0, 0.5]], [0, 1])
    array([1., 0.])
    """
    raw, y = _check_logits(raw, y)
    return (raw.argmax(axis=1) == y).astype(np.float64)


def prediction(raw, y):
    """Prediction of a regressor as it is.

    Parameters
    ----------
    raw : array-like of shape (n_targets,)
        Predictions.
    y : array-like of shape (n_targets,)
        True values; of them only the number is used.

    Returns
    -------
    predictions : float64 ndarray of shape (n_targets,)
        In units of y.

    Examples
    --------
    >>> from skdatamodels.outputs import prediction
    >>> prediction([1.5, 2.0], [1.0, 4.0])
    array([1.5, 2. ])
    """
    return _check_predictions(raw, y)[0].copy()


def squared_error(raw, y):
    """Squared difference of prediction and truth of a regressor.

    Parameters
    ----------
    raw, y : array-like of shape (n_targets,)
        Predictions and true values.

    Returns
    -------
    errors : float64 ndarray of shape (n_targets,)
        In units of y squared; lower is better.

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
    """An output and what its numbers mean.

    Call it as the function: ``output(raw, y)``; the result's shape is checked.

    Parameters
    ----------
    name : str
    function : callable ``(raw, y) -> (n_targets,)``
    unit : str
        Such as "log-odds" or "nats".
    task : {"classification", "regression"} or None
        What kind of estimator it is for; None is either.
    higher_is_better : bool or None, default=None
        None if neither is better (a prediction), or nobody said.
    bounded : bool, default=False
        Whether it has limits, as a probability has, and a margin has not. Where it has
        none, a predicted probability of 0 is raised, so that its log is no outlier.

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
        """What it measures, as OutputInfo."""
        return OutputInfo(self.name, self.unit, self.higher_is_better)

    def __call__(self, raw, y):
        """Measure each target; float64 ndarray of shape (n_targets,)."""
        values = as_real(self.function(raw, y), f"values of output {self.name!r}")
        if values.shape != (len(y),):
            raise ValueError(
                f"Output {self.name!r} must give one number a target, shape"
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
"""Name of the output that is measured if none is asked for, by task."""


def get_output(output):
    """Output of a name, or of a function of one's own.

    Parameters
    ----------
    output : str, callable or Output
        A key of `OUTPUTS`, or a callable ``(raw_outputs, y) -> (n_targets,)``.
        For a classifier it is given logits (n_targets, n_classes) and the column
        of each target's class, for a regressor predictions (n_targets,) and y.

    Returns
    -------
    output : Output

    Raises
    ------
    ValueError
        If there is no output of that name.
    TypeError
        If it is neither a name nor a callable.

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
        f"output must be one of {', '.join(OUTPUTS)}, or a callable"
        f" (raw_outputs, y) -> (n_targets,); got {output!r}."
    )


def info_of_output(output):
    """Say what an output measures.

    Parameters
    ----------
    output : str, callable, Output, OutputInfo or None
        As for `get_output`, or what is known already. None stands for nothing known.

    Returns
    -------
    info : OutputInfo

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
    """Output, if it can be measured of the estimator; needs no fit.

    Parameters
    ----------
    output : str, callable, Output or None
        As for `get_output`; None stands for the default of the task: margin for a
        classifier, prediction for a regressor.
    estimator : scikit-learn estimator
        Fitted or not.
    classes : array-like of shape (n_classes,), default=None
        Classes of the training set. If given, there must be two or more for a
        classifier.

    Returns
    -------
    output : Output

    Raises
    ------
    TypeError
        If the estimator has no output at all.
    ValueError
        If the output is unknown, is of the other task, or has no second class.

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
            f"The training set has the single class {np.asarray(classes).tolist()}:"
            f" output {output.name!r} compares the true class with others. Two or more"
            " classes are needed."
        )
    return output


def _split(raw, y):
    """Logit of the true class, and a copy of all with -inf in its place."""
    raw, y = _check_logits(raw, y)
    rows = np.arange(len(y))
    others = raw.copy()
    others[rows, y] = -np.inf
    return raw[rows, y], others


def _check_logits(raw, y):
    raw, y = as_real(raw, "logits").astype(np.float64, copy=False), np.asarray(y)
    if raw.ndim != 2 or raw.shape[1] < 2:
        raise ValueError(
            "Logits must have shape (n_targets, n_classes) with two classes or more,"
            f" got {raw.shape}."
        )
    if y.shape != raw.shape[:1]:
        raise ValueError(f"Logits are for {len(raw)} targets, y has shape {y.shape}.")
    if y.dtype.kind not in "iu" or (
        y.size and not 0 <= y.min() <= y.max() < raw.shape[1]
    ):
        raise ValueError(
            f"y must hold column indices 0..{raw.shape[1] - 1} of the true classes;"
            " encode_targets(y, classes) makes them."
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
