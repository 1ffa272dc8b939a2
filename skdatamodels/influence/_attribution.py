"""Attribution: an influence function with its data and settings, as one parameter."""

import inspect

from sklearn.base import BaseEstimator, clone

from skdatamodels._attribution_matrix import AttributionMatrix
from skdatamodels._examples import check_examples

__all__ = ["Attribution"]


class Attribution(BaseEstimator):
    """A function that makes an attribution matrix, with the data and settings it takes.

    Parameters of the function are parameters of this object, so that a search can vary
    them, and those of an estimator among them. Calling the object calls the function.
    Use it as the `attribution` of an
    :class:`~skdatamodels.influence.AttributionRegressor`, or as a method of
    :func:`~skdatamodels.judging.compare_attributions`.

    Parameters
    ----------
    function : callable
        Called as ``function(train=train, targets=targets, **params)``. It returns the
        matrix (n_targets, n_train), dense or sparse. The functions of
        :mod:`skdatamodels.influence` that take `train` and `targets` are of this kind.
    train, targets : Examples
        The data that the function takes.
    **params : object
        Other arguments of the function, by name. Those that you leave out have the
        defaults of the function.

    Raises
    ------
    TypeError
        In a call: if `train` or `targets` are no Examples, or the function does not
        take these arguments.
    ValueError
        In a call: if the function does not return a finite matrix of shape (n_targets,
        n_train).

    Notes
    -----
    A clone shares the data and all other arguments but estimators, which it clones.
    Networks and checkpoints are not copied: functions must not change what they are
    given.

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
        """Return the function, its data and its arguments, defaults included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the parameters of estimators among them, as ``name__param``.

        Returns
        -------
        params : dict
            Values by name.
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
        """Tuple (n_targets, n_train)."""
        check_examples(self.train, "train")
        check_examples(self.targets, "targets")
        return len(self.targets), len(self.train)

    def __call__(self):
        """Call the function.

        Returns
        -------
        weights : float array or CSR of shape (n_targets, n_train)
        """
        shape, arguments = self.shape, dict(vars(self))
        function = arguments.pop("function")
        name = getattr(function, "__name__", repr(function))
        try:
            inspect.signature(function).bind(**arguments)
        except TypeError as error:
            raise TypeError(
                f"{name} does not take the arguments ({', '.join(arguments)}): {error}."
                " An Attribution calls its function with all arguments by name."
            ) from error
        weights = AttributionMatrix.weights_of(function(**arguments), name)
        if weights.shape != shape:
            raise ValueError(
                f"{name} returned a matrix of shape {weights.shape}; (n_targets, "
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
