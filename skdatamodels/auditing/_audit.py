"""An audit: train, fit, judge, and answer with the user's rows."""

import warnings
from numbers import Integral, Real

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.utils import check_random_state

from skdatamodels._examples import Examples
from skdatamodels._fitting import fit_rows
from skdatamodels._random import set_seeds, unseeded
from skdatamodels._sklearn_compat import Interval, StrOptions, validate_params
from skdatamodels._tables import import_pandas
from skdatamodels.applications import find_label_errors
from skdatamodels.auditing._checked_removal import N_BASES, removal_by_halves
from skdatamodels.auditing._effect_check import check_effects
from skdatamodels.auditing._few_groups import N_SEEDS
from skdatamodels.auditing._groups import (
    are_few,
    audit_few_groups,
    audit_groups,
    group_obstacle,
    make_group_trainer,
)
from skdatamodels.auditing._inputs import check_inputs
from skdatamodels.auditing._judged import LIKELY, choose_judged, fit_judged
from skdatamodels.auditing._model_score import score_model
from skdatamodels.auditing._result import Audit
from skdatamodels.auditing._runs_of_audit import (
    choose_n_runs,
    make_trainer,
    train_again,
)
from skdatamodels.auditing._stages import (
    AGAIN,
    CHECKING,
    FITTING,
    GROUPS,
    REMOVING,
    TRAINING,
    Stages,
    plan_stages,
    state_cost,
)
from skdatamodels.auditing._trial import try_model
from skdatamodels.auditing._trust import measure_trust
from skdatamodels.influence import cheap_attributions

_FEWEST_UNSEEN = 10  # runs that a row is missing in
_SHARES = 0.01, 0.02, 0.05, 0.1  # of the training rows that are removed to check


