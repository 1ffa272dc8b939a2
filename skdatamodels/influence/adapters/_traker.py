"""Adapter to traker, the package by the authors of TRAK."""

from logging import INFO, WARNING
from numbers import Integral, Real
from tempfile import TemporaryDirectory

from skdatamodels._random import entropy_from
from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels.influence._checkpoints import check_checkpoints, load_state
from skdatamodels.influence._torch import import_torch, output_function
from skdatamodels.influence.adapters._peers import OPTIONS, Problem, import_peer, quiet

__all__ = ["traker_trak"]


@validate_params(
    OPTIONS
    | {
        "projection_dim": [Interval(Integral, 1, None, closed="left"), None],
        "damping": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def traker_trak(
    module,
    train,
    targets,
    *,
    checkpoints=None,
    output="margin",
    projection_dim=2048,
    damping=0.0,
    batch_size=64,
    random_state=None,
    verbose=0,
):
    """TRAK by traker, in single precision; see :func:`skdatamodels.influence.trak`.

    traker scales the scores of each checkpoint differently. So with several checkpoints
    the means differ from those of :func:`skdatamodels.influence.trak`. Tested with
    traker 0.3.2.

    Parameters
    ----------
    module : torch.nn.Module
        A trained network, as for :func:`skdatamodels.influence.trak`.
    train, targets : Examples
        The training set and the targets.
    checkpoints : sequence of dict or path, default=None
        Final states of the module from several trainings, as for
        :func:`skdatamodels.influence.trak`. None uses only the state of `module`.
    output : str or callable, default="margin"
        Output to measure on a target: "margin", "log_odds" or "cross_entropy", or a
        callable as for :func:`skdatamodels.influence.trak`.
    projection_dim : int, default=2048
        Number of features to project the gradients to. None does not project them, and
        needs memory for n_parameters² numbers.
    damping : float >= 0, default=0
        Added to the diagonal of the Gram matrix of the features, as for
        :func:`skdatamodels.influence.trak`.
    batch_size : int, default=64
        Number of examples whose gradients are in memory at a time.
    random_state : int, RandomState, Generator or None, default=None
        Determines the projections.
    verbose : int, default=0
        If not 0, show the messages of traker.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence. Positive if the presence of the example raises the output. Only the
        order of the weights of a target is meaningful.

    Raises
    ------
    ImportError
        If traker is not installed.
    ValueError
        If a score is not finite, or the classes differ from those of the module.

    References
    ----------
    Park, Georgiev, Ilyas, Leclerc, Madry, "TRAK: Attributing model behavior at scale",
    ICML 2023.
    """
    problem = Problem(module, train, targets, output)
    checkpoints = check_checkpoints(checkpoints, problem.module)
    trak, task = import_peer("trak", "traker"), _make_task()
    n_parameters = sum(value.numel() for value in problem.module.parameters())
    n_features = projection_dim or 1  # without projection, lengths do not change
    device, projector = str(problem.network.device), None
    if projection_dim is None:
        projectors = import_peer("trak.projectors", "traker")
        projector = projectors.NoOpProjector(device=device)
    with quiet(verbose), TemporaryDirectory() as folder:
        traker = trak.TRAKer(
            problem.module,
            task,
            problem.n_train,
            save_dir=folder,
            device=device,
            projector=projector,
            proj_dim=projection_dim,
            projector_seed=entropy_from(random_state) % 2**31,
            use_half_precision=False,
            logging_level=INFO if verbose else WARNING,
            # traker divides gradients by the root of their number, but not projections.
            lambda_reg=damping * n_features / n_parameters,
        )
        # traker would not recreate a projection of one block after freeing it.
        traker.projector.free_memory = lambda: None
        for number, checkpoint in enumerate(checkpoints):
            traker.load_checkpoint(
                load_state(checkpoint, number, problem.module), number
            )
            for X, y in problem.batches("train", batch_size):
                traker.featurize((X, y), num_samples=len(y))
        traker.finalize_features()
        task.measure = problem.of_example
        for number, checkpoint in enumerate(checkpoints):
            state = load_state(checkpoint, number, problem.module)
            traker.start_scoring_checkpoint("run", state, number, problem.n_targets)
            for X, y in problem.batches("targets", batch_size):
                traker.score((X, y), num_samples=len(y))
        return problem.influence(traker.finalize_scores("run").T, "traker")


def _make_task():
    """Return a task of traker. It measures log-odds until `measure` is changed."""
    torch = import_torch()
    package = import_peer("trak.modelout_functions", "traker")

    class Task(package.ImageClassificationModelOutput):
        measure = staticmethod(output_function("log_odds"))

        def get_output(self, model, weights, buffers, x, y):
            call = torch.func.functional_call
            return self.measure(call(model, (weights, buffers), x[None])[0], y)

    return Task()
