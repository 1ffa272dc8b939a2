import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer, TrainingRuns
from skdatamodels.applications import (
    DatamodelEmbedding,
    DataSupportSearch,
    LeakageDetector,
)
from skdatamodels.datasets import load_digits_examples, make_linear_runs
from skdatamodels.influence import (
    Attribution,
    AttributionRegressor,
    knn_shapley,
    random_influence,
    ridge_influence,
)
from skdatamodels.masks import PackedMasks
from skdatamodels.metrics import (
    lds_scorer,
    linear_datamodeling_score,
    make_lds_scorer,
)
from skdatamodels.regression import AttributionMatrix

RNG = np.random.default_rng(0)
RUNS, COEF = make_linear_runs(60, 15, 4, noise=0.5, random_state=0)
TAU = COEF + 0.2 * RNG.normal(size=COEF.shape)
FORMS = [np.array, np.ndarray.tolist, sparse.csr_array, sparse.csc_matrix]


def test_one_target_is_least_squares_on_what_it_predicts():
    y = RUNS.outputs[:, 0]
    model = AttributionRegressor(TAU[:1]).fit(RUNS.masks, y)
    line = LinearRegression().fit(RUNS.masks @ TAU[:1].T, y)
    assert model.scale_ == pytest.approx(line.coef_[0])
    assert model.intercept_ == pytest.approx(line.intercept_)
    assert_allclose(model.coef_, line.coef_[0] * TAU[0])
    assert model.coef_.shape == (15,)
    assert isinstance(model.intercept_, float)
    prediction = line.predict(RUNS.masks @ TAU[:1].T)
    assert_allclose(model.predict(RUNS), prediction)


def test_mean_prediction_is_the_mean_output():
    outputs = np.where(RNG.random(RUNS.outputs.shape) < 0.2, np.nan, RUNS.outputs)
    model = AttributionRegressor(TAU).fit(RUNS.masks, outputs)
    assert_allclose(np.nanmean(outputs - model.predict(RUNS), axis=0), 0, atol=1e-12)
    assert_allclose(model.coef_, model.scale_[:, None] * TAU)


@pytest.mark.parametrize("form", FORMS)
def test_inputs_that_say_the_same(form):
    expected = AttributionRegressor(TAU).fit(RUNS.masks, RUNS.outputs)
    for attribution in (form(TAU), AttributionMatrix(form(TAU))):
        for X, y in [
            (RUNS, None),
            (RUNS.packed, RUNS.outputs),
            (RUNS.masks.astype(float), RUNS.outputs),
        ]:
            model = AttributionRegressor(attribution).fit(X, y)
            is_sparse = form in FORMS[2:]
            assert sparse.issparse(model.coef_) == is_sparse
            coef = model.coef_.toarray() if is_sparse else model.coef_
            assert_allclose(coef, expected.coef_)
            assert_allclose(model.predict(X), expected.predict(RUNS.masks))
            assert model.score(X, y) == pytest.approx(expected.score(RUNS))


@pytest.mark.parametrize("k", [-900, -40, 0, 40, 900])
@pytest.mark.parametrize("of_tau", [-100, 0, 300])
def test_units_change_no_digit(k, of_tau):
    expected = AttributionRegressor(TAU).fit(RUNS.masks, RUNS.outputs)
    outputs = np.ldexp(RUNS.outputs.astype(float), k)
    model = AttributionRegressor(np.ldexp(TAU, of_tau)).fit(RUNS.masks, outputs)
    assert_array_equal(model.coef_, np.ldexp(expected.coef_, k))
    assert_array_equal(model.intercept_, np.ldexp(expected.intercept_, k))
    assert model.score(RUNS.masks, outputs) == pytest.approx(expected.score(RUNS))


def test_a_sparse_attribution_of_one_target():
    y = RUNS.outputs[:, 0]
    dense = AttributionRegressor(TAU[:1]).fit(RUNS.masks, y)
    model = AttributionRegressor(sparse.csr_array(TAU[:1])).fit(RUNS.masks, y)
    assert_allclose(model.predict(RUNS), dense.predict(RUNS))
    assert model.coef_.shape == (1, 15)


def test_a_target_without_outputs_is_told():
    outputs = RUNS.outputs.copy()
    outputs[:, 1] = np.nan
    with pytest.warns(UserWarning, match=r"no output in any run .*: \[1\]"):
        model = AttributionRegressor(TAU).fit(RUNS.masks, outputs)
    kept = np.arange(TAU.shape[0]) != 1
    others = AttributionRegressor(TAU[kept]).fit(RUNS.masks, outputs[:, kept])
    assert_allclose(model.coef_[kept], others.coef_)
    assert not model.coef_[1].any()
    assert np.isnan(model.intercept_[1])
    assert model.score(RUNS, outputs) == pytest.approx(
        others.score(RUNS.masks, outputs[:, kept])
    )


