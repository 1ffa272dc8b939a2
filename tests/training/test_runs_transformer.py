"""RunsTransformer: a run depends on the configuration and its id, or its mask, alone.

Each test is run for both kinds: training on subsets, and evaluating components.
"""

from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skdatamodels import Examples, RunStore, SubsetTrainer, sample_masks
from skdatamodels.runs._meta import META, read_meta, write_meta
from skdatamodels.training import ComponentAblation

N = 20
TRAIN = Examples(np.arange(N)[:, None], np.zeros(N))


def shown(rows, seed):
    """Outputs that show what a run was given."""
    return np.array([rows[0], rows[1:].sum(), seed % 1000], dtype=float)


def train(log, train_indices, seed):
    with open(log, "a") as file:
        file.write(f"{seed}\n")
    return shown(train_indices, seed)


def evaluate(log, kept, seed):
    return train(log, np.flatnonzero(kept), seed)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log"
    path.touch()
    return path


@pytest.fixture(params=["training", "evaluation"])
def make(request, log):
    """Return a function that makes a transformer, which logs its runs."""

    def make_one(**params):
        params = {"design": "uniform", "random_state": 0} | params
        if request.param == "training":
            return SubsetTrainer(partial(train, log), TRAIN, TRAIN[:3], **params)
        names = {"components": N, "target_ids": range(3)}
        return ComponentAblation(partial(evaluate, log), **names, **params)

    return make_one


def seeds_in(log):
    return log.read_text().split()


def by_hand(runs):
    pairs = zip(runs.masks, runs.seeds, strict=True)
    return np.array([shown(np.flatnonzero(mask), seed) for mask, seed in pairs])


def only_store(root):
    (folder,) = (path for path in root.iterdir() if path.is_dir())
    return RunStore(folder)


@pytest.mark.parametrize("design", ["uniform", "bernoulli", "complementary"])
def test_masks_are_those_of_the_design(make, design):
    trainer = make(alpha=0.5, design=design, random_state=2)
    runs = trainer.fit_transform([5, 0, 9])
    masks = sample_masks([5, 0, 9], N, 0.5, design=design, random_state=2)
    assert_array_equal(runs.masks, masks.dense())
    assert_array_equal(runs.outputs, by_hand(runs))
    drawn = trainer.draw_subsets([5, 0, 9], trainer.entropy_)
    assert_array_equal(runs.masks, drawn.dense())
    more = make(design=design, random_state=2).fit_transform(np.arange(10))
    assert_array_equal(more.outputs[[5, 0, 9]], runs.outputs)


def test_store_has_only_what_is_missing_made(make, tmp_path, log):
    trainer = make(store=tmp_path / "runs")
    trainer.fit_transform([3, 1])
    assert len(seeds_in(log)) == 2
    runs = trainer.fit_transform(np.arange(5))
    assert len(seeds_in(log)) == len(set(seeds_in(log))) == 5
    assert_array_equal(trainer.transform([4, 2]).outputs, runs.outputs[[4, 2]])
    assert len(seeds_in(log)) == 5
    assert_array_equal(runs.outputs, make().fit_transform(range(5)).outputs)


@pytest.mark.parametrize("random_state", [None, 5])
def test_store_resumes_with_the_seed_it_was_begun_with(make, tmp_path, random_state):
    params = {"store": tmp_path / "runs", "random_state": random_state}
    first = make(**params).fit_transform(np.arange(3))
    again = make(**params).fit_transform(np.arange(6))
    assert_array_equal(again.outputs[:3], first.outputs)
    assert len(only_store(tmp_path / "runs")) == 6


@pytest.mark.parametrize("with_store", [False, True])
def test_a_seed_set_after_fit_is_the_one_in_use(make, tmp_path, with_store):
    trainer = make(store=tmp_path / "runs" if with_store else None).fit([0])
    runs = trainer.set_params(random_state=1).transform([0, 1])
    assert_array_equal(runs.masks, sample_masks(2, N, 0.5, random_state=1).dense())


def test_pairs_share_a_seed_and_fractions_take_turns(make, tmp_path):
    trainer = make(design="complementary")
    runs = trainer.fit_transform(np.arange(40))
    assert_array_equal(runs.seeds[1::2], runs.seeds[::2])
    assert len(set(runs.seeds)) == 20
    assert_array_equal(runs.masks[1::2], ~runs.masks[::2])
    trainer.set_params(design="uniform", alpha=(0.2, 0.6), store=tmp_path / "runs")
    pool = trainer.fit_transform(np.arange(6))
    assert pool.masks.sum(axis=1).tolist() == [4, 12] * 3
    assert len(set(pool.seeds)) == 6
    assert "-uniform-alpha0.2-0.6-" in only_store(tmp_path / "runs").path.name
    assert clone(trainer).fit_transform([5]).masks.sum() == 12


