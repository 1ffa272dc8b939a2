"""Influence functions of the last layer of a network, with other layers fixed."""

from numbers import Integral, Real

import numpy as np
from scipy.special import softmax

from skdatamodels._examples import Examples
from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels.influence._checks import as_subset
from skdatamodels.influence._linear_models import output_gradient
from skdatamodels.influence._softmax_influence import softmax_influence
from skdatamodels.influence._torch import OF_REGRESSION, Network, import_torch

__all__ = ["last_layer_influence"]


@validate_params(
    {
        "train": [Examples],
        "targets": [Examples],
        "output": [str],
        "layer": [str, None],
        "damping": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def last_layer_influence(
    module,
    train,
    targets,
    *,
    output="margin",
    layer=None,
    damping=0.0,
    batch_size=256,
    subset=None,
):
    """Influence functions of the last layer of a network.

    The last layer is treated as a softmax regression on the embeddings that are its
    inputs, with its trained weights. The Hessian is exact and computed in float64.

    Parameters
    ----------
    module : torch.nn.Module
        A trained classifier that maps inputs (n, ...) to logits (n, n_classes), with
        classes in the order of `numpy.unique`. It is used in evaluation mode (no
        dropout, running statistics for batch norm) and is not changed.
    train, targets : Examples
        The training set and the targets.
    output : {"margin", "log_odds", "cross_entropy", "confidence"}, default="margin"
        Output to measure on a target.
    layer : str, default=None
        Name of the ``torch.nn.Linear`` that computes the logits, as in
        ``module.named_modules()``. None means the last one there. Other uses of the
        layer or its weight in the module are treated as fixed.
    damping : float >= 0, default=0
        Added to the diagonal of the Hessian of the sum of cross entropies. A weight
        decay of w in training corresponds to a damping of w times n_train.
    batch_size : int, default=256
        Number of examples in a forward pass.
    subset : int array-like or bool mask of shape (n_train,), default=None
        The training examples that the module was trained on, whose losses make the
        Hessian. All training examples have an influence: for those outside the subset,
        it is the first-order effect of adding them. None means all.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence in the output's unit per example. Positive if the presence of the
        example raises the output.

    Raises
    ------
    ImportError
        If torch is not installed.
    ValueError
        If the layer does not exist or does not compute the logits, the Hessian is
        singular, an embedding is not finite, the number of logits is not the number of
        classes, the module is random in evaluation mode, or `subset` does not contain
        training examples.

    See Also
    --------
    logistic_influence : The same for scikit-learn's LogisticRegression.
    tracin : Uses all layers, without a Hessian.

    Notes
    -----
    The Hessian has (n_features + 1)·n_classes rows. It takes 0.2 GB for 512 features
    and ten classes.

    References
    ----------
    Koh and Liang, "Understanding black-box predictions via influence functions",
    ICML 2017.

    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, appendix F.2.

    Examples
    --------
    >>> import torch
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import last_layer_influence
    >>> train = Examples([[1.0], [-1.0], [0.5]], [1, 0, 0])
    >>> module = torch.nn.Linear(1, 2)
    >>> influence = last_layer_influence(module, train, Examples([[2.0]], [1]))
    >>> influence.shape, bool((influence > 0)[0, 0])
    ((1, 3), True)
    """
    if output in OF_REGRESSION:
        raise ValueError(
            f"last_layer_influence is for classifiers, but output={output!r} is for "
            "regression. Use influence_functions, and freeze all but the last layer "
            "with requires_grad_(False)."
        )
    subset = as_subset(subset, len(train))
    network = Network(module, train, targets)
    name, last = _last_layer(network.module, layer)
    _refuse_random(network, batch_size)
    parts = {
        part: _embed(network, part, name, last, batch_size)
        for part in ("train", "targets")
    }
    (A, logits), (Z, raw) = parts["train"], parts["targets"]
    y_train, y_targets = (network.parts[part][1] for part in parts)
    proba = softmax(logits, axis=1)
    return softmax_influence(
        A,
        Z,
        np.eye(len(network.classes))[y_train] - proba,
        proba,
        output_gradient(output, raw, y_targets),
        subset=subset,
        weights=np.ones(len(A)),
        penalty=np.zeros(A.shape[1]),
        damping=damping,
        fixed_logit=False,
    )


def _last_layer(module, name):
    torch = import_torch()
    linear = {
        key: part
        for key, part in module.named_modules(remove_duplicate=False)
        if isinstance(part, torch.nn.Linear)
    }
    if not linear or name not in {None, *linear}:
        raise ValueError(
            f"layer={name!r} is not a torch.nn.Linear of the module. It has "
            f"{', '.join(map(repr, linear)) or 'none'}."
        )
    name = list(linear)[-1] if name is None else name
    return name, linear[name]


def _refuse_random(network, batch_size):
    """Raise an error if the logits of the same examples differ between two passes."""
    torch = import_torch()
    X, _ = network.batch("train", slice(0, batch_size))
    with torch.no_grad():
        one, other = (network.raw(network.parameters, X) for _ in range(2))
    rounding = 1e-3 * float(one.nan_to_num().abs().max())
    if not one.allclose(other, rtol=0, atol=rounding, equal_nan=True):
        raise ValueError(
            "The module gives other logits for the same examples in a second pass. It "
            "must not be random in evaluation mode: is there a "
            "torch.nn.functional.dropout without training=self.training?"
        )


def _same(given, wanted):  # unlike torch.equal, NaN equals NaN
    return given.shape == wanted.shape and given.allclose(wanted, 0, 0, equal_nan=True)


def _embed(network, part, name, last, batch_size):
    """Return inputs of the last layer, with ones for its bias, and logits."""
    torch = import_torch()
    caught, embeddings, logits = [], [], []
    n = len(network.parts[part][1])
    hook = last.register_forward_hook(lambda _, x, out: caught.append((x[0], out)))
    try:
        for start in range(0, n, batch_size):
            X, _ = network.batch(part, slice(start, start + batch_size))
            with torch.no_grad():
                result = network.raw(network.parameters, X)
            # the last call, if the layer is used several times
            if not caught or not _same(caught[-1][1], result):
                raise ValueError(
                    f"The layer {name!r} does not compute the logits. Pass the name of "
                    "the layer whose outputs are the logits."
                )
            embeddings.append(caught[-1][0].double().cpu().numpy())
            caught.clear()
            logits.append(result.double().cpu().numpy())
    finally:
        hook.remove()
    A, logits = np.concatenate(embeddings), np.concatenate(logits)
    bad = ~(np.isfinite(A).all(axis=1) & np.isfinite(logits).all(axis=1))
    if bad.any():
        raise ValueError(
            f"The layer {name!r} has non-finite values on {part} example "
            f"{bad.argmax()}: training may have diverged."
        )
    return (A if last.bias is None else np.c_[A, np.ones(n)]), logits
