"""Checks of attribution matrices, shared by all applications."""

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_array, validate_data

from skdatamodels._examples import check_examples
from skdatamodels._last_step import last_step
from skdatamodels._numbers import refuse_disguised
from skdatamodels.outputs import OUTPUTS
from skdatamodels.training._players import players_of

FLOATS = [np.float64, np.float32]


def weights_of(given):
    """Return the attribution matrix of a fitted estimator; pass others through."""
    estimator = last_step(given)
    if hasattr(estimator, "outputs"):
        raise TypeError(
            f"Expected weights, got {type(estimator).__name__}. Fit a "
            "DatamodelRegressor on the runs, and pass the regressor."
        )
    if not hasattr(estimator, "fit"):
        return given
    if is_classifier(estimator):
        raise TypeError(
            f"The coef_ of {type(estimator).__name__} are weights of features, not of "
            "training examples. Pass a DatamodelRegressor that was fitted on runs."
        )
    if not hasattr(estimator, "coef_"):
        raise ValueError(
            f"{type(estimator).__name__} has no coef_ (the attribution matrix). Fit it "
            "first."
        )
    return estimator.coef_[None] if np.ndim(estimator.coef_) == 1 else estimator.coef_


def check_weights(weights, name="weights"):
    """Validate an attribution matrix and return it as float, dense or CSR.

    Parameters
    ----------
    weights : array-like or CSR of shape (n_targets, n_train), or fitted estimator
        An estimator must have ``coef_``. Of a pipeline or a search, the last step is
        used.
    name : str, default="weights"
        Name in error messages.
    """
    weights = weights_of(weights)
    refuse_disguised(weights, name)
    if np.ndim(weights) == 1:
        raise ValueError(
            f"{name} must have shape (n_targets, n_train), got 1-d weights of shape "
            f"{np.shape(weights)}: for a single target give coef_[[0]], not coef_[0]."
        )
    return check_array(weights, accept_sparse="csr", dtype=FLOATS, input_name=name)


def check_other_runs(matrix, held_out):
    """Raise unless held-out weights have the shape of others, and other values.

    Parameters
    ----------
    matrix, held_out : array or CSR of shape (n_targets, n_train)
        Attribution matrices.
    """
    if held_out.shape != matrix.shape:
        raise ValueError(
            f"weights have shape {matrix.shape}, but held_out has {held_out.shape}. "
            "They must be of the same targets and training examples, from other runs."
        )
    if abs(matrix).max() > 0 and abs(matrix - held_out).max() == 0:
        raise ValueError(
            "held_out equals weights, so it can't judge them. Fit one regressor to "
            "each half of the runs."
        )


def validate_weights(estimator, X, *, reset=True):
    """Validate the attribution matrix X of an estimator, as `check_weights` does."""
    X = weights_of(X)
    refuse_disguised(X, "weights X")
    return validate_data(estimator, X, accept_sparse="csr", dtype=FLOATS, reset=reset)


def sign_of_better(weights, higher_is_better):
    """Return 1 if higher outputs are better, -1 if lower ones are.

    Parameters
    ----------
    weights : fitted estimator or attribution matrix
        An estimator that was fitted on TrainingRuns knows what they measure.
    higher_is_better : bool or None
        The user's parameter. Needed if `weights` does not know.

    Raises
    ------
    TypeError
        If `higher_is_better` is not a bool or None.
    ValueError
        If neither `weights` nor the user tells which direction is better, if they
        disagree, or if no direction is better for the output.
    """
    if not isinstance(higher_is_better, bool | np.bool_ | None):
        raise TypeError(
            f"higher_is_better must be True, False or None, got {higher_is_better!r}."
        )
    info = getattr(last_step(weights), "output_info_", None)
    known = None if info is None else info.higher_is_better
    if info is not None and info.name == "prediction" and higher_is_better is None:
        raise ValueError(
            "The runs measure the output 'prediction', for which neither higher nor "
            "lower values are better. Train with output='squared_error' instead, or "
            "pass higher_is_better if one is better here."
        )
    if known is None and higher_is_better is None:
        what = "It is not known"
        if info is None:
            what = "An attribution matrix does not tell"
        elif info.name != "unknown":
            what = f"The output {info.name!r} does not tell"
        raise ValueError(
            f"{what} whether higher outputs are better. Pass higher_is_better=True "
            "(for margins and accuracies) or False (for losses and errors), or pass a "
            "DatamodelRegressor that was fitted on TrainingRuns, which know it."
        )
    if None not in (known, higher_is_better) and known != higher_is_better:
        raise ValueError(
            f"higher_is_better={higher_is_better} contradicts the runs: their output "
            f"{info.name!r} has higher_is_better={known}. Do not pass higher_is_better."
        )
    return 1 if (higher_is_better if known is None else known) else -1