@validate_params(
    {
        "n_runs": [StrOptions({"auto"}), Interval(Integral, 50, None, closed="left")],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "min_lds": [Interval(Real, 0, 1, closed="both")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def audit(
    estimator,
    X,
    y,
    X_test=None,
    y_test=None,
    *,
    groups=None,
    sample_weight=None,
    task=None,
    n_runs="auto",
    alpha=0.5,
    min_lds=0.2,
    store=None,
    n_jobs=-1,
    random_state=0,
    verbose=1,
):
    """Find out which training rows the predictions of a model hang on.

    Models are trained on random subsets of the rows, and datamodels are fitted to them.
    Before anything else, the audit measures how well these predict what other subsets
    do. If they do not, it gives no answer that rests on them.

    Parameters
    ----------
    estimator : classifier, regressor, or {"boosting", "forest", "linear"}
        The model. A name makes a pipeline for the columns of a pandas frame.
    X : data frame, array or sparse matrix of shape (n_train, n_features)
        Training rows. The index of a pandas frame names the rows in all results.
    y : array-like of shape (n_train,), or str
        Labels or values, or the name of a column of X (and of X_test).
    X_test : like X, default=None
        Test rows. Without them, each training row is judged by the models that were
        not trained on it.
    y_test : array-like of shape (n_test,), default=None
        Their labels or values.
    groups : array-like of shape (n_train,), or str, default=None
        Label of the group of each training row, such as its source; or the name of a
        column of X, which the model then does not see. Groups are audited, too. Fewer
        than ten are left out one at a time. Of more, random subsets are trained on, for
        which each class has to be in at least four of them.
    sample_weight : array-like of shape (n_train,), or str, default=None
        Weights of the training rows in ``fit``, at least 0; or the name of a column of
        X, which the model then does not see. Effects are those of rows with their
        weights. Scores count each judged row once.
    task : {"classification", "regression"}, default=None
        What to predict, if the estimator is a name and y does not tell.
    n_runs : int or "auto", default="auto"
        Number of subsets, at least 50. "auto" means 150, or 300 for more than 5,000
        rows.
    alpha : float in (0, 1), default=0.5
        Fraction of the rows in a subset.
    min_lds : float in [0, 1], default=0.2
        There is no answer unless the 95 % interval of the linear datamodeling score is
        above this.
    store : path-like, default=None
        Folder in which trained runs are kept. With it, an audit that was interrupted
        goes on where it stopped.
    n_jobs : int, default=-1
        Number of workers, as in joblib. Results do not depend on it.
    random_state : int, RandomState instance or None, default=0
        Seed of subsets, training and checks. With a store, an int.
    verbose : int, default=1
        If not 0, the cost is printed before the work starts, then each step, what is
        left of the time, and a progress bar.

    Returns
    -------
    found : Audit
        The answers.

    Raises
    ------
    TypeError, ValueError
        Before anything is trained, with what is wrong, where, and what to do.
    ImportError
        If pandas is not installed.

    Warns
    -----
    UserWarning
        If the model is no better than guessing, see ``trust.model``; if groups cannot
        be audited; or if a column looks like a name of the rows.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdatamodels import audit
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = make_pipeline(StandardScaler(), LogisticRegression())
    >>> found = audit(
    ...     model, X[:200], y[:200], X[500:], y[500:], n_runs=50, verbose=0, n_jobs=1
    ... )
    >>> found.trust.enough
    True
    >>> found.harmful.columns[:3].tolist()
    ['effect', 'low', 'high']
    """
    import_pandas()
    given = check_inputs(estimator, X, y, X_test, y_test, groups, sample_weight, task)
    n_runs = choose_n_runs(n_runs, len(given.train))
    n_unseen = round((1 - alpha) * n_runs, 6)  # (1 - .8) * 50 is not quite 10
    if n_unseen < _FEWEST_UNSEEN:
        raise ValueError(
            f"With alpha={alpha} and {n_runs} runs, a row is missing in about "
            f"{n_unseen:.3g} of them, but {_FEWEST_UNSEEN} models without it are "
            "needed to judge it. Use a smaller alpha or more runs."
        )
    if store is not None and not isinstance(random_state, Integral):
        raise ValueError(
            "With a store, random_state must be an int, so that the same runs are "
            f"found again; got {random_state!r}."
        )
    seed = random_state
    if not isinstance(seed, Integral):
        seed = int(check_random_state(random_state).randint(2**31 - 1))
    trainer, rows = make_trainer(
        given,
        alpha=alpha,
        store=store,
        n_jobs=n_jobs,
        random_state=seed,
        verbose=verbose,
    )
    group_trainer = None
    if groups is not None:
        group_trainer = make_group_trainer(trainer, given.groups)
        if reason := group_obstacle(group_trainer, given.task):
            warnings.warn(f"Groups are not audited. {reason}", stacklevel=2)
            group_trainer = None
    targets = choose_judged(given.train, given.test, seed)
    hidden = [name for name in (groups, sample_weight) if isinstance(name, str)]
    seconds, n_workers = try_model(trainer, hidden), effective_n_jobs(n_jobs)
    planned = list(plan_stages(trainer, group_trainer, n_runs, targets, len(_SHARES)))
    stage = Stages(planned, seconds / n_workers, verbose)
    if verbose:
        state_cost(planned, seconds, trainer, len(targets), n_workers, stage.seconds)
    with stage(TRAINING):
        runs = trainer.fit_transform(np.arange(n_runs))
    with stage(AGAIN):
        trained = train_again(trainer, runs)
    with stage(FITTING):
        errors = find_label_errors(trained.runs, trainer.train, exclude=rows)
        attributions = _attributions(
            trainer.estimator,
            trainer.train,
            trainer.targets[targets],
            output=trainer.output_info.name,
            alpha=alpha,
            models=list(trained.runs.models) or None,
            random_state=seed,
            n_jobs=n_jobs,
        )
        judged = fit_judged(
            given.task,
            targets,
            trained.runs,
            trainer.targets.y[targets],
            rows[targets],
            trained.full[targets],
            attributions,
            ~np.isin(rows[targets], errors.examples[errors.probability > LIKELY]),
            n_jobs,
        )
        model = score_model(given.task, judged.output, judged.truth, given.train.y)
        repeats = trained.repeats[:, :, targets]
        trust = measure_trust(judged, min_lds, seed, repeats, model)
    if not model.better:
        warnings.warn(model.message, UserWarning, stacklevel=3)
    removal = None
    if trust.enough and given.test is not None:
        tested = trainer.targets[targets]
        noise = _training_noise(trained.repeats[:, :, targets])
        with stage(CHECKING):
            check = check_effects(trainer, judged, tested, noise, seed)
        judged = judged._replace(check=check)
    if trust.enough:
        n_train = len(trainer.train)
        sizes = sorted({max(1, round(share * n_train)) for share in _SHARES})
        within = {}
        if given.test is None:  # training rows can only judge models without them
            within = {"bases": trained.runs.masks[:N_BASES], "exclude": rows}
        with stage(REMOVING):
            removal = removal_by_halves(trainer, judged, sizes, seed, **within)
    by_group = None
    if group_trainer is not None and are_few(group_trainer):
        n_seeds = N_SEEDS if trained.are_random else 1
        with stage(GROUPS):
            by_group = audit_few_groups(group_trainer, judged, rows, n_seeds, seed)
    elif group_trainer is not None:
        with stage(GROUPS):
            by_group = audit_groups(group_trainer, judged, rows, min_lds, seed, n_jobs)
    fitted = set_seeds(clone(given.estimator), unseeded(given.estimator), seed)
    return Audit(
        trainer.train,
        _tested(trainer, given.test),
        given.label,
        fit_rows(fitted, trainer.train, np.arange(len(trainer.train))),
        trainer,
        judged,
        trust,
        errors,
        removal,
        by_group,
        seed,
    )


def _tested(trainer, test):
    """Return the test rows with columns of the same types as the training rows."""
    if test is None:
        return None
    rows = trainer.targets[len(trainer.train) :]
    return Examples(rows.X, rows.y, test.ids, allow_nan=True)


def _training_noise(repeats):
    """Return the standard deviation of outputs (n_targets,) of the same subsets."""
    first, second = repeats
    return np.sqrt(np.nanmean((first - second) ** 2, axis=0) / 2)


def _attributions(*args, **kwargs):
    """Return cheap attributions without a word, because trust is measured anyway."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return cheap_attributions(*args, **kwargs)
