"""Linear datamodeling score against the number of runs."""

import numpy as np
from sklearn.base import clone

from skdatamodels.metrics import lds_interval
from skdatamodels.plotting._matplotlib import GREY, prepare_axes, style


class LDSCurveDisplay:
    """Linear datamodeling score (LDS) against the number of training runs, by method.

    Parameters
    ----------
    n_runs : array-like of shape (n_sizes,)
        Numbers of runs that the methods were fitted on.
    scores : dict of str to array-like of shape (n_sizes,) or (n_sizes, 3)
        Scores by name of the method. Three columns contain the score and the ends of
        its interval, as a list of results of
        :func:`~skdatamodels.metrics.lds_interval` does.
    ceiling : float, default=None
        Score that a perfect predictor would reach; see
        :func:`~skdatamodels.metrics.noise_ceiling`.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where the display is drawn.
    lines_ : dict of str to Line2D
        The line of each method.
    bands_ : dict of str to PolyCollection
        The interval of each method that has one.
    ceiling_ : Line2D or None
        The noise ceiling, if it was given.

    Raises
    ------
    ValueError
        If the shape of the scores does not match `n_runs`.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skdatamodels.plotting import LDSCurveDisplay
    >>> scores = {"LASSO": [0.5, 0.6], "difference of means": [0.3, 0.4]}
    >>> display = LDSCurveDisplay.from_predictions([500, 1000], scores, ceiling=0.8)
    >>> sorted(display.lines_)
    ['LASSO', 'difference of means']
    >>> plt.close(display.figure_)
    """

    def __init__(self, n_runs, scores, *, ceiling=None):
        self.n_runs = n_runs
        self.scores = scores
        self.ceiling = ceiling

    @classmethod
    def from_predictions(cls, n_runs, scores, *, ceiling=None, **plot_params):
        """Make the display from scores and draw it.

        Parameters
        ----------
        n_runs : array-like of shape (n_sizes,)
            Numbers of runs that the methods were fitted on.
        scores : dict of str to array-like of shape (n_sizes,) or (n_sizes, 3)
            Scores by name of the method, alone or with the ends of an interval.
        ceiling : float, default=None
            Score that a perfect predictor would reach.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : LDSCurveDisplay
            The display, drawn.
        """
        return cls(n_runs, scores, ceiling=ceiling).plot(**plot_params)

    @classmethod
    def from_estimator(
        cls,
        estimators,
        runs,
        test_runs,
        n_runs,
        *,
        ceiling=None,
        random_state=None,
        **plot_params,
    ):
        """Fit datamodels on increasing numbers of runs and draw their scores.

        Parameters
        ----------
        estimators : estimator, or dict of str to estimator
            Estimators by name of the method. They are cloned.
        runs : TrainingRuns
            Runs to fit on. The first ones are used.
        test_runs : TrainingRuns
            Runs to score on. None of them may be in `runs`.
        n_runs : array-like of int of shape (n_sizes,)
            Numbers of runs to fit on, at most ``len(runs)``.
        ceiling : float, default=None
            Score that a perfect predictor would reach.
        random_state : int, RandomState instance or None, default=None
            Seed of the bootstrap that gives the intervals.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : LDSCurveDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If a number of runs is not between 1 and ``len(runs)``. It is raised before
            anything is fitted.
        """
        if not isinstance(estimators, dict):
            estimators = {type(estimators).__name__: estimators}
        n_runs = np.asarray(n_runs)
        if not np.isin(n_runs, range(1, len(runs) + 1)).all():
            raise ValueError(
                f"n_runs must be integers from 1 to {len(runs)}, the number of runs; "
                f"got {n_runs.tolist()}."
            )
        scores = {
            name: [
                lds_interval(
                    test_runs.outputs,
                    clone(estimator).fit(runs[:n]).predict(test_runs),
                    random_state=random_state,
                )
                for n in n_runs
            ]
            for name, estimator in estimators.items()
        }
        return cls.from_predictions(n_runs, scores, ceiling=ceiling, **plot_params)

    @classmethod
    def from_plan(cls, plan, n_runs=None, **plot_params):
        """Draw the measured and the predicted learning curve of a plan.

        Parameters
        ----------
        plan : RunPlan
            A plan with ``metric="lds"``.
        n_runs : array-like of int, default=None
            Numbers of runs for which the score is predicted. By default, from the
            largest number that was measured to ten times as many.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : LDSCurveDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the plan has another metric.
        """
        if plan.metric != "lds":
            raise ValueError(f'The plan must have metric="lds", got {plan.metric!r}.')
        n_runs = plan.n_runs[-1] * np.array([1, 2, 5, 10]) if n_runs is None else n_runs
        sizes = np.union1d(plan.n_runs, n_runs)
        unknown = np.full((len(sizes), 3), np.nan)
        measured, predicted = unknown, unknown.copy()
        measured[np.isin(sizes, plan.n_runs)] = plan.scores
        predicted[np.isin(sizes, n_runs)] = plan.predict(np.unique(n_runs))
        ceiling = None if np.isnan(plan.ceiling) else plan.ceiling
        scores = {"measured": measured, "predicted": predicted}
        return cls.from_predictions(sizes, scores, ceiling=ceiling, **plot_params)

    def plot(self, ax=None, *, line_kw=None, fill_between_kw=None):
        """Draw a line and a band for each method, and the ceiling.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. By default, a new figure is made.
        line_kw : dict, default=None
            Keywords of matplotlib's `plot`, for the lines of all methods.
        fill_between_kw : dict, default=None
            Keywords of matplotlib's `fill_between`, for the bands.

        Returns
        -------
        self : LDSCurveDisplay
            The display itself.
        """
        n_runs = np.asarray(self.n_runs)
        scores = {name: self._check(name, n_runs) for name in self.scores}
        ax = prepare_axes(self, ax, (6, 4))
        self.lines_, self.bands_, self.ceiling_ = {}, {}, None
        for (name, values), marker in zip(scores.items(), _markers(), strict=False):
            look = style({"marker": marker, "ms": 5, "label": name}, line_kw)
            (line,) = ax.plot(n_runs, values[:, 0], **look)
            self.lines_[name] = line
            if values.shape[1] == 3:
                look = {"color": line.get_color(), "alpha": 0.2, "lw": 0}
                look = style(look, fill_between_kw, "Collection")
                self.bands_[name] = ax.fill_between(n_runs, *values[:, 1:].T, **look)
        if self.ceiling is not None:
            self.ceiling_ = ax.axhline(
                self.ceiling, color=GREY, ls="--", lw=1.2, label="noise ceiling"
            )
        self._dress(n_runs)
        return self

    def _check(self, name, n_runs):
        values = np.asarray(self.scores[name], dtype=float)
        if values.shape not in [(len(n_runs),), (len(n_runs), 3)]:
            raise ValueError(
                f"The scores of {name!r} have shape {values.shape}; {len(n_runs)} "
                f"numbers of runs need ({len(n_runs)},) or ({len(n_runs)}, 3)."
            )
        return values.reshape(len(n_runs), -1)

    def _dress(self, n_runs):
        from matplotlib.ticker import NullLocator

        ax = self.ax_
        ax.set_xscale("log")
        ax.set_xticks(n_runs, [f"{n:,}" for n in n_runs])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set(xlabel="Training runs", ylabel="LDS (mean Spearman correlation)")
        # The axis starts at zero, so that heights can be compared.
        ax.set_ylim(bottom=min(0, ax.dataLim.ymin))
        ax.grid(axis="y", alpha=0.3)
        ax.legend(loc="best", frameon=False)


def _markers():
    while True:
        yield from "os^Dv"
