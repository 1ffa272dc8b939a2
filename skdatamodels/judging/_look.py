"""A look at the runs that there are: what goals are measured on."""

import warnings
from functools import cached_property

import numpy as np
from sklearn.base import clone

from skdatamodels.inference import infer_weights
from skdatamodels.judging._cross_validated_lds import cross_validated_lds
from skdatamodels.judging._rows_of_targets import draw_targets, for_targets
from skdatamodels.masks import DESIGNS
from skdatamodels.masks._designs import check_alphas, seed_runs
from skdatamodels.runs import TrainingRuns
from skdatamodels.training._players import players_of

_N_HALVINGS = 3
_FEWEST = 30  # runs that are scored


class Look:
    """The runs that there are at one time, for the targets that are judged.

    Parameters
    ----------
    runs : TrainingRuns
        The runs.
    regressor : estimator
        Its clones are fitted.
    units : int array of shape (n_runs,)
        Number of the block of the design that each run belongs to, from 0 on. Blocks
        are not divided.
    pairs : int array of shape (n_runs,)
        Runs of equal number share a training seed.
    level : float
        Probability with which a bound may be false.
    seed : sequence of int
        Seed of all splits.
    n_seen : int
        Number of first runs that a prior has seen.
    n_all_targets : int
        Number of targets that those of `runs` were drawn from.
    confidence : float
        Of the intervals of weights.
    inference : dict
        More arguments of :func:`~skdatamodels.inference.infer_weights`: `strata`, or
        for each run `alpha`.
    """

    def __init__(
        self,
        runs,
        regressor,
        units,
        pairs,
        *,
        level,
        seed,
        n_seen,
        n_all_targets,
        confidence,
        inference,
    ):
        self.runs, self.regressor = runs, regressor
        self.units, self.pairs = units, pairs
        self.level, self.seed, self.n_seen = level, seed, n_seen
        self.n_all_targets, self.confidence = n_all_targets, confidence
        self.inference = inference

    def __len__(self):
        return len(self.runs)

    @property
    def rng(self):
        """A new generator, each time the same."""
        return np.random.default_rng(self.seed)

    def first_half(self):
        """Return the number of runs in the first half of the blocks, 0 if too few."""
        n_units = (self.units[-1] + 1) // 2
        n_runs = int((self.units < n_units).sum())
        return n_runs if n_units > 1 and n_runs >= self.n_seen + _FEWEST // 2 else 0

    def lds(self, n_runs):
        """Return the mean LDS of the first runs, its error and degrees of freedom.

        The error includes the draw of the targets. NaN if no outputs vary.
        """
        scores, error, freedom = cross_validated_lds(
            self.runs[:n_runs],
            self.regressor,
            self.units[:n_runs],
            self.pairs[:n_runs],
            self.n_seen,
            self.rng,
        )
        scores = scores[~np.isnan(scores)]
        if not len(scores):
            return np.nan, np.nan, freedom
        of_draw = np.var(scores) / max(len(scores) - 1, 1)
        of_draw *= 1 - self.runs.n_targets / self.n_all_targets
        return float(scores.mean()), np.hypot(error, np.sqrt(of_draw)), freedom

    @cached_property
    def fits_of_halves(self):
        """Several pairs of fits on disjoint halves of the runs, with their rows."""
        rng, n_units = self.rng, self.units[-1] + 1
        halves = []
        for _ in range(_N_HALVINGS):
            order = rng.permutation(n_units)
            parts = order[: n_units // 2], order[n_units // 2 :][: n_units // 2]
            rows = [np.flatnonzero(np.isin(self.units, part)) for part in parts]
            halves.append([(self.fit(row), row) for row in rows])
        return halves

    def fit(self, rows=slice(None)):
        """Return the regressor fitted on some of the runs."""
        return clone(self.regressor).fit(self.runs[rows])

    def infer(self, model, rows=slice(None)):
        """Return the inference of the weights of a fit on some of the runs."""
        given = dict(self.inference)
        if "alpha" in given:
            given["alpha"] = given["alpha"][rows]
        with warnings.catch_warnings():  # NaN does not meet a goal anyway
            warnings.simplefilter("ignore", UserWarning)
            return infer_weights(model, self.runs[rows], **given)


class Looking:
    """How the runs of a trainer are looked at.

    Parameters
    ----------
    trainer : SubsetTrainer
        Its design says which runs belong together.
    regressor : estimator
        Regressor of all targets.
    n_targets : int or None
        Number of targets to judge.
    confidence : float
        Confidence of intervals, and of all bounds together.
    entropy : int
        Seed.

    Attributes
    ----------
    targets : int array
        The targets that are judged.
    unit : int
        Number of runs in a block. Looks have whole blocks.
    fewest : int
        Number of runs that a look needs.
    """

    def __init__(self, trainer, regressor, *, n_targets, confidence, entropy):
        self.trainer, self.regressor = trainer, regressor
        self.confidence, self.entropy = confidence, entropy
        rng = np.random.default_rng(entropy)
        self.targets = draw_targets(len(trainer.targets), n_targets, rng)
        players = players_of(trainer)
        self._strata = players.strata(trainer.design, trainer.train.y)
        self._alphas = check_alphas(trainer.alpha)
        n_alphas = len(self._alphas)
        self.unit = DESIGNS[trainer.design].block(len(players)) * n_alphas
        values = regressor.get_params().values()
        cheap = any(isinstance(value, str) and value == "cheap" for value in values)
        n_pairs = -(-trainer.keep_models // (2 * n_alphas)) if cheap else 0
        self._n_seen = n_pairs * 2 * n_alphas
        self.fewest = max(self._n_seen + _FEWEST, 2 * self.unit)

    def at(self, runs, k):
        """Return look number k at the runs."""
        ids, n_all = np.arange(len(runs)), runs.n_targets
        inference = {}
        if self._strata is not None:
            inference["strata"] = self._strata
        if len(self._alphas) > 1:
            inference["alpha"] = self._alphas[ids % len(self._alphas)]
        judged = TrainingRuns(
            runs.packed, runs.outputs[:, self.targets], seeds=runs.seeds
        )
        return Look(
            judged,
            for_targets(self.regressor, self.targets, n_all, runs.attributions),
            ids // self.unit,
            seed_runs(ids, self.trainer.design, self.trainer.alpha),
            level=(1 - self.confidence) / ((k + 1) * (k + 2)),
            seed=(self.entropy, k),
            n_seen=self._n_seen,
            n_all_targets=n_all,
            confidence=self.confidence,
            inference=inference,
        )
