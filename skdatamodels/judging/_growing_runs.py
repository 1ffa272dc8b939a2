"""The first runs of a trainer, in growing numbers, and the time that they take."""

import copy
import time
from math import ceil

import numpy as np
from joblib import effective_n_jobs

from skdatamodels.masks import PackedMasks
from skdatamodels.runs import TrainingRuns
from skdatamodels.training._trainer_store import count_first_stored

_FEWEST_OF_FAILING = 20


class GrowingRuns:
    """The first runs of a trainer.

    Parameters
    ----------
    trainer : SubsetTrainer
        Fitted.
    unit : int
        Number of runs that are trained together or not at all.
    stop_at : float
        Time by `time.perf_counter` from which on nothing more is trained.

    Attributes
    ----------
    runs : TrainingRuns or None
        The runs that there are.
    n_stored : int
        Number of first runs that were stored before.
    """

    def __init__(self, trainer, unit, stop_at):
        self.trainer, self.unit, self.stop_at = trainer, unit, stop_at
        self.runs, self._timed = None, []
        self.n_stored = count_first_stored(trainer)
        self.n_stored -= self.n_stored % unit
        # without a store, it is an error if all runs of a call fail, so not too few
        tolerant = trainer.store is None and trainer.on_failure == "nan"
        self._least = _FEWEST_OF_FAILING if tolerant else 1

    def __len__(self):
        return 0 if self.runs is None else len(self.runs)

    @property
    def seconds_per_run(self):
        """Time of a run, for all workers together; NaN if none was trained."""
        if not self._timed:
            return np.nan
        # the first ones are slower, if there are others
        seconds, n_runs = np.sum(self._timed[1:] or self._timed, axis=0)
        return seconds / n_runs

    @property
    def seconds_left(self):
        """Time in which runs may be trained."""
        return max(0.0, self.stop_at - time.perf_counter())

    def n_affordable(self):
        """Return the number of runs that there would be when time is up."""
        left = self.seconds_left
        if left and (left == np.inf or not self._timed):
            return np.inf
        return len(self) + (left / self.seconds_per_run if left else 0)

    def grow_to(self, n_runs):
        """Read and train runs until there are `n_runs`, or time is up."""
        while len(self) < n_runs:
            if len(self) < self.n_stored:
                self._take(min(n_runs, self.n_stored))
            elif len(self) and not self.seconds_left:
                return
            else:
                start, before = time.perf_counter(), len(self)
                end = before + self._portion()
                self._take(end if end + self._least <= n_runs else n_runs)
                self._timed.append((time.perf_counter() - start, len(self) - before))

    @property
    def first_portion(self):
        """Number of runs that tell how long runs take."""
        n_models = self.trainer.keep_models if self.trainer.store is None else 0
        return self._in_blocks(max(n_models, effective_n_jobs(self.trainer.n_jobs)))

    def _portion(self):
        """Return how many runs to train before looking at the clock."""
        if self.stop_at == np.inf:
            return self.first_portion if not len(self) else np.inf
        if not self._timed:
            return self.first_portion
        # half of the time that is left, should runs get slower
        return self._in_blocks(self.seconds_left / self.seconds_per_run / 2)

    def _in_blocks(self, n_runs):
        return ceil(max(n_runs, self._least) / self.unit) * self.unit

    def _take(self, n_runs):
        """Let the trainer read or train the runs that are missing."""
        if self.trainer.store is not None or self.runs is None:
            self.runs = self.trainer.transform(np.arange(n_runs))
        else:
            trainer = copy.copy(self.trainer)  # a clone would have another seed
            trainer.keep_models = 0
            more = trainer.transform(np.arange(len(self), n_runs))
            self.runs = _joined(self.runs, more)


def _joined(first, more):
    """Return runs followed by more runs of the same trainer."""
    missed = first.n_missed_classes
    if missed is not None:
        missed = np.concatenate([missed, more.n_missed_classes])
    return TrainingRuns(
        PackedMasks(
            np.concatenate([first.packed.bits, more.packed.bits]), first.n_train
        ),
        np.concatenate([first.outputs, more.outputs]),
        seeds=np.concatenate([first.seeds, more.seeds]),
        output=first.output_info,
        target_classes=first.target_classes,
        n_missed_classes=missed,
        attributions=first.attributions,
        models=first.models,
        player_ids=first.player_ids,
        target_ids=first.target_ids,
    )
