"""Train without each training example, to know its effect alone."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np

from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels._tables import Table, table_html, table_text
from skdatamodels.applications._attributions import check_target_indices
from skdatamodels.applications._edits import Edits, mean_and_variance
from skdatamodels.training import ComponentAblation, SubsetTrainer
from skdatamodels.training._players import players_of


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """Effects of single training examples, and how much of them is noise.

    Attributes
    ----------
    effects : float64 array of shape (n_targets, n_train)
        Mean output of models that are trained on all examples minus that of models
        trained without one, in the unit of the output: an attribution matrix. NaN for
        examples that were not left out, or whose trainings failed.
    examples : int array of shape (n_examples,)
        The examples that were left out.
    error : float64 array of shape (n_targets, n_train)
        Standard error of the output without the example due to the randomness of
        training. NaN for one trial. The error of the output of the full training set is
        the same for all examples of a target, so it is not included.
    ceiling : float64 array of shape (n_targets,)
        Correlation over examples that the true effects would have with `effects`, for
        each target: 0 if all is noise, 1 if nothing is. NaN for one trial, or if all
        effects are equal.
    n_trained : int
        Number of trainings.
    """

    effects: np.ndarray
    examples: np.ndarray
    error: np.ndarray
    ceiling: np.ndarray
    n_trained: int

    def _table(self):
        known = self.ceiling[~np.isnan(self.ceiling)]
        ceiling = np.median(known) if len(known) else np.nan
        known_effects = [row[~np.isnan(row)] for row in self.effects]
        spread = [row.std() for row in known_effects if len(row)] or [np.nan]
        columns = {
            "examples": [len(self.examples)],
            "targets": [len(self.effects)],
            "spread of effects": [np.median(spread)],
            "noise ceiling": [ceiling],
            "trainings": [self.n_trained],
        }
        note = (
            "noise ceiling: correlation that exact effects would have with these, "
            "median of targets; needs n_trials of 2 or more"
        )
        return Table("Effects of leaving one example out", columns, notes=(note,))

    __repr__ = table_text
    _repr_html_ = table_html


@validate_params(
    {
        "trainer": [SubsetTrainer, ComponentAblation],
        "examples": ["array-like", None],
        "n_trials": [Interval(Integral, 1, None, closed="left")],
        "n_control_trials": [Interval(Integral, 1, None, closed="left"), None],
    },
    prefer_skip_nested_validation=True,
)
def leave_one_out(trainer, examples=None, *, n_trials=1, n_control_trials=None):
    """Train without each training example, and measure what changes.

    The effect of one example is small. If training is random, most of what is measured
    can be noise, and many trials are needed: look at `ceiling` before you compare
    anything with the effects. A learner without randomness needs one trial.

    Parameters
    ----------
    trainer : SubsetTrainer or ComponentAblation
        Trains the models, on its whole training set but for one example. Its `alpha`
        and `design` are not used. Its `store` keeps the trainings. If it has groups,
        they take the place of the examples.
    examples : int array-like of shape (n_examples,), default=None
        The examples to leave out. None means each.
    n_trials : int, default=1
        Number of trainings without each example, with different seeds.
    n_control_trials : int, default=None
        Number of trainings on the full training set. None means `n_trials`.

    Returns
    -------
    leave_one_out : LeaveOneOut
        The effects, and how much of them is noise.

    Raises
    ------
    ValueError
        If an example does not exist, or is given twice.
    RuntimeError
        If trainings failed, depending on the trainer's `on_failure`.

    See Also
    --------
    skdatamodels.metrics.attribution_correlation : Compares attributions with effects.
    CounterfactualEvaluation : Removes sets of examples.

    Notes
    -----
    The ceiling is the square root of the reliability, which is the share of the
    variance of the effects over examples that is not the variance of their errors.

    References
    ----------
    Koh, Liang, "Understanding Black-box Predictions via Influence Functions", ICML
    2017, section 4.2.

    Basu, Pope, Feizi, "Influence Functions in Deep Learning Are Fragile", ICLR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels import Examples, SubsetTrainer
    >>> from skdatamodels.applications import leave_one_out
    >>> from skdatamodels.influence import ridge_leave_one_out
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> train, targets = Examples(X[:30], X[:30, 0] ** 2), Examples(X[30:], X[30:, 0])
    >>> ridge = Ridge()
    >>> found = leave_one_out(SubsetTrainer(ridge, train, targets))
    >>> exact = ridge_leave_one_out(ridge, train, targets, output="prediction")
    >>> np.allclose(found.effects, exact, atol=1e-6)
    True
    """
    n_train = len(players_of(trainer))
    if examples is not None:
        examples = check_target_indices(examples, n_train, "examples")
    examples = np.arange(n_train) if examples is None else examples
    edits = Edits(trainer)
    everything = np.ones((1, n_train), dtype=bool)
    control, _ = mean_and_variance(
        edits.train(edits.untouched(everything), n_control_trials or n_trials)
    )
    without, variance = mean_and_variance(
        edits.train(edits.masks(np.eye(n_train, dtype=bool)[examples]), n_trials)
    )
    effects, error = np.full((2, control.shape[1], n_train), np.nan)
    effects[:, examples] = (control - without).T
    error[:, examples] = np.sqrt(variance).T
    ceiling = np.array(list(map(_ceiling, without.T, variance.T)))
    return LeaveOneOut(effects, examples, error, ceiling, edits.n_trained)


def _ceiling(means, variances):
    """Return the square root of the reliability of means (n_examples,) of a target."""
    known = ~np.isnan(variances)
    if known.sum() < 2 or np.ptp(means[known]) == 0:
        return np.nan
    noise = variances[known].mean() / np.var(means[known], ddof=1)
    return np.sqrt(max(0, 1 - noise))
