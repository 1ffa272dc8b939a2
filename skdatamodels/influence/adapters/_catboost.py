"""Adapter to CatBoost's importance of training examples."""

import numpy as np
from scipy.special import expit
from sklearn.frozen import FrozenEstimator

from skdatamodels._sklearn_compat import StrOptions, validate_params
from skdatamodels.influence._checks import check_same_examples
from skdatamodels.influence.adapters._peers import OPTIONS, import_peer

__all__ = ["catboost_importance"]

_OUTPUTS = {
    "Logloss": ("margin", "log_odds", "confidence", "cross_entropy"),
    "RMSE": ("prediction", "squared_error"),
}
# Options that CatBoost leaves out of account, and the values without effect.
_COVERED = {
    "auto_class_weights": "None",
    "class_weights": None,
    "langevin": False,
    "model_shrink_rate": 0,
}


@validate_params(
    {name: OPTIONS[name] for name in ("train", "targets", "verbose")}
    | {
        "output": [str, None],
        "update_method": [StrOptions({"SinglePoint", "AllPoints"})],
    },
    prefer_skip_nested_validation=True,
)
def catboost_importance(
    estimator, train, targets, *, output=None, update_method="AllPoints", verbose=0
):
    """LeafInfluence by CatBoost's `get_object_importance`.

    CatBoost keeps the splits of the trees fixed and differentiates the loss of a target
    with respect to the weight of a training example. The derivative of the output
    follows from that of the loss. With "AllPoints" and one iteration in the leaves, it
    equals :func:`skdatamodels.influence.boosting_influence`, but that the score before
    the first tree is kept fixed, too. With several iterations, the default of
    classifiers of many trees, it is an approximation.

    Tested with CatBoost 1.2.10, which leaves the score before the first tree
    (`boost_from_average`) out of account. For "RMSE", this is corrected here.

    Parameters
    ----------
    estimator : CatBoostClassifier of two classes or CatBoostRegressor
        With the loss "Logloss" or "RMSE" and symmetric trees. It is cloned and fitted
        here, unless it is a ``FrozenEstimator`` of a fitted one.
    train, targets : Examples
        The training set and the targets. X may be a data frame whose categories the
        estimator's `cat_features` names. Their influence is approximate: CatBoost
        encodes categories differently in training and in prediction.
    output : str, default=None
        Output to measure on a target: "margin", "log_odds" (the same for two classes),
        "confidence" or "cross_entropy"; "prediction" or "squared_error" for a
        regressor. None means "margin" and "prediction".
    update_method : {"AllPoints", "SinglePoint"}, default="AllPoints"
        "AllPoints" carries the effect on the scores of other training examples on to
        later trees. "SinglePoint" does so for the example itself only, and is faster.
    verbose : int, default=0
        If not 0, show the progress of CatBoost.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence in the output's unit per example. Positive if the presence of the
        example raises the output.

    Raises
    ------
    ImportError
        If catboost is not installed.
    TypeError
        If the estimator is of another class.
    ValueError
        If CatBoost has no importance for the loss or an option, the model was fitted on
        other examples or with weights, or the prediction for a target is exact, so that
        the derivative of the loss does not tell that of the prediction.

    References
    ----------
    Sharchilev, Ustinovsky, Serdyukov, de Rijke, "Finding influential training samples
    for gradient boosted decision trees", ICML 2018.
    """
    package = import_peer("catboost")
    frozen = isinstance(estimator, FrozenEstimator)
    model = estimator.estimator if frozen else estimator
    kinds = package.CatBoostClassifier, package.CatBoostRegressor
    if type(model) not in kinds:
        raise TypeError(
            f"{type(model).__name__} is not a CatBoostClassifier or CatBoostRegressor."
        )
    check_same_examples(train, targets, classes=type(model) is kinds[0])
    if not frozen:
        # scikit-learn's `clone` refuses its lists, such as cat_features.
        model = type(model)(**model.get_params())
        model.fit(train.X, train.y, verbose=bool(verbose))
    output = _check_model(model, len(train), output)
    bias = model.get_scale_and_bias()[1] if type(model) is kinds[1] else 0.0
    names = ("cat_features", "text_features", "embedding_features")
    features = {name: model.get_params().get(name) for name in names}
    pools = [
        package.Pool(part.X, part.y - bias if bias else part.y, **features)
        for part in (targets, train)
    ]
    places, scores = model.get_object_importance(
        *pools, type="PerObject", update_method=update_method, verbose=bool(verbose)
    )
    of_loss = np.zeros((len(targets), len(train)))
    np.put_along_axis(of_loss, np.array(places), np.array(scores), axis=1)
    raw = model.predict(targets.X, prediction_type="RawFormulaVal")
    factor = _of_output(output, np.asarray(raw), targets.y, model)
    return of_loss * factor[:, None]


def _check_model(model, n_train, output):
    """Return the name of the output, or raise if it or the model is not covered."""
    options, name = model.get_all_params(), type(model).__name__
    loss = options["loss_function"]
    if loss not in _OUTPUTS:
        raise ValueError(
            f"CatBoost has no importance of examples for the loss {loss!r} here. Use "
            "'Logloss', with two classes, or 'RMSE'."
        )
    for option, value in _COVERED.items():
        if options.get(option, value) != value:
            raise ValueError(
                f"{name} has {option}={options[option]}, which CatBoost's importance "
                f"leaves out of account. Use {option}={value}."
            )
    if options["grow_policy"] != "SymmetricTree":
        raise ValueError(
            f"{name} has grow_policy={options['grow_policy']!r}, and CatBoost has "
            "importances for 'SymmetricTree' only."
        )
    if loss == "Logloss" and model.get_scale_and_bias()[1]:
        raise ValueError(
            f"{name} has boost_from_average=True, which CatBoost's importance leaves "
            "out of account. Use boost_from_average=False."
        )
    total = model.get_leaf_weights().sum() / model.tree_count_
    if not np.isclose(total, n_train):
        raise ValueError(
            f"{name} was fitted on examples of total weight {total:g}, but the "
            f"training set has {n_train}: it was fitted on others, or with weights."
        )
    if output is None:
        return _OUTPUTS[loss][0]
    if output not in _OUTPUTS[loss]:
        raise ValueError(
            f"output={output!r} is not known for the loss {loss!r}. Use one of "
            f"{', '.join(_OUTPUTS[loss])}."
        )
    return output


def _of_output(output, raw, y, model):
    """Return the derivative of each target's output by its loss, shape (n_targets,)."""
    if output == "squared_error":
        return np.full(len(y), 2.0)  # CatBoost's loss is half of it
    if output == "prediction":
        residual = raw - y
        if not residual.all():
            raise ValueError(
                f"The prediction for target {np.argmin(residual != 0)} is exact: the "
                "derivative of its loss is 0, and does not tell that of the "
                "prediction. Leave this target out, or use output='squared_error'."
            )
        return 1 / residual
    if output == "cross_entropy":
        return np.ones(len(y))
    margin = np.where(y == model.classes_[1], raw, -raw)
    if output == "confidence":
        return -expit(margin)
    return -1 / expit(-margin)
