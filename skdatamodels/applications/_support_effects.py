"""Effects of removing data supports, with intervals."""

import numpy as np

from skdatamodels.inference import RemovalInference, WeightInference


def support_effects(supports, inference):
    """Infer how the output of each target changes without its data support.

    A support has the largest weights, some of which are large by chance. On the runs
    that chose it, its effect looks larger than it is, and its interval is too
    optimistic. On other runs both are honest: fit a datamodel to each half of the runs,
    choose on one, and infer on the other.

    Parameters
    ----------
    supports : list of (int array-like or None), of length n_targets
        The training examples of each support, such as `support_indices_` of
        :class:`DataSupportSearch`, or the first of an order. None for no support.
    inference : WeightInference
        Result of :func:`~skdatamodels.inference.infer_weights`, best on runs that did
        not choose the supports.

    Returns
    -------
    effects : RemovalInference
        One set for each target: `estimate` of shape (n_targets, 1) is the change of the
        output to first order, and ``interval()`` its ends. NaN for no support. If
        subsets have a fixed size, effects are those of removing these examples instead
        of as many typical ones.

    Raises
    ------
    TypeError
        If `inference` is not a WeightInference.
    ValueError
        If there is not one support for each target, or an example does not exist.

    See Also
    --------
    DataSupportSearch : Find supports, and measure their effects by training.
    predict_support_size : Predict their sizes.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels import DatamodelRegressor
    >>> from skdatamodels.applications import support_effects
    >>> from skdatamodels.datasets import make_linear_runs
    >>> from skdatamodels.inference import infer_weights
    >>> runs, coef = make_linear_runs(400, n_train=50, n_targets=2, noise=0.5)
    >>> one, other = runs[:200], runs[200:]
    >>> order = np.argsort(-DatamodelRegressor(random_state=0).fit(one).coef_, axis=1)
    >>> model = DatamodelRegressor(random_state=0).fit(other)
    >>> effects = support_effects(list(order[:, :3]), infer_weights(model, other))
    >>> effects.estimate.shape
    (2, 1)
    """
    if not isinstance(inference, WeightInference):
        raise TypeError(
            "inference must be a WeightInference, the result of infer_weights; got "
            f"{type(inference).__name__}."
        )
    n_targets, n_train = inference.estimate.shape
    if len(supports) != n_targets:
        raise ValueError(
            f"There are {len(supports)} supports, but inference is about {n_targets} "
            "targets. Pass one support for each target, None for none."
        )
    estimate, error = np.full((2, n_targets, 1), np.nan)
    for target, support in enumerate(supports):
        if support is None:
            continue
        rows = np.asarray(support)
        rows = rows.astype(int) if rows.size == 0 else rows
        if (
            rows.ndim != 1
            or rows.dtype.kind not in "iu"
            or not np.isin(rows, range(n_train)).all()
        ):
            raise ValueError(
                f"The support of target {target} must be training examples, integers "
                f"from 0 to {n_train - 1}; got {rows[:10].tolist()}."
            )
        removed = np.isin(np.arange(n_train), rows)
        effect = inference[target].effect_of_removal(removed)
        estimate[target], error[target] = effect.estimate[0], effect.standard_error[0]
    centred = inference.n_columns is not None
    return RemovalInference(estimate, error, inference.freedom, centred)
