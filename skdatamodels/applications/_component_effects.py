"""Test by retraining whether components of embeddings are faithful to the model."""

from typing import NamedTuple

import numpy as np
from sklearn.utils import check_array

from skdatamodels._numbers import refuse_disguised
from skdatamodels._tables import Table, import_pandas, table_html, table_text
from skdatamodels.applications._edits import Edits, effects_on_everything
from skdatamodels.applications._similar_examples import similar_examples
from skdatamodels.training._players import players_of


class ComponentEffects(NamedTuple):
    """Effects of removing the training examples at each end of a component.

    Axis 1 is the end whose training examples are removed: first the end of positive
    coordinates, then that of negative ones. Entries are changes of the mean output, in
    the unit of the output. They are NaN if no example lies at that end.

    Attributes
    ----------
    same_end : float64 array of shape (n_components, 2)
        Effect on the targets at that end. Below 0 if the component is faithful.
    other_end : float64 array of shape (n_components, 2)
        Effect on the targets at the opposite end. Above 0 if the ends compete.
    rest : float64 array of shape (n_components, 2)
        Effect on all other targets. Near 0 if the component is faithful.
    removed : int array of shape (n_components, 2, n_removed)
        Removed training examples, most extreme first. Padded with -1 if fewer lie at
        that end. Groups, if the trainer has them.
    removed_ids : object array of shape (n_components, 2, n_removed)
        Their ids, or the labels of the groups, padded with None.
    targets : int array of shape (n_components, 2, n_ends)
        Targets at that end, most extreme first.
    target_ids : array of shape (n_components, 2, n_ends)
        Their ids.
    """

    same_end: np.ndarray
    other_end: np.ndarray
    rest: np.ndarray
    removed: np.ndarray
    removed_ids: np.ndarray
    targets: np.ndarray
    target_ids: np.ndarray

    def to_frame(self):
        """Return the effects as a pandas.DataFrame with a row for each end.

        Its columns are component, end, n_removed, same_end, other_end, rest, and the
        lists removed_ids and target_ids.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        removed = self.removed.reshape(-1, self.removed.shape[2])
        ids = self.removed_ids.reshape(removed.shape)
        lists = {
            "removed_ids": [
                own[at >= 0].tolist() for own, at in zip(ids, removed, strict=True)
            ],
            "target_ids": self.target_ids.reshape(len(removed), -1).tolist(),
        }
        return import_pandas().DataFrame(self._columns() | lists)

    def _columns(self):
        n_components = len(self.removed)
        return {
            "component": np.arange(n_components).repeat(2),
            "end": np.tile(["positive", "negative"], n_components),
            "n_removed": (self.removed >= 0).sum(axis=2).ravel(),
            "same_end": self.same_end.ravel(),
            "other_end": self.other_end.ravel(),
            "rest": self.rest.ravel(),
        }

    def _table(self):
        title = "Change of the mean output without the examples at an end"
        return Table(title, self._columns())

    __repr__ = table_text
    _repr_html_ = table_html


def component_effects(
    trainer,
    components,
    coordinates,
    *,
    n_removed=50,
    n_ends=20,
    n_trials=10,
    n_control_trials=100,
):
    """Measure the effect of removing the training examples at the ends of components.

    A component of datamodel embeddings has a coordinate for each training example, and
    each target has a coordinate along it. If the component is faithful to the model,
    the outputs of the targets at one end depend on the training examples at that end.

    Parameters
    ----------
    trainer : SubsetTrainer
        Trains the models. Its targets are the rows of `coordinates`. If it has
        `groups`, they take the place of the training examples.
    components : array-like of shape (n_components, n_train)
        ``components_`` of a PCA or TruncatedSVD that was fitted on embeddings.
    coordinates : array-like of shape (n_targets, n_components)
        Its ``transform`` of the embeddings of the trainer's targets.
    n_removed : int, default=50
        Number of training examples to remove. Fewer are removed if a component has
        fewer coordinates of that sign.
    n_ends : int, default=20
        Number of targets that form an end.
    n_trials : int, default=10
        Number of trainings without the examples of an end.
    n_control_trials : int, default=100
        Number of trainings on the full training set.

    Returns
    -------
    effects : ComponentEffects
        Changes of the mean output on the targets at the same end, at the other end and
        in between.

    Raises
    ------
    ValueError
        Before any training: if the shapes do not match the trainer, or `n_removed` or
        `n_ends` is too large.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.3.2, appendix J.

    Examples
    --------
    >>> from skdatamodels import Examples, SubsetTrainer
    >>> from skdatamodels.applications import component_effects
    >>> train = Examples([[0.0], [1.0], [2.0], [3.0]], [0.0, 0.0, 0.0, 0.0])
    >>> targets = Examples([[0.0], [3.0], [9.0]], [0.0, 0.0, 0.0])
    >>> def near(train_indices, seed):  # examples 0, 1 serve target 0; 2, 3 target 1
    ...     return [(train_indices < 2).sum(), (train_indices >= 2).sum(), 1]
    >>> trainer = SubsetTrainer(near, train, targets, random_state=0)
    >>> component, coordinates = [[0.5, 0.5, -0.5, -0.5]], [[1.0], [-1.0], [0.0]]
    >>> effects = component_effects(
    ...     trainer, component, coordinates, n_removed=2, n_ends=1
    ... )
    >>> effects
    Change of the mean output without the examples at an end
    component  end       n_removed  same_end  other_end  rest
            0  positive          2        -2          0     0
            0  negative          2        -2          0     0
    """
    refuse_disguised(components, "components")
    refuse_disguised(coordinates, "coordinates")
    components = check_array(components, input_name="components")
    coordinates = check_array(coordinates, input_name="coordinates")
    n_components, players = len(components), players_of(trainer)
    _check_shapes(trainer, components, coordinates, n_removed, n_ends)
    found = similar_examples(components, n_removed)
    removed = np.stack([found.positive, found.negative], axis=1)
    masks = np.zeros((2 * n_components, len(players)), dtype=bool)
    for mask, rows in zip(masks, removed.reshape(2 * n_components, -1), strict=True):
        mask[rows[rows >= 0]] = True
    effects = effects_on_everything(
        Edits(trainer), masks, None, n_trials, n_control_trials
    )
    change = np.where(masks.any(axis=1)[:, None], effects.mean, np.nan)
    change = change.reshape(n_components, 2, -1)
    order = np.argsort(coordinates, axis=0, kind="stable").T
    ends = np.stack([order[:, ::-1][:, :n_ends], order[:, :n_ends]], axis=1)
    rest = order[:, None, n_ends:-n_ends].repeat(2, axis=1)
    same, other, rest = (
        _mean_over(change, where) for where in (ends, ends[:, ::-1], rest)
    )
    return ComponentEffects(
        same,
        other,
        rest,
        removed,
        players.names_at(removed),
        ends,
        trainer.targets.ids_at(ends),
    )


def _mean_over(change, targets):
    return np.take_along_axis(change, targets, axis=2).mean(axis=2)


def _check_shapes(trainer, components, coordinates, n_removed, n_ends):
    n_train, n_targets = len(players_of(trainer)), len(trainer.targets)
    wanted = (n_targets, len(components))
    if components.shape[1] != n_train or coordinates.shape != wanted:
        raise ValueError(
            f"components must have shape (n_components, {n_train}) and coordinates "
            f"({n_targets}, n_components); got {components.shape} and "
            f"{coordinates.shape}."
        )
    if not 1 <= n_removed < n_train:
        raise ValueError(f"n_removed must be 1 to {n_train - 1}, got {n_removed}.")
    if not 1 <= n_ends < n_targets / 2:
        raise ValueError(
            f"n_ends must leave some of the {n_targets} targets between the two ends: "
            f"it must be 1 or more and below {n_targets / 2}; got {n_ends}."
        )
