"""Attribution: an attribution function bound to its data and parameters."""

import inspect

from sklearn.base import BaseEstimator, clone

from skdatamodels._attribution_matrix import AttributionMatrix
from skdatamodels._examples import check_examples

__all__ = ["Attribution"]


class Attribution(BaseEstimator):
    """A function that computes an attribution matrix, with its data and parameters.

    The parameters of the function are parameters of this object, so that a search can
    vary them. If one of them is an estimator, its parameters can also be varied.
    Calling the object calls the function. Use it as the `attribution` of an
    :class:`~skdatamodels.influence.AttributionRegressor`, or as a method of
    :func:`~skdatamodels.judging.compare_attributions`.

    Parameters
    ----------
    function : callable
        Called as ``function(train=train, targets=targets, **params)``. It must return a
        dense or sparse matrix (n_targets, n_train). The functions of
        :mod:`skdatamodels.influence` that take `train` and `targets` can be used.
    train, targets : Examples
        The training set and the targets.
    **params : object
        Other arguments of the function, by name. Arguments that are not given have the
        defaults of the function.

    Raises
    ------
    TypeError
        In a call: if `train` or `targets` are not Examples, or the function does not
        accept these arguments.
    ValueError
        In a call: if the function does not return a finite matrix of shape (n_targets,
        n_train).

    Notes
    -----
    A clone clones estimators among the arguments, and shares the data and all other
    arguments. Networks and checkpoints are not copied, so the function must not change
    them.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import Attribution, ridge_influence
    >>> train = Examples([[0.0], [1.0], [2.0]], [0.0, 1.0, 5.0])
    >>> targets = Examples([[3.0]], [7.0])
    >>> influence = Attribution(
    ...     ridge_influence, train, targets, estimator=Ridge(), output="prediction"
    ... )
    >>> influence().shape
    (1, 3)
    >>> influence.get_params()["damping"]
    0.0
    >>> influence.set_params(damping=0.5, estimator__alpha=2.0).estimator
    Ridge(alpha=2.0)
    """

    def __init__(self, function, train, targets, **params):
        self.function = function
        self.train = train
        self.targets = targets
        vars(self).update(params)

    def get_params(self, deep=True):
        """Get the parameters: the function, its data and its arguments.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the parameters of estimators among the arguments, as
            ``name__param``.

        Returns
        -------
        params : dict
            Parameter values by name, including the defaults of the function.
        """
        arguments = inspect.signature(self.function).parameters.values()
        params = {a.name: a.default for a in arguments if a.default is not a.empty}
        params |= vars(self)
        nested = {
            f"{name}__{inner}": setting
            for name, value in params.items()
            if deep and _is_estimator(value)
            for inner, setting in value.get_params().items()
        }
        return params | nested

    @property
    def shape(self):
        """Shape of the attribution matrix, (n_targets, n_train)."""
        check_examples(self.train, "train")
        check_examples(self.targets, "targets")
        return len(self.targets), len(self.train)

    def __call__(self):
        """Call the function.

        Returns
        -------
        weights : float array or CSR of shape (n_targets, n_train)
            The attribution matrix.
        """
        shape, arguments = self.shape, dict(vars(self))
        function = arguments.pop("function")
        name = getattr(function, "__name__", repr(function))
        try:
            inspect.signature(function).bind(**arguments)
        except TypeError as error:
            raise TypeError(
                f"{name} does not accept the arguments ({', '.join(arguments)}): "
                f"{error}. An Attribution passes all arguments by name."
            ) from error
        weights = AttributionMatrix.weights_of(function(**arguments), name)
        if weights.shape != shape:
            raise ValueError(
                f"{name} returned a matrix of shape {weights.shape}, but (n_targets, "
                f"n_train) is {shape}."
            )
        return weights

    def __sklearn_clone__(self):
        arguments = {
            name: clone(value) if _is_estimator(value) else value
            for name, value in vars(self).items()
        }
        return type(self)(**arguments)


def _is_estimator(value):
    return hasattr(value, "get_params") and not isinstance(value, type)
