"""One thread for LightGBM, which does not obey the limit of OpenMP."""

from sklearn.base import clone

# Name of the base class of LightGBM's estimators: it is not imported to find them.
_IGNORES_LIMIT = "LGBMModel"


def with_one_thread(estimator):
    """Return an estimator that trains with one thread, as the limit of OpenMP says.

    LightGBM uses all cores unless ``n_jobs`` says otherwise. For small tables, its
    threads wait for each other much longer than they compute, even more so if several
    workers train at the same time. The number of threads does not change its results.

    Parameters
    ----------
    estimator : estimator
        It may contain LightGBM at any depth.

    Returns
    -------
    estimator : estimator
        The same, or a clone with ``n_jobs=1`` wherever LightGBM would use all cores. A
        positive number is left as it is, because the user has chosen it.
    """
    params = estimator.get_params(deep=True)
    names = [
        name
        for name, value in params.items()
        if name.rpartition("__")[2] == "n_jobs"
        and _ignores_limit(params.get(name.rpartition("__")[0], estimator))
        and (value is None or value < 0)
    ]
    if not names:
        return estimator
    return clone(estimator).set_params(**dict.fromkeys(names, 1))


def _ignores_limit(estimator):
    return _IGNORES_LIMIT in {kind.__name__ for kind in type(estimator).__mro__}
