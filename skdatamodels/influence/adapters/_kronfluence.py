"""Adapter to kronfluence."""

from numbers import Real
from tempfile import TemporaryDirectory

from skdatamodels._process_state import seeded_torch
from skdatamodels._random import entropy_from
from skdatamodels._sklearn_compat import Interval, StrOptions, validate_params
from skdatamodels.influence._torch import import_torch
from skdatamodels.influence.adapters._peers import OPTIONS, Problem, import_peer, quiet

__all__ = ["kronfluence_influence"]


@validate_params(
    OPTIONS
    | {
        "strategy": [StrOptions({"ekfac", "kfac", "diagonal", "identity"})],
        "damping": [Interval(Real, 0, None, closed="left"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def kronfluence_influence(
    module,
    train,
    targets,
    *,
    output="margin",
    strategy="ekfac",
    damping=None,
    batch_size=256,
    random_state=None,
    verbose=0,
):
    """Influence functions by kronfluence, with EK-FAC, a curvature by layers.

    Only parameters of ``torch.nn.Linear`` and ``torch.nn.Conv2d`` are used. Tested with
    kronfluence 1.0.1.

    Parameters
    ----------
    module : torch.nn.Module
        A trained network, as for :func:`skdatamodels.influence.influence_functions`.
    train, targets : Examples
        The training set and the targets.
    output : str or callable, default="margin"
        Output to measure on a target: "margin", "log_odds" or "cross_entropy", or a
        callable as for :func:`skdatamodels.influence.influence_functions`.
    strategy : {"ekfac", "kfac", "diagonal", "identity"}, default="ekfac"
        Approximation of the Fisher matrix of each layer. "identity" gives gradient dot
        products.
    damping : float >= 0, default=None
        Added to the eigenvalues of the Fisher matrix of the sum of cross entropies.
        None means a tenth of the mean eigenvalue of a layer.
    batch_size : int, default=256
        Number of examples in a batch.
    random_state : int, RandomState, Generator or None, default=None
        Determines the classes that are sampled from the model to estimate the Fisher
        matrix.
    verbose : int, default=0
        If not 0, show the progress bars of kronfluence.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence in the output's unit per example (with "identity", per unit of
        learning rate). Positive if the presence of the example raises the output.

    Raises
    ------
    ImportError
        If kronfluence is not installed.
    ValueError
        If a score is not finite, or the classes differ from those of the module.

    References
    ----------
    Grosse et al., "Studying large language model generalization with influence
    functions", 2023.
    """
    problem = Problem(module, train, targets, output)
    kronfluence = import_peer("kronfluence")
    arguments = import_peer("kronfluence.arguments")
    task, n_train = _make_task(problem), problem.n_train
    with (
        quiet(verbose),
        TemporaryDirectory() as folder,
        seeded_torch(entropy_from(random_state) % 2**31),
    ):
        analyzer = kronfluence.Analyzer(
            analysis_name="skdatamodels",
            model=kronfluence.prepare_model(problem.module, task),
            task=task,
            cpu=problem.network.device.type == "cpu",
            disable_tqdm=not verbose,
            output_dir=folder,
        )
        data, sizes = problem.data_set("train"), {"per_device_batch_size": batch_size}
        factors = arguments.FactorArguments(strategy=strategy)
        analyzer.fit_all_factors("factors", data, factor_args=factors, **sizes)
        analyzer.compute_pairwise_scores(
            "scores",
            "factors",
            problem.data_set("targets"),
            data,
            per_device_query_batch_size=batch_size,
            per_device_train_batch_size=batch_size,
            score_args=arguments.ScoreArguments(
                damping_factor=None if damping is None else damping / n_train
            ),
        )
        scores = analyzer.load_pairwise_scores("scores")["all_modules"]
    # kronfluence's Fisher matrix is a mean over examples.
    scale = 1 if strategy == "identity" else n_train
    return problem.influence(scores, "kronfluence") / scale


def _make_task(problem):
    """Return a task of kronfluence with the loss and the output."""
    torch = import_torch()

    class Task(import_peer("kronfluence").Task):
        def compute_train_loss(self, batch, model, sample=False):
            X, y = batch
            logits = model(X)
            if sample:
                proba = logits.detach().softmax(dim=1)
                y = torch.multinomial(proba, num_samples=1)[:, 0]
            return torch.nn.functional.cross_entropy(logits, y, reduction="sum")

        def compute_measurement(self, batch, model):
            # Positive scores of kronfluence lower the measurement.
            X, y = batch
            return -problem.outputs(model(X), y).sum()

    return Task()
