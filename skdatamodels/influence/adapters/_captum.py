"""Adapters to methods of captum."""

from numbers import Integral, Real

from skdatamodels._process_state import seeded_torch
from skdatamodels._random import entropy_from
from skdatamodels._sklearn_compat import Interval, StrOptions, validate_params
from skdatamodels.influence._checkpoints import check_rates, load_state
from skdatamodels.influence._torch import import_torch
from skdatamodels.influence.adapters._peers import OPTIONS, Problem, import_peer, quiet

__all__ = ["captum_influence", "captum_tracin"]


@validate_params(OPTIONS, prefer_skip_nested_validation=True)
def captum_tracin(
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
    """TracInCP by captum: the same numbers as :func:`skdatamodels.influence.tracin`.

    In captum, scores are positive for examples that lower a loss. Here the sign is
    changed, so that scores are positive for examples that raise the output. Tested with
    captum 0.9.0.

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
        Number of training examples whose gradients are in memory at a time. The
        gradients of all targets are always in memory.
    verbose : int, default=0
        If not 0, show the progress bars of captum.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence in the output's unit. Positive if the presence of the example raises
        the output.

    Raises
    ------
    ImportError
        If captum is not installed.
    ValueError
        If a score is not finite, or an argument is invalid for
        :func:`skdatamodels.influence.tracin`.

    References
    ----------
    Kokhlikyan et al., "Captum: A unified and generic model interpretability library for
    PyTorch", 2020.
    """
    rates = check_rates(checkpoints, learning_rates)
    problem = Problem(module, train, targets, output)
    captum, torch = import_peer("captum.influence"), import_torch()

    def load(model, number):
        model.load_state_dict(load_state(checkpoints[number], number, model))
        return rates[number]

    with quiet(verbose):
        scores = captum.TracInCP(
            problem.module,
            problem.data_set("train"),
            list(range(len(rates))),
            load,
            loss_fn=torch.nn.CrossEntropyLoss(reduction="none"),
            test_loss_fn=_loss_of_targets(problem),
            batch_size=batch_size,
        ).influence(problem.tensors("targets"), show_progress=bool(verbose))
    return problem.influence(scores, "captum's TracInCP")


@validate_params(
    OPTIONS
    | {
        "method": [StrOptions({"naive", "arnoldi"})],
        "projection_dim": [Interval(Integral, 1, None, closed="left")],
        "damping": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def captum_influence(
    module,
    train,
    targets,
    *,
    output="margin",
    method="arnoldi",
    projection_dim=50,
    damping=0.0,
    batch_size=64,
    random_state=None,
    verbose=0,
):
    """Influence functions by captum, in the leading directions of the Hessian.

    captum inverts the Hessian in the `projection_dim` directions of largest positive
    curvature and ignores the others. Tested with captum 0.9.0.

    Parameters
    ----------
    module : torch.nn.Module
        A trained network, as for :func:`skdatamodels.influence.influence_functions`.
    train, targets : Examples
        The training set and the targets.
    output : str or callable, default="margin"
        Output to measure on a target: "margin", "log_odds" or "cross_entropy", or a
        callable as for :func:`skdatamodels.influence.influence_functions`.
    method : {"arnoldi", "naive"}, default="arnoldi"
        "arnoldi" finds the directions by Arnoldi iterations. "naive" forms the Hessian
        of all parameters, which has n_parameters² entries.
    projection_dim : int, default=50
        Number of directions.
    damping : float >= 0, default=0
        Added to the eigenvalues of the Hessian of the sum of cross entropies.
    batch_size : int, default=64
        Number of training examples in a batch.
    random_state : int, RandomState, Generator or None, default=None
        Determines the start of the Arnoldi iterations.
    verbose : int, default=0
        If not 0, show the progress bars of captum.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence in the output's unit per example. Positive if the presence of the
        example raises the output.

    Raises
    ------
    ImportError
        If captum is not installed.
    ValueError
        If a score is not finite, or the classes differ from those of the module.

    References
    ----------
    Schioppa, Zablotskaia, Vilar, Sokolov, "Scaling up influence functions", AAAI 2022.
    """
    problem = Problem(module, train, targets, output)
    torch = import_torch()
    # These two are not in captum's public module.
    if method == "arnoldi":
        module_name = "captum.influence._core.arnoldi_influence_function"
        kind = import_peer(module_name).ArnoldiInfluenceFunction
        # captum's default tolerance of 0.1 stops before small directions are found.
        options = {"arnoldi_dim": 4 * projection_dim, "arnoldi_tol": 1e-4}
    else:
        module_name = "captum.influence._core.influence_function"
        kind, options = import_peer(module_name).NaiveInfluenceFunction, {}
    seed = entropy_from(random_state) % 2**31
    with quiet(verbose), seeded_torch(seed):  # captum seeds torch without restoring
        scores = kind(
            problem.module,
            problem.data_set("train"),
            None,  # the module itself, no checkpoint
            lambda model, checkpoint: 1.0,
            loss_fn=torch.nn.CrossEntropyLoss(reduction="none"),
            test_loss_fn=_loss_of_targets(problem),
            batch_size=batch_size,
            projection_dim=projection_dim,
            hessian_reg=damping,
            seed=seed,
            show_progress=bool(verbose),
            **options,
        ).influence(problem.tensors("targets"), show_progress=bool(verbose))
    return problem.influence(scores, f"captum's {kind.__name__}")


def _loss_of_targets(problem):
    """Return minus the output, because positive scores of captum lower the loss."""

    def loss(logits, y):
        return -problem.outputs(logits, y)

    loss.reduction = "none"  # captum requires this for a loss per example
    return loss
