"""The store of a trainer, and the parameters that it is found by."""

from numbers import Integral

import numpy as np
from sklearn.base import clone

from skdatamodels.masks._designs import check_alphas
from skdatamodels.runs._paths import readable
from skdatamodels.training._learners.fast_paths import FAST_LEARNERS
from skdatamodels.training._stores import open_store


def store_of(trainer, call):
    """Return the store of a trainer's configuration, or None without a store.

    Parameters
    ----------
    trainer : RunsTransformer
        The trainer.
    call : Call
        What is asked for, with the seed of a new store.

    Returns
    -------
    store : RunStore or None

    Raises
    ------
    ValueError
        If runs with this random state cannot be resumed.
    """
    if trainer.store is None:
        return None
    seed = trainer.random_state
    if seed is not None and not isinstance(seed, Integral):
        raise ValueError(
            "With a store, random_state must be an int or None: runs with a "
            f"{type(seed).__name__} cannot be resumed."
        )
    estimator = trainer.estimator
    name = getattr(estimator, "__name__", type(estimator).__name__)
    alphas = "-".join(f"{alpha:g}" for alpha in check_alphas(trainer.alpha))[:40]
    what = "given-masks" if call.given else f"{trainer.design}-alpha{alphas}"
    if call.columns is not None:
        what += f"-vary{len(call.columns)}"
    return open_store(
        trainer.store,
        f"{readable(name, 60)}-{what}",
        known_by(trainer, call),
        len(call.players),
        len(trainer.targets),
        output=trainer.output_info,
        entropy=call.entropy,
    )


def known_by(trainer, call):
    """Return the parameters that determine the runs, by name; see `store_of`."""
    names = ["estimator", "train", "targets", "random_state"]
    if not call.given:
        names += ["alpha", "design"]
    if hasattr(trainer.estimator, "fit") or hasattr(trainer.estimator, "make_learner"):
        names += ["output"]
    learner, fast = call.learner, None
    if isinstance(learner, FAST_LEARNERS):
        fast = type(learner).__name__ + ", exact" * learner.exact
    parameters = {"masks": "given" if call.given else "drawn", "fast": fast}
    parameters |= {name: getattr(trainer, name) for name in names}
    if call.players.are_groups:  # labels are names only
        parameters["groups"] = call.players.of_row
    if call.columns is not None:
        parameters["vary"] = ", ".join(map(str, call.columns.tolist()))
    if trainer.fit_params:
        parameters["fit_params"] = trainer.fit_params
    if trainer.output is None and "output" in names:
        parameters["output"] = trainer.output_info.name
    return parameters


def count_first_stored(trainer):
    """Return how many of its first runs a fitted trainer would read, not train."""
    store = trainer._begin([0], anew=False).store
    if store is None:
        return 0
    return int(np.argmin(np.append(store.done(), False)))


def count_stored(trainer, X):
    """Return how many runs the store of a trainer has, 0 without a store.

    Parameters
    ----------
    trainer : SubsetTrainer
        The trainer, whose `random_state` is an int.
    X : int array of shape (n_runs,), or PackedMasks
        Run ids that are counted; for masks, all runs with given masks are.
    """
    if trainer.store is None:
        return 0
    call = clone(trainer)._begin(X, anew=True)
    return int(call.store.done(None if call.given else call.rows).sum())
