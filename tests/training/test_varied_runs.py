"""SubsetTrainer(vary=...): pairs of runs that vary a few examples."""

import warnings

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge

from skdatamodels import Examples, RunStore, SubsetTrainer
from skdatamodels.inference import infer_varied
from skdatamodels.runs import aggregate_targets
from skdatamodels.training import TorchLearner

RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 4))
Y = X @ [1.0, -1.0, 0.5, 0.0] + 0.5 * RNG.standard_normal(50)
TRAIN = Examples(X[:40], Y[:40], ids=[f"r{i}" for i in range(40)])
TARGETS = Examples(X[40:], Y[40:])
GROUPS = np.array(list("abcdefgh"))[np.arange(40) % 8]


def make_trainer(estimator=None, **parameters):
    parameters = {"vary": [7, 3], "random_state": 0, **parameters}
    estimator = Ridge() if estimator is None else estimator
    return SubsetTrainer(estimator, TRAIN, TARGETS, **parameters)


def linear(rows, seed):
    """Return outputs that are linear in the rows, with noise of the seed."""
    noise = 10 * np.random.default_rng(seed).standard_normal(10)
    return (np.arange(40.0)[rows].sum() + noise) * np.ones(10)


def test_pairs_share_the_seed_and_all_but_the_varying_rows():
    runs = make_trainer().fit_transform(np.arange(20))
    assert_array_equal(runs.seeds[::2], runs.seeds[1::2])
    assert len(np.unique(runs.seeds)) == 10
    differ = runs.masks[::2] != runs.masks[1::2]
    assert_array_equal(np.flatnonzero(differ.any(axis=0)), [3, 7])
    assert differ[:, [3, 7]].all()
    assert_array_equal(make_trainer().draw_subsets(20, 0), runs.packed)


def test_outputs_are_those_of_a_model_that_saw_the_varying_rows_last():
    trainer = make_trainer(RandomForestRegressor(3))
    runs = trainer.fit_transform(np.arange(4))
    for mask, seed, outputs in zip(runs.masks, runs.seeds, runs.outputs, strict=True):
        rows = np.flatnonzero(mask)
        rows = [row for row in rows if row not in (3, 7)] + [
            row for row in rows if row in (3, 7)
        ]
        # the seed of the only random_state, as SubsetTrainer derives it
        state = int(np.random.SeedSequence(int(seed)).generate_state(1)[0])
        model = RandomForestRegressor(3, random_state=state).fit(X[rows], Y[rows])
        assert_allclose(outputs, model.predict(X[40:]), rtol=1e-6)


def test_callables_get_the_varying_rows_last():
    seen = []

    def learner(rows, seed):
        seen.append(rows)
        return np.zeros(10)

    make_trainer(learner).fit_transform(np.arange(8))
    for rows in seen:
        late = np.isin(rows, [3, 7])
        assert_array_equal(late, np.sort(late))
        assert (np.diff(rows[~late]) > 0).all()


def test_weights_of_a_linear_learner_are_exact_although_its_noise_is_large():
    inference = infer_varied(make_trainer(linear).fit_transform(np.arange(12)))
    assert_allclose(inference.estimate, np.tile([3.0, 7.0], (10, 1)), atol=1e-3)
    assert inference.player_ids.tolist() == ["r3", "r7"]


def test_fast_path_and_own_fit_agree():
    fast, slow = (
        make_trainer(Ridge(), fast=fast).fit_transform(np.arange(8))
        for fast in (True, False)
    )
    assert_allclose(fast.outputs, slow.outputs, rtol=1e-4, atol=1e-4)


def test_networks_share_seeds_too():
    torch = pytest.importorskip("torch")
    learner = TorchLearner(
        lambda: torch.nn.Linear(4, 1), epochs=1, batch_size=8, loss="squared_error"
    )
    runs = make_trainer(learner).fit_transform(np.arange(8))
    assert np.isfinite(runs.outputs).all()
    assert_array_equal(runs.seeds[::2], runs.seeds[1::2])


def test_groups_vary_as_a_whole():
    trainer = make_trainer(linear, groups=GROUPS, vary=["g", "b"])
    runs = trainer.fit_transform(np.arange(40))
    differ = runs.masks[::2] != runs.masks[1::2]
    assert_array_equal(np.flatnonzero(differ.any(axis=0)), [1, 6])
    inference = infer_varied(runs)
    sums = [np.arange(40)[label == GROUPS].sum() for label in "bg"]
    assert_allclose(inference.estimate, np.tile(sums, (10, 1)), atol=1e-3)
    assert inference.player_ids.tolist() == ["b", "g"]


def test_one_row_and_one_group():
    runs = make_trainer(linear, vary=[5]).fit_transform(np.arange(20))
    assert_allclose(infer_varied(runs).estimate, np.full((10, 1), 5.0), atol=1e-3)
    runs = make_trainer(linear, groups=GROUPS, vary=["c"]).fit_transform(np.arange(20))
    total = np.arange(40)[GROUPS == "c"].sum()
    assert_allclose(infer_varied(runs).estimate, np.full((10, 1), total), atol=1e-3)