@pytest.mark.parametrize("form", [np.array, sparse.csr_array])
def test_an_excluded_example_is_as_if_its_runs_and_its_weight_were_not(form):
    exclude = np.array([3, -1, 0, 14])
    model = AttributionRegressor(form(TAU), exclude=exclude).fit(RUNS)
    outputs, tau = RUNS.outputs.copy(), TAU.copy()
    for target, example in enumerate(exclude):
        if example >= 0:
            outputs[RUNS.masks[:, example], target] = np.nan
            tau[target, example] = 0
    expected = AttributionRegressor(tau).fit(RUNS.masks, outputs)
    coef = model.coef_ if form is np.array else model.coef_.toarray()
    assert_allclose(coef, expected.coef_)
    assert_allclose(model.intercept_, expected.intercept_)
    with pytest.raises(ValueError, match="4 integers, one a target"):
        AttributionRegressor(TAU, exclude=[3]).fit(RUNS)


def test_reversed_signs_are_told():
    with pytest.warns(UserWarning, match="predict larger outputs where .* smaller"):
        model = AttributionRegressor(-TAU).fit(RUNS)
    assert not model.coef_.any()
    assert_allclose(model.predict(RUNS)[0], RUNS.outputs.mean(axis=0), rtol=1e-5)


def test_weights_of_runs_are_runs_repeated():
    weight = RNG.integers(0, 4, RUNS.n_runs)
    weighted = AttributionRegressor(TAU).fit(RUNS, sample_weight=weight)
    repeated = AttributionRegressor(TAU).fit(
        RUNS[np.repeat(np.arange(RUNS.n_runs), weight)]
    )
    assert_allclose(weighted.coef_, repeated.coef_)
    assert_allclose(weighted.intercept_, repeated.intercept_)


@pytest.mark.parametrize("size", [1e-9, 1 / RUNS.n_runs, 1])
def test_weights_that_sum_to_little_are_as_none(size):
    weight = np.full(RUNS.n_runs, size)
    weighted = AttributionRegressor(TAU).fit(RUNS, sample_weight=weight)
    plain = AttributionRegressor(TAU).fit(RUNS)
    assert_allclose(weighted.coef_, plain.coef_)
    assert weighted.pooled_scale_ == pytest.approx(plain.pooled_scale_)
    with pytest.warns(UserWarning, match="predict larger outputs where .* smaller"):
        AttributionRegressor(-TAU).fit(RUNS, sample_weight=weight)


def _never(train, targets):
    raise AssertionError("computed before the shapes were checked")


_EXAMPLES = Examples(np.eye(4), np.arange(4) % 2)


@pytest.mark.parametrize(
    ("attribution", "error", "message"),
    [
        (TAU.T, ValueError, r"has shape \(15, 4\), but .* = \(4, 15\)"),
        (TAU * np.nan, ValueError, "attribution contains NaN"),
        (TAU[0], ValueError, "Expected 2D"),
        (_never, TypeError, r"Pass Attribution\(function, train, targets\)"),
        (Attribution(_never, _EXAMPLES, _EXAMPLES), ValueError, r"shape \(4, 4\)"),
        (Attribution(_never, None, None), TypeError, "train must be Examples"),
        (TAU.astype(str), TypeError, "Expected numbers"),
    ],
)
def test_bad_attributions(attribution, error, message):
    with pytest.raises(error, match=message):
        AttributionRegressor(attribution).fit(RUNS)


def test_clone_and_pickle():
    model = AttributionRegressor(AttributionMatrix(TAU)).fit(RUNS)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(RUNS), model.predict(RUNS))
    assert clone(model).attribution is model.attribution


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    train, targets = load_digits_examples(n_train=60, random_state=0)
    trainer = SubsetTrainer(
        RidgeClassifier(10),
        train,
        targets[:12],
        design="stratified",
        output="log_odds",
        store=tmp_path_factory.mktemp("runs"),
        random_state=0,
    )
    return train, targets[:12], trainer


def _influence(train, targets):
    return Attribution(
        ridge_influence,
        train,
        targets,
        estimator=RidgeClassifier(10),
        output="log_odds",
    )


