"""The stages of an audit: what is going on, and how long the rest will take."""

import sys
import time
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from skdatamodels._progress import duration, named_progress
from skdatamodels.auditing._checked_removal import N_BASES, N_TRIALS
from skdatamodels.auditing._effect_check import N_SETS
from skdatamodels.auditing._few_groups import make_few_trainer, n_few_trainings
from skdatamodels.auditing._groups import N_RUNS, SIZES, are_few
from skdatamodels.auditing._runs_of_audit import N_FULL, N_REPEATED, memory_estimate
from skdatamodels.masks import PackedMasks
from skdatamodels.training._players import players_of
from skdatamodels.training._trainer_store import count_stored

TRAINING = "training on subsets"
AGAIN = "training again, for the noise"
FITTING = "fitting datamodels"
CHECKING = "checking effects"
REMOVING = "removing the worst rows"
GROUPS = "auditing groups"
_FULL = 2  # cost of a training on nearly all rows, in trainings on half of them


class Stage(NamedTuple):
    """What a stage trains.

    Attributes
    ----------
    name : str
    halves, full : int
        Number of trainings on half of the rows, and on nearly all rows.
    found : int
        How many of them the store has already.
    """

    name: str
    halves: int = 0
    full: int = 0
    found: int = 0

    @property
    def cost(self):
        """What is left to train, in trainings on half of the rows."""
        n = self.halves + self.full
        left = max(0, n - self.found) / n if n else 0
        return left * (self.halves + _FULL * self.full)


class Stages:
    """Announce each stage of an audit, and name its progress bars.

    Parameters
    ----------
    stages : sequence of Stage
        All stages, in order. Some may be left out.
    seconds : float
        Time of a training on half of the rows, by all workers together.
    verbose : int
        If 0, say nothing.
    """

    def __init__(self, stages, seconds, verbose):
        self._stages = {stage.name: stage for stage in stages}
        self._seconds, self._verbose = seconds, verbose
        self._spent = self._done = 0.0

    @property
    def seconds(self):
        """Estimated time of everything that is left to train."""
        return self._left(list(self._stages.values()))

    @contextmanager
    def __call__(self, name):
        """Announce a stage, and measure its time."""
        number = list(self._stages).index(name)
        if self._verbose:
            left = self._left(list(self._stages.values())[number:])
            when = f"; about {duration(left)} left in all" if left and number else ""
            print(
                f"audit, step {number + 1} of {len(self._stages)}: {name}{when}",
                file=sys.stderr,
                flush=True,
            )
        start = time.perf_counter()
        with named_progress(name):
            yield
        stage = self._stages[name]
        if 2 * stage.found < stage.halves + stage.full:  # mostly trained just now
            self._spent += time.perf_counter() - start
            self._done += stage.cost

    def _left(self, stages):
        """Return the seconds of stages: as fast as so far, or else as the trial."""
        each = self._spent / self._done if self._done else self._seconds
        return each * sum(stage.cost for stage in stages)


def plan_stages(trainer, group_trainer, n_runs, targets, n_sizes):
    """Yield the stages of an audit, with what the store has of them.

    Parameters
    ----------
    trainer : SubsetTrainer
        Trainer of the runs.
    group_trainer : SubsetTrainer or None
        Trainer of runs of groups.
    n_runs : int
        Number of runs.
    targets : int array of shape (n_judged,)
        Judged rows, as positions among all targets.
    n_sizes : int
        Numbers of rows that are removed to check.

    Yields
    ------
    stage : Stage
    """
    n_train, n_checks = len(trainer.train), 2 * n_sizes + 1
    given = PackedMasks.from_dense(np.ones((1, n_train), dtype=bool))
    found = count_stored(trainer, np.arange(n_runs))
    others = count_stored(clone(trainer).set_params(keep_models=0), given)
    n_again = N_REPEATED + N_FULL
    yield Stage(TRAINING, halves=n_runs, found=found)
    yield Stage(AGAIN, N_REPEATED, N_FULL, found=min(others, n_again))
    yield Stage(FITTING)
    trials = {"full": N_TRIALS}
    if len(trainer.targets) > n_train:
        tested = clone(trainer).set_params(targets=trainer.targets[targets])
        found = count_stored(tested.set_params(keep_models=0), given)
        yield Stage(CHECKING, full=N_SETS, found=found)
    else:
        trials = {"halves": N_BASES}
    removal = {kind: n_checks * n for kind, n in trials.items()}
    yield Stage(REMOVING, **removal, found=max(0, others - n_again))
    if group_trainer is not None and are_few(group_trainer):
        few = make_few_trainer(group_trainer, targets)
        judges_itself = len(trainer.targets) == n_train
        n = n_few_trainings(len(players_of(group_trainer)), judges_itself)
        yield Stage(GROUPS, full=n, found=count_stored(few, given))
    elif group_trainer is not None:
        found = count_stored(group_trainer, np.arange(N_RUNS))
        everything = np.ones((1, len(players_of(group_trainer))), dtype=bool)
        found += count_stored(group_trainer, PackedMasks.from_dense(everything))
        removal = {kind: (2 * len(SIZES) + 1) * n for kind, n in trials.items()}
        halves = N_RUNS + removal.pop("halves", 0)
        yield Stage(GROUPS, halves, **removal, found=found)


def state_cost(stages, seconds, trainer, n_judged, n_workers, total):
    """Print what the trainings cost."""
    n_train, n_targets = len(trainer.train), len(trainer.targets)
    n_halves = sum(stage.halves for stage in stages)
    n_full = sum(stage.full for stage in stages)
    n_found = sum(stage.found for stage in stages)
    memory = memory_estimate(n_train, n_targets, n_judged, n_halves) / 1e6
    stored, rest = "", ""
    if n_found:
        stored, rest = (
            f" {n_found:,} of them are in {trainer.store}.",
            " for the others",
        )
    workers = f"{n_workers} worker{'s' * (n_workers > 1)}"
    print(
        f"audit: {n_halves} models on random subsets of {n_train:,} rows and up to "
        f"{n_full} on nearly all rows, {seconds:.2g} s each.{stored} About "
        f"{duration(total)}{rest} with {workers}. Memory: about {memory:,.0f} MB.",
        file=sys.stderr,
        flush=True,
    )
