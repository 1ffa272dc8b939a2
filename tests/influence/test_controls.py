import numpy as np
import pytest

from skdatamodels import Examples
from skdatamodels.influence import random_influence, same_class_influence

TRAIN = Examples(np.zeros((6, 2)), [3, 5, 3, 9, 5, 3])
TARGETS = Examples(np.zeros((3, 2)), [5, 3, 5])
SAME = np.array([[0, 1, 0, 0, 1, 0], [1, 0, 1, 0, 0, 1], [0, 1, 0, 0, 1, 0]])


def test_same_class():
    np.testing.assert_array_equal(same_class_influence(TRAIN, TARGETS), SAME)


@pytest.mark.parametrize("same_class", [False, True])
def test_random_depends_on_random_state_alone(same_class):
    def draw(random_state):
        return random_influence(
            TRAIN, TARGETS, same_class=same_class, random_state=random_state
        )

    np.testing.assert_array_equal(draw(3), draw(3))
    assert (draw(3) != draw(4)).any()
    legacy = [draw(np.random.RandomState(3)) for _ in range(2)]
    np.testing.assert_array_equal(*legacy)
    assert (draw(np.random.default_rng(0)) != draw(3)).any()


def test_random_weights_are_standard_normal():
    train, targets = (Examples(np.zeros((n, 1)), np.zeros(n)) for n in (400, 100))
    drawn = random_influence(train, targets)
    assert drawn.shape == (100, 400)
    assert abs(drawn.mean()) < 0.02
    assert abs(drawn.std() - 1) < 0.02
    assert abs(np.corrcoef(drawn[0], drawn[1])[0, 1]) < 0.2


def test_random_same_class_gives_weight_within_the_class():
    drawn = random_influence(TRAIN, TARGETS, same_class=True)
    np.testing.assert_array_equal(drawn > 0, SAME)
    assert len(np.unique(drawn[SAME == 1])) == SAME.sum()


@pytest.mark.parametrize(
    "baseline",
    [same_class_influence, lambda *parts: random_influence(*parts, same_class=True)],
)
def test_unknown_class(baseline):
    with pytest.raises(ValueError, match=r"not in the training set: \[7"):
        baseline(TRAIN, Examples(np.zeros((1, 2)), [7]))


@pytest.mark.parametrize("baseline", [same_class_influence, random_influence])
def test_examples_of_another_shape(baseline):
    with pytest.raises(ValueError, match=r"train.X has shape \(2,\), one of targets.X"):
        baseline(TRAIN, Examples(np.zeros((1, 3)), [3]))
