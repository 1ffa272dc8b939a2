"""What one learner gets from the training set, and another does not."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd, svd_flip

from skdatamodels._examples import check_examples
from skdatamodels._last_step import last_step
from skdatamodels._random import entropy_from
from skdatamodels._tables import Table, import_pandas, table_html, table_text
from skdatamodels.applications._attributions import check_weights, names_of
from skdatamodels.applications._component_effects import component_effects
from skdatamodels.training._players import players_of

_SAME = {
    "output_info_": "outputs",
    "player_ids_": "training examples",
    "target_ids_": "targets",
}
_FLATTERED = (
    "The noise of A's weights is in its shares: two fits of one learner differ, too. "
    "Pass held_out, weights from other runs, to measure them without it."
)


@dataclass(frozen=True, repr=False)
class LearnerComparison:
    """Directions that the weights of learner A have, and those of learner B have not.

    Attributes
    ----------
    components : float64 array of shape (n_components, n_train)
        The directions: unit vectors with a coordinate for each training example. The
        most distinguishing is first.
    coordinates : float64 array of shape (n_targets, n_components)
        Coordinates of A's weights along them, of unit length and without what B
        shares. Targets with the largest ones, of either sign, are those on which the
        learners differ.
    explained_in_a, explained_in_b : float64 arrays of shape (n_components,)
        Share of the squared weights along each direction, mean over targets. A random
        direction has ``1 / n_train``.
    similarity : float64 array of shape (n_targets,)
        Cosine between the weights of A and B for each target.
    held_out : bool
        Whether the shares were measured on other weights than the directions.
    train_ids, target_ids : array or None
        Ids of the training examples and of the targets.
    """

    components: np.ndarray
    coordinates: np.ndarray
    explained_in_a: np.ndarray
    explained_in_b: np.ndarray
    similarity: np.ndarray
    held_out: bool
    train_ids: np.ndarray | None = None
    target_ids: np.ndarray | None = None

    def effects(self, trainer_a, trainer_b, **params):
        """Test by retraining whether the directions matter to A and not to B.

        The training examples at each end of a direction are removed, and both learners
        are trained without them.

        Parameters
        ----------
        trainer_a, trainer_b : SubsetTrainer
            Trainers of the two learners, with the training set and the targets of the
            weights.
        **params : dict
            Arguments of :func:`component_effects`: `n_removed`, `n_ends`, `n_trials`
            and `n_control_trials`. `n_ends` is at most 20 by default, and below half
            of the targets.

        Returns
        -------
        effects_a, effects_b : ComponentEffects
            Changes of the outputs of both learners. A direction that only A uses has a
            `same_end` below 0 for A and near 0 for B.
        """
        n_targets, n_train = len(self.coordinates), self.components.shape[1]
        for name, trainer in (("trainer_a", trainer_a), ("trainer_b", trainer_b)):
            sizes = len(players_of(trainer)), len(trainer.targets)
            if sizes != (n_train, n_targets):
                raise ValueError(
                    f"{name} has {sizes[0]} training examples and {sizes[1]} targets, "
                    f"but the comparison is about {n_train} and {n_targets}."
                )
        params = {"n_ends": min(20, (n_targets - 1) // 2)} | params
        return tuple(
            component_effects(trainer, self.components, self.coordinates, **params)
            for trainer in (trainer_a, trainer_b)
        )

    def to_frame(self):
        """Return the directions as a pandas.DataFrame, a row for each coordinate.

        Its columns are direction, explained_in_a, explained_in_b, of ("target" or
        "train"), example, id, which is the position where ids are not known, and
        coordinate. In each direction the targets come first, then the training
        examples, the largest coordinates of either sign first.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas, parts = import_pandas(), []
        for direction in range(len(self.components)):
            for of, values, ids in (
                ("target", self.coordinates[:, direction], self.target_ids),
                ("train", self.components[direction], self.train_ids),
            ):
                order = np.argsort(-np.abs(values), kind="stable")
                columns = {
                    "direction": direction,
                    "explained_in_a": self.explained_in_a[direction],
                    "explained_in_b": self.explained_in_b[direction],
                    "of": of,
                    "example": order,
                    "id": order if ids is None else ids[order],
                    "coordinate": values[order],
                }
                parts.append(pandas.DataFrame(columns))
        return pandas.concat(parts, ignore_index=True)

    def _table(self):
        n_components = len(self.components)
        columns = {
            "direction": np.arange(n_components),
            "explained in A": self.explained_in_a,
            "in B": self.explained_in_b,
            "targets": [
                _names(order, self.target_ids)
                for order in np.argsort(-np.abs(self.coordinates), axis=0).T
            ],
            "training examples": [
                _names(order, self.train_ids)
                for order in np.argsort(-np.abs(self.components), axis=1)
            ],
        }
        similarity = f"cosine of the median target {np.median(self.similarity):.2f}"
        notes = (f"Weights of A and B: {similarity}.{self._alike()}",)
        if not self.held_out:
            notes += (_FLATTERED,)
        title = "What A gets from the training set, and B does not"
        return Table(title, columns, notes=notes)

    def _alike(self):
        if self.similarity.min() > 1 - 1e-9:
            return " They are the same, and the directions mean nothing."
        return ""

    __repr__ = table_text
    _repr_html_ = table_html


