"""Runs that belong together are never divided between fit and judgement."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.linear_model import Lasso, RidgeClassifier
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    ShuffleSplit,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer, TrainingRuns
from skdatamodels.datasets import make_linear_runs
from skdatamodels.masks import sample_masks
from skdatamodels.masks._varied import sample_varied_masks
from skdatamodels.runs._training_runs import joined_runs, paired_runs

RUNS, _ = make_linear_runs(60, 10, 2, noise=1.0, random_state=0)
MASKS, OUTPUTS = RUNS.masks, RUNS.outputs.astype(np.float64)
GROUPS = np.random.default_rng(0).integers(0, 12, 60)
SOLVERS = ["gram", "residual", "saga"]


def errors_by_hand(y, lams, splits):
    """Mean squared error on held-out runs, by scikit-learn."""
    squares = []
    for train, test in splits:
        for k, lam in enumerate(lams):
            best = Lasso(lam, tol=1e-10, max_iter=100_000)
            predicted = best.fit(MASKS[train], y[train]).predict(MASKS[test])
            squares += [(k, s) for s in (y[test] - predicted) ** 2]
    k, squares = np.array(squares).T
    return [squares[k == i].mean() for i in range(len(lams))]


CVS = {
    "GroupKFold": GroupKFold(4),
    "KFold": KFold(4),
    "overlapping": ShuffleSplit(3, test_size=0.4, train_size=0.4, random_state=0),
}


@pytest.mark.parametrize("kind", [*CVS, "list"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_splitters_give_the_folds(solver, kind):
    cv = CVS["GroupKFold" if kind == "list" else kind]
    groups = GROUPS if isinstance(cv, GroupKFold) else None
    splits = list(cv.split(MASKS, groups=groups))
    model = DatamodelRegressor(
        "cv", cv=splits if kind == "list" else cv, n_lams=5, solver=solver, tol=1e-8
    )
    model.fit(MASKS, OUTPUTS, groups=None if kind == "list" else groups)
    for j, y in enumerate(OUTPUTS.T):
        by_hand = errors_by_hand(y, model.lams_[j], splits)
        assert_allclose(model.validation_error_[j], by_hand, rtol=1e-3)
        assert model.lam_[j] == model.lams_[j, np.argmin(by_hand)]


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_train_part_that_overlaps_the_test_part_is_fitted_as_it_is(solver):
    splits = [(np.arange(40), np.arange(20, 40))]  # as many as there are runs
    model = DatamodelRegressor("cv", cv=splits, n_lams=4, solver=solver, tol=1e-8)
    model.fit(MASKS, OUTPUTS)
    for j, y in enumerate(OUTPUTS.T):
        by_hand = errors_by_hand(y, model.lams_[j], splits)
        assert_allclose(model.validation_error_[j], by_hand, rtol=1e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_fold_that_a_target_cannot_use_is_left_out_for_it(solver):
    Y, splits = OUTPUTS.copy(), list(KFold(3).split(MASKS))
    Y[:20, 0] = np.nan  # the first fold is not there
    Y[20:, 1] = np.nan  # the others are not, nor is the first one's training part
    with pytest.warns(
        UserWarning, match=r"1 of 2 targets .*or none to hold out.*\[1\]"
    ):
        model = DatamodelRegressor(
            "cv", cv=splits, n_lams=4, solver=solver, tol=1e-8
        ).fit(MASKS, Y)
    rest = [(np.setdiff1d(train, np.arange(20)), test) for train, test in splits[1:]]
    by_hand = errors_by_hand(Y[:, 0], model.lams_[0], rest)
    assert_allclose(model.validation_error_[0], by_hand, rtol=1e-3)
    assert np.isnan(model.intercept_[1])


def noisy_groups(rng):
    """Outputs that are the same in a group, and of which masks say nothing."""
    return np.repeat(rng.standard_normal((20, 1)), 3, axis=0)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("lam", ["validation", "cv"])
def test_what_a_group_shares_is_not_learnt(lam, solver):
    """Masks that name the group predict its noise, unless it is held out whole."""
    rng, group = np.random.default_rng(0), np.repeat(np.arange(20), 3)
    masks = np.zeros((60, 20), bool)
    masks[np.arange(60), group] = True
    order = rng.permutation(60)
    y = noisy_groups(rng)[order]
    parameters = {"solver": solver, "random_state": 0, "tol": 1e-3, "n_lams": 20}
    parameters["validation_fraction"] = 0.3
    fooled = DatamodelRegressor(lam, **parameters).fit(masks[order], y)
    assert np.nanmin(fooled.validation_error_) < 0.2 * y.var()
    model = DatamodelRegressor(lam, **parameters)
    model.fit(masks[order], y, groups=group[order].astype(str))
    assert np.nanmin(model.validation_error_) > 0.5 * y.var()


def test_too_few_groups_are_told():
    two = np.arange(60) % 2
    DatamodelRegressor(random_state=0).fit(MASKS, OUTPUTS, groups=two)
    with pytest.raises(ValueError, match="No target has enough runs to hold some out"):
        DatamodelRegressor("cv").fit(MASKS, OUTPUTS, groups=two)
    with pytest.raises(ValueError, match="No target has enough runs to hold some out"):
        DatamodelRegressor().fit(MASKS, OUTPUTS, groups=np.zeros(60))
    with pytest.raises(ValueError, match="one label for each of the 60 runs"):
        DatamodelRegressor().fit(MASKS, OUTPUTS, groups=two[1:])


@pytest.mark.parametrize(
    "labels",
    [
        [0.0, 1.0, np.nan],
        ["a", "b", None],
        pd.array(["a", "b", None], dtype="string"),
        np.array(["a", "b", np.nan], object),
        np.array(["2020", "2021", "NaT"], "datetime64[Y]"),
    ],
)
def test_a_run_without_a_group_is_told(labels):
    groups = np.tile(np.asarray(labels), 20)
    with pytest.raises(ValueError, match="groups has no label for run 2"):
        DatamodelRegressor().fit(MASKS, OUTPUTS, groups=groups)


def paired_training_runs(design, rows):
    masks = sample_masks(rows, 10, 0.5, design=design, random_state=0)
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((len(rows), 3))
    outputs = masks.dense() @ rng.standard_normal((10, 3)) + noise
    return TrainingRuns(masks, outputs, seeds=1000 - rows // 2)


@pytest.mark.parametrize("design", ["complementary", "orthogonal"])
def test_pairs_are_found(design):
    rows = np.random.default_rng(2).permutation(70)
    runs = paired_training_runs(design, rows)
    found = paired_runs(runs)
    np.testing.assert_array_equal(
        found[:, None] == found, (rows // 2)[:, None] == rows // 2
    )
    first_runs = np.unique(found, return_index=True)[1]
    assert_array_equal(first_runs, np.sort(first_runs))  # in the order of the runs
    assert paired_runs(runs[rows % 2 == 0]) is None  # no two of a pair
    assert paired_runs(TrainingRuns(runs.packed, runs.outputs)) is None
    wide = np.random.default_rng(0).random((60, 40)) < 0.5  # no two are complements
    one_seed = TrainingRuns(wide, OUTPUTS, seeds=np.zeros(60, int))
    assert paired_runs(one_seed) is None  # a seed alone makes no pair


def test_pairs_are_found_in_any_order_among_runs_of_one_seed():
    rng = np.random.default_rng(0)
    masks = rng.random((12, 9)) < 0.5  # one byte is not full
    masks = np.r_[masks, ~masks[:8], masks[:1], masks[9:10]]
    for _ in range(5):
        order = rng.permutation(len(masks))
        seeds = rng.integers(0, 2, len(masks))
        runs = TrainingRuns(masks[order], np.zeros((len(masks), 1)), seeds=seeds)
        parts = {  # by definition
            i: {
                j
                for j in range(len(masks))
                if seeds[i] == seeds[j] and (masks[order[i]] != masks[order[j]]).all()
            }
            for i in range(len(masks))
        }
        found = paired_runs(runs)
        assert found.max() == len(set(found)) - 1
        for i, others in parts.items():
            mates = set(np.flatnonzero(found == found[i])) - {i}
            # a subset that occurs twice has the same complement
            same = {k for j in others for k in parts[j]} - {i}
            assert mates == others | same


@pytest.mark.parametrize(
    ("lam", "cv"),
    [("validation", 5), ("cv", 4), ("cv", KFold(4)), ("cv", GroupKFold(4))],
)
def test_pairs_stay_together_by_themselves(lam, cv):
    rows = np.arange(60)
    runs = paired_training_runs("complementary", rows)
    model = DatamodelRegressor(lam, cv=cv, random_state=0, n_lams=8)
    by_itself = model.fit(runs).validation_error_
    plain_cv, groups = cv, rows // 2
    if isinstance(cv, KFold):  # of pairs, which lie side by side
        parts = [np.isin(groups, part) for part in np.array_split(np.arange(30), 4)]
        plain_cv = [(np.flatnonzero(~part), np.flatnonzero(part)) for part in parts]
        groups = None
    model.set_params(cv=plain_cv)
    told = model.fit(runs.masks, runs.outputs, groups=groups).validation_error_
    assert_allclose(by_itself, told)
    if cv in (4, 5):
        divided = model.fit(runs.masks, runs.outputs).validation_error_
        assert not np.allclose(by_itself, divided, equal_nan=True)


def test_pairs_of_a_trainer_are_found():
    rng = np.random.default_rng(0)
    train = Examples(rng.standard_normal((16, 3)), np.arange(16) % 2)
    trainer = SubsetTrainer(
        RidgeClassifier(), train, train[:2], design="complementary", random_state=0
    )
    runs = trainer.fit_transform(np.r_[4:20, 30])
    assert_array_equal(paired_runs(runs), np.r_[np.arange(16) // 2, 8])


def test_pairs_that_vary_a_few_rows_stay_together():
    rng = np.random.default_rng(0)
    masks = sample_varied_masks(60, 10, np.array([2, 5]), 0.5)
    outputs = masks.dense() @ rng.standard_normal((10, 3))
    outputs += 3 * rng.standard_normal((30, 3)).repeat(2, axis=0)
    order = rng.permutation(60)
    seeds = 1000 - order // 2
    runs = TrainingRuns(masks[order], outputs[order], seeds=seeds)
    found, same = joined_runs(runs), seeds[:, None] == seeds
    assert_array_equal(found[:, None] == found, same)
    part = joined_runs(runs[:50])  # some pairs are not complete
    assert_array_equal(part[:, None] == part, same[:50, :50])
    model = DatamodelRegressor("cv", cv=4, random_state=0, n_lams=8)
    by_itself = model.fit(runs).validation_error_
    told = model.fit(runs.masks, runs.outputs, groups=found).validation_error_
    assert_allclose(by_itself, told)
    divided = model.fit(runs.masks, runs.outputs).validation_error_
    assert not np.allclose(by_itself, divided, equal_nan=True)
    complements = paired_training_runs("complementary", order)
    assert_array_equal(joined_runs(complements), paired_runs(complements))


def test_metadata_is_routed_through_a_pipeline():
    weight = np.random.default_rng(0).integers(1, 4, 60)
    with config_context(enable_metadata_routing=True):
        model = DatamodelRegressor("cv", cv=3, random_state=0)
        model.set_fit_request(groups=True, sample_weight=True)
        model.set_score_request(sample_weight=True)
        found = cross_validate(
            make_pipeline(FunctionTransformer(), model),
            MASKS.astype(float),
            OUTPUTS,
            cv=2,
            params={"groups": GROUPS, "sample_weight": weight},
        )["test_score"]
    for score, (train, test) in zip(found, KFold(2).split(MASKS), strict=True):
        by_hand = DatamodelRegressor("cv", cv=3, random_state=0).fit(
            MASKS[train].astype(float),
            OUTPUTS[train],
            groups=GROUPS[train],
            sample_weight=weight[train],
        )
        expected = by_hand.score(MASKS[test].astype(float), OUTPUTS[test], weight[test])
        assert score == pytest.approx(expected)


def test_a_splitter_that_is_not_used_is_told():
    runs, _ = make_linear_runs(60, 5, 2, random_state=0)
    with pytest.warns(UserWarning, match="cv is used with lam='cv' only"):
        DatamodelRegressor(cv=KFold(3), random_state=0).fit(runs)
