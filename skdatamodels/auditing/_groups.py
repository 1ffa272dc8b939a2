"""The audit of groups of rows, such as sources: runs in which groups come and go."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from skdatamodels._tables import MOST_ROWS, Table, import_pandas, table_html, table_text
from skdatamodels.applications import RemovalCheck
from skdatamodels.auditing._checked_removal import N_BASES, removal_by_halves
from skdatamodels.auditing._findings import facts_of_effects
from skdatamodels.auditing._judged import Judged, fit_judged
from skdatamodels.auditing._trust import Trust, measure_trust
from skdatamodels.training._players import players_of

N_RUNS = 100
_FEWEST = 10  # fewer have few subsets, so that none would be new
SIZES = 1, 2, 4  # groups that are removed to check


@dataclass(frozen=True, eq=False)
class GroupAudit:
    """What groups of training rows add to the score; an :class:`Audit` has it.

    Attributes
    ----------
    names : array of shape (n_groups,)
        Labels of the groups.
    n_rows : int array of shape (n_groups,)
        Their sizes.
    effect : float64 array of shape (n_groups,)
        What the presence of each group adds to the score.
    interval : float64 array of shape (n_groups, 2)
        Ends of its interval; NaN without trust.
    judged : Judged
        Weights of the groups for each judged row.
    trust : Trust
        How well these weights predict.
    removal : RemovalCheck or None
        Scores of models without the worst groups. None without trust.
    """

    names: np.ndarray
    n_rows: np.ndarray
    effect: np.ndarray
    interval: np.ndarray
    judged: Judged
    trust: Trust
    removal: RemovalCheck | None

    def to_frame(self):
        """Return the groups as a pandas.DataFrame, the most harmful first.

        Its index is the label, and its columns are effect, low and high, the ends of
        the interval, distinguishable, and n_rows.
        """
        pandas = import_pandas()
        frame = pandas.DataFrame(
            facts_of_effects(self.effect, self.interval) | {"n_rows": self.n_rows},
            index=pandas.Index(self.names, name="group"),
        )
        return frame.sort_values("effect", kind="stable")

    def _table(self):
        frame = self.to_frame()
        columns = {"group": [str(name) for name in frame.index[:MOST_ROWS]]}
        columns |= {name: frame[name].to_numpy()[:MOST_ROWS] for name in frame.columns}
        title = f"{len(self.names):,} groups, the most harmful first"
        return Table(title, columns, len(frame), notes=(self.trust.message,))

    __repr__ = table_text
    _repr_html_ = table_html


def make_group_trainer(trainer, groups):
    """Return the trainer whose subsets are of groups; check the groups.

    Raises
    ------
    ValueError
        If there are fewer than ten groups.
    """
    trainer = clone(trainer)
    trainer.set_params(groups=groups, design="uniform", keep_models=0)
    n_groups = len(players_of(trainer))
    if n_groups < _FEWEST:
        raise ValueError(
            f"There are {n_groups} groups, but an audit of groups needs at least "
            f"{_FEWEST}. With so few, train without each of them: "
            f"SubsetTrainer(…, groups=…).transform(1 - np.eye({n_groups}, dtype=int))."
        )
    return trainer


def audit_groups(trainer, judged, rows, min_lds, seed, n_jobs):
    """Train on subsets of groups, and measure what each group adds to the score.

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
    )
    trust = measure_trust(by_group, min_lds, seed)
    removal, interval = None, np.full((len(players), 2), np.nan)
    if trust.enough:
        interval = by_group.mean_intervals()
        sizes, within = [size for size in SIZES if size < len(players)], {}
        if (rows[judged.targets] >= 0).all():
            within = {"bases": runs.masks[:N_BASES], "exclude": column}
        removal = removal_by_halves(trainer, by_group, sizes, seed, **within).check
    return GroupAudit(
        players.names,
        players.sizes,
        by_group.mean_benefit(),
        interval,
        by_group,
        trust,
        removal,
    )
