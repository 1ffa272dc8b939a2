"""What `cheap_attributions` computes for each family of learners."""

from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge

from skdatamodels._examples import with_inputs
from skdatamodels._last_step import last_step
from skdatamodels._random import training_seed
from skdatamodels.influence._boosting_influence import boosting_influence
from skdatamodels.influence._controls import same_class_influence
from skdatamodels.influence._forest_influence import forest_influence
from skdatamodels.influence._gauss_newton import GaussNewton
from skdatamodels.influence._influence_functions import influence_functions
from skdatamodels.influence._knn_shapley import knn_shapley
from skdatamodels.influence._last_layer_influence import last_layer_influence
from skdatamodels.influence._logistic_influence import logistic_influence
from skdatamodels.influence._mlp_influence import mlp_influence
from skdatamodels.influence._over_subsets import SubsetModels, influence_of_model
from skdatamodels.influence._ridge_influence import ridge_influence
from skdatamodels.influence._surrogate_table import surrogate_table
from skdatamodels.influence._trak import trak

_FLOPS = 5e9  # a second, of one worker: estimates of cost need no more than this
_UNPROJECTED = 5000  # most training examples of TRAK without a projection
_PROJECTION = 2048
_KERNEL_FEATURES = 300
# The penalties suit rows of length 1. On Fashion-MNIST, the LDS of logistic regression
# is .62 with 0.3, .65 with 1 and .60 with 3; the best one depends on the data.
_STRENGTHS = (0.3, 1.0, 3.0)
# Of the sums over a training set. On digits, the LDS of the last layer is .64 with 1
# and .59 with 10; that of one influence function .40 with 1, .56 with 10, .54 with 50.
_LAST_DAMPING, _DAMPING = 1.0, 10.0
# Of the trace and of the rows of a Gauss-Newton matrix, in mlp_influence. On digits,
# .97 has 15 % of the rows and costs .002 LDS.
_SHARE, _ROWS_KEPT = 0.97, 0.2


class Member(NamedTuple):
    """An attribution that is the mean of several matrices.

    Attributes
    ----------
    name : str
    jobs : list of callable
        Functions without arguments that return a matrix.
    scaled : bool
        Whether the matrices are scaled to one size before averaging.
    seconds : float
        Estimated time of the first matrix.
    """

    name: str
    jobs: list
    scaled: bool = False
    seconds: float = 0.0


def cheap_members(learner):
    """Return the members that suit a learner, the best first.

    Parameters
    ----------
    learner : LearnerModels
        The learner, with trained models.
    """
    own = {
        "logistic": _of_linear,
        "ridge": _of_linear,
        "forest": _of_trees,
        "boosting": _of_trees,
        "network": _of_network,
        "mlp": _of_mlp,
    }.get(learner.family)
    members = [] if own is None else own(learner)
    if learner.family in ("logistic", "ridge"):
        return members
    return members + surrogates(learner)


def _over_models(name, function, todo, parts, *, scaled=False, seconds=0.0, **params):
    jobs = [partial(influence_of_model, function, get, *parts, params) for get in todo]
    return Member(name, jobs, scaled, seconds)


def _kept(models):
    return [partial(_itself, kept) for kept in models]


def _itself(kept):
    return kept


def _of_linear(learner):
    """Return the influence at a model of the whole set, and over subsets."""
    known = {"logistic": logistic_influence, "ridge": ridge_influence}
    function, y = known[learner.family], learner.train.y
    models = learner.models
    if learner.task == "classification":
        n_classes = len(np.unique(y))
        models = [kept for kept in models if len(np.unique(y[kept[1]])) == n_classes]
    parts, options = (learner.train, learner.targets), {"output": learner.output}
    name = function.__name__
    members = [_over_models(name, function, [learner.full_model], parts, **options)]
    if models:
        over = f"{name} over subsets"
        members.append(_over_models(over, function, _kept(models), parts, **options))
    return members


def _of_trees(learner):
    functions = {"forest": forest_influence, "boosting": boosting_influence}
    function = functions[learner.family]
    parts, models = (learner.train, learner.targets), _kept(learner.models)
    options = {"output": learner.output}
    if learner.family == "boosting":
        options["seconds"] = _seconds_of_boosting(learner)
    return [_over_models(function.__name__, function, models, parts, **options)]


def _seconds_of_boosting(learner):
    """Estimate the time of a model: all examples move, in each tree, each other one."""
    model, subset = learner.models[0]
    n_rounds = getattr(last_step(model), "n_iter_", None)
    n_rounds = n_rounds or last_step(learner.estimator).get_params().get("n_estimators")
    n_scores = 1
    if learner.task == "classification":
        n_classes = len(np.unique(learner.train.y))
        n_scores = n_classes if n_classes > 2 else 1
    n_moved = len(subset) + len(learner.targets)
    return 2e-9 * (n_rounds or 100) * n_scores * len(learner.train) * n_moved


