"""Retrain without the first examples of an order, and without random ones."""

from dataclasses import dataclass, field
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from skdatamodels._tables import Table, import_pandas, table_html, table_text
from skdatamodels.applications._edits import Edits, mean_and_variance
from skdatamodels.applications._removal_sets import check_sizes
from skdatamodels.masks import PackedMasks
from skdatamodels.training import SubsetTrainer


@dataclass(frozen=True, eq=False)
class RemovalCheck:
    """Scores of models trained without some of the training set.

    Attributes
    ----------
    size : int array of shape (n_rows,)
        Number of removed columns of the masks.
    removed : str array of shape (n_rows,)
        What was removed: "none", the "first" of the order, or "random" columns.
    score, error : float64 array of shape (n_rows,)
        Mean score of the trials, and its standard error. NaN for one trial.
    output, output_error : float64 array of shape (n_rows,)
        Mean output over the targets, and its standard error over trials.
    metric : str
        "accuracy" (margins and log-odds: share above 0), "mean_squared_error"
        (predictions), or the name of the output, whose mean is then the score.
    targets : int array of shape (n_targets,)
        The targets that were judged.
    outputs : float array of shape (n_rows, n_trials, n_targets)
        Outputs of these targets, for other metrics.
    n_trained : int
        Number of trainings.
    """

    size: np.ndarray
    removed: np.ndarray
    score: np.ndarray
    error: np.ndarray
    output: np.ndarray
    output_error: np.ndarray
    metric: str
    targets: np.ndarray
    outputs: np.ndarray = field(repr=False)
    n_trained: int

    def __len__(self):
        return len(self.size)

    def to_frame(self):
        """Return the scores as a pandas.DataFrame, one row a size and way to remove.

        Its columns are size, removed, score, error, output and output_error.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        names = "size removed score error output output_error".split()
        return import_pandas().DataFrame({name: getattr(self, name) for name in names})

    def _table(self):
        columns = {"removed": self.size[1::2]}
        for kind in ("first", "random"):
            rows = self.removed == kind
            columns[f"the {kind}" if kind == "first" else kind] = self.score[rows]
            columns[f"± {kind}"] = self.error[rows]
        title = f"{self.metric} on {len(self.targets):,} targets without some examples"
        note = f"nothing removed: {self.score[0]:.4g} ± {self.error[0]:.2g}"
        return Table(title, columns, notes=(note,))

    __repr__ = table_text
    _repr_html_ = table_html


def removal_check(
    trainer, order, sizes, *, targets=None, n_trials=5, random_state=None
):
    """Retrain without the worst examples, and without as many random ones."""
    n_columns = trainer.draw_subsets(1, 0).shape[1]
    sizes = check_sizes(sizes, n_columns)
    order = np.asarray(order)
    targets = np.arange(len(trainer.targets)) if targets is None else targets
    targets = np.arange(len(trainer.targets))[targets]
    seed = check_random_state(random_state).randint(2**31)
    edits = Edits(trainer)
    first = np.zeros((len(sizes) + 1, n_columns), dtype=bool)
    random = np.zeros((len(sizes), n_trials, n_columns), dtype=bool)
    for i, size in enumerate(sizes):
        first[i + 1, order[:size]] = True
    for trial in range(n_trials):
        shuffled = np.random.default_rng([seed, trial]).permutation(n_columns)
        for i, size in enumerate(sizes):
            random[i, trial, shuffled[:size]] = True
    by_order = edits.train(PackedMasks.from_dense(~first), n_trials)
    by_chance = edits.train(PackedMasks.from_dense(~random.reshape(-1, n_columns)), 1)
    by_chance = np.array(by_chance).reshape(len(sizes), n_trials, -1)
    outputs = [by_order[0]]
    for one, other in zip(by_order[1:], by_chance, strict=True):
        outputs += [one, other]
    outputs = np.array(outputs)[:, :, targets]
    metric, values = _score(trainer, outputs, targets)
    score, variance = mean_and_variance(values)
    output, output_variance = mean_and_variance(np.nanmean(outputs, axis=2))
    return RemovalCheck(
        size=np.r_[0, np.repeat(sizes, 2)],
        removed=np.array(["none", *["first", "random"] * len(sizes)]),
        score=score,
        error=np.sqrt(variance),
        output=output,
        output_error=np.sqrt(output_variance),
        metric=metric,
        targets=targets,
        outputs=outputs,
        n_trained=edits.n_trained,
    )


def _score(trainer, outputs, targets):
    """Return the name of the metric and the score of each training."""
    name = trainer.output_info.name
    if name in ("margin", "log_odds"):
        return "accuracy", np.mean(outputs > 0, axis=2)
    if name == "prediction":
        y = trainer.targets.y[targets]
        return "mean_squared_error", np.mean((outputs - y) ** 2, axis=2)
    return name, np.nanmean(outputs, axis=2)