def test_given_masks_know_no_alpha(make, tmp_path, log):
    masks = sample_masks(4, N, 0.7).dense()
    trainer = make(store=tmp_path / "runs")
    first = trainer.fit_transform(masks)
    again = clone(trainer).set_params(alpha=0.2).fit_transform(masks[::-1])
    assert len(seeds_in(log)) == 4
    assert_array_equal(again.outputs, first.outputs[::-1])
    assert_array_equal(again.masks, masks[::-1])
    trainer.transform(np.arange(2))  # run ids have a store of their own
    assert len(seeds_in(log)) == 6
    assert len(list((tmp_path / "runs").iterdir())) == 2


@pytest.mark.parametrize("with_store", [False, True])
def test_repeated_masks_have_other_seeds(make, tmp_path, with_store):
    trainer = make(store=tmp_path / "runs" if with_store else None)
    masks = sample_masks(2, N, 0.5, random_state=9).dense()
    runs = trainer.fit_transform(masks[[0, 1, 0, 0]])
    assert_array_equal(runs.masks, masks[[0, 1, 0, 0]])
    assert_array_equal(runs.outputs, by_hand(runs))
    assert len(set(runs.seeds)) == 4
    more = trainer.transform(masks[[1, 0, 0, 0, 0]])
    assert_array_equal(more.outputs[:4], runs.outputs[[1, 0, 2, 3]])
    if with_store:
        assert len(only_store(tmp_path / "runs")) == 5


def test_forms_of_masks(make):
    trainer, masks = make(), np.arange(60).reshape(3, N) % 3 > 0
    expected = trainer.fit_transform(masks)
    for form in (masks.astype(np.uint8), pd.DataFrame(masks), expected.packed):
        assert_array_equal(trainer.transform(form).outputs, expected.outputs)
    with pytest.raises(TypeError, match=r"trained already.*X\.packed"):
        trainer.transform(expected)


def test_y_beside_run_ids_is_ignored(make):
    trainer = make()
    runs = trainer.fit_transform(np.arange(3), np.zeros(3))
    assert_array_equal(runs.outputs, trainer.transform(range(3)).outputs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda meta: "", "is not a run store"),
        (lambda meta: meta.replace('"format": 2', '"format": 3'), "Upgrade"),
        (
            lambda meta: meta.replace('"alpha": 0.5', '"alpha": 0.4'),
            "edited or damaged",
        ),
    ],
)
def test_a_store_that_does_not_fit_is_refused(make, tmp_path, log, change, message):
    trainer = make(store=tmp_path / "runs")
    trainer.fit_transform([0])
    meta = only_store(tmp_path / "runs").path / META
    changed = change(meta.read_text())
    assert changed != meta.read_text()
    meta.write_text(changed)
    for call in (trainer.transform, clone(trainer).fit):
        with pytest.raises(ValueError, match=message):
            call([0, 1])
    assert len(seeds_in(log)) == 1


def test_the_store_of_another_configuration_is_refused(make, tmp_path):
    trainer = make(store=tmp_path / "runs")
    trainer.fit_transform([0])
    folder = only_store(tmp_path / "runs").path
    meta = read_meta(folder) | {"format": 2}
    meta["configuration"]["alpha"] = 0.4
    write_meta(folder, meta)  # with a checksum that is right
    with pytest.raises(ValueError, match=r"alpha: stored 0\.4, requested 0\.5"):
        trainer.transform([0, 1])


def test_a_store_under_a_file_is_an_error(make, log):
    with pytest.raises(OSError, match="log"):
        make(store=log).fit_transform([0])


def test_store_needs_a_seed_that_can_be_written_down(make, tmp_path):
    trainer = make(store=tmp_path / "runs", random_state=np.random.RandomState(0))
    with pytest.raises(ValueError, match="must be an int or None"):
        trainer.fit([0])


def test_two_processes_share_a_store(make, tmp_path, log):
    trainer = make(store=tmp_path / "runs")
    both = joblib.Parallel(2)(
        joblib.delayed(clone(trainer).fit_transform)(np.arange(30)) for _ in range(2)
    )
    assert_array_equal(both[0].outputs, both[1].outputs)
    assert len(seeds_in(log)) == 30
