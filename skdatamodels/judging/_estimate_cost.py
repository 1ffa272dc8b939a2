"""A first estimate of what runs cost and how good their datamodels are.

Datamodels are a regression with d weights on m runs. If the weights are independent and
of one size, and the best linear prediction explains the share s of the variance of the
outputs, the share that the best ridge explains on new runs is known for large d and m
(Dobriban and Wager 2018, theorem 2.1):

    r² = 1 - (1 - s)·R ,   R = ½·(1 + k + √((1 - k)² + 4a)) ,
    a = s/(1 - s) ,   k = a·(1 - m/d) .

R is the error relative to that of the best linear prediction. Since few weights are
large, the LASSO does as well as this ridge would with half of the weights.
"""

from dataclasses import dataclass
from numbers import Real
from time import perf_counter

import numpy as np
from joblib import effective_n_jobs
from scipy.optimize import brentq
from sklearn.base import clone

from skdatamodels._progress import duration
from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels._tables import Table, table_html, table_text
from skdatamodels.influence._learner_models import family_of
from skdatamodels.training import ComponentAblation, SubsetTrainer

# Share of the weights that matter: with half of them, the law is within .1 of the LDS
# of the LASSO in `doc/how_many_runs.rst`, for 100 to 5,000 runs.
_EFFECTIVE = 0.5
# Share of the systematic variance of the outputs that is linear, at least and at most.
_LINEAR = 0.5, 0.9
# Share of the noise of training, if it is not measured.
_NOISE = 0.5, 0.0
_MOST_NOISE = 0.95  # that three trainings can tell
_LEAST_TARGETS = 10  # that can tell how much noise there is
_QUICK = 0.5  # seconds: below, models may be trained together, and more are timed
_N_QUICK = 64
_HELPED = "forest", "boosting", "network", "mlp"  # by cheap attributions of their own


@dataclass(frozen=True, eq=False)
class CostEstimate:
    """What runs cost, and roughly how good datamodels of them are.

    Attributes
    ----------
    n_train, n_targets : int
        Numbers of training examples (columns of the masks) and of targets.
    seconds_per_run : float
        Time of one training.
    n_workers : int
        Number of trainings at the same time.
    noise_share : float
        Share of the variance of the outputs that is due to the randomness of training,
        from three trainings: a rough figure. NaN if it was not measured, or if there is
        noise and fewer than 10 targets, which do not tell how much.
    n_runs : int array of shape (n_sizes,)
        Numbers of runs.
    seconds : float64 array of shape (n_sizes,)
        Time to train them.
    lds : float64 array of shape (n_sizes, 2)
        Low and high estimate of the linear datamodeling score without a prior.
    wanted : float
        LDS to reach.
    n_needed : float64 array of shape (2,)
        Least and most number of runs to reach it without a prior. Infinite if it is out
        of reach.
    budget : float
        Time to spend, in seconds.
    n_affordable : int
        Number of runs in that time.
    advice : tuple of str
        Cheaper roads.
    """

    n_train: int
    n_targets: int
    seconds_per_run: float
    n_workers: int
    noise_share: float
    n_runs: np.ndarray
    seconds: np.ndarray
    lds: np.ndarray
    wanted: float
    n_needed: np.ndarray
    budget: float
    n_affordable: int
    advice: tuple

    def _table(self):
        columns = {
            "runs": self.n_runs,
            "time": [duration(seconds) for seconds in self.seconds],
            "LDS from": self.lds[:, 0],
            "to": self.lds[:, 1],
        }
        least, most = (f"{n:,.0f}" for n in self.n_needed)
        return Table(
            f"First estimate: {self.n_train:,} training examples, {self.n_targets:,} "
            f"targets, {duration(self.seconds_per_run)} a run",
            columns,
            notes=(
                f"{duration(self.budget)} pay for {self.n_affordable:,} runs; an LDS of"
                f" {self.wanted:g} needs {least} to {most}, without a prior.",
                *self.advice,
            ),
        )

    __repr__ = table_text
    _repr_html_ = table_html


