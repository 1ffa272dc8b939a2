"""Training of the runs of a call, in memory or into a store."""

import time
from contextlib import closing, nullcontext
from itertools import islice

import numpy as np

from skdatamodels.masks._packed import as_slice
from skdatamodels.runs import KeptModel, TrainingRuns
from skdatamodels.runs._model_files import ModelFiles
from skdatamodels.runs._paths import directory_kept
from skdatamodels.training._execution.chunk import rows_of
from skdatamodels.training._execution.driver import train_runs
from skdatamodels.training._execution.time_limit import TimeLimited
from skdatamodels.training._failed_runs import report_failures
from skdatamodels.training._stores import warn_if_changed
from skdatamodels.training._trainer_store import known_by
from skdatamodels.training._varied import training_order


class RunTraining:
    """The runs of a call of a trainer, with what is needed to train them.

    Parameters
    ----------
    settings : RunsTransformer
        Trainer with the parameters of the training.
    call : Call
        What is asked for.
    masks : PackedMasks of shape (n_runs, n_players)
        Subsets of the runs.
    seeds : uint32 array of shape (n_runs,)
        Training seeds of the runs.
    """

    def __init__(self, settings, call, masks, seeds):
        self.settings, self.call = settings, call
        self.masks, self.seeds = masks, seeds
        self.order = training_order(call.columns, call.players)

    def in_memory(self):
        """Train all runs; return TrainingRuns and a tuple of KeptModel."""
        settings, outputs, models = self.settings, self._no_outputs(), {}
        todo = np.arange(len(self.masks))
        kept = todo[: settings.keep_models]
        failures = self._train(todo, kept, outputs.__setitem__, models.__setitem__)
        n_finished = (~np.isnan(outputs[:, 0])).sum()
        report_failures(
            failures, len(todo), n_finished, settings.retries, settings.on_failure
        )
        runs = TrainingRuns(self.masks, outputs, seeds=self.seeds)
        return runs, self._unpacked(models, lambda rows: runs[rows])

    def in_store(self):
        """Train the runs that the store lacks; return all, and a tuple of KeptModel."""
        settings, masks, seeds = self.settings, self.masks, self.seeds
        store, given = self.call.store, self.call.given
        files = ModelFiles(store)

        def find():
            where = store.rows_for(masks, seeds) if given else self.call.rows
            todo = np.flatnonzero(~store.done(where))
            models = self._stored_models(files, where if given else None)
            return where, todo, models, self._to_keep(where, models)

        def save(which, outputs):
            new = np.isin(which, todo)  # others are trained again for their models
            which, outputs = which[new], outputs[new]
            store.write(where[which], masks[which], seeds[which], outputs)

        def save_model(i, content):
            files.write(where[i], content)
            models[int(where[i])] = content

        where, todo, models, kept = find()
        failures = []
        if len(todo) or len(kept):  # otherwise, a read-only store is enough
            with store.lock():
                where, todo, models, kept = find()  # others may have written since
                done = as_slice(np.delete(np.arange(len(where)), todo))
                store.check(where[done], masks[done], seeds[done])
                store.check_room(where[todo])
                wanted = np.union1d(todo, kept)
                failures = self._train(wanted, kept, save, save_model)
                store.record_failures(
                    {"row": int(where[i]), "time": time.time(), "traceback": text}
                    for i, text in failures
                )
            warn_if_changed(store, known_by(settings, self.call))
        done = np.flatnonzero(store.done(where))
        n_tried = len(np.union1d(todo, kept))
        report_failures(
            failures, n_tried, len(done), settings.retries, settings.on_failure
        )
        part = as_slice(done)  # most often all of them: nothing is copied
        runs = store.runs(as_slice(where[done]), masks=masks[part], seeds=seeds[part])
        if len(done) < len(where):
            outputs = self._no_outputs()
            outputs[done] = runs.outputs
            runs = TrainingRuns(masks, outputs, seeds=seeds)
        return runs, self._unpacked(models, store.runs)

    def _no_outputs(self):
        shape = len(self.masks), len(self.settings.targets)
        return np.full(shape, np.nan, np.float32)

    def _stored_models(self, files, among):
        """Return packed models by row, at most `keep_models`, if not None `among` rows.

        Which runs they belong to does not matter, so that the folds of a search share
        them instead of training more.
        """
        if not self.settings.keep_models:
            return {}
        rows = files.rows() if among is None else np.intersect1d(files.rows(), among)
        found = ((row, files.read(row)) for row in rows.tolist())
        found = ((row, content) for row, content in found if content is not None)
        return dict(islice(found, self.settings.keep_models))

    def _to_keep(self, where, models):
        """Return the positions of the runs whose models are to be kept as well."""
        n_missing = self.settings.keep_models - len(models)
        return np.flatnonzero(~np.isin(where, list(models)))[:n_missing]

    def _unpacked(self, models, runs_in):
        """Return a KeptModel of each packed model; `runs_in(rows)` gives their runs."""
        if not models:
            return ()
        rows, contents = zip(*sorted(models.items()), strict=True)
        runs = runs_in(np.array(rows, dtype=np.int64))
        masks = self.call.players.expand(runs.masks)
        unpack = self.call.learner.unpack_model
        return tuple(
            KeptModel(unpack(content, int(seed)), rows_of(mask, self.order))
            for content, seed, mask in zip(contents, runs.seeds, masks, strict=True)
        )

    def _train(self, todo, kept, save, save_model):
        """Train runs, save each when it is done, and return failures in order."""
        settings = self.settings
        limited, failures = nullcontext(self.call.learner), []
        if settings.timeout is not None:
            limited = closing(TimeLimited(self.call.learner, settings.timeout))
        with limited as learner, directory_kept():
            chunks = train_runs(
                learner,
                self.masks,
                self.seeds,
                todo,
                len(settings.targets),
                n_jobs=settings.n_jobs,
                retries=settings.retries,
                verbose=settings.verbose,
                kept=kept,
                players=self.call.players,
                order=self.order,
            )
            with closing(chunks):
                for chunk in chunks:
                    finished = chunk.finished
                    if finished.any():
                        save(chunk.which[finished], chunk.outputs[finished])
                    for i, content in chunk.models.items():
                        save_model(i, content)
                    failures += chunk.failures
        return sorted(failures)
