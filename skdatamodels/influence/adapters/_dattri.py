"""Methods of dattri."""

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

    dattri projects gradients by default; here it does not. Tested with dattri 0.3.0.

    Parameters
    ----------
    module, train, targets, checkpoints, learning_rates, output
        As for :func:`skdatamodels.influence.tracin`.
    batch_size : int, default=64
        Examples whose gradients are in memory at a time.
    verbose : int, default=0
        1 shows dattri's progress.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        In the output's unit; positive where the example's presence raises the output.

    Raises
    ------
    ImportError
        If dattri is not installed.
    ValueError
        If a score is not finite, or for what :func:`skdatamodels.influence.tracin`
        refuses.

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
        attributor.projector_kwargs = None  # which its constructor would not take
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
    module, train, targets, output
        As for :func:`skdatamodels.influence.influence_functions`.
    method : {"cg", "explicit"}, default="cg"
        Conjugate gradient, or a Hessian that is formed: n_parameters² numbers.
    damping : float >= 0, default=0
        Added to the diagonal of the Hessian of the sum of cross entropies. The Hessian
        of a network has negative directions, of which dattri does not tell.
    max_iter : int, default=100
        Iterations of conjugate gradient; dattri does not tell whether they sufficed.
    batch_size : int, default=64
        Targets at a time. The gradients of all training examples are in memory.
    verbose : int, default=0
        1 shows dattri's progress.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        In the output's unit per example, positive where the example's presence raises
        the output.

    Raises
    ------
    ImportError
        If dattri is not installed.
    ValueError
        If a score is not finite, or the classes differ from the module's.

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
        # In one batch: it would add the inverses of the batches' Hessians, and solve
        # for each target once a batch.
        whole, _ = _loaders(problem, problem.n_train)
        attributor.cache(whole)
        _, few = _loaders(problem, batch_size)
        scores = attributor.attribute(whole, few)
    return problem.influence(scores.T, f"dattri's {kind.__name__}")


def _make_task(problem, states):
    """Say to dattri what the loss and the output are."""
    torch = import_torch()
    shape = problem.tensors("train")[0].shape[1:]

    def logits(parameters, data):
        X, y = data  # of one example, without a first axis, or of several
        X, y = X.reshape(-1, *shape), y.reshape(-1)
        return problem.network.raw(parameters, X), y

    def loss(parameters, data):
        call = torch.nn.functional.cross_entropy
        return call(*logits(parameters, data), reduction="sum")

    def measure(parameters, data):
        # What it calls positive lowers the measurement.
        return -problem.outputs(*logits(parameters, data)).sum()

    task = import_peer("dattri.task")
    return task.AttributionTask(loss, problem.module, states, target_func=measure)


def _loaders(problem, batch_size):
    loader = import_torch().utils.data.DataLoader
    parts = ("train", "targets")
    return [loader(problem.data_set(part), batch_size=batch_size) for part in parts]