def check_train(train, n_train):
    """Raise if `train` is given and does not match the columns of the weights."""
    if train is None:
        return
    check_examples(train, "train")
    if len(train) != n_train:
        raise ValueError(
            f"train has {len(train)} examples, but the attribution matrix has "
            f"{n_train} columns. Pass the training set that the weights belong to."
        )


def are_of_regression(weights):
    """Return whether fitted weights know that their outputs are of a regression."""
    info = getattr(last_step(weights), "output_info_", None)
    output = None if info is None else OUTPUTS.get(info.name)
    return output is not None and output.task == "regression"


def names_of(weights, examples, attribute):
    """Return the ids of Examples, or those that a fitted estimator knows, or None.

    Parameters
    ----------
    weights : fitted estimator or attribution matrix
        An estimator that was fitted on TrainingRuns knows the ids of its columns, or
        the labels of its groups, and those of its targets.
    examples : Examples or None
        The user's parameter, which comes first.
    attribute : {"player_ids_", "target_ids_"}
        Which ids.
    """
    if examples is not None:
        return examples.ids
    return getattr(last_step(weights), attribute, None)


def check_attributions(estimator, X, trainer):
    """Validate that an attribution matrix fits the trainer, and return it.

    Raises
    ------
    ValueError
        If X is not a matrix, has NaN, or does not have the shape (n_targets, n_train)
        of the trainer; or if it is an estimator that was fitted on runs of other
        targets or of another output than those of the trainer.
    """
    info, own = getattr(last_step(X), "output_info_", None), trainer.output_info
    if info is not None and "unknown" not in (info.name, own.name) and info != own:
        raise ValueError(
            f"The weights were fitted to the output {info.name!r}, but the trainer "
            f"measures {own.name!r}. Fit them on runs of this trainer."
        )
    given, X = X, validate_weights(estimator, X)
    check_matches(given, X.shape, trainer, "The attribution matrix")
    return X


def check_matches(given, shape, trainer, what):
    """Raise if weights are not of the targets and players of a trainer.

    Parameters
    ----------
    given : fitted estimator or attribution matrix
        An estimator may know its targets.
    shape : tuple (n_targets, n_train)
        Shape of the weights.
    trainer : SubsetTrainer
        The trainer.
    what : str
        Start of the error.
    """
    _check_targets(getattr(last_step(given), "target_ids_", None), trainer.targets.ids)
    players = players_of(trainer)
    wanted = len(trainer.targets), len(players)
    if shape != wanted:
        hint = " Transpose it." if shape == wanted[::-1] else ""
        if players.are_groups and shape == (wanted[0], players.n_rows):
            hint = " Pass trainer.sum_over_groups(weights)."
        raise ValueError(
            f"{what} must have a row for each target of the trainer and "
            f"a column for each {players.noun}: shape {wanted}; got {shape}.{hint}"
        )


def _check_targets(names, ids):
    """Raise if weights are known to be of other targets than those of a trainer."""
    if names is None or np.array_equal(names, ids):
        return
    listed = ", ".join(map(repr, np.asarray(names)[:3].tolist()))
    raise ValueError(
        f"The weights are of the targets {listed}, …, which are not those of the "
        "trainer. Retraining measures the output of each target of the trainer, and "
        "not of aggregated ones: fit the regressor on runs of this trainer, without "
        "aggregate_targets. To test what harms a slice, pass the rows of "
        "harmful_examples to removal_check with the slice as its targets."
    )


def check_target_indices(target_indices, n_targets, name="target_indices"):
    """Return the indices of some targets, of all for None."""
    if target_indices is None:
        return np.arange(n_targets)
    indices = np.asarray(target_indices)
    if (
        indices.ndim != 1
        or indices.size == 0
        or not np.issubdtype(indices.dtype, np.integer)
        or not np.isin(indices, range(n_targets)).all()
        or len(np.unique(indices)) < indices.size
    ):
        raise ValueError(
            f"{name} must be distinct integers from 0 to {n_targets - 1}; got "
            f"{target_indices}."
        )
    return indices
