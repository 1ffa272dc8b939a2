"""Attributions that a trainer hands over with its runs."""

import pickle
import warnings
from contextlib import ExitStack

import cloudpickle
import numpy as np
from sklearn.base import clone

from skdatamodels import influence
from skdatamodels._frozen import read_only
from skdatamodels.masks._designs import check_alphas
from skdatamodels.runs._attribution_files import AttributionFiles
from skdatamodels.runs._lazy_attributions import LazyAttributions
from skdatamodels.runs._meta import library_versions
from skdatamodels.training._configuration import digest


def run_attributions(settings, call, models):
    """Return attributions that are computed when they are first read.

    Parameters
    ----------
    settings : SubsetTrainer
        The trainer.
    call : Call
        What is asked for.
    models : tuple of KeptModel
        Models of the runs.

    Returns
    -------
    attributions : LazyAttributions
    """
    estimator = settings.estimator
    if hasattr(estimator, "get_params"):
        estimator = clone(estimator)  # its parameters may be changed later
    alpha = float(np.mean(check_alphas(settings.alpha)))
    if call.given:
        n_rows = call.rows.column_counts() @ call.players.sizes
        share = n_rows / (len(call.rows) * call.players.n_rows)
        alpha = float(np.clip(np.round(share, 1), 0.1, 0.9))
    params = {
        "output": settings.output,
        "fit_params": settings.fit_params,
        "alpha": alpha,
        "random_state": call.entropy % 2**32,
        "n_jobs": settings.n_jobs,
        "verbose": settings.verbose,
    }
    place = None
    if call.store is not None:
        made_from = {
            "skdatamodels": library_versions()["skdatamodels"],
            "configuration": digest(call.store.configuration),
            "alpha": alpha,
            "seed": str(call.entropy),
            "models": bool(models),
        }
        place = AttributionFiles(call.store), made_from
    examples = settings.train, settings.targets
    return LazyAttributions(
        CheapOnes(estimator, *examples, models, params, place, call.players)
    )


class CheapOnes:
    """Function that reads the cheap attributions of a learner, or computes them.

    Parameters
    ----------
    estimator, train, targets, models, params
        Arguments of :func:`skdatamodels.influence.cheap_attributions`.
    place : (AttributionFiles, dict) or None
        Where they are kept, and what they are made from.
    players : Players
        What the masks switch. The attributions of the rows of a group are summed, which
        is the effect of the group to first order.
    """

    def __init__(self, estimator, train, targets, models, params, place, players):
        self.estimator, self.train, self.targets = estimator, train, targets
        self.models, self.params, self.place = models, params, place
        self.players = players

    def __getstate__(self):
        # A learner may have a function that only cloudpickle can pickle.
        return vars(self) | {"estimator": cloudpickle.dumps(self.estimator)}

    def __setstate__(self, state):
        vars(self).update(state, estimator=pickle.loads(state["estimator"]))

    def __call__(self):
        """Return a `CheapAttributions`."""
        found = self._stored()
        if found is not None:
            return found
        if self.place is None:
            return self._compute()
        with ExitStack() as stack:
            try:  # not the lock of the runs, which others may write meanwhile
                stack.enter_context(self.place[0].lock())
            except OSError as error:
                found = self._compute()
                self._warn(error)
                return found
            found = self._stored()
            return self._compute_and_store() if found is None else found

    def _compute_and_store(self):
        found, (files, made_from) = self._compute(), self.place
        about = {
            "seconds": found.seconds,
            "failed": found.failed,
            "notes": [*found.notes],
            "n_models": len(self.models),
        }
        try:
            files.write(found, about, made_from)
        except OSError as error:
            self._warn(error)
        return found

    def _warn(self, error):
        warnings.warn(
            f"The attributions cannot be stored in {self.place[0].folder}, so the next "
            f"call computes them again: {error}",
            UserWarning,
            stacklevel=2,
        )

    def _stored(self):
        """Return the stored attributions if they are made from the same, or None.

        Those of more models are as good: other calls may have other runs.
        """
        if self.place is None:
            return None
        files, made_from = self.place
        try:
            found = files.read(made_from)
        except ValueError:
            return None
        try:
            if not found or found.about.pop("n_models", 0) < len(self.models):
                return None
            return influence.CheapAttributions(found, **found.about)
        except TypeError:  # another version has written other things about them
            return None

    def _compute(self):
        found = influence.cheap_attributions(
            self.estimator,
            self.train,
            self.targets,
            models=self.models or None,
            **self.params,
        )
        if not self.players.are_groups:
            return found
        sums = {
            name: read_only(self.players.total_weights(matrix))
            for name, matrix in found.items()
        }
        notes = (
            *found.notes,
            "Columns are groups, with the sums of their rows' weights.",
        )
        return influence.CheapAttributions(sums, found.seconds, found.failed, notes)
