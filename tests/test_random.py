import numpy as np
import pytest

from skdatamodels._random import entropy_from, mask_generator, training_seed


@pytest.mark.parametrize("seed", [0, 7, 2**40, np.int64(3), np.uint8(200)])
def test_an_integer_is_its_own_entropy(seed):
    entropy = entropy_from(seed)
    assert entropy == seed
    assert type(entropy) is int


@pytest.mark.parametrize(
    "make", [np.random.RandomState, np.random.default_rng], ids=["legacy", "generator"]
)
def test_a_generator_is_drawn_from(make):
    assert entropy_from(make(5)) == entropy_from(make(5)) != entropy_from(make(6))
    stream = make(5)
    assert entropy_from(stream) != entropy_from(stream)


def test_none_is_fresh_and_fits_a_json_integer():
    drawn = {entropy_from(None) for _ in range(20)}
    assert len(drawn) == 20
    assert all(type(entropy) is int and 0 <= entropy < 2**63 for entropy in drawn)


def test_the_global_state_of_numpy_counts():
    state = np.random.get_state()
    try:
        np.random.seed(3)
        first = entropy_from(np.random)
        np.random.seed(3)
        assert entropy_from(np.random) == first != entropy_from(np.random)
    finally:
        np.random.set_state(state)


def test_wrong_random_state():
    with pytest.raises(ValueError, match=r"non-negative integer, got -1"):
        entropy_from(-1)
    with pytest.raises(ValueError, match="cannot be used to seed"):
        entropy_from("seven")


def test_masks_and_trainings_of_all_runs_have_streams_of_their_own():
    words = [mask_generator(9, run).integers(2**63) for run in range(500)]
    words += [mask_generator(10, run).integers(2**63) for run in range(500)]
    assert len(set(words)) == 1000
    seeds = [training_seed(9, run) for run in range(500)]
    assert all(type(seed) is int and 0 <= seed < 2**32 for seed in seeds)
    assert len(set(seeds)) == 500
    assert training_seed(9, 1, 0) != training_seed(9, 1) != training_seed(9, 1, 1)
    assert training_seed(9, 1) == training_seed(9, np.int64(1))


def test_streams_are_those_of_numpy_seed_sequences():
    # part of the file format: stores keep the entropy and rely on this rule
    sequence = np.random.SeedSequence(9, spawn_key=(4, 0))
    expected = np.random.default_rng(sequence).random(5)
    assert (mask_generator(9, 4).random(5) == expected).all()
    sequence = np.random.SeedSequence(9, spawn_key=(4, 1))
    assert training_seed(9, 4) == sequence.generate_state(1)[0]
