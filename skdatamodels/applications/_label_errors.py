"""Find training examples whose label or value seems to be wrong."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, logsumexp, softmax

from skdatamodels._examples import check_examples
from skdatamodels._tables import (
    MOST_ROWS,
    Table,
    import_pandas,
    table_html,
    table_text,
)
from skdatamodels.applications._error_probability import (
    label_log_odds,
    value_log_odds,
)
from skdatamodels.outputs import raw_outputs
from skdatamodels.runs import TrainingRuns
from skdatamodels.runs._usable_runs import check_exclude, usable_runs

# Probability of the label by output, for two classes; of more, the margin compares the
# label with the most likely other class only. So kept models tell how sure the others
# are.
_CONFIDENCE = {
    "margin": expit,
    "log_odds": expit,
    "confidence": np.asarray,
    "cross_entropy": lambda loss: np.exp(-loss),
}
# Runs that count as if they were for the label, and as many as if they were against it.
_UNDECIDED = 0.05


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
        For two classes the other class, for more the most likely other one by the kept
        models that were not trained on the example, and for a regression the mean
        out-of-bag prediction. None where no kept model tells.
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
        columns = {
            "example": self.examples,
            "label": self.label,
            "suggested": self.suggested,
            "out_of_bag": self.out_of_bag,
            "n_runs": self.n_runs,
            "probability": self.probability,
        }
        return pandas.DataFrame(columns, index=pandas.Index(self.ids, name="id"))

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

    Each example is judged by the runs that were not trained on it. With labels, it is
    suspicious if these give its label a low probability; with values, if the value is
    far from their mean prediction. No datamodels are needed, and a hundred runs are
    enough.

    Parameters
    ----------
    runs : TrainingRuns
        Runs whose targets include training examples. The output is "margin",
        "log_odds", "confidence" or "cross_entropy" of a classifier, or "prediction" of
        a regressor.
    train : Examples
        The training set, with the labels or values as they were given.
    exclude : int array-like of shape (n_targets,), default=None
        The training example, a column of the masks, that each target is; -1 for none.
        ``np.arange(len(train))`` if the targets are the training set. Default `rows`.
    rows : int array-like of shape (n_targets,), default=None
        Row of `train` that each target is, -1 for none. Default `exclude`. Needed only
        if a column of the masks stands for a group of rows: `exclude` is then the group
        that contains the row.

    Returns
    -------
    found : LabelErrors
        The targets that are training examples, the most suspicious first, with the
        probability that each label or value is wrong.

    Raises
    ------
    TypeError
        If `runs` is not TrainingRuns, or `train` not Examples.
    ValueError
        If the output is another one, `exclude` or `rows` do not match the runs and
        `train`, or no target is a training example.

    See Also
    --------
    harmful_examples : Find examples that make the outputs of others worse.
    removal_check : Retrain without the most suspicious examples.

    Notes
    -----
    A low probability of the label is not enough to call it wrong: the model may be
    unsure, or a class rare. So the probability that it is wrong is estimated from how
    often labels disagree with predictions of each confidence, and from a rate of wrong
    labels for each class. If labels follow the shares of the classes whatever was
    predicted, the predictions say nothing, and no label is called wrong. For values,
    residuals are compared with a mixture of correct and wrong values, whose scale
    depends on how much the predictions of the runs differ. Values that are predicted
    exactly are right, and say nothing of the others.

    These probabilities assume that errors do not depend on the inputs. An example that
    is truly atypical for its class cannot be told from a wrong label: look at the
    examples before you change them.

    For more than two classes, keep some models, ``SubsetTrainer(keep_models=16)``: they
    know the probabilities of all classes. The output of the label alone does not tell
    how sure a prediction is, so without models the number of wrong labels can be far
    off where classes overlap.

    References
    ----------
    Northcutt, Jiang, Chuang, "Confident Learning: Estimating Uncertainty in Dataset
    Labels", Journal of Artificial Intelligence Research 70, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skdatamodels import Examples, SubsetTrainer
    >>> from skdatamodels.applications import find_label_errors
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> y[:5] = 1 - y[:5]  # these labels are now wrong
    >>> train = Examples(X, y)
    >>> trainer = SubsetTrainer(
    ...     GaussianNB(), train, train, output="confidence", random_state=0
    ... )
    >>> runs = trainer.fit_transform(np.arange(40))
    >>> errors = find_label_errors(runs, train, exclude=np.arange(len(train)))
    >>> bool(np.isin(range(5), errors.examples[:50]).all())
    True
    """
    rows, exclude = _check_rows(runs, train, rows, exclude)
    targets = np.flatnonzero(rows >= 0)
    rows, label = rows[targets], train.y[rows[targets]]
    name, outputs = (
        runs.output_info.name,
        np.array(runs.outputs[:, targets], np.float64),
    )
    unseen = usable_runs(runs.packed, outputs, exclude[targets])
    mean, spread = _mean_and_spread(outputs, unseen)
    n_runs = unseen.sum(axis=0)
    known = n_runs > 0
    if not known.any():
        raise ValueError("Every run was trained on all targets that are examples.")
    wrong = np.full(len(rows), -np.inf)
    if name == "prediction":
        residuals, suggested = label - mean, mean
        judged = known & ~_is_exact(label, mean, runs.outputs.dtype)
        if judged.any():
            wrong[judged] = value_log_odds(residuals[judged], spread[judged])
        extreme = np.abs(residuals)
    else:
        confidence, _ = _mean_and_spread(_CONFIDENCE[name](outputs), unseen)
        whole = n_runs * confidence + _UNDECIDED  # a few runs are not certain
        log_odds = logit(whole / (n_runs + 2 * _UNDECIDED))
        classes, codes, sizes = np.unique(
            train.y, return_inverse=True, return_counts=True
        )
        logits = _class_logits(runs.models, train, classes, name, rows, log_odds)
        wrong[known] = label_log_odds(
            log_odds[known],
            codes[rows][known],
            sizes / len(train),
            logits=None if logits is None else logits[known],
        )
        suggested, extreme = _other_class(classes, codes[rows], logits), -mean
    order = np.lexsort((-np.where(known, extreme, -np.inf), -wrong))
    probability = np.where(known, expit(wrong), np.nan)
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


