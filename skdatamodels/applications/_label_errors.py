"""Find training examples whose label or value seems to be wrong."""

from dataclasses import dataclass

import numpy as np

from skdatamodels._examples import check_examples
from skdatamodels._tables import (
    MOST_ROWS,
    Table,
    import_pandas,
    table_html,
    table_text,
)
from skdatamodels.applications._error_probability import (
    label_error_probability,
    value_error_probability,
)
from skdatamodels.runs import TrainingRuns
from skdatamodels.runs._usable_runs import check_exclude, usable_runs

_OUTPUTS = "margin", "log_odds", "confidence", "prediction"


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """Training examples by how likely their label or value is wrong, highest first.

    Attributes
    ----------
    examples : int array of shape (n_found,)
        Rows of the training set.
    ids : object array of shape (n_found,)
        Their ids.
    label : array of shape (n_found,)
        The labels or values as they were given.
    suggested : object or float64 array of shape (n_found,)
        For two classes the other class, for a regression the mean out-of-bag
        prediction. None for more classes, whose margins do not tell which is right.
    out_of_bag : float64 array of shape (n_found,)
        Mean output of the runs that were not trained on the example.
    n_runs : int array of shape (n_found,)
        Number of these runs.
    probability : float64 array of shape (n_found,)
        Probability that the label or value is wrong.
    n_expected : float
        Expected number of wrong labels or values: the sum of the probabilities.
    output : str
        What the runs measure.
    """

    examples: np.ndarray
    ids: np.ndarray
    label: np.ndarray
    suggested: np.ndarray
    out_of_bag: np.ndarray
    n_runs: np.ndarray
    probability: np.ndarray
    n_expected: float
    output: str

    def __len__(self):
        return len(self.examples)

    def expected_precision(self):
        """Return the share of wrong labels to expect among the first k examples.

        Returns
        -------
        precision : float64 array of shape (n_found,)
            For k = 1, 2, ..., the mean probability of the first k examples.
        """
        return np.cumsum(self.probability) / np.arange(1, len(self) + 1)

    def to_frame(self):
        """Return the examples as a pandas.DataFrame with their ids as its index.

        Its columns are example, label, suggested, out_of_bag, n_runs and probability.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = import_pandas()
        names = "examples label suggested out_of_bag n_runs probability".split()
        columns = {name: getattr(self, name) for name in names}
        frame = pandas.DataFrame(columns, index=pandas.Index(self.ids, name="id"))
        return frame.rename(columns={"examples": "example"})

    def _table(self):
        first = slice(MOST_ROWS)
        columns = {
            "id": [str(name) for name in self.ids[first]],
            "label": self.label[first],
            "suggested": self.suggested[first],
            f"out-of-bag {self.output}": self.out_of_bag[first],
            "probability": self.probability[first],
        }
        if all(value is None for value in self.suggested):
            del columns["suggested"]
        what = "values" if self.output == "prediction" else "labels"
        title = (
            f"Suspicious {what}: about {self.n_expected:,.0f} of {len(self):,} are "
            "expected to be wrong"
        )
        return Table(title, columns, len(self))

    __repr__ = table_text
    _repr_html_ = table_html


def find_label_errors(runs, train, *, exclude=None, rows=None):
    """Find training examples whose label, or value, is probably wrong.

    Parameters
    ----------
    runs : TrainingRuns
        Runs whose targets include training examples, with output "margin", "log_odds",
        "confidence" or "prediction".
    train : Examples
        The training set, with the labels as given.
    exclude : int array-like of shape (n_targets,), default=None
        Column of the masks that contains each target, -1 for none. Default `rows`.
    rows : int array-like of shape (n_targets,), default=None
        Row of `train` that each target is, -1 for none. Default `exclude`. Needed only
        if columns are not rows of `train`, but groups of them.

    Returns
    -------
    found : LabelErrors
        All targets that are training examples, the most suspicious first.
    """
    rows, exclude = _check_rows(runs, train, rows, exclude)
    targets = np.flatnonzero((rows >= 0) & (exclude >= 0))
    mean, spread, n_runs = out_of_bag(runs, exclude, targets)
    rows = rows[targets]
    name, label = runs.output_info.name, train.y[rows]
    known = n_runs > 0
    probability = np.full(len(rows), np.nan)
    if name == "prediction":
        suspicion, probability[known] = value_error_probability(
            label[known] - mean[known], spread[known]
        )
        suggested = mean
    else:
        suspicion, probability[known] = label_error_probability(
            mean[known], label[known]
        )
        suggested = np.full(len(rows), None, dtype=object)
        classes = np.unique(train.y)
        if len(classes) == 2:
            suggested[:] = np.where(label == classes[0], classes[1], classes[0])
    keys = np.full(len(rows), -np.inf)
    keys[known] = suspicion
    order = np.argsort(-keys, kind="stable")
    return LabelErrors(
        examples=rows[order],
        ids=train.ids_at(rows[order]),
        label=label[order],
        suggested=suggested[order],
        out_of_bag=mean[order],
        n_runs=n_runs[order],
        probability=probability[order],
        n_expected=float(np.nansum(probability)),
        output=name,
    )


def out_of_bag(runs, exclude, targets):
    """Return mean, standard deviation and number of out-of-bag outputs of targets."""
    outputs = np.asarray(runs.outputs[:, targets], dtype=np.float64)
    usable = usable_runs(runs.packed, outputs, exclude[targets])
    n_runs = usable.sum(axis=0)
    values = np.where(usable, outputs, 0)
    n = np.where(n_runs > 0, n_runs, np.nan)
    mean = values.sum(axis=0) / n
    deviations = np.where(usable, outputs - mean, 0)
    return mean, np.sqrt((deviations**2).sum(axis=0) / n), n_runs


def _check_rows(runs, train, rows, exclude):
    if not isinstance(runs, TrainingRuns):
        raise TypeError(f"runs must be TrainingRuns, got {type(runs).__name__}.")
    check_examples(train, "train")
    if rows is None and exclude is None:
        raise ValueError(
            "Pass exclude, the training example that each target is, -1 for none: "
            "np.arange(len(train)) if the targets are the training set."
        )
    exclude = check_exclude(
        rows if exclude is None else exclude, runs.n_targets, runs.n_train
    )
    rows = exclude if rows is None else np.asarray(rows)
    return rows, exclude