def test_one_search_over_datamodels_and_attributions(digits):
    """Candidates of both kinds get the scores that they get when fitted by hand."""
    train, targets, trainer = digits
    pipe = Pipeline([("trainer", trainer), ("model", DatamodelRegressor())])
    influence = AttributionRegressor(_influence(train, targets))
    dampings, lams = [0.0, 1e4], [0.02, 0.2]
    grid = [
        {"model": [DatamodelRegressor()], "model__lam": lams},
        {
            "model": [influence],
            "model__attribution__damping": dampings,
            "model__attribution__estimator__alpha": [10, 1000],
        },
        {"model": [AttributionRegressor(knn_shapley(train, targets))]},
    ]
    ids = np.arange(60)
    search = GridSearchCV(pipe, grid, scoring=lds_scorer, cv=2, error_score="raise")
    search.fit(ids)
    runs = trainer.fit_transform(ids)
    results = search.cv_results_
    for params, *scores in zip(
        results["params"],
        results["split0_test_score"],
        results["split1_test_score"],
        strict=True,
    ):
        alpha = params.get("model__attribution__estimator__alpha")
        for rows, score in zip((ids[:30], ids[30:]), scores, strict=True):
            fitted = np.setdiff1d(ids, rows)
            if alpha is not None:
                tau = ridge_influence(
                    RidgeClassifier(alpha),
                    train,
                    targets,
                    output="log_odds",
                    damping=params["model__attribution__damping"],
                )
                model = AttributionRegressor(tau)
            elif "model__lam" in params:
                model = DatamodelRegressor(params["model__lam"])
            else:
                model = clone(params["model"])
            predicted = model.fit(runs[fitted]).predict(runs[rows])
            expected = linear_datamodeling_score(runs[rows].outputs, predicted)
            assert score == pytest.approx(expected)
    # 60 runs of 60 examples: the formula knows more
    assert search.best_params_["model__attribution__damping"] == 0.0
    assert influence.attribution.get_params()["damping"] == 0.0
    assert not hasattr(influence, "coef_")


def test_cross_validation_and_fixed_runs(digits):
    train, targets, trainer = digits
    pipe = make_pipeline(trainer, AttributionRegressor(_influence(train, targets)))
    r2 = cross_val_score(pipe, np.arange(60), cv=3)
    lds = cross_val_score(pipe, np.arange(60), cv=3, scoring=lds_scorer)
    assert min(lds) > 0.5
    control = random_influence(train, targets, random_state=1)
    pipe_control = make_pipeline(trainer, AttributionRegressor(control))
    assert max(cross_val_score(pipe_control, np.arange(60), cv=3)) < min(r2)
    evaluation = trainer.fit_transform(np.arange(60, 120))
    fitted = pipe.fit(np.arange(60))
    score = make_lds_scorer(evaluation)(fitted)
    predicted = fitted[-1].predict(evaluation)
    assert score == linear_datamodeling_score(evaluation.outputs, predicted)


def test_applications_take_it_fitted(digits):
    train, targets, trainer = digits
    runs = trainer.fit_transform(np.arange(40))
    given = _influence(train, targets)()
    for attribution in (given, sparse.csr_array(given)):
        model = AttributionRegressor(attribution).fit(runs)
        assert model.output_info_ == runs.output_info
        assert_array_equal(model.target_classes_, runs.target_classes)
        embedded = DatamodelEmbedding().fit_transform(model)
        assert embedded.shape[0] == len(targets)
        # an application that asks for a direction asks the fitted model
        harm = LeakageDetector().fit(model)
        weights = LeakageDetector(higher_is_better=True).fit(
            given * model.scale_[:, None]
        )
        for name, value in vars(weights).items():
            if name.endswith("scores_"):
                assert_allclose(getattr(harm, name), value)
    search = DataSupportSearch(trainer, sizes=[2], n_trials=1, random_state=0)
    assert search.fit(AttributionRegressor(given).fit(runs))


def test_known_direction_is_kept():
    runs = TrainingRuns(RUNS.packed, RUNS.outputs, output="margin")
    model = AttributionRegressor(TAU).fit(runs)
    assert model.output_info_.name == "margin"
    model.fit(runs, runs.outputs)
    assert model.output_info_.name == "unknown"
    assert model.fit(PackedMasks.from_dense(RUNS.masks), RUNS.outputs)


def test_groups_are_ignored():
    groups = np.arange(len(RUNS)) % 5
    fitted = AttributionRegressor(TAU).fit(RUNS, groups=groups)
    assert_array_equal(fitted.coef_, AttributionRegressor(TAU).fit(RUNS).coef_)
