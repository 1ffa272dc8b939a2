"""Learners: functions ``(train_indices, seed) -> outputs (n_targets,)``."""

import numpy as np
from sklearn.base import clone

from skdatamodels._examples import check_same_shape, describe_kind
from skdatamodels._fitting import check_fit, fit_rows, take_rows
from skdatamodels._numbers import refuse_disguised
from skdatamodels._one_thread import with_one_thread
from skdatamodels._random import set_seeds, unseeded
from skdatamodels.outputs import (
    DEFAULT_OUTPUTS,
    check_measurable,
    check_output,
    encode_targets,
    get_output,
    raw_outputs,
)
from skdatamodels.training._hints import add_hints
from skdatamodels.training._learners.model_learner import ModelLearner


class EstimatorLearner(ModelLearner):
    """Train a scikit-learn estimator on a subset and measure it on the targets.

    Parameters
    ----------
    estimator : classifier or regressor
        Model to train, which is cloned for each run. Its ``random_state`` parameters
        that are None, at any depth, are set from the seed of the run.
    train, targets : Examples
        Training set and targets.
    output : str, callable or None
        Output to measure; see :data:`skdatamodels.outputs.OUTPUTS`.
    fit_params : dict of str to object, default=None
        More arguments of ``fit``, the same in every run.

    Raises
    ------
    TypeError, ValueError
        If the estimator does not have this output, a target has a class that no
        training example has, examples of `train` and `targets` differ in shape, or
        ``fit`` does not take the weights of `train` or an argument.
    """

    def __init__(self, estimator, train, targets, output, fit_params=None):
        check_same_shape(train, targets)
        check_fit(estimator, train, fit_params)
        self.fit_params = fit_params
        is_classification = check_measurable(estimator) == "classification"
        self.classes = np.unique(train.y) if is_classification else None
        self.output = check_output(output, estimator, self.classes)
        self.estimator = with_one_thread(estimator)
        self.train, self.targets = train, targets
        if is_classification:
            self.y = encode_targets(targets.y, self.classes)
        else:
            self.y = true_values(train, targets)
        self.seeded = unseeded(estimator)

    def train_and_measure(self, train_indices, seed):
        """Train a model on these examples, and return it with its outputs."""
        model = self.train_model(train_indices, seed)
        zeros = self._zeros(len(train_indices))
        raw = raw_outputs(model, self.targets.X, self.classes, **zeros)
        return model, self.output(raw, self.y)

    def train_model(self, train_indices, seed):
        """Return the estimator, fitted on these examples with the seed of a run."""
        model = set_seeds(clone(self.estimator), self.seeded, seed)
        try:
            return fit_rows(model, self.train, train_indices, self.fit_params)
        except Exception as error:
            subset = take_rows(self.train.X, train_indices)
            add_hints(error, subset, self.train.y[train_indices], self.classes)
            raise

    def _zeros(self, n_subset):
        """Return the arguments of `raw_outputs` that replace probabilities of 0.

        By the rule of succession, this is the probability that the next example is of
        an unseen class. Bounded outputs do not need it.
        """
        if self.classes is None or self.output.bounded:
            return {}
        return {"y": self.y, "zero_proba": 1 / (n_subset + len(self.classes))}


def check_trainable(estimator):
    """Raise TypeError if this is not an estimator."""
    _refuse_classes(estimator, "estimator")
    kinds = hasattr(estimator, "fit"), hasattr(estimator, "make_learner")
    if not (any(kinds) or callable(estimator)):
        raise TypeError(
            "estimator must be a classifier, a regressor, a TorchLearner or a callable "
            f"(train_indices, seed) -> outputs, got {describe_kind(estimator)}."
        )


def _refuse_classes(estimator, name):
    """Raise TypeError if an estimator, or a step of it, is a class."""
    if isinstance(estimator, type):
        raise TypeError(
            f"{name} must be an instance: {estimator.__name__}(…), not the class."
        )
    for kind in ("steps", "estimators", "transformers"):
        named = getattr(estimator, kind, None)  # in other classes it may be anything
        for entry in named if isinstance(named, list) else ():
            if isinstance(entry, tuple) and len(entry) > 1:
                _refuse_classes(entry[1], f"{entry[0]!r} of {name}")


def true_values(train, targets):
    """Return y of the targets as float64; raise if y does not contain numbers."""
    for name, part in (("train", train), ("targets", targets)):
        refuse_disguised(part.y, f"{name}.y of a regression")
        values = np.asarray(part.y, np.float64)
    return values


def output_for(output, task, learner):
    """Return an output, or raise if it is not for the task.

    None means the default of the task. `learner` is the name in the error.
    """
    output = get_output(DEFAULT_OUTPUTS[task] if output is None else output)
    if output.task not in (None, task):
        raise ValueError(
            f"output={output.name!r} is for {output.task}, but {learner} is for {task}."
        )
    return output


def default_output(estimator):
    """Return the name of the default output, or None for a callable.

    Raises
    ------
    TypeError
        If the estimator has no output to measure.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels.training._learners.learners import default_output
    >>> default_output(Ridge())
    'prediction'
    """
    if hasattr(estimator, "make_learner"):
        return getattr(estimator, "default_output", None)
    if hasattr(estimator, "fit"):
        return DEFAULT_OUTPUTS[check_measurable(estimator)]
    return None
