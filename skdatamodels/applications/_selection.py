"""Selection: training examples to drop, add or relabel, the best first."""

from dataclasses import dataclass, field

import numpy as np

from skdatamodels._tables import (
    MOST_ROWS,
    Table,
    import_pandas,
    table_html,
    table_text,
)
from skdatamodels.applications._quality import quality_note
from skdatamodels.applications._selection_check import verify_selection

_LEAST_ERRORS = 3  # of a gain that is the largest of many


@dataclass(frozen=True, eq=False)
class Selection:
    """Training examples to drop, add or relabel, those that help the most first.

    Attributes
    ----------
    examples : int array of shape (n_examples,)
        Columns of the weights that may be acted on, in the order in which to do it.
    score : float64 array of shape (n_examples,)
        Predicted improvement of the objective by each of them, in the unit of the
        output. Positive if acting on it helps, whether high or low outputs are better.
    gain : float64 array of shape (n_examples + 1,)
        ``gain[k]`` is the predicted improvement by the first k examples, for the
        targets that chose them; for "worst_group", of the output of the group that is
        then the worst. It is too optimistic.
    held_out_gain : float64 array of shape (n_examples + 1,)
        The same, where four fifths of the targets choose, and the gain is that of the
        others, mean over fifths; by weights of other runs, if `other_runs`.
    held_out_error : float
        Standard error of ``held_out_gain[n_suggested]`` due to the finite number of
        targets, and if `other_runs`, of runs. As `n_suggested` is the best number, a
        gain of 2 errors is common even if all weights are noise.
    other_runs : bool
        Whether weights of other runs judged. If not, errors of weights that targets
        share, because they come from the same runs, are in the gain and not in its
        error. They can be many times larger.
    n_suggested : int
        Number of examples, all with a positive score, with the largest
        `held_out_gain`; to drop, not the whole training set. 0 if that is not above 0.
    action : {"drop", "add", "relabel"}
        What to do with the examples.
    objective : str
        "mean", "worst_group" or "slice".
    group_names : array of shape (n_groups,)
        Groups of the targets that chose; "all" if the objective has none.
    group_sizes : int array of shape (n_groups,)
        Number of targets that chose in each group.
    group_outputs : float64 array of shape (n_groups,)
        Mean output of each group before anything is done. NaN if it is not known.
    group_weights : float64 array of shape (n_groups,)
        Weight of each group in the objective. They add up to 1.
    groups : array of shape (n_targets,), or None
        Group of each target, also of those that did not choose.
    targets : int array of shape (n_chosen,)
        Targets that chose.
    in_objective : bool array of shape (n_targets,)
        Whether the objective is about each target, whether or not it chose: those with
        a weight above 0 for a slice, otherwise all.
    candidates : bool array of shape (n_train,)
        Examples that may be acted on.
    labels : array of shape (n_examples,), or None
        New label of each example, to relabel.
    ids : object array of shape (n_examples,), or None
        Ids of the examples, or labels of groups. None if they are not known.
    target_ids : array of shape (n_targets,), or None
        Ids of all targets of the weights.
    n_targets : int
        Number of targets of the weights.
    unit : str
        Unit of the output.
    higher_is_better : bool
        Whether high outputs are better.
    quality : float
        Median R² of the weights on held-out runs. NaN if it is not known.
    """

    examples: np.ndarray
    score: np.ndarray
    gain: np.ndarray = field(repr=False)
    held_out_gain: np.ndarray = field(repr=False)
    held_out_error: float
    other_runs: bool
    n_suggested: int
    action: str
    objective: str
    group_names: np.ndarray
    group_sizes: np.ndarray
    group_outputs: np.ndarray
    group_weights: np.ndarray
    groups: np.ndarray | None
    targets: np.ndarray
    in_objective: np.ndarray
    candidates: np.ndarray
    labels: np.ndarray | None
    ids: np.ndarray | None
    target_ids: np.ndarray | None
    n_targets: int
    unit: str
    higher_is_better: bool
    quality: float

    def __len__(self):
        return len(self.examples)

    @property
    def suggested(self):
        """The first `n_suggested` examples, int array."""
        return self.examples[: self.n_suggested]

    def verify(
        self,
        trainer,
        sizes=None,
        *,
        targets=None,
        groups=None,
        train_groups=None,
        n_trials=5,
        allow_overlap=False,
        random_state=None,
    ):
        """Retrain with the selection, and beside it with random ones.

        Parameters
        ----------
        trainer : SubsetTrainer or ComponentAblation
            Trains the models, on the training set of the weights. Its `alpha` and
            `design` are not used.
        sizes : list of int or float, default=None
            Numbers of examples to act on, or fractions of those that may be. None is
            `n_suggested`.
        targets : int array-like of shape (n_judging,) or Examples, default=None
            What judges: rows of the trainer's targets, which must be those of the
            weights, or other examples. They should not have chosen. None means all
            targets of the weights that did not choose; of a slice, those of them that
            are in it. They count alike, also if the slice has weights.
        groups : array-like of shape (n_judging,), default=None
            Group of each target that judges, for scores by group. The default is that
            of the selection, if they are targets of the weights.
        train_groups : array-like of shape (n_train,), default=None
            Group of each training example. If given, models are also trained on random
            subsets that have as many examples of each group as the smallest one.
        n_trials : int, default=5
            Number of trainings of each training set, with different seeds, and number
            of random sets, which are trained once each.
        allow_overlap : bool, default=False
            Whether targets that chose may judge. Their scores are too optimistic.
        random_state : int, RandomState instance or None, default=None
            Determines the random sets. The trainer has its own.

        Returns
        -------
        check : SelectionCheck
            Scores of the models, of all targets, of the worst group and of each.

        Raises
        ------
        ValueError
            Before any training: if targets that chose would judge, a size is too large,
            the trainer does not match the weights, or `groups` or `train_groups` do not
            match the targets or the training set.
        TypeError
            If the trainer is neither a SubsetTrainer nor a ComponentAblation, or cannot
            train on other labels.
        RuntimeError
            If trainings failed and the trainer's `on_failure` is "raise".

        Warns
        -----
        RuntimeWarning
            If all trainings of a row failed, and it is left out: for any row if
            `on_failure` is "nan", and always for "class_balanced".
        UserWarning
            If most of the targets that judge are in the training set.
        """
        return verify_selection(
            self,
            trainer,
            sizes,
            targets=targets,
            groups=groups,
            train_groups=train_groups,
            n_trials=n_trials,
            allow_overlap=allow_overlap,
            random_state=random_state,
        )

    def to_frame(self):
        """Return the examples as a pandas.DataFrame, one row each, in their order.

        Its columns are example, id if ids are known, label if they are to be
        relabelled, score, gain and held_out_gain. The gains are those by the examples
        up to this one.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        columns = {"example": self.examples}
        if self.ids is not None:
            columns["id"] = self.ids
        if self.labels is not None:
            columns["label"] = self.labels
        columns["score"] = self.score
        columns["gain"] = self.gain[1:]
        columns["held_out_gain"] = self.held_out_gain[1:]
        return import_pandas().DataFrame(columns)

    def _table(self):
        rows = slice(MOST_ROWS)
        columns = {"row": self.examples[rows]}
        if self.ids is not None:
            columns["id"] = [str(name) for name in self.ids[rows]]
        if self.labels is not None:
            columns["new label"] = [str(label) for label in self.labels[rows]]
        columns["score"] = self.score[rows]
        columns["gain so far"] = self.gain[1:][rows]
        columns["on others"] = self.held_out_gain[1:][rows]
        goals = {"mean": "the mean", "worst_group": "the worst group"}
        goal = goals.get(self.objective, "a slice")
        title = (
            f"{self.action.capitalize()} examples for {goal} of {len(self.targets):,} "
            f"targets: {self.n_suggested:,} of {len(self):,} suggested"
        )
        notes = (*self._notes(), quality_note(self.quality))
        return Table(title, columns, len(self), notes)

    def _notes(self):
        if len(self.group_names) > 1:
            order = np.argsort(-self.group_weights, kind="stable")[:2]
            parts = [
                f"{str(self.group_names[k])[:20]} {self.group_weights[k]:.2f}"
                for k in order
            ]
            more = len(self.group_names) - len(order)
            parts += [f"{more} more"] * (more > 0)
            yield f"weights of groups: {', '.join(parts)}"
        k, error = self.n_suggested, self.held_out_error
        gain = self.held_out_gain[k]
        of = "targets and runs" if self.other_runs else "targets alone"
        yield (
            f"gain of {k:,} on targets that did not choose: {gain:.3g} "
            f"{self.unit[:20]} (error of {of} {error:.1g}); verify it by retraining"
        )
        if k and gain < _LEAST_ERRORS * error:
            yield (
                f"This is less than {_LEAST_ERRORS} standard errors. Noise may give as "
                "much, for this number of examples is the best of many."
            )
        if self.action == "drop" and 2 * k > len(self.candidates):
            yield (
                "These are more than half of all examples. Weights may not hold for "
                "models of so few: verify smaller numbers, too."
            )

    __repr__ = table_text
    _repr_html_ = table_html
