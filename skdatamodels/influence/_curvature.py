"""Products of vectors with the Hessian of a network's loss, without forming it."""

import threading

from skdatamodels.influence._torch import import_torch

_forwards = threading.Lock()  # torch's forward-mode level is shared by all threads


class Curvature:
    """Second derivatives of the sum of losses over a subset of the training examples.

    Parameters
    ----------
    network : Network
        The network and its examples.
    state : dict
        State of the module, as ``module.state_dict()``.
    kind : {"gauss_newton", "hessian"}
        Gauss-Newton ignores the curvature of the raw outputs, so it has no negative
        eigenvalues.
    damping : float
        Added to the diagonal.
    subset : int array of shape (n_subset,)
        Indices of the examples.
    block_bytes : int
        Maximum size of a block, in bytes. One vector on one example counts as one
        gradient.
    """

    def __init__(self, network, state, kind, damping, subset, block_bytes):
        self.network, self.damping = network, damping
        self._of_block = self._hessian if kind == "hessian" else self._gauss_newton
        self._state = state
        self._trained = {name: state[name] for name in network.parameters}
        blocks = network.gradient_blocks(len(subset), block_bytes)
        self._blocks = [subset[rows] for rows in blocks]
        longest = blocks[0].stop
        at_once = network.gradient_blocks(len(subset) * longest, block_bytes)[0].stop
        self._n_vectors = max(1, at_once // longest)

    def product(self, vectors):
        """Multiply vectors (n, n_parameters) by the damped matrix.

        Raises
        ------
        ValueError
            If a product is not finite. The message names the training examples.
        """
        torch = import_torch()
        products = self.damping * vectors
        for rows in self._blocks:
            of_one = self._of_block(*self.network.batch("train", rows))
            with _forwards:
                part = torch.func.vmap(of_one, chunk_size=self._n_vectors)(vectors)
            if not torch.isfinite(part).all():
                raise ValueError(
                    f"The curvature at train examples {rows[0]} to {rows[-1]} "
                    "is not finite: training may have diverged."
                )
            products += part
        return products

    def _raw(self, X):
        return lambda trained: self.network.raw({**self._state, **trained}, X)

    def _gauss_newton(self, X, y):
        func, compute = import_torch().func, self._raw(X)
        raw, pull_back = func.vjp(compute, self._trained)

        def of_one(vector):
            _, pushed = func.jvp(compute, (self._trained,), (self._split(vector),))
            if self.network.loss == "squared_error":
                return _flat(pull_back(2 * pushed)[0])
            proba = raw.softmax(1)
            mean = (proba * pushed).sum(1, keepdim=True)
            return _flat(pull_back(proba * (pushed - mean))[0])

        return of_one

    def _hessian(self, X, y):
        torch, compute = import_torch(), self._raw(X)

        def loss(trained):
            raw = compute(trained)
            if self.network.loss == "squared_error":
                return ((raw.reshape(y.shape) - y) ** 2).sum()
            return torch.nn.functional.cross_entropy(raw, y, reduction="sum")

        def of_one(vector):
            tangent = (self._split(vector),)
            return _flat(
                torch.func.jvp(torch.func.grad(loss), (self._trained,), tangent)[1]
            )

        return of_one

    def _split(self, vector):
        sizes = [value.numel() for value in self._trained.values()]
        pieces = zip(self._trained.items(), vector.split(sizes), strict=True)
        return {name: piece.reshape(value.shape) for (name, value), piece in pieces}


def _flat(values):
    return import_torch().cat([value.flatten() for value in values.values()])
