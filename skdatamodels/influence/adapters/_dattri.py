"""Adapters to methods of dattri."""

from numbers import Integral, Real

from skdatamodels._sklearn_compat import Interval, StrOptions, validate_params
from skdatamodels.influence._checkpoints import check_rates, load_state
from skdatamodels.influence._torch import import_torch
from skdatamodels.influence.adapters._peers import OPTIONS, Problem, import_peer, quiet

__all__ = ["dattri_influence", "dattri_tracin"]


@validate_params(OPTIONS, prefer_skip_nested_validation=True)
def dattri_tracin(
    module,
    train,
    targets,
    *,
    checkpoints,
    learning_rates,
    output="margin",
    batch_size=64,
    verbose=0,
):
    """TracInCP by dattri: the same numbers as :func:`skdatamodels.influence.tracin`.

    Gradients are not projected, unlike with dattri's defaults. Tested with dattri
    0.3.0.

    Parameters
    ----------
    module : torch.nn.Module
        A trained network, as for :func:`skdatamodels.influence.tracin`.
    train, targets : Examples
        The training set and the targets.
    checkpoints : sequence of dict or path
        States of the module, as for :func:`skdatamodels.influence.tracin`.
    learning_rates : sequence of float
        Learning rate of each checkpoint, as for :func:`skdatamodels.influence.tracin`.
    output : str or callable, default="margin"
        Output to measure on a target: "margin", "log_odds" or "cross_entropy", or a
        callable as for :func:`skdatamodels.influence.tracin`.
    batch_size : int, default=64
        Number of examples whose gradients are in memory at a time.
    verbose : int, default=0
        If not 0, show the progress of dattri.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence in the output's unit. Positive if the presence of the example raises
        the output.

    Raises
    ------
    ImportError
        If dattri is not installed.
    ValueError
        If a score is not finite, or an argument is invalid for
        :func:`skdatamodels.influence.tracin`.

    References
    ----------
    Deng et al., "dattri: A library for efficient data attribution", NeurIPS 2024.
    """
    rates = check_rates(checkpoints, learning_rates)
    problem = Problem(module, train, targets, output)
    states = [
        load_state(checkpoint, number, problem.module)
        for number, checkpoint in enumerate(checkpoints)
    ]
    tracin = import_peer("dattri.algorithm.tracin")
    with quiet(verbose):
        attributor = tracin.TracInAttributor(
            _make_task(problem, states),
            weight_list=import_torch().tensor(rates),
            normalized_grad=False,
            device=str(problem.network.device),
        )
        attributor.projector_kwargs = None  # the constructor does not accept it
        scores = attributor.attribute(*_loaders(problem, batch_size))
    return problem.influence(scores.T, "dattri's TracIn")


@validate_params(
    OPTIONS
    | {
        "method": [StrOptions({"explicit", "cg"})],
        "damping": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def dattri_influence(
    module,
    train,
    targets,
    *,
    output="margin",
    method="cg",
    damping=0.0,
    max_iter=100,
    batch_size=64,
    verbose=0,
):
    """Influence functions by dattri, with the Hessian of the network.

    Tested with dattri 0.3.0.

    Parameters
    ----------
    module : torch.nn.Module
        A trained network, as for :func:`skdatamodels.influence.influence_functions`.
    train, targets : Examples
        The training set and the targets.
    output : str or callable, default="margin"
        Output to measure on a target: "margin", "log_odds" or "cross_entropy", or a
        callable as for :func:`skdatamodels.influence.influence_functions`.
    method : {"cg", "explicit"}, default="cg"
        "cg" uses conjugate gradient. "explicit" forms the Hessian, which has
        n_parameters² entries.
    damping : float >= 0, default=0
        Added to the diagonal of the Hessian of the sum of cross entropies. The Hessian
        of a network can have negative eigenvalues, and dattri does not report them.
    max_iter : int, default=100
        Number of iterations of conjugate gradient. dattri does not report whether they
        converged.
    batch_size : int, default=64
        Number of targets in a batch. The gradients of all training examples are in
        memory.
    verbose : int, default=0
        If not 0, show the progress of dattri.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence in the output's unit per example. Positive if the presence of the
        example raises the output.

    Raises
    ------
    ImportError
        If dattri is not installed.
    ValueError
        If a score is not finite, or the classes differ from those of the module.

    References
    ----------
    Deng et al., "dattri: A library for efficient data attribution", NeurIPS 2024.
    """
    problem = Problem(module, train, targets, output)
    influence = import_peer("dattri.algorithm.influence_function")
    kind, options = influence.IFAttributorExplicit, {}
    if method == "cg":
        kind, options = influence.IFAttributorCG, {"max_iter": max_iter}
    with quiet(verbose):
        attributor = kind(
            _make_task(problem, [problem.module.state_dict()]),
            device=str(problem.network.device),
            regularization=damping,
            **options,
        )
        # One batch: with several, dattri would add the inverses of their Hessians, and
        # solve for each target once per batch.
        whole, _ = _loaders(problem, problem.n_train)
        attributor.cache(whole)
        _, few = _loaders(problem, batch_size)
        scores = attributor.attribute(whole, few)
    return problem.influence(scores.T, f"dattri's {kind.__name__}")


def _make_task(problem, states):
    """Return a task of dattri with the loss and the output."""
    torch = import_torch()
    shape = problem.tensors("train")[0].shape[1:]

    def logits(parameters, data):
        X, y = data  # one example without a batch axis, or several
        X, y = X.reshape(-1, *shape), y.reshape(-1)
        return problem.network.raw(parameters, X), y

    def loss(parameters, data):
        call = torch.nn.functional.cross_entropy
        return call(*logits(parameters, data), reduction="sum")

    def measure(parameters, data):
        # Positive scores of dattri lower the measurement.
        return -problem.outputs(*logits(parameters, data)).sum()

    task = import_peer("dattri.task")
    return task.AttributionTask(loss, problem.module, states, target_func=measure)


def _loaders(problem, batch_size):
    loader = import_torch().utils.data.DataLoader
    parts = ("train", "targets")
    return [loader(problem.data_set(part), batch_size=batch_size) for part in parts]
