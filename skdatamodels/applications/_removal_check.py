"""Retrain without the first examples of an order, and without random ones."""

from dataclasses import dataclass, field
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels._tables import (
    MOST_ROWS,
    Table,
    import_pandas,
    table_html,
    table_text,
)
from skdatamodels.applications._attributions import check_target_indices
from skdatamodels.applications._edits import Edits, mean_and_variance
from skdatamodels.applications._removal_sets import check_sizes
from skdatamodels.masks import PackedMasks, as_masks
from skdatamodels.runs._usable_runs import check_exclude
from skdatamodels.training import ComponentAblation, SubsetTrainer


@dataclass(frozen=True, eq=False)
class RemovalCheck:
    """Scores of models that were trained without some examples.

    The first row is the full training set. Then there are two rows for each size: one
    without the first examples of the order, one without as many random ones.

    Attributes
    ----------
    size : int array of shape (n_rows,)
        Number of examples that were removed.
    removed : str array of shape (n_rows,)
        Which were removed: "none", "first" or "random".
    score, error : float64 array of shape (n_rows,)
        Mean score over trials, and its standard error due to training and to random
        removal. It is 0 if all trials are equal, NaN for a single trial.
    change, change_error : float64 array of shape (n_rows,)
        Score minus that of the full training set, and its standard error, which also
        includes the error due to the finite number of targets.
    output, output_error : float64 array of shape (n_rows,)
        Mean output over targets and trials, and its standard error as in `error`.
    metric : str
        The score: "accuracy" (the fraction of margins or log-odds above 0),
        "mean_squared_error" (of predictions), or the name of the output, whose mean is
        the score.
    higher_is_better : bool or None
        Whether higher scores are better. None if it is not known.
    targets : int array of shape (n_targets,)
        The targets that judge.
    outputs : float array of shape (n_rows, n_trials, n_targets)
        The outputs of all trainings on these targets, for other scores.
    n_trained : int
        Number of trainings.
    """

    size: np.ndarray
    removed: np.ndarray
    score: np.ndarray
    error: np.ndarray
    change: np.ndarray
    change_error: np.ndarray
    output: np.ndarray
    output_error: np.ndarray
    metric: str
    higher_is_better: bool | None
    targets: np.ndarray
    outputs: np.ndarray = field(repr=False)
    n_trained: int

    def __len__(self):
        return len(self.size)

    def to_frame(self):
        """Return the table as a pandas.DataFrame, one row each.

        Its columns are size, removed, score, error, change, change_error, output and
        output_error.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        names = "size removed score error change change_error output output_error"
        columns = {name: getattr(self, name) for name in names.split()}
        return import_pandas().DataFrame(columns)

    def _table(self):
        rows = slice(MOST_ROWS)
        columns = {
            "examples": self.size[rows],
            "removed": self.removed[rows],
            self.metric.replace("_", " "): self.score[rows],
            "error": self.error[rows],
            "change": self.change[rows],
            "error of change": self.change_error[rows],
        }
        title = f"Retrained without some examples, judged on {len(self.targets):,} "
        return Table(f"{title}targets", columns, len(self))

    __repr__ = table_text
    _repr_html_ = table_html


@validate_params(
    {
        "trainer": [SubsetTrainer, ComponentAblation],
        "order": ["array-like"],
        "sizes": ["array-like"],
        "targets": ["array-like", None],
        "n_trials": [Interval(Integral, 1, None, closed="left")],
        "bases": ["array-like", None],
        "exclude": ["array-like", None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def removal_check(
    trainer,
    order,
    sizes,
    *,
    targets=None,
    n_trials=5,
    bases=None,
    exclude=None,
    random_state=None,
):
    """Retrain without the first examples of an order, and without random ones.

    If an order claims that some examples are harmful, models that are trained without
    them should be better, and better than without as many random examples.

    Parameters
    ----------
    trainer : SubsetTrainer or ComponentAblation
        Trains the models, on its whole training set but for the removed examples. Its
        `alpha` and `design` are not used.
    order : int array-like of shape (n_ordered,)
        Training examples (columns of the masks), the first to remove first, such as
        ``harmful_examples(...).examples`` or ``find_label_errors(...).examples``.
    sizes : list of int or float
        Numbers of examples to remove, or fractions of the training set.
    targets : int array-like of shape (n_targets,), default=None
        Rows of the trainer's targets that judge. They must *not* be those that chose
        the order: removing what lowers the outputs of some targets raises these
        outputs, but need not help others. The labels of these targets should be right.
        None means all targets, which is honest only if the order comes from others, or
        from the training set alone.
    n_trials : int, default=5
        Number of trainings of each training set, with different seeds, and number of
        random sets of each size, which are trained once each.
    bases : bool array-like of shape (n_bases, n_train), default=None
        Training sets to remove from, such as subsets of some runs, instead of the whole
        one. Each is one trial, and `n_trials` is not used. Only examples of a set that
        are in the base are removed from it.
    exclude : int array-like of shape (n_all_targets,), default=None
        With bases, the column of the masks that each target of the trainer is, -1 for
        none. A target is not judged by models whose base contains it. So training
        examples can judge where there are no others.
    random_state : int, RandomState instance or None, default=None
        Determines the random sets. The trainer has its own.

    Returns
    -------
    check : RemovalCheck
        The scores. There are ``n_trials * (1 + 2 * len(sizes))`` trainings, or as many
        for each base.

    Raises
    ------
    ValueError
        Before any training: if `order` repeats an example, has one that does not exist
        or is shorter than a size, a size is not below n_train, a target does not
        exist, `bases` or `exclude` do not match the trainer, or `exclude` has no bases.
    RuntimeError
        If trainings failed, depending on the trainer's `on_failure`.

    See Also
    --------
    CounterfactualEvaluation : Compare predicted with true effects of removal.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels import Examples, SubsetTrainer
    >>> from skdatamodels.applications import removal_check
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> y = X.sum(axis=1)
    >>> train = Examples(X[:40], np.r_[y[:4] + 9, y[4:40]])  # four wrong values
    >>> trainer = SubsetTrainer(Ridge(), train, Examples(X[40:], y[40:]))
    >>> check = removal_check(trainer, [0, 1, 2, 3], [2, 4], random_state=0)
    >>> check.removed.tolist()
    ['none', 'first', 'random', 'first', 'random']
    >>> bool(check.change[3] < check.change[4] < 0.5)  # of the squared error
    True
    """
    n_train = trainer.draw_subsets(1, 0).shape[1]
    sizes = check_sizes(sizes, n_train)
    order = _check_order(order, sizes[-1], n_train)
    targets = check_target_indices(targets, len(trainer.targets), "targets")
    bases, exclude = _check_bases(bases, exclude, trainer, n_train)
    n_trials = n_trials if bases is None else len(bases)
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
    first = np.zeros((1 + len(sizes), n_train), dtype=bool)
    random = np.zeros((len(sizes), n_trials, n_train), dtype=bool)
    for i, size in enumerate(sizes):
        first[i + 1, order[:size]] = True
    for trial in range(n_trials):
        shuffled = rng.permutation(n_train)
        for i, size in enumerate(sizes):
            random[i, trial, shuffled[:size]] = True
    edits = Edits(trainer)
    if bases is None:
        none, *first = _train(edits, ~first, n_trials)
    else:
        left = bases & ~first[:, None]
        none, *first = np.reshape(_train(edits, left, 1), (*left.shape[:2], -1))
    left = ~random if bases is None else bases & ~random
    random = np.reshape(_train(edits, left, 1), (*random.shape[:2], -1))
    rows = [none]
    for pair in zip(first, random, strict=True):
        rows += pair
    outputs = np.array(rows)[:, :, targets]
    if exclude is not None:
        seen = (exclude[targets] >= 0) & bases[:, exclude[targets]]
        outputs[:, seen] = np.nan
    return RemovalCheck(
        size=np.r_[0, np.repeat(sizes, 2)],
        removed=np.array(["none", *["first", "random"] * len(sizes)]),
        targets=targets,
        outputs=outputs,
        n_trained=edits.n_trained,
        **removal_scores(outputs, trainer.output_info, trainer.targets.y[targets]),
    )


def _train(edits, masks, n_trials):
    """Return the outputs (n_trials, n_targets) of each training set."""
    masks = np.reshape(masks, (-1, masks.shape[-1]))
    return edits.train(PackedMasks.from_dense(masks), n_trials)


def _check_bases(bases, exclude, trainer, n_train):
    if bases is None:
        if exclude is not None:
            raise ValueError("exclude needs bases: pass both, or neither.")
        return None, None
    bases = as_masks(bases).dense()
    if bases.shape[1] != n_train:
        raise ValueError(
            f"bases must have {n_train} columns, one for each column of the trainer's "
            f"masks; got shape {bases.shape}."
        )
    return bases, check_exclude(exclude, len(trainer.targets), n_train)


def removal_scores(outputs, info, y):
    """Return the scores of outputs (n_rows, n_trials, n_targets), by attribute.

    Parameters
    ----------
    outputs : float array of shape (n_rows, n_trials, n_targets)
        Outputs of the trainings; NaN where a target does not judge.
    info : OutputInfo
        What they measure.
    y : array of shape (n_targets,)
        Labels or values of the targets.

    Returns
    -------
    scores : dict of str to object
        The attributes of a `RemovalCheck` that depend on which targets judge.
    """
    values, metric, higher = metric_values(outputs, info, y)
    score, variance = over_trials(values)
    by_target, _ = mean_and_variance(values)  # (n_rows, n_targets)
    _, of_targets = mean_and_variance(by_target - by_target[0])
    change_error = np.sqrt(variance + variance[0] + of_targets)
    change_error[0] = 0
    output, output_variance = over_trials(outputs)
    return {
        "metric": metric,
        "higher_is_better": higher,
        "score": score,
        "error": np.sqrt(variance),
        "change": score - score[0],
        "change_error": change_error,
        "output": output,
        "output_error": np.sqrt(output_variance),
    }


def metric_values(outputs, info, y):
    """Return values whose mean is the score, its name, and whether higher is better.

    Values are float64, of the shape of the outputs, and NaN where these are.
    """
    values, metric, higher = (
        np.array(outputs, np.float64),
        info.name,
        info.higher_is_better,
    )
    if metric in ("margin", "log_odds"):
        metric, values = "accuracy", np.where(np.isnan(values), np.nan, values > 0)
    elif metric == "prediction":
        metric, values, higher = "mean_squared_error", (values - y) ** 2, False
    return values, metric, higher


def over_trials(values):
    """Return the mean over trials of the mean over targets, and its variance."""
    n_rows, n_trials, n_targets = values.shape
    means, _ = mean_and_variance(np.reshape(values, (-1, n_targets)))
    means = means.reshape(n_rows, n_trials)
    mean, variance = mean_and_variance(means)
    variance[np.ptp(means, axis=1) == 0] *= 0  # not a rounding error
    return mean, variance


def _check_order(order, n_most, n_train):
    order = np.asarray(order)
    if (
        order.ndim != 1
        or not np.issubdtype(order.dtype, np.integer)
        or not np.isin(order, range(n_train)).all()
        or len(np.unique(order)) < order.size
    ):
        raise ValueError(
            f"order must be distinct training examples, integers from 0 to "
            f"{n_train - 1}; got {order.dtype} of shape {order.shape}. Of ids, "
            "train.positions_of(ids) gives the positions."
        )
    if len(order) < n_most:
        raise ValueError(
            f"order has {len(order)} examples, but the largest size is {n_most}."
        )
    return order
