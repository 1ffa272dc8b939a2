"""The audit of groups of rows, such as sources: runs in which groups come and go."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from skdatamodels._tables import (
    MOST_ROWS,
    Table,
    format_column,
    import_pandas,
    table_html,
    table_text,
)
from skdatamodels.applications import RemovalCheck
from skdatamodels.auditing._checked_removal import (
    N_BASES,
    removal_by_halves,
    removal_in_words,
)
from skdatamodels.auditing._few_groups import (
    MANY,
    leave_out_each,
    make_few_trainer,
    why_not_left_out,
)
from skdatamodels.auditing._findings import facts_of_effects
from skdatamodels.auditing._judged import fit_judged
from skdatamodels.auditing._trust import Trust, measure_trust
from skdatamodels.training._players import players_of

N_RUNS = 100
_FEWEST_OF_CLASS = 4  # groups; half of all miss three of them in 1 of 8 subsets
SIZES = 1, 2, 4  # groups that are removed to check
_LARGE = 0.2  # share of the rows, from which a group is large


@dataclass(frozen=True, eq=False)
class GroupAudit:
    """What groups of training rows add to the score; an :class:`Audit` has it.

    Of ten groups or more, random subsets are trained on, and datamodels fitted. Fewer
    are left out one at a time, and `scores` has what came of it.

    Attributes
    ----------
    names : array of shape (n_groups,)
        Labels of the groups.
    of_row : int array of shape (n_train,)
        Group of each training row.
    effect : float64 array of shape (n_groups,)
        What the presence of each group adds to the score: the change of the mean
        margin, or minus that of the root mean squared error. Of many groups, in models
        trained on a share alpha of the groups; of few, beside all others. NaN if not
        known.
    interval : float64 array of shape (n_groups, 2)
        Ends of its interval; NaN without trust.
    weights : array of shape (n_judged, n_groups) or None
        Attribution matrix: effects of groups in models trained on a share alpha of the
        groups. None for few groups.
    trust : Trust or None
        How well these weights predict. None for few groups.
    removal : RemovalCheck or None
        Scores of models without the groups that are worst for half of the judged rows,
        on the other half. None without trust, and for few groups.
    order : int array of shape (n_groups,) or None
        The groups in the order in which they were removed.
    n_removed : int or None
        How many of them to remove by the other half: the fewest whose score is within
        one standard error of the best.
    scores : dict of str to float64 array of shape (n_groups,), or None
        For few groups, the accuracy or root mean squared error of models trained on all
        rows, and without the group, on the same judged rows. None for many groups.
    unknown : dict, or None
        For few groups, why the effects of some are not known, a str by label.
    """

    names: np.ndarray
    of_row: np.ndarray
    effect: np.ndarray
    interval: np.ndarray
    weights: np.ndarray | None = None
    trust: Trust | None = None
    removal: RemovalCheck | None = None
    order: np.ndarray | None = None
    n_removed: int | None = None
    scores: dict | None = None
    unknown: dict | None = None

    @property
    def enough(self):
        """Whether there is an answer: trust is enough, or each group was left out."""
        return self.scores is not None or self.trust.enough

    @property
    def n_rows(self):
        """Sizes of the groups, int array of shape (n_groups,)."""
        return np.bincount(self.of_row, minlength=len(self.names))

    @property
    def labels(self):
        """Label of the group of each training row, array of shape (n_train,)."""
        return self.names[self.of_row]

    @property
    def titles(self):
        """Labels of the groups in words, str array: floats as short as they differ."""
        if self.names.dtype.kind != "f":
            return np.array([str(name) for name in self.names])
        for digits in range(6, 18):
            found = np.array([f"{name:.{digits}g}" for name in self.names])
            if len(np.unique(found)) == len(found):
                break
        return found

    @property
    def ranked_titles(self):
        """The titles in the order of `to_frame`, the most harmful first."""
        return self.titles[np.argsort(self.effect, kind="stable")]

    def to_frame(self):
        """Return the groups as a pandas.DataFrame, the most harmful first.

        Its index is the label, and its columns are effect, low and high, the ends of
        the interval, distinguishable, n_rows, share, that of all rows, and for few
        groups the `scores`.
        """
        pandas = import_pandas()
        sizes = {"n_rows": self.n_rows, "share": self.n_rows / len(self.of_row)}
        frame = pandas.DataFrame(
            facts_of_effects(self.effect, self.interval) | sizes | (self.scores or {}),
            index=pandas.Index(self.names, name="group"),
        )
        return frame.sort_values("effect", kind="stable")

    def removed(self, size):
        """Return the labels of the groups that were removed first.

        Parameters
        ----------
        size : int
            Number of groups.

        Returns
        -------
        labels : list
            Their labels, the worst first.

        Raises
        ------
        ValueError
            If no groups were removed together.
        """
        self._need_removal()
        return self.names[self.order[:size]].tolist()

    def removal_in_words(self):
        """Return what the removal of the worst groups does to the score, a str."""
        self._need_removal()
        n = self.n_removed
        return removal_in_words(
            self.removal, n, "groups", self.titles[self.order[:n]].tolist()
        )

    def left_out_in_words(self):
        """Return what few groups do, left out one at a time, a list of str."""
        if self.scores is None:
            raise ValueError(
                f"The {len(self.names)} groups were not left out one at a time: see "
                "removal_in_words."
            )
        said = [
            f"Models were trained without each of the {len(self.names)} groups, and "
            "beside them on all rows. Training rows of a group do not judge it. Its "
            "effect is also that of having more rows."
        ]
        named = self.to_frame().set_axis(self.ranked_titles)
        harmful = named[named["distinguishable"] & (named["effect"] < 0)]
        metric = next(iter(self.scores)).replace("rmse", "root mean squared error")
        for name, row in harmful.iterrows():
            before, after = format_column([row[key] for key in self.scores])
            says = f"Without {name}, {metric} goes from {before} to {after}"
            if metric == "accuracy":
                ends = format_column([-row["effect"], -row["high"], -row["low"]])
                says += ", and the mean margin rises by {} ({} to {})".format(*ends)
            said.append(f"{says}.")
        titles = dict(zip(self.names.tolist(), self.titles, strict=True))
        said += [f"{titles[k]}: unknown. {why}" for k, why in self.unknown.items()]
        return said

    def _need_removal(self):
        if self.scores is not None:
            raise ValueError(
                f"The {len(self.names)} groups were left out one at a time, and not "
                "removed together: see to_frame and left_out_in_words."
            )
        if not self.enough:
            raise ValueError(self.trust.message)

    @property
    def warning(self):
        """What to keep in mind about large groups; empty if there are none."""
        if self.scores is not None:
            return ""
        share = self.n_rows / len(self.of_row)
        large = [k for k in np.argsort(-share) if share[k] >= _LARGE]
        if not large:
            return ""
        named = " and ".join(f"{self.titles[k]} ({share[k]:.0%})" for k in large)
        return (
            f"Large groups: {named} of the rows. The effect of a large group is also "
            "that of the number of rows, and it is measured in models without about "
            "half of the other groups. Train without it before you drop it."
        )

    def _table(self):
        frame = self.to_frame()
        columns = {"group": self.ranked_titles[:MOST_ROWS].tolist()}
        columns |= {name: frame[name].to_numpy()[:MOST_ROWS] for name in frame.columns}
        title = f"{len(self.names):,} groups, the most harmful first"
        if self.scores is not None:
            return Table(title, columns, len(frame), tuple(self.left_out_in_words()))
        notes = [self.trust.message, self.warning]
        if self.removal is not None:
            notes.append(self.removal_in_words())
        return Table(title, columns, len(frame), notes=tuple(filter(None, notes)))

    __repr__ = table_text
    _repr_html_ = table_html


def make_group_trainer(trainer, groups):
    """Return the trainer whose subsets are of groups.

    Subsets that miss a class may fail; their runs are left out.
    """
    trainer = clone(trainer)
    return trainer.set_params(
        groups=groups, design="uniform", keep_models=0, on_failure="nan"
    )


def are_few(trainer):
    """Return whether the groups are so few that they are left out one at a time."""
    return len(players_of(trainer)) < MANY


def group_obstacle(trainer, task):
    """Return why groups cannot be audited, a str; empty if they can."""
    players, y = players_of(trainer), trainer.train.y
    n_groups = len(players)
    if are_few(trainer):
        nothing = np.zeros((1, 1, len(y)), dtype=bool)
        unknown = why_not_left_out(y, players.of_row, nothing, task)
        if len(unknown) < n_groups:
            return ""
        return " ".join(f"{players.names[k]}: {why}" for k, why in unknown.items())
    if task == "classification":
        for label in np.unique(y):
            having = np.unique(players.of_row[y == label])
            if len(having) < _FEWEST_OF_CLASS:
                named = ", ".join(map(str, players.names[having]))
                return (
                    f"All rows of class {label!r} are in {len(having)} of {n_groups} "
                    f"groups ({named}). Too many random subsets of groups would miss "
                    f"the class; it must be in {_FEWEST_OF_CLASS} groups or more."
                )
    return ""


def audit_few_groups(trainer, judged, rows, n_seeds, seed):
    """Train without each of few groups, and measure what each adds to the score.

    Parameters
    ----------
    trainer : SubsetTrainer
        The trainer with groups.
    judged : Judged
        The judged rows.
    rows : int array of shape (n_targets,)
        The training row that each target is, -1 for none.
    n_seeds, seed : int
        Number of trainings of the same rows, and seed of folds.

    Returns
    -------
    found : GroupAudit
    """
    players = players_of(trainer)
    few, own = make_few_trainer(trainer, judged.targets), rows[judged.targets]
    found = leave_out_each(few, players.of_row, judged, own, n_seeds, seed)
    names = players.names.tolist()
    return GroupAudit(
        players.names,
        players.of_row,
        found.effect,
        found.interval,
        scores=found.scores,
        unknown={names[k]: why for k, why in found.unknown.items()},
    )


def audit_groups(trainer, judged, rows, min_lds, seed, n_jobs):
    """Train on subsets of many groups, and measure what each adds to the score.

    Parameters
    ----------
    trainer : SubsetTrainer
        The trainer with groups.
    judged : Judged
        The judged rows, with weights of rows.
    rows : int array of shape (n_targets,)
        The training row that each target is, -1 for none.
    min_lds, seed, n_jobs
        As in :func:`skdatamodels.audit`.

    Returns
    -------
    found : GroupAudit
    """
    players = players_of(trainer)
    with warnings.catch_warnings():  # the trainer warns of missing classes, too
        warnings.filterwarnings("ignore", r"[^\n]* on subsets that miss a class")
        runs = trainer.fit_transform(np.arange(N_RUNS))
    attributions = {
        name: players.total_weights(matrix)
        for name, matrix in judged.runs.attributions.items()
    }
    column = players.at_rows(rows)
    by_group = fit_judged(
        judged.task,
        judged.targets,
        runs,
        judged.truth,
        column[judged.targets],
        judged.output,
        attributions,
        judged.judges,
        n_jobs,
    )._replace(curved=True)
    trust = measure_trust(by_group, min_lds, seed)
    checked, interval = (None,) * 3, np.full((len(players), 2), np.nan)
    if trust.enough:
        interval = by_group.mean_intervals()
        sizes, within = [size for size in SIZES if size < len(players)], {}
        if (rows[judged.targets] >= 0).all():
            within = {"bases": runs.masks[:N_BASES], "exclude": column}
        checked = removal_by_halves(trainer, by_group, sizes, seed, **within)
    return GroupAudit(
        players.names,
        players.of_row,
        by_group.mean_benefit(),
        interval,
        by_group.weights,
        trust,
        *checked,
    )
