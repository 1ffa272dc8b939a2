"""A learner with its family, and models that it trains on random subsets."""

import warnings
from time import perf_counter

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils.multiclass import type_of_target

from skdatamodels._last_step import last_step
from skdatamodels.influence._over_subsets import SubsetModels
from skdatamodels.influence._pipeline_tables import split_pipeline
from skdatamodels.outputs import (
    DEFAULT_OUTPUTS,
    check_measurable,
    check_output,
    info_of_output,
)

_N_MODELS = 16
_FAMILIES = {  # by the name of a base class
    "LogisticRegressionCV": "other",
    "LogisticRegression": "logistic",
    "Ridge": "ridge",
    "RidgeClassifier": "ridge",
    "BaseForest": "forest",
    "BaseDecisionTree": "forest",
    "BaseBagging": "forest",
    "BaseHistGradientBoosting": "boosting",
    "BaseGradientBoosting": "boosting",
    "LGBMModel": "boosting",
    "XGBModel": "boosting",
    "CatBoost": "boosting",
    "BaseMultilayerPerceptron": "mlp",
}
_DERIVATIVES = {  # outputs with a derivative in all families, and their stand-ins
    "classification": {
        "margin": "margin",
        "log_odds": "log_odds",
        "cross_entropy": "cross_entropy",
        "confidence": "confidence",
    },
    "regression": {"prediction": "prediction", "squared_error": "squared_error"},
}


class LearnerModels:
    """A learner, what it measures, and its models on random subsets.

    Parameters
    ----------
    estimator : estimator, TorchLearner, ImageLearner or callable
        The learner.
    train, targets : Examples
        The training set and the targets.
    output : str, callable, OutputInfo or None
        Output to measure.
    alpha : float
        Fraction of the training set in a subset.
    entropy : int
        Seed.
    n_jobs : int or None
        Number of workers.
    fit_params : dict of str to object, default=None
        More arguments of ``fit``.

    Attributes
    ----------
    family : str
        What is known about the learner: "logistic", "ridge", "forest", "boosting",
        "network" (of torch), "mlp" (of scikit-learn) or "other".
    task : {"classification", "regression"}
        Its task.
    output : str
        Name of the output that attributions measure.
    models : list of KeptModel
        The trained models.
    notes : list of str
        What a user should know.
    """

    def __init__(
        self, estimator, train, targets, output, alpha, entropy, n_jobs, fit_params=None
    ):
        self.estimator, self.train, self.targets = estimator, train, targets
        self.alpha, self.entropy, self.n_jobs = alpha, entropy, n_jobs
        self.models, self.notes = [], []
        self._plan = self._first = self._seconds = None
        self.family, self.task = family_of(estimator), _task(estimator, train)
        if hasattr(estimator, "fit"):
            check_output(output, estimator, np.unique(train.y))
        self.output = self._measured(output)
        if self.family == "network" or hasattr(estimator, "fit"):
            takes = "module" if self.family == "network" else "estimator"
            self._plan = SubsetModels(
                estimator, train, targets, takes, output, fit_params
            )
        if self.family == "other":
            self.notes.append(
                f"{type(last_step(estimator)).__name__} has no attribution of its own "
                "here: these are those of other models and of neighbours."
            )

    def _measured(self, output):
        name = DEFAULT_OUTPUTS[self.task]
        if output is None:
            return name
        given = info_of_output(output).name
        name = _DERIVATIVES[self.task].get(given, name)
        if name == "confidence" and self.family == "network":
            name = "log_odds"  # torch's functions do not differentiate it
        if name != given:
            self.notes.append(f"They measure {name!r} instead of {given!r}.")
        return name

    def jobs(self, plan=None):
        """Return functions that train the models of subsets."""
        plan = self._plan if plan is None else plan
        return [
            plan.job(self.alpha, self.entropy, number) for number in range(_N_MODELS)
        ]

    def training_time(self):
        """Return the seconds that one training takes; measure it once."""
        if self._seconds is None:
            start = perf_counter()
            if self._plan is None:
                size = max(1, round(self.alpha * len(self.train)))
                self.estimator(np.arange(size), 0)
            else:
                self._first = _silent(self.jobs()[0])
            self._seconds = perf_counter() - start
        return self._seconds

    def train_models(self, until):
        """Train models, as many as fit until a point in time, at least one.

        Only families that use several get several.
        """
        if self.models or self._plan is None:
            return
        each = self.training_time()
        self.models.append(self._first)
        several = self.family != "other"
        n_more = _N_MODELS if several else 0
        if several and np.isfinite(until):
            n_more = int(max(0, until - perf_counter()) // max(each, 1e-9))
        jobs = (delayed(_silent)(job) for job in self.jobs()[1 : 1 + n_more])
        self.models.extend(Parallel(n_jobs=self.n_jobs)(jobs))

    def full_model(self):
        """Train a model of the whole training set, and return it as a KeptModel."""
        return self._plan.whole(self.entropy)

    def tables(self):
        """Return train and targets as the last step of a pipeline sees them."""
        if self._plan is None or self.family == "network":
            return self.train, self.targets
        return split_pipeline(self.models[0][0], self.train, self.targets)[1:]


def _silent(job):
    """Train a model without the warnings that its learner gives in each run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return job()


def family_of(estimator):
    if hasattr(estimator, "make_learner"):
        return "network"
    kinds = [kind.__name__ for kind in type(last_step(estimator)).__mro__]
    return next((_FAMILIES[kind] for kind in kinds if kind in _FAMILIES), "other")


def _task(estimator, train):
    if hasattr(estimator, "make_learner"):
        return estimator.task
    if hasattr(estimator, "fit"):
        return check_measurable(estimator)
    if not callable(estimator):
        raise TypeError(
            "estimator must be a classifier, a regressor, a TorchLearner or a callable "
            f"(train_indices, seed) -> outputs, got {type(estimator).__name__}."
        )
    continuous = type_of_target(train.y).startswith("continuous")
    return "regression" if continuous else "classification"