def _of_network(learner):
    """Return the influence of the last layer, TRAK and influence functions."""
    module, subset = learner.models[0]
    parts, models = (learner.train, learner.targets), _kept(learner.models)
    classifies, n_train = learner.task == "classification", len(learner.train)
    n_outputs = len(np.unique(learner.train.y)) if classifies else 1
    n_parameters = sum(
        value.numel() for value in module.parameters() if value.requires_grad
    )
    projected = None
    if n_train > _UNPROJECTED:
        projected = min(_PROJECTION, n_parameters)
    size = n_parameters * sum(map(len, parts))
    gradients = 50.0 * size  # multiplications and additions
    given = (models, parts)
    options = {"scaled": True, "output": learner.output}
    members = []
    if classifies:
        name, function = "last_layer_influence", last_layer_influence
        last = _over_models(name, function, *given, damping=_LAST_DAMPING, **options)
        members.append(last)
    seconds = (gradients + 2.0 * size * (projected or n_train)) / _FLOPS
    options_of_trak = {"projection_dim": projected, "random_state": learner.entropy}
    members.append(
        _over_models(
            "trak", trak, *given, seconds=seconds, **options_of_trak, **options
        )
    )
    n_rows = len(subset) * n_outputs
    if GaussNewton.fits(n_rows, n_parameters):
        small, large = sorted((n_rows, n_parameters))
        seconds = (small**2 * float(large) + n_outputs * gradients) / _FLOPS
        name, function = "influence_functions", influence_functions
        options |= {"damping": _DAMPING, "seconds": seconds}
        members.append(_over_models(name, function, *given, **options))
    return members


def _of_mlp(learner):
    """Return the influence through all layers and the last, without torch."""
    model, subset = learner.models[0]
    coefs = last_step(model).coefs_
    n_rows = _ROWS_KEPT * len(subset) * coefs[-1].shape[1]
    n_parameters = sum(coef.size + coef.shape[1] for coef in coefs)
    if n_parameters < n_rows:
        flops = n_parameters**2 * (2.0 * n_rows + n_parameters)
    else:
        flops = n_rows**2 * (2.0 * sum(sum(coef.shape) for coef in coefs) + n_rows)
    given = (_kept(learner.models), (learner.train, learner.targets))
    options = {"scaled": True, "output": learner.output, "share": _SHARE}
    name, function = "mlp_influence", mlp_influence
    return [
        _over_models(name, function, *given, seconds=flops / _FLOPS, **options),
        _over_models(
            f"{name} of the last layer",
            function,
            *given,
            layers="last",
            damping=_LAST_DAMPING,
            **options,
        ),
    ]


def surrogates(learner):
    """Return attributions of other models of the same data."""
    classifies = learner.task == "classification"
    n_outputs = len(np.unique(learner.train.y)) if classifies else 1
    train, targets = _of_length_one(*surrogate_table(*learner.tables(), n_outputs))
    parts, kernel = (train, targets), _kernel_table(train, targets, n_outputs)
    options = {"output": learner.output}
    members = []
    if classifies:
        for C in _STRENGTHS:
            model = LogisticRegression(C=C, max_iter=500)
            job = partial(logistic_influence, model, *parts, **options)
            members.append(Member(f"logistic C={C}", [job], seconds=_cost(*parts)))
        model = LogisticRegression(C=3.0, max_iter=500)
        job = partial(logistic_influence, model, *kernel, **options)
        members.append(Member("kernel logistic", [job], seconds=_cost(*kernel)))
        sign = -1.0 if learner.output == "cross_entropy" else 1.0
        for function in (knn_shapley, same_class_influence):
            job = partial(_times, sign, function, *parts)
            members.append(Member(function.__name__, [job]))
    else:
        for alpha in _STRENGTHS:
            job = partial(ridge_influence, Ridge(alpha=alpha), *parts, **options)
            members.append(Member(f"ridge alpha={alpha:g}", [job]))
        for alpha in (0.3, 3.0):
            job = partial(ridge_influence, Ridge(alpha=alpha), *kernel, **options)
            members.append(Member(f"kernel ridge alpha={alpha:g}", [job]))
    if learner.family in ("boosting", "other"):
        members.append(_forest(learner, *parts))
    return members


def _times(sign, function, train, targets):
    return sign * function(train, targets)


def _cost(train, targets):
    """Return the estimated seconds of a logistic regression with its influence."""
    n, d = train.shape
    width = d * len(np.unique(train.y))
    flops = (500 * 4 + width / 2 + len(targets)) * n * width + width**3
    return flops / _FLOPS


def _of_length_one(train, targets):
    """Divide both tables by the root of the mean squared length of training rows."""
    length = np.sqrt((train.X**2).sum(axis=1).mean()) or 1.0
    return tuple(with_inputs(part, part.X / length) for part in (train, targets))


def _kernel_table(train, targets, n_outputs):
    """Return features whose products approximate a Gaussian kernel."""
    spread = 2 * train.X.var(axis=0).sum()  # the mean squared distance
    kernel = Nystroem(
        gamma=1 / spread if spread > 0 else 1.0,
        n_components=min(_KERNEL_FEATURES, len(train)),
        random_state=0,
    )
    X, Z = kernel.fit_transform(train.X), kernel.transform(targets.X)
    pairs = ((X, train), (Z, targets))
    return tuple(with_inputs(part, values) for values, part in pairs)


def _forest(learner, train, targets):
    """Return the influence in a random forest, over subsets."""
    classifies = learner.task == "classification"
    kind = RandomForestClassifier if classifies else RandomForestRegressor
    model = kind(50, min_samples_leaf=3, random_state=training_seed(learner.entropy, 0))
    plan = SubsetModels(model, train, targets, "estimator")
    n, d = train.shape
    return _over_models(
        "forest surrogate",
        forest_influence,
        learner.jobs(plan),
        (train, targets),
        seconds=0.1 + 50 * 3e-8 * n * np.log2(n) * d**0.5,
        output=learner.output,
    )
