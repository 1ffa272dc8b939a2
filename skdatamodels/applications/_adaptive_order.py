"""Orders of removal whose weights are estimated again as examples go."""

import sys
import warnings
from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skdatamodels._progress import progress_bar
from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels.applications._edits import Edits
from skdatamodels.applications._refitted_datamodels import RefittedDatamodels
from skdatamodels.applications._support_size import check_flips
from skdatamodels.influence import Attribution
from skdatamodels.masks import PackedMasks
from skdatamodels.outputs import info_of_output
from skdatamodels.training import ComponentAblation, SubsetTrainer
from skdatamodels.training._players import players_of


@validate_params(
    {
        "trainer": [SubsetTrainer, ComponentAblation],
        "attribution": [Attribution, callable],
        "step": [Interval(Integral, 1, None, closed="left")],
        "max_size": [Interval(Integral, 1, None, closed="left")],
        "n_trials": [Interval(Integral, 1, None, closed="left")],
        "factor": [Interval(Real, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def adaptive_order(
    trainer,
    attribution,
    *,
    step=1,
    max_size=100,
    n_trials=1,
    factor=1.2,
    n_jobs=None,
):
    """Order examples for removal, and estimate the weights again after each step.

    Weights say what the removal of one example does. Together, examples do other things
    than the sum: of two copies, each can be spared as long as the other is there. So
    the examples with the highest weights are rarely the smallest set that flips a
    prediction. Here, only the first examples are taken, and the weights of what remains
    are estimated anew. Pass the result to :class:`DataSupportSearch`, which certifies
    the supports.

    Parameters
    ----------
    trainer : SubsetTrainer or ComponentAblation
        Trains the models that tell whether a target has flipped. Its output must be
        negative if the model is wrong, as for :class:`DataSupportSearch`.
    attribution : Attribution or callable
        Where the weights come from. An :class:`~skdatamodels.influence.Attribution` of
        an influence function that has the parameter `subset`, such as
        :func:`~skdatamodels.influence.logistic_influence`: its model is fitted on the
        remaining examples. Its training set and targets must be in the order of those
        of the trainer, but may have other inputs. Or a callable
        ``(targets, remaining) -> weights``, such as :class:`RefittedDatamodels`. It
        gets the targets and the columns of the masks that remain, int arrays, and
        returns an array of shape (len(targets), n_train), whose other columns are
        ignored.
    step : int, default=1
        Number of examples that are removed between two estimates.
    max_size : int, default=100
        Number of removed examples after which the search for a target ends, at most
        ``n_train - 1``.
    n_trials : int, default=1
        Number of models that are trained after each step, with different seeds. A
        target has flipped if their mean output is negative.
    factor : float, default=1.2
        The order of a flipped target goes on to `factor` times the size, which
        :class:`DataSupportSearch` removes in order to certify it.
    n_jobs : int, default=None
        Number of workers that estimate weights, as in joblib.

    Returns
    -------
    weights : float64 array of shape (n_targets, n_train)
        The order of each target, as weights: the first example to remove has the
        highest one, and examples that are not in the order have 0. Only their order is
        meaningful.

    Warns
    -----
    RuntimeWarning
        If a training or an estimate fails after examples were removed, for instance
        because a class is missing. The order of the target ends there.

    Raises
    ------
    ValueError, TypeError
        Before any training: if the output is not negative for wrong predictions, or the
        attribution is of other numbers of examples or targets, is of an output for
        which lower is better, has no parameter `subset` or a value for it, or has a
        FrozenEstimator, which cannot be fitted again. Later, if weights have another
        shape.
    RuntimeError
        If all trainings on the full training set failed.

    See Also
    --------
    DataSupportSearch : Finds the size that flips each target, and certifies it.

    Notes
    -----
    Each step costs `n_trials` trainings and an estimate of the weights, for each target
    that has not flipped. If the trainer is `verbose`, the largest possible number is
    printed to stderr before the start, and a progress bar counts the targets.

    If the trainer has `groups`, they take the place of the examples; the influence of a
    group is the sum of those of its examples.

    References
    ----------
    Hu, Hu, Zhao, Ma, "Most influential subset selection: challenges, promises, and
    beyond", NeurIPS 2024, section 4.

    Examples
    --------
    Each of four features of the target has two examples that are nearly alike. The
    weights first take one of each two, though the other one stands in for it:

    >>> import numpy as np
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from skdatamodels import Examples, SubsetTrainer
    >>> from skdatamodels.applications import DataSupportSearch, adaptive_order
    >>> from skdatamodels.influence import Attribution, ridge_influence
    >>> x = np.vstack([np.eye(4), np.eye(4), np.full((2, 4), 0.4)])
    >>> x = np.c_[x, np.repeat([0, 0.2, 0], [4, 4, 2])]  # the second ones differ
    >>> train = Examples(x, np.repeat([1, 0], [8, 2]))
    >>> target = Examples([[1.0, 1.0, 1.0, 1.0, 0.0]], [1])
    >>> model = RidgeClassifier(0.3, fit_intercept=False)
    >>> trainer = SubsetTrainer(model, train, target)
    >>> influence = Attribution(
    ...     ridge_influence, train, target, estimator=model, output="margin"
    ... )
    >>> weights = adaptive_order(trainer, influence)
    >>> search = DataSupportSearch(trainer, search="bisection", n_trials=1)
    >>> search.fit(influence()).support_size_, search.fit(weights).support_size_
    (array([4.]), array([2.]))
    """
    check_flips(trainer)
    if isinstance(attribution, Attribution):
        attribution = _Refitted(attribution, trainer)
    elif isinstance(attribution, RefittedDatamodels):
        _check_refitted(attribution, trainer)
    n_targets, n_train = len(trainer.targets), len(players_of(trainer))
    max_size = min(max_size, n_train - 1)
    if trainer.verbose:
        _announce(n_targets, -(-max_size // step), n_trials)
    paths = [_Path(n_train, max_size, step, factor) for _ in range(n_targets)]
    failed = _walk(paths, trainer, attribution, n_trials, n_jobs)
    if failed:
        warnings.warn(
            f"Orders of {len(failed)} targets ended early, because their weights "
            f"could not be estimated again. The first: {failed[0]}",
            RuntimeWarning,
            stacklevel=3,
        )
    weights = np.zeros((n_targets, n_train))
    longest = max(len(path.order) for path in paths)
    for row, path in zip(weights, paths, strict=True):
        row[path.order] = longest - np.arange(len(path.order))
    return weights


def _announce(n_targets, n_steps, n_trials):
    """Print the largest possible cost."""
    print(
        f"adaptive_order: at most {n_steps} steps for each of {n_targets} targets, "
        f"with an estimate of weights and {n_trials} trainings each.",
        file=sys.stderr,
        flush=True,
    )


def _walk(paths, trainer, attribution, n_trials, n_jobs):
    """Remove examples until each path is done; return why some could not go on."""
    verbose = trainer.verbose  # a bar of targets, not one for each training
    edits = Edits(clone(trainer).set_params(on_failure="nan", verbose=verbose > 1))
    going, failed = np.arange(len(paths)), []
    with progress_bar(total=len(paths), unit="target", verbose=verbose) as progress:
        while going.size:
            _look(edits, paths, going, n_trials)
            failed += _extend(attribution, paths, going, n_jobs)
            left = np.array([j for j in going if not paths[j].done], dtype=int)
            progress.update(len(going) - len(left))
            going = left
    return failed


class _Path:
    """The examples that are removed for a target, in order."""

    def __init__(self, n_train, max_size, step, factor):
        self.kept, self.order = np.ones(n_train, dtype=bool), []
        self.end, self.step, self.factor = max_size, step, factor
        self.flipped = self.done = False

    def look(self, output):
        """Take note of the mean output without the examples so far."""
        size = len(self.order)
        if np.isnan(output):
            self.done = True
        elif output < 0:
            self.flipped = True
            end = int(np.ceil(round(self.factor * size, 9)))
            self.end = min(end, len(self.kept) - 1)
        self.done |= size >= self.end

    def extend(self, weights):
        """Remove the next examples, those of the highest weights that remain."""
        n_next = min(self.step, self.end - len(self.order))
        order = np.argsort(-weights, kind="stable")
        chosen = order[self.kept[order]][:n_next]
        self.kept[chosen] = False
        self.order += chosen.tolist()
        self.done = self.flipped and len(self.order) >= self.end


def _look(edits, paths, going, n_trials):
    """Train without the examples of each path that has not flipped."""
    asked = [j for j in going if not paths[j].flipped]
    if not asked:
        return
    masks = PackedMasks.from_dense(np.array([paths[j].kept for j in asked]))
    try:
        trained = edits.train(masks, n_trials)
    except RuntimeError:  # none of the sets can be trained
        if any(not paths[j].order for j in asked):
            raise
        trained = np.full((len(asked), n_trials, len(paths)), np.nan)
    for j, outputs in zip(asked, trained, strict=True):
        known = outputs[:, j][~np.isnan(outputs[:, j])]
        paths[j].look(known.mean(dtype=np.float64) if known.size else np.nan)


def _extend(attribution, paths, going, n_jobs):
    """Estimate the weights of each path that goes on; return why some cannot.

    Paths with the same examples share an estimate.
    """
    shared = {}
    for j in going:
        if not paths[j].done:
            shared.setdefault(paths[j].kept.tobytes(), []).append(j)
    jobs = (
        delayed(_estimate)(attribution, np.array(targets), paths[targets[0]].kept)
        for targets in shared.values()
    )
    failed = []
    for targets, result in zip(
        shared.values(), Parallel(n_jobs=n_jobs)(jobs), strict=True
    ):
        if isinstance(result, str):
            failed += [result] * len(targets)
            for j in targets:
                paths[j].done = True
            continue
        for j, weights in zip(targets, result, strict=True):
            paths[j].extend(weights)
    return failed


def _estimate(attribution, targets, kept):
    """Return weights (len(targets), n_train), or text that says why there are none."""
    try:
        weights = attribution(targets, np.flatnonzero(kept))
    except Exception as error:
        if kept.all():
            raise
        return f"{type(error).__name__}: {error}"
    weights = weights.toarray() if issparse(weights) else np.asarray(weights)
    shape = len(targets), len(kept)
    if weights.shape != shape or not np.isfinite(weights[:, kept]).all():
        raise ValueError(
            f"The attribution must return finite weights of shape {shape}, (n_targets, "
            f"n_train), for {len(targets)} targets; got shape {weights.shape}"
            f"{' with NaN' if weights.shape == shape else ''}."
        )
    return weights


def _check_direction(info):
    """Raise if the highest weights are not of the examples that support a target."""
    if info.higher_is_better is False:
        raise ValueError(
            f"The attribution is of the output {info.name!r}, which falls as "
            "predictions become better, so its highest weights are not of examples "
            "that support them. Use output='margin'."
        )


def _check_refitted(datamodels, trainer):
    """Raise if datamodels are not of the targets and players of the trainer."""
    try:
        datamodels._validate_params()
    except ValueError as error:  # scikit-learn would name adaptive_order in it
        raise ValueError(f"attribution cannot be used: {error}") from None
    own = datamodels.trainer
    shapes = [(len(one.targets), len(players_of(one))) for one in (own, trainer)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            "The trainer of the RefittedDatamodels has {} targets and {} columns, but "
            "the trainer has {} and {}.".format(*shapes[0], *shapes[1])
        )
    _check_direction(own.output_info)


class _Refitted:
    """An Attribution as a function of targets and of remaining players."""

    def __init__(self, attribution, trainer):
        arguments = attribution.get_params(deep=False)
        name = getattr(attribution.function, "__name__", repr(attribution.function))
        if "subset" not in arguments:
            raise TypeError(
                f"{name} has no parameter subset, so its model cannot be fitted again "
                "on the remaining examples. Pass a callable (targets, remaining) -> "
                "weights."
            )
        for key, value in arguments.items():
            if isinstance(value, FrozenEstimator):
                raise ValueError(
                    f"{key} of the attribution is a FrozenEstimator, which cannot "
                    "be fitted again on the remaining examples. Pass the estimator."
                )
        if arguments["subset"] is not None:
            raise ValueError(
                "The attribution has a subset, but adaptive_order chooses it. Leave it "
                "out, and give the trainer no other training examples."
            )
        _check_direction(info_of_output(arguments.get("output")))
        shape = len(trainer.targets), len(trainer.train)
        if attribution.shape != shape:
            raise ValueError(
                f"The attribution is of {attribution.shape[0]} targets and "
                f"{attribution.shape[1]} training examples, but the trainer has "
                f"{shape[0]} and {shape[1]}."
            )
        self.attribution, self.players = attribution, players_of(trainer)

    def __call__(self, targets, remaining):
        kept = np.zeros(len(self.players), dtype=bool)
        kept[remaining] = True
        given = vars(self.attribution) | {
            "targets": self.attribution.targets[targets],
            "subset": np.flatnonzero(self.players.expand(kept)),
        }
        return self.players.total_weights(Attribution(**given)())