def _mean_and_spread(outputs, where):
    """Return mean and standard deviation of each column where True; NaN for none."""
    n = where.sum(axis=0)
    n = np.where(n > 0, n, np.nan)
    mean = np.where(where, outputs, 0).sum(axis=0) / n
    deviations = np.where(where, outputs - mean, 0)
    return mean, np.sqrt((deviations**2).sum(axis=0) / n)


def _class_logits(models, train, classes, output, rows, log_odds):
    """Return out-of-bag logits of all classes, or None if they are not needed or known.

    Kept models compare the other classes with each other. The label is compared with
    these by `log_odds`, which come from all runs.
    """
    models = [kept for kept in models or [] if hasattr(kept.model, "classes_")]
    if len(classes) == 2 or not models:
        return None
    votes = np.full((len(train), len(classes)), _UNDECIDED)
    for kept in models:
        unseen = np.ones(len(train), dtype=bool)
        unseen[kept.subset] = False
        raw = raw_outputs(kept.model, train.X, classes)
        votes[unseen] += softmax(raw[unseen], axis=1)
    logits, own = np.log(votes[rows]), train.y[rows, None] == classes
    others = np.where(own, -np.inf, logits)
    highest = others.max(axis=1) if output == "margin" else logsumexp(others, axis=1)
    return np.where(own, (highest + log_odds)[:, None], logits)


def _is_exact(values, predictions, dtype):
    """Return where predictions differ from values by rounding errors alone."""
    relative = 4 * np.finfo(dtype).eps
    return np.isclose(predictions, values, rtol=relative, atol=1e-7 * values.std())


def _other_class(classes, codes, logits):
    """Return the most likely other class of each example, None if it is not known."""
    suggested = np.full(len(codes), None, dtype=object)
    if len(classes) == 2:
        suggested[:] = classes[1 - codes]
    elif logits is not None:
        is_other = np.arange(len(classes)) != codes[:, None]
        others = np.where(is_other, logits, -np.inf)
        lowest = np.where(is_other, logits, np.inf).min(axis=1)
        known = others.max(axis=1) > lowest  # equal if no model can judge the example
        suggested[known] = classes[others.argmax(axis=1)[known]]
    return suggested


def _check_rows(runs, train, rows, exclude):
    """Return row and column of each target, -1 for none."""
    if not isinstance(runs, TrainingRuns):
        raise TypeError(f"runs must be TrainingRuns, got {type(runs).__name__}.")
    check_examples(train, "train")
    name = runs.output_info.name
    if name not in (*_CONFIDENCE, "prediction"):
        raise ValueError(
            f"The runs measure the output {name!r}, which does not tell whether a "
            f"label or value is likely: train with {', '.join(_CONFIDENCE)} (of a "
            "classifier) or prediction (of a regressor), or name the output, as in "
            "TrainingRuns(masks, outputs, output='margin')."
        )
    if name != "prediction" and len(np.unique(train.y)) < 2:
        raise ValueError("train has a single class, so no label can be wrong.")
    given = exclude if rows is None else rows
    if given is None:
        raise ValueError(
            "Pass exclude, the training example that each target is, -1 for none: "
            "np.arange(len(train)) if the targets are the training set."
        )
    columns = rows if exclude is None else exclude
    columns = check_exclude(columns, runs.n_targets, runs.n_train)
    rows = np.asarray(given)
    if (
        rows.shape != columns.shape
        or rows.dtype.kind not in "iu"
        or not ((rows >= -1) & (rows < len(train))).all()
    ):
        raise ValueError(
            f"rows must be {runs.n_targets} rows of train, from 0 to "
            f"{len(train) - 1}, or -1 for none; got {rows.dtype} of shape {rows.shape}."
        )
    found = rows[rows >= 0]
    if not len(found):
        raise ValueError("No target is a training example: exclude is -1 for all.")
    if len(np.unique(found)) < len(found):
        raise ValueError("Two targets are the same training example.")
    if ((rows >= 0) != (columns >= 0)).any():
        raise ValueError(
            "exclude must be -1 for the same targets as rows: which runs were trained "
            "on the others is not known."
        )
    return rows, columns