def test_a_store_resumes_and_keeps_other_varying_rows_apart(tmp_path, monkeypatch):
    seen, fit = [], Ridge.fit

    def counting(self, X, y):
        seen.append(len(y))
        return fit(self, X, y)

    monkeypatch.setattr(Ridge, "fit", counting)
    trainer = make_trainer(fast=False, store=tmp_path)
    first = trainer.fit_transform(np.arange(6))
    assert len(seen) == 6
    again = clone(trainer).set_params(vary=[3, 7]).fit_transform(np.arange(10))
    assert len(seen) == 10
    assert_array_equal(again.outputs[:6], first.outputs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # another study is no mistake
        clone(trainer).set_params(vary=[3, 8]).fit_transform([0, 1])
        clone(trainer).set_params(vary=None).fit_transform([0, 1])
    assert len(seen) == 14
    folders = sorted(path.name for path in tmp_path.iterdir())
    assert len(folders) == 3
    assert sum("vary2" in name for name in folders) == 2
    path = next(path for path in tmp_path.iterdir() if len(RunStore(path).runs()) == 10)
    stored = infer_varied(RunStore(path).runs())
    assert_allclose(stored.estimate, infer_varied(again).estimate)


def test_runs_do_not_depend_on_the_others_or_on_workers():
    whole = make_trainer(linear).fit_transform(np.arange(10))
    with parallel_config("threading", n_jobs=2):
        some = make_trainer(linear).fit_transform([9, 2])
    assert_array_equal(some.outputs, whole.outputs[[9, 2]])


def test_given_masks_ignore_it():
    masks = make_trainer().draw_subsets(6, 0).dense()
    varied, plain = (
        make_trainer(ExtraTreesRegressor(3), vary=vary).fit_transform(masks)
        for vary in ([3, 7], None)
    )
    assert_array_equal(varied.outputs, plain.outputs)
    assert_array_equal(varied.seeds, plain.seeds)


@pytest.mark.parametrize("stored", [False, True])
def test_kept_models_know_their_rows_in_the_order_of_training(tmp_path, stored):
    trainer = make_trainer(RandomForestRegressor(2), vary=[3, 7], keep_models=2)
    runs = trainer.set_params(store=tmp_path if stored else None)
    runs = runs.fit_transform(np.arange(4))
    assert len(runs.models) == 2
    for kept, mask in zip(runs.models, runs.masks, strict=False):
        assert_array_equal(np.sort(kept.subset), np.flatnonzero(mask))
        # so that influence functions know what each tree has drawn
        drawn = kept.model.estimators_samples_[0]
        tree = kept.model.estimators_[0]
        rows = kept.subset[drawn]
        again = clone(tree).fit(X[rows], Y[rows])
        assert_allclose(again.predict(X[40:]), tree.predict(X[40:]), rtol=1e-6)


def test_several_fractions_and_a_stratified_design():
    trainer = make_trainer(LogisticRegression(), design="stratified", alpha=(0.3, 0.6))
    y = Y > 0
    trainer.set_params(train=Examples(X[:40], y[:40]), targets=Examples(X[40:], y[40:]))
    masks = trainer.draw_subsets(8, 0).dense()
    others = np.delete(np.arange(40), [3, 7])
    sizes = masks[:, others].sum(axis=1)
    assert (
        sizes.tolist()
        == [round(0.3 * 38)] * 2
        + [round(0.6 * 38)] * 2
        + [round(0.3 * 38)] * 2
        + [round(0.6 * 38)] * 2
    )
    share = masks[:, others][:, y[others]].sum(axis=1) / sizes
    assert abs(share - y[others].mean()).max() < 0.06
    assert np.isfinite(trainer.fit_transform(np.arange(8)).outputs).all()


@pytest.mark.parametrize(
    ("parameters", "error", "match"),
    [
        ({"vary": [40]}, ValueError, "rows of train from 0 to 39, got 40 to 40"),
        ({"vary": [-1, 3]}, ValueError, "got -1 to 3"),
        ({"vary": [3, 5, 3]}, ValueError, r"vary has \['r3'\] more than once"),
        ({"vary": []}, ValueError, "a list of one or more training examples"),
        ({"vary": [[1, 2]]}, ValueError, "a list of one or more training examples"),
        ({"vary": [0.5]}, TypeError, "rows of train, integers .* got float64"),
        ({"vary": [True, False]}, TypeError, "rows of train, integers .* got bool"),
        ({"vary": ["r3"]}, TypeError, r"Of ids, train.positions_of\(ids\) gives"),
        ({"vary": np.arange(40)}, ValueError, "vary has all 40 training examples"),
        ({"vary": np.arange(39)}, ValueError, "the 1 that do not vary"),
        ({"design": "complementary"}, ValueError, "has pairs of its own"),
        ({"design": "orthogonal"}, ValueError, "has pairs of its own"),
        ({"groups": GROUPS, "vary": ["z"]}, ValueError, r"vary has \['z'\], which are"),
        ({"groups": GROUPS, "vary": [3]}, ValueError, "not labels of groups"),
        ({"groups": GROUPS, "vary": ["a", "a"]}, ValueError, "more than once"),
        ({"groups": GROUPS, "vary": list("abcdefgh")}, ValueError, "all 8 groups"),
        ({"groups": GROUPS, "vary": "a"}, ValueError, "vary"),
    ],
)
def test_bad_input_is_refused_before_training(parameters, error, match):
    def learner(rows, seed):
        raise AssertionError("trained")

    with pytest.raises(error, match=match):
        make_trainer(learner, **parameters).fit_transform(np.arange(4))


def test_subsets_that_do_not_fill_a_batch_are_refused():
    torch = pytest.importorskip("torch")
    learner = TorchLearner(
        lambda: torch.nn.Linear(4, 1), epochs=1, batch_size=20, loss="squared_error"
    )
    with pytest.raises(ValueError, match="fewer than a batch of batch_size=20"):
        make_trainer(learner, vary=[3, 7]).fit_transform(np.arange(16))


def test_weights_for_the_mean_output_are_the_mean_weights():
    runs = make_trainer().fit_transform(np.arange(40))
    one = infer_varied(aggregate_targets(runs))
    assert_allclose(
        one.estimate[0], infer_varied(runs).estimate.mean(axis=0), rtol=1e-4
    )
    assert one.player_ids.tolist() == ["r3", "r7"]
