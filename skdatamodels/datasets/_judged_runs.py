"""Ready-made runs of small real data sets, to judge attribution methods by."""

from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from sklearn.base import clone

from skdatamodels._examples import Examples
from skdatamodels._tables import Table, table_html, table_text
from skdatamodels.datasets._judged_sets import JUDGED_SETS, plant_shortcut
from skdatamodels.masks import PackedMasks
from skdatamodels.runs import TrainingRuns


@dataclass(frozen=True, eq=False)
class JudgedRuns:
    """Runs of a data set to fit methods on, others to judge them by, and truths.

    Attributes
    ----------
    name, description : str
        Name of the runs, and what was trained on which data.
    train, targets : Examples
        The training set, with what is planted in it, and the targets. Their ids are
        rows of the data set in scikit-learn.
    learner : estimator
        The learner, unfitted.
    output : str
        The output that the runs measure, a key of
        :data:`skdatamodels.outputs.OUTPUTS`.
    runs : TrainingRuns
        Runs for methods that are fitted on runs.
    judging_runs : TrainingRuns
        Runs on fresh subsets, to judge by.
    repeats : float32 array of shape (2, n_subsets, n_targets)
        Outputs of two trainings on each of these subsets, for the noise ceiling. The
        first are those of `judging_runs`.
    wrong_labels : bool array of shape (n_train,) or None
        True for training examples that were given a wrong label.
    subclasses : tuple of arrays of shapes (n_train,) and (n_targets,), or None
        What the classes consist of, which the learner was not told.
    shortcut : tuple of bool arrays of shapes (n_train,) and (n_targets,), or None
        Training examples with a planted shortcut, and targets that have it. These
        targets are drawn from all classes, and all but one are of another class; the
        label of the shortcut is theirs, so that their output tells how far the learner
        takes it.
    leave_one_out : float32 array of shape (n_targets, n_train), or None
        Effect of each training example: the output of the full training set minus that
        without the example, one training each. Only for learners with no or little
        randomness.
    versions : dict of str to str
        Versions of the libraries that trained the runs.
    """

    name: str
    description: str
    train: Examples
    targets: Examples
    learner: object
    output: str
    runs: TrainingRuns
    judging_runs: TrainingRuns
    repeats: np.ndarray
    wrong_labels: np.ndarray | None
    subclasses: tuple | None
    shortcut: tuple | None
    leave_one_out: np.ndarray | None
    versions: dict

    def _table(self):
        planted = [
            name.replace("_", " ")
            for name in ("wrong_labels", "subclasses", "shortcut", "leave_one_out")
            if getattr(self, name) is not None
        ]
        columns = {
            "training examples": [len(self.train)],
            "targets": [len(self.targets)],
            "runs": [len(self.runs)],
            "judging runs": [len(self.judging_runs)],
            "output": [self.output],
            "known": [", ".join(planted)],
        }
        note = f"{self.name}: {self.description}"
        return Table(f"JudgedRuns {self.name!r}", columns, notes=(note,))

    __repr__ = table_text
    _repr_html_ = table_html


def load_judged_runs(name):
    """Load ready-made runs of a small real data set, to judge methods without training.

    They come with the package. The data are those of scikit-learn.

    Parameters
    ----------
    name : {"digits_mlp", "digits_logistic", "breast_cancer_forest", \
"diabetes_boosting"}
        - "digits_mlp": an ``MLPClassifier`` on digits, margins. Known: wrong labels,
          and a shortcut, a bright left edge.
        - "digits_logistic": a ``LogisticRegression`` tells even from odd digits,
          margins. Convex and without randomness. Known: wrong labels, the digits as
          subclasses, and the exact effect of each example.
        - "breast_cancer_forest": a ``RandomForestClassifier``, confidences. Known:
          wrong labels.
        - "diabetes_boosting": a ``GradientBoostingRegressor``, predictions. It has
          little randomness, in the order of equal splits. Known: the effect of each
          example, of which about a tenth of the variance is noise.

    Returns
    -------
    judged : JudgedRuns
        The runs, the examples, the learner, and what was planted.

    Raises
    ------
    ValueError
        If there are no runs of this name.

    See Also
    --------
    skdatamodels.judging.judge : Judges attribution methods on them.

    Notes
    -----
    Subsets are halves of the training set. To train more, give a
    :class:`~skdatamodels.training.SubsetTrainer` the learner, the training set, the
    targets and the output. ``benchmarks/build_judged_runs.py`` made the files.

    Examples
    --------
    >>> from skdatamodels.datasets import load_judged_runs
    >>> judged = load_judged_runs("digits_logistic")
    >>> judged.train
    Examples(300 rows, X: (300, 64) float64, y: int64)
    >>> judged.repeats.shape
    (2, 200, 80)
    """
    if not isinstance(name, str) or name not in JUDGED_SETS:
        raise ValueError(
            f"There are no judged runs of the name {name!r}. The names are "
            f"{', '.join(JUDGED_SETS)}."
        )
    one = JUDGED_SETS[name]
    with (files("skdatamodels.datasets") / "judged" / f"{name}.npz").open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        stored = {key: stored[key] for key in stored.files}
    train, targets = judged_examples(name, stored)
    runs, judging_runs = (
        TrainingRuns(
            PackedMasks(stored[f"{part}_bits"], len(train)),
            stored[f"{part}_outputs"],
            seeds=stored[f"{part}_seeds"],
            output=one.output,
            player_ids=train.ids,
            target_ids=targets.ids,
        )
        for part in ("fitted", "judging")
    )
    subclasses = None
    if one.labels is not None:
        y = one.load()[1]
        subclasses = y[stored["train_rows"]], y[stored["target_rows"]]
    shortcut = (
        _mask(stored["marked_train"], train),
        _mask(stored["marked_targets"], targets),
    )
    return JudgedRuns(
        name=name,
        description=one.text,
        train=train,
        targets=targets,
        learner=clone(one.learner),
        output=one.output,
        runs=runs,
        judging_runs=judging_runs,
        repeats=np.stack([stored["judging_outputs"], stored["repeated_outputs"]]),
        wrong_labels=_mask(stored["wrong"], train) if one.n_wrong else None,
        subclasses=subclasses,
        shortcut=shortcut if one.n_shortcut else None,
        leave_one_out=stored.get("leave_one_out"),
        versions=dict(row.split(" ") for row in stored["versions"].tolist()),
    )


def judged_examples(name, rows):
    """Return training set and targets of a judged set, with what is planted.

    Parameters
    ----------
    name : str
        Name of the set.
    rows : dict of str to int array
        As :func:`pick_rows` returns them.
    """
    one = JUDGED_SETS[name]
    X, y = one.load()
    y = y if one.labels is None else one.labels(y)
    train, targets = (
        plant_shortcut(X[ids], y[ids], marked)
        for ids, marked in (
            (rows["train_rows"], rows["marked_train"]),
            (rows["target_rows"], rows["marked_targets"]),
        )
    )
    train[1][rows["wrong"]] = rows["wrong_labels"]
    return (
        Examples(*train, ids=rows["train_rows"]),
        Examples(*targets, ids=rows["target_rows"]),
    )


def _mask(positions, examples):
    mask = np.zeros(len(examples), dtype=bool)
    mask[positions] = True
    return mask
