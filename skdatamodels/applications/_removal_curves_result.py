"""RemovalCurves: scores of models as more and more examples go, or come."""

from dataclasses import dataclass, field, replace

import numpy as np

from skdatamodels._tables import (
    MOST_ROWS,
    Table,
    import_pandas,
    shorten,
    table_html,
    table_text,
)
from skdatamodels.applications._curve_metrics import (
    area_intervals,
    metric_of,
    scores_of,
)
from skdatamodels.applications._edits import mean_and_variance
from skdatamodels.outputs import OutputInfo

ORDERS = "best first", "worst first"
_TRAINED = "order", "size", "added", "y", "outputs"


@dataclass(frozen=True, eq=False)
class RemovalCurves:
    """Scores of models by the number of training examples that are removed or added.

    There are two curves for each attribution, "best first" and "worst first". The last
    curve is the random one, which is for all.

    Attributes
    ----------
    attribution : str array of shape (n_curves,)
        Name of the attribution that ordered the examples; "random" for the last curve.
    order : str array of shape (n_curves,)
        "best first", "worst first" or "random".
    size : int array of shape (n_sizes,)
        Number of examples that are removed, from 0. If examples are added, the number
        that models are trained on, up to n_train.
    score, error : float64 arrays of shape (n_curves, n_sizes)
        Mean score over the trials that did not fail, and its standard error, due to
        training, ties and random sets. It is 0 if all trials are equal, NaN for a
        single trial.
    area : float64 array of shape (n_curves,)
        How much better than random: the mean difference to the random curve, over all
        sizes, in the unit of the score. Positive if the curve is on the side where the
        order says it is: above it without the worst examples, for example, and below it
        without the best, if higher scores are better. NaN for the random curve, or if
        it is not known which scores are better.
    area_interval : float64 array of shape (n_curves, 2)
        Its interval, of 95 %, for other trials and other targets. If the values are
        random, 0 is inside in 95 % of cases. NaN for a single trial or target, or if
        the metric fails without a twentieth of the targets.
    metric : str
        What the score is.
    higher_is_better : bool or None
        Whether higher scores are better.
    added : bool
        Whether examples are added, not removed.
    targets : int array of shape (n_judging,)
        The targets of the trainer that judge.
    chosen_by : int array of shape (n_choosing,)
        The targets whose weights ordered the examples. Empty if attributions have one
        value for each example.
    y : array of shape (n_judging,)
        Labels or values of the targets that judge.
    outputs : float array of shape (n_curves, n_sizes, n_trials, n_judging)
        The outputs of all trainings. NaN for those that failed.
    output_info : OutputInfo
        What they measure.
    n_train : int
        Number of training examples, or of groups.
    n_trained : int
        Number of trainings.
    """

    attribution: np.ndarray
    order: np.ndarray
    size: np.ndarray
    score: np.ndarray
    error: np.ndarray
    area: np.ndarray
    area_interval: np.ndarray
    metric: str
    higher_is_better: bool | None
    added: bool
    targets: np.ndarray
    chosen_by: np.ndarray
    y: np.ndarray = field(repr=False)
    outputs: np.ndarray = field(repr=False)
    output_info: OutputInfo
    n_train: int
    n_trained: int
    _entropy: int = 0

    def __len__(self):
        return len(self.attribution)

    def rescore(self, scoring, *, higher_is_better=None):
        """Return the curves of another metric. Nothing is trained.

        Parameters
        ----------
        scoring : str, callable or None
            As for :func:`removal_curves`.
        higher_is_better : bool, default=None
            Whether higher outputs are better, if that is not known.

        Returns
        -------
        curves : RemovalCurves
            The same trainings with other scores.
        """
        metric = metric_of(scoring, self.output_info, higher_is_better)
        trained = {name: getattr(self, name) for name in _TRAINED}
        return replace(self, **scores_of_curves(metric, self._entropy, **trained))

    def to_frame(self):
        """Return the points of the curves as a pandas.DataFrame, one row each.

        Its columns are attribution, order, size, fraction (of the training set), score
        and error.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        n_curves, n_sizes = self.score.shape
        size = np.tile(self.size, n_curves)
        return import_pandas().DataFrame(
            {
                "attribution": np.repeat(self.attribution, n_sizes),
                "order": np.repeat(self.order, n_sizes),
                "size": size,
                "fraction": size / self.n_train,
                "score": self.score.ravel(),
                "error": self.error.ravel(),
            }
        )

    def _table(self):
        rows = slice(MOST_ROWS)
        at = 0 if self.added else -1
        name = self.metric.replace("_", " ")
        columns = {
            "attribution": [shorten(name, 24) for name in self.attribution[rows]],
            "order": self.order[rows],
            f"{name} at {self.size[at]:,}": self.score[rows, at],
            "error": self.error[rows, at],
            "better than random": self.area[rows],
            "low": self.area_interval[rows, 0],
            "high": self.area_interval[rows, 1],
        }
        how = "with some examples only" if self.added else "without some examples"
        title = f"Retrained {how}, judged on {len(self.targets):,} targets"
        notes = (self._note(),)
        if self.outputs.shape[2] == 1:
            notes += ("One trial tells no errors: pass n_trials=2 or more.",)
        return Table(title, columns, len(self), notes)

    def _note(self):
        whole = self.score[-1, -1 if self.added else 0]
        better = {True: "higher", False: "lower", None: "unknown which"}
        failed = " Failed trainings are left out." * bool(np.isnan(self.outputs).any())
        return (
            f"{self.metric.replace('_', ' ')} with all {self.n_train:,}: {whole:.3g} "
            f"({better[self.higher_is_better]} is better). Better than random: mean "
            f"difference over sizes {self.size[0]:,} to {self.size[-1]:,}, with its "
            f"interval of 95 %.{failed}"
        )

    __repr__ = table_text
    _repr_html_ = table_html


def scores_of_curves(metric, entropy, *, order, size, added, y, outputs):
    """Return the attributes of RemovalCurves that depend on the metric, by name.

    Parameters
    ----------
    metric : Metric
        Of the outputs.
    entropy : int
        Determines the intervals.
    order, size, added, y, outputs
        Attributes of RemovalCurves.
    """
    scores = scores_of(outputs, y, metric)
    n_curves, n_sizes, n_trials = scores.shape
    by_size = scores.reshape(-1, n_trials)
    score, variance = mean_and_variance(by_size)
    variance[np.ptp(by_size, axis=1) == 0] *= 0  # not a rounding error
    area, interval = np.full(n_curves, np.nan), np.full((n_curves, 2), np.nan)
    if metric.higher_is_better is not None:
        # without the worst, and with the best, models should be better
        good = ORDERS[0] if added else ORDERS[1]
        signs = np.where(order[:-1] == good, 1.0, -1.0)
        area[:-1], interval[:-1] = area_intervals(
            size,
            outputs,
            y,
            metric,
            signs if metric.higher_is_better else -signs,
            np.random.default_rng(entropy),
        )
    return {
        "score": score.reshape(n_curves, n_sizes),
        "error": np.sqrt(variance).reshape(n_curves, n_sizes),
        "area": area,
        "area_interval": interval,
        "metric": metric.name,
        "higher_is_better": metric.higher_is_better,
    }
