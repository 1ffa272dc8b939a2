"""Judge attribution methods on ready-made runs."""

from skdatamodels.datasets import JudgedRuns, load_judged_runs
from skdatamodels.judging._compare_attributions import compare_attributions


def judge(attributions, judged, *, tests=None, **params):
    """Judge attribution methods on ready-made runs of a small real data set.

    Nothing is trained: see :func:`~skdatamodels.datasets.load_judged_runs`.

    Parameters
    ----------
    attributions : dict of str to method
        The methods by name, as for :func:`compare_attributions`.
    judged : JudgedRuns or str
        The runs, or their name.
    tests : dict, default=None
        More for the tests of :func:`compare_attributions`, such as "randomised". What
        is known of the runs is always tested: wrong labels, subclasses, a shortcut, and
        the effects of single examples.
    **params : dict
        Other arguments of :func:`compare_attributions`, such as `n_trainings` and
        `random_state`.

    Returns
    -------
    comparison : AttributionComparison
        A table with one row per method and control, and further tests in its attribute
        `tests`.

    Raises
    ------
    ValueError, TypeError
        If there are no runs of this name, `tests` is not a dict, or as
        :func:`compare_attributions` raises.

    Examples
    --------
    >>> from skdatamodels.datasets import load_judged_runs
    >>> from skdatamodels.influence import logistic_influence
    >>> from skdatamodels.judging import judge
    >>> judged = load_judged_runs("digits_logistic")
    >>> weights = logistic_influence(judged.learner, judged.train, judged.targets)
    >>> comparison = judge({"influence": weights}, judged, random_state=0)
    >>> bool(comparison.lds[0] > 0.9)
    True
    >>> comparison.tests.test.tolist()
    ['same class', 'subclass', 'wrong labels', 'leave-one-out', 'overlap']
    """
    if not isinstance(judged, JudgedRuns):
        judged = load_judged_runs(judged)
    if not isinstance(tests, dict | None):
        raise TypeError(f"tests must be a dict or None, got {tests!r}.")
    known = {
        "subclasses": judged.subclasses,
        "wrong_labels": judged.wrong_labels,
        "leave_one_out": judged.leave_one_out,
    }
    if judged.shortcut is not None:
        known["marked"] = {"shortcut": judged.shortcut}
    return compare_attributions(
        attributions,
        judged.judging_runs,
        judged.train,
        judged.targets,
        repeats=judged.repeats,
        seen_runs=judged.runs,
        tests=known | (tests or {}),
        **params,
    )