@validate_params(
    {
        "trainer": [SubsetTrainer, ComponentAblation],
        "wanted": [Interval(Real, 0, 1, closed="neither")],
        "budget": [Interval(Real, 0, None, closed="neither")],
        "seconds_per_run": [Interval(Real, 0, None, closed="neither"), None],
    },
    prefer_skip_nested_validation=True,
)
def estimate_cost(trainer, *, wanted=0.5, budget=3600.0, seconds_per_run=None):
    """Estimate the cost of runs, and how many are needed, before any are trained.

    Three models are trained, without the store: one subset twice, and another. They
    tell how long a training takes, and whether its outputs depend on the seed. (If this
    takes less than half a second, 64 more are timed, since some learners train many
    models together.) How good the datamodels will be is not measured. It follows from
    the number of runs for each training example, with assumptions that are in the
    Notes. Once there are a few hundred runs, :func:`plan_runs` knows better.

    Parameters
    ----------
    trainer : SubsetTrainer or ComponentAblation
        The learner, the training set and the targets.
    wanted : float in (0, 1), default=0.5
        Linear datamodeling score to reach.
    budget : float, default=3600
        Time that you can spend on training, in seconds.
    seconds_per_run : float, default=None
        Time of one training. If given, nothing is trained, and any noise is possible.

    Returns
    -------
    estimate : CostEstimate
        Time and expected score for several numbers of runs, and cheaper roads if the
        budget does not suffice.

    Raises
    ------
    RuntimeError
        If a training failed.

    See Also
    --------
    plan_runs : Extrapolate the learning curve of runs that were trained.
    skdatamodels.influence.cheap_attributions : Priors that replace runs.

    Notes
    -----
    The estimate is for a LASSO without a prior. It assumes that half to nine tenths of
    the variance of the outputs that is not noise is linear in the subset, and that half
    of the weights matter, all alike. The share that m runs explain then follows from
    the theory of ridge regression for large numbers of runs and examples. For the six
    learners of the user guide, with about 1,000 training examples, the measured LDS is
    within .12 of this range. Fewer runs are enough if few examples matter to a target.

    All targets share the runs, so more targets cost next to nothing.

    References
    ----------
    Dobriban and Wager, "High-dimensional asymptotics of prediction: ridge regression
    and classification", Annals of Statistics 46, 2018, theorem 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skdatamodels import Examples, SubsetTrainer
    >>> from skdatamodels.judging import estimate_cost
    >>> X = np.random.default_rng(0).normal(size=(20_000, 2))
    >>> train = Examples(X, X[:, 0] > 0)
    >>> trainer = SubsetTrainer(DecisionTreeClassifier(), train, train[:50])
    >>> estimate_cost(trainer, seconds_per_run=6.0)
    First estimate: 20,000 training examples, 50 targets, 6 s a run
      runs  time      LDS from     to
       100  10 min       0.025  0.090
       600  60 min       0.061  0.220
     5,000  8.3 h        0.169  0.615
    20,000  33 h         0.298  0.904
    80,000  5.6 days     0.421  0.941
    60 min pay for 600 runs; an LDS of 0.5 needs 3,206 to inf, without a prior.
    ...
    """
    masks = trainer.draw_subsets(_N_QUICK, 0)
    n_train, noise = masks.shape[1], np.nan
    if seconds_per_run is None:
        seconds_per_run, noise = _measure(trainer, masks)
    systematic = 1 - (np.array(_NOISE) if np.isnan(noise) else noise)
    shares = systematic * np.array(_LINEAR)
    n_workers = effective_n_jobs(trainer.n_jobs)
    each = seconds_per_run / n_workers
    n_affordable = int(budget / each)
    sizes = [100, n_train // 4, n_train, 4 * n_train, min(n_affordable, 4 * n_train)]
    n_runs = np.unique(np.maximum(sizes, 1))
    d = _EFFECTIVE * n_train
    n_needed = np.array([runs_for(wanted**2, d, share) for share in shares[::-1]])
    return CostEstimate(
        n_train=n_train,
        n_targets=len(trainer.targets),
        seconds_per_run=float(seconds_per_run),
        n_workers=n_workers,
        noise_share=noise,
        n_runs=n_runs,
        seconds=n_runs * each,
        lds=np.sqrt([[explained(m, d, share) for share in shares] for m in n_runs]),
        wanted=wanted,
        n_needed=np.ceil(n_needed),
        budget=float(budget),
        n_affordable=n_affordable,
        advice=tuple(_advice(trainer, n_train, n_affordable, n_needed)),
    )


def explained(n_runs, n_weights, share):
    """Return the share of the variance that the best ridge explains on new runs.

    Parameters
    ----------
    n_runs, n_weights : float
        Numbers of runs and of weights, all alike.
    share : float
        Share that infinitely many runs explain, below 1.
    """
    signal = share / (1 - share)
    k = signal * (1 - n_runs / n_weights)
    error = (1 + k + np.hypot(1 - k, 2 * np.sqrt(signal))) / 2
    return max(0.0, 1 - (1 - share) * error)


def runs_for(wanted, n_weights, share):
    """Return the number of runs that explain the wanted share; inf if none does."""
    if wanted >= share:
        return np.inf

    def excess(log_runs):
        return explained(np.exp(log_runs), n_weights, share) - wanted

    if excess(0) >= 0:
        return 1.0
    most = np.log(n_weights) + 25
    return np.exp(brentq(excess, 0, most)) if excess(most) > 0 else np.inf


def _measure(trainer, masks):
    """Return the seconds of a training, and the share of noise in its outputs."""
    trainer = clone(trainer).set_params(
        store=None, n_jobs=1, verbose=0, on_failure="raise"
    )
    trainer.keep_models = 0
    other = trainer.transform(masks[[1]]).outputs[0]  # and warm up
    start = perf_counter()
    one, again = trainer.transform(masks[[0, 0]]).outputs
    seconds = (perf_counter() - start) / 2
    if seconds < _QUICK / 2:
        start = perf_counter()
        trainer.transform(masks)
        seconds = (perf_counter() - start) / len(masks)
    noise, total = (
        np.nanmean((one - outputs) ** 2, dtype=np.float64) for outputs in (again, other)
    )
    if not noise > 1e-9 * total:
        return seconds, 0.0
    if total == 0 or len(one) < _LEAST_TARGETS:
        return seconds, np.nan
    return seconds, float(min(noise / total, _MOST_NOISE))


def _advice(trainer, n_train, n_affordable, n_needed):
    """Yield cheaper roads, if the affordable runs do not suffice for sure."""
    family = family_of(trainer.estimator)
    if family in ("logistic", "ridge"):
        yield (
            f"influence.{family}_influence is nearly exact for this learner, without "
            "runs."
        )
    if n_affordable >= n_needed[1] or trainer._noun == "component":
        return
    if family in _HELPED:
        yield (
            "With keep_models=20 and prior='cheap', 100 runs did what takes 800 to "
            "2,000 without."
        )
    elif family == "other":
        yield "prior='cheap' uses attributions of other models of the same data."
    reach = n_needed[np.isfinite(n_needed)]
    if len(reach) and n_affordable >= 10:
        size = int(np.ceil(reach[-1] / n_affordable))
        if 1 < size < n_train / 10:
            yield (
                f"Groups of {size:,} examples, one column of the masks each, need that "
                "many times fewer runs."
            )
    if n_needed[1] == np.inf:
        yield (
            "An LDS this high may be out of reach, because of noise or because effects "
            "do not add up."
        )