def compare_learners(
    weights_a,
    weights_b,
    *,
    n_components=3,
    held_out=None,
    train=None,
    targets=None,
    random_state=0,
):
    """Find what learner A gets from the training set, and learner B does not.

    Two learners, such as a forest and a boosting, or one with and without
    augmentation, may have the same accuracy for other reasons. Their weights tell: a
    direction in the space of training examples that has much of A's weights, and
    little of B's, is a group of examples that only A uses for some of the targets.

    Parameters
    ----------
    weights_a, weights_b : array-like or CSR of shape (n_targets, n_train), or \
fitted estimators
        Attribution matrices of both learners, for the same targets and training set,
        from runs with the same `alpha` and output. Swap them for what only B uses.
    n_components : int, default=3
        Number of directions.
    held_out : tuple of two attribution matrices, default=None
        Weights of A and B from other runs. If given, `explained_in_a` and
        `explained_in_b` are measured on both, which noise does not flatter. Without
        them, the noise of A's weights is counted as A's.
    train, targets : Examples, default=None
        The training set and the targets, for ids. By default, those that a fitted
        `weights_a` knows.
    random_state : int, RandomState instance or None, default=0
        Seed of the decomposition of large matrices.

    Returns
    -------
    comparison : LearnerComparison
        Directions, coordinates of the targets, and shares of the weights.

    Raises
    ------
    ValueError
        If the matrices differ in shape, fitted estimators know that their runs are of
        other outputs, examples or targets, or `n_components` is too large.

    See Also
    --------
    component_effects : Removes the examples at the ends of directions.

    Notes
    -----
    Weights of each target are scaled to unit length, so that it does not matter how
    large its output is. The residual of A is what is left of its weights without their
    projection on those of B for the same target. The directions are the right singular
    vectors of the residuals.

    References
    ----------
    Shah, Park, Ilyas, Madry, "ModelDiff: A Framework for Comparing Learning
    Algorithms", ICML 2023, section 3.

    Examples
    --------
    A uses examples 2 and 3 for the last target; B does not:

    >>> from skdatamodels.applications import compare_learners
    >>> a = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 2.0, 2.0]]
    >>> b = [[2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]]
    >>> comparison = compare_learners(a, b, n_components=1)
    >>> comparison.components.round(2) + 0
    array([[0.  , 0.  , 0.71, 0.71]])
    >>> print(f"{comparison.explained_in_a[0]:.2f} {comparison.explained_in_b[0]:.2f}")
    0.30 0.00
    """
    given = {"weights_a": weights_a, "weights_b": weights_b}
    if held_out is not None:
        if not isinstance(held_out, tuple | list) or len(held_out) != 2:
            raise TypeError("held_out must be two attribution matrices: (of A, of B).")
        given |= {"held_out[0]": held_out[0], "held_out[1]": held_out[1]}
    _check_same(given)
    units = {name: _unit(matrix, name) for name, matrix in given.items()}
    shape = units["weights_a"].shape
    for name, matrix in units.items():
        if matrix.shape != shape:
            raise ValueError(
                f"weights_a has shape {shape}, but {name} {matrix.shape}. Both must be "
                "of the same targets and training examples."
            )
    if not (isinstance(n_components, Integral) and 1 <= n_components <= min(shape)):
        raise ValueError(
            f"n_components must be an integer from 1 to {min(shape)}, got "
            f"{n_components!r}."
        )
    for name, part, n in (("targets", targets, shape[0]), ("train", train, shape[1])):
        if part is not None:
            check_examples(part, name)
            if len(part) != n:
                raise ValueError(
                    f"weights_a has shape {shape}, but {name} has {len(part)} rows."
                )
    a, b = units["weights_a"], units["weights_b"]
    similarity = np.einsum("ij,ij->i", a, b)
    residual = a - similarity[:, None] * b
    components, coordinates = _directions(residual, n_components, random_state)
    others = [units.get(f"held_out[{i}]", matrix) for i, matrix in enumerate((a, b))]
    explained = [
        ((one @ components.T) * (other @ components.T)).mean(axis=0)
        for one, other in zip((a, b), others, strict=True)
    ]
    return LearnerComparison(
        components,
        coordinates,
        *explained,
        similarity,
        held_out is not None,
        names_of(weights_a, train, "player_ids_"),
        names_of(weights_a, targets, "target_ids_"),
    )


def _check_same(given):
    """Raise if fitted estimators know that they are about different things."""
    first = last_step(given["weights_a"])
    for name, weights in given.items():
        for attribute, what in _SAME.items():
            known = [getattr(m, attribute, None) for m in (first, last_step(weights))]
            if any(one is None for one in known):
                continue
            if not np.array_equal(*known):
                raise ValueError(
                    f"weights_a and {name} were fitted on runs of different {what}. "
                    "Then their weights differ, whatever the learners do: collect "
                    f"runs of the same {what} for both."
                )


def _unit(weights, name):
    weights = check_weights(weights, name)
    dense = weights.toarray() if issparse(weights) else weights
    return normalize(dense.astype(np.float64))


def _directions(residual, n_components, random_state):
    """Return unit vectors (n_components, n_train), and coordinates along them."""
    seed = entropy_from(random_state) % 2**32
    if min(residual.shape) > 10 * n_components + 100:
        _, _, components = randomized_svd(
            residual, n_components, n_iter=10, random_state=seed
        )
    else:
        components = np.linalg.svd(residual, full_matrices=False)[2][:n_components]
    coordinates = residual @ components.T
    _, components = svd_flip(coordinates, components)
    return components, residual @ components.T


def _names(order, ids):
    some = order[:3]
    shown = some if ids is None else ids[some]
    return ", ".join(map(str, shown.tolist()))
