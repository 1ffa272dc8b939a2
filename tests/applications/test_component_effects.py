"""Effects at the ends of components, against a learner that can be summed by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.applications import component_effects

rng = np.random.default_rng(0)
N_TRAIN, N_TARGETS = 12, 9
COEF = rng.normal(size=(N_TARGETS, N_TRAIN))
TRAIN = Examples(
    np.zeros((N_TRAIN, 1)), np.zeros(N_TRAIN), ids=[f"row {i}" for i in range(N_TRAIN)]
)
TARGETS = Examples(np.zeros((N_TARGETS, 1)), np.zeros(N_TARGETS))
COMPONENTS = np.linalg.svd(COEF)[2][:2]
COORDINATES = COEF @ COMPONENTS.T


def linear(train_indices, seed):
    return COEF[:, train_indices].sum(axis=1)


TRAINER = SubsetTrainer(linear, TRAIN, TARGETS, random_state=0)


def test_effects_are_sums_over_the_ends():
    effects = component_effects(
        TRAINER, COMPONENTS, COORDINATES, n_removed=3, n_ends=2, n_trials=2
    )
    for component, (direction, place) in enumerate(
        zip(COMPONENTS, COORDINATES.T, strict=True)
    ):
        for end, sign in enumerate((1, -1)):
            removed = np.argsort(-sign * direction)[:3]
            assert_array_equal(effects.removed[component, end], removed)
            change = -COEF[:, removed].sum(axis=1)
            targets = np.argsort(-sign * place)
            assert_array_equal(effects.targets[component, end], targets[:2])
            for found, where in [
                (effects.same_end, targets[:2]),
                (effects.other_end, targets[-2:]),
                (effects.rest, targets[2:-2]),
            ]:
                expected = pytest.approx(change[where].mean(), abs=1e-5)
                assert found[component, end] == expected
    assert (effects.same_end < 0).all()
    assert (effects.other_end > 0).all()


def test_examples_without_a_coordinate_lie_at_no_end():
    """Where an end has fewer examples than asked for, no others are removed."""
    components = np.zeros((2, N_TRAIN))
    components[0, [3, 7]], components[0, 5] = [0.2, 0.9], -0.4
    components[1, [2, 4, 6]] = 0.5  # and none below 0
    coordinates = COEF @ components.T
    effects = component_effects(
        TRAINER, components, coordinates, n_removed=3, n_ends=2, n_trials=1
    )
    assert effects.removed[0].tolist() == [[7, 3, -1], [5, -1, -1]]
    assert effects.removed_ids[0].tolist() == [
        ["row 7", "row 3", None],
        ["row 5", None, None],
    ]
    assert set(effects.removed[1, 0].tolist()) == {2, 4, 6}
    assert_array_equal(effects.removed[1, 1], -1)
    first = np.argsort(-coordinates[:, 0])[:2]
    expected = -COEF[first][:, [3, 7]].sum(axis=1).mean()
    assert effects.same_end[0, 0] == pytest.approx(expected, abs=1e-5)
    assert np.isnan(effects.same_end[1, 1])
    assert np.isfinite(effects.same_end[1, 0])


def test_trainings_are_kept_by_the_store(tmp_path):
    trainer = SubsetTrainer(linear, TRAIN, TARGETS, random_state=0, store=tmp_path)
    params = {"n_removed": 3, "n_ends": 2, "n_trials": 2, "n_control_trials": 2}
    first = component_effects(trainer, COMPONENTS, COORDINATES, **params)
    again = component_effects(trainer, COMPONENTS, COORDINATES, **params)
    assert_allclose(first.rest, again.rest, rtol=0)
    assert not hasattr(trainer, "entropy_")  # a clone was fitted


@pytest.mark.parametrize(
    ("components", "coordinates", "params", "message"),
    [
        (COMPONENTS.T, COORDINATES, {}, "must have shape"),
        (COMPONENTS, COORDINATES.T, {}, "must have shape"),
        (COMPONENTS * np.nan, COORDINATES, {}, "components contains NaN"),
        (COMPONENTS, COORDINATES, {"n_removed": N_TRAIN}, "n_removed must be 1 to 11"),
        (COMPONENTS, COORDINATES, {"n_removed": 2, "n_ends": 5}, "n_ends must leave"),
    ],
)
def test_bad_input(components, coordinates, params, message):
    with pytest.raises(ValueError, match=message):
        component_effects(TRAINER, components, coordinates, **params)


def test_a_frame_names_the_examples_and_the_targets_of_each_end():
    pytest.importorskip("pandas")
    names = [f"target {k}" for k in range(N_TARGETS)]
    trainer = SubsetTrainer(
        linear, TRAIN, Examples(TARGETS.X, TARGETS.y, ids=names), random_state=0
    )
    components = np.zeros((1, N_TRAIN))
    components[0, [3, 7]], components[0, 5] = [0.2, 0.9], -0.4
    coordinates = np.arange(N_TARGETS)[:, None] - 4.0
    frame = component_effects(
        trainer, components, coordinates, n_removed=3, n_ends=2, n_trials=1
    ).to_frame()
    assert frame["removed_ids"].tolist() == [["row 7", "row 3"], ["row 5"]]
    ends = [["target 8", "target 7"], ["target 0", "target 1"]]
    assert frame["target_ids"].tolist() == ends
