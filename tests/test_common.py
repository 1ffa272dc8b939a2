"""scikit-learn's own checks on the public estimators."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import has_fit_parameter

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer, TrainingRuns
from skdatamodels.applications import (
    CounterfactualEvaluation,
    DatamodelEmbedding,
    DataSupportSearch,
    LeakageDetector,
)
from skdatamodels.datasets import make_linear_runs
from skdatamodels.influence import (
    Attribution,
    AttributionRegressor,
    DifferenceOfMeans,
    random_influence,
)
from skdatamodels.regression import AttributionMatrix
from skdatamodels.training import ComponentAblation

RUNS, COEF = make_linear_runs(40, 12, 2)
_EXAMPLES = Examples(np.arange(12.0).reshape(-1, 1), np.arange(12) % 2)
NAMED = Examples(_EXAMPLES.X, _EXAMPLES.y, ids=[f"picture {i}" for i in range(12)])


def number_kept(kept, seed):
    return kept.sum()


MASKS_ONLY = DifferenceOfMeans()
SCALED_MATRIX = AttributionRegressor(AttributionMatrix(COEF))
SCALED_FUNCTION = AttributionRegressor(
    Attribution(random_influence, _EXAMPLES, _EXAMPLES[:2], random_state=3)
)
FITTED_ON_RUNS = [DatamodelRegressor(0.01), MASKS_ONLY, SCALED_MATRIX]
RUN_IDS_ONLY = SubsetTrainer(RidgeClassifier(), _EXAMPLES, _EXAMPLES, random_state=0)
WITHOUT_TRAINING = ComponentAblation(number_kept, 12, random_state=0)
ATTRIBUTIONS_OF_A_TRAINER = CounterfactualEvaluation(RUN_IDS_ONLY, sizes=[1])


def name_of(value):
    return type(value).__name__


# Most checks fit on real numbers, which these refuse: some take 0/1 masks, the next run
# ids, the last the attribution matrix of its trainer. These checks do not, and what the
# others are about is tested below, or beside the estimator.
APPLICABLE = [
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_fit1d",
]


def failures(estimator):
    """Name the checks that an estimator fails, with the reason."""
    if estimator.lam != "validation":
        return {}
    return {
        "check_sample_weight_equivalence_on_dense_data": (
            "The part of the runs that is held out is drawn at random. It is another "
            "one where there are more rows, of which some are repeated."
        )
    }


@parametrize_with_checks(
    [DatamodelRegressor(0.01), DatamodelRegressor(), DatamodelRegressor("cv", cv=3)],
    expected_failed_checks=failures,
    xfail_strict=True,
)
def test_regressors(estimator, check):
    check(estimator)


@parametrize_with_checks([LeakageDetector(higher_is_better=True)], xfail_strict=True)
def test_detectors(estimator, check):
    check(estimator)


@parametrize_with_checks([DatamodelEmbedding()], xfail_strict=True)
def test_transformers(estimator, check):
    check(estimator)


@pytest.mark.parametrize("check", APPLICABLE)
@pytest.mark.parametrize(
    "estimator",
    [
        MASKS_ONLY,
        SCALED_MATRIX,
        SCALED_FUNCTION,
        RUN_IDS_ONLY,
        WITHOUT_TRAINING,
        ATTRIBUTIONS_OF_A_TRAINER,
        DataSupportSearch(RUN_IDS_ONLY),
    ],
    ids=name_of,
)
def test_what_applies_to_the_others(estimator, check):
    getattr(estimator_checks, check)(type(estimator).__name__, clone(estimator))


@pytest.mark.parametrize(
    ("estimator", "data"),
    [
        (MASKS_ONLY, (RUNS.masks, RUNS.outputs)),
        (MASKS_ONLY, (RUNS,)),
        (SCALED_MATRIX, (RUNS.masks, RUNS.outputs)),
        (SCALED_FUNCTION, (RUNS,)),
        (DatamodelRegressor(0.01), (RUNS,)),
        (RUN_IDS_ONLY, (np.arange(9),)),
        (RUN_IDS_ONLY, (RUNS.masks,)),
        (WITHOUT_TRAINING, (np.arange(9),)),
        (DatamodelEmbedding(), (RUNS,)),
    ],
)
def test_estimators_on_data_of_their_own(estimator, data):
    """As check_estimators_pickle, _overwrite_params, _fit_returns_self and others."""
    fitted, before = clone(estimator), repr(estimator.get_params())
    assert fitted.fit(*data) is fitted
    assert repr(fitted.get_params()) == before
    apply = "transform" if hasattr(fitted, "transform") else "predict"

    def outputs(model):
        result = getattr(model, apply)(data[0])
        return getattr(result, "outputs", result)

    expected = outputs(fitted)
    np.testing.assert_array_equal(outputs(fitted), expected)
    np.testing.assert_array_equal(outputs(clone(fitted).fit(*data)), expected)
    np.testing.assert_array_equal(outputs(pickle.loads(pickle.dumps(fitted))), expected)
    np.testing.assert_array_equal(outputs(fitted.fit(*data)), expected)


@pytest.mark.parametrize("estimator", FITTED_ON_RUNS, ids=name_of)
def test_y_takes_the_place_of_the_outputs_of_runs(estimator):
    known = TrainingRuns(RUNS.packed, RUNS.outputs, output="margin")
    other = np.sin(np.arange(80.0)).reshape(40, 2)
    expected = clone(estimator).fit(RUNS.masks, other)
    for runs in (RUNS, known):
        model = clone(estimator).fit(runs, other)
        np.testing.assert_array_equal(model.coef_, expected.coef_)
        assert model.output_info_ == expected.output_info_  # not that of the runs
        assert model.score(runs, other) == expected.score(RUNS.masks, other)
    assert clone(estimator).fit(known).output_info_.name == "margin"
    with pytest.raises(ValueError, match="requires y to be passed"):
        clone(estimator).fit(RUNS.masks)


@pytest.mark.parametrize("estimator", FITTED_ON_RUNS, ids=name_of)
def test_cross_validation_of_a_pipeline_with_y(estimator):
    """scikit-learn's tools hand on the y that they are given, with run ids as X."""
    pipe = make_pipeline(RUN_IDS_ONLY, estimator)
    ids, y = np.arange(20), np.sin(np.arange(40.0)).reshape(20, 2)
    runs = RUN_IDS_ONLY.fit_transform(ids)
    by_hand = [
        clone(estimator).fit(runs[train], y[train]).score(runs[test], y[test])
        for train, test in KFold(2).split(ids)
    ]
    np.testing.assert_allclose(cross_val_score(pipe, ids, y, cv=2), by_hand)


@pytest.mark.parametrize("estimator", FITTED_ON_RUNS, ids=name_of)
def test_names_of_columns_do_not_outlive_a_fit(estimator):
    pandas = pytest.importorskip("pandas")
    names = [f"example {i}" for i in range(12)]
    frame = pandas.DataFrame(RUNS.masks.astype(float), columns=names)
    model = clone(estimator).fit(frame, RUNS.outputs)
    assert model.feature_names_in_.tolist() == names
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.iloc[:, ::-1])
    for X in (RUNS.masks, RUNS.packed, RUNS.masks.astype(float)):
        model.fit(frame, RUNS.outputs).fit(X, RUNS.outputs)
        assert not hasattr(model, "feature_names_in_")


@pytest.mark.parametrize("estimator", FITTED_ON_RUNS, ids=name_of)
def test_tags(estimator):
    tags = get_tags(estimator)
    assert tags.estimator_type == "regressor"
    assert tags.target_tags.multi_output
    assert tags.target_tags.required
    assert not tags.input_tags.sparse
    assert has_fit_parameter(estimator, "sample_weight")


@pytest.mark.parametrize(
    "estimator",
    [
        RUN_IDS_ONLY,
        DatamodelEmbedding(train=_EXAMPLES),
        DatamodelRegressor(prior=np.ones((500, 2000))),
        AttributionRegressor(np.ones((500, 2000))),
        SCALED_FUNCTION,
        make_pipeline(RUN_IDS_ONLY, DatamodelRegressor(prior=np.ones((500, 2000)))),
    ],
    ids=["trainer", "embedding", "regressor", "scaled", "function", "pipeline"],
)
def test_html_shows_parameters_and_not_the_data(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        html = estimator._repr_html_()
    plain = make_pipeline(SubsetTrainer(RidgeClassifier(), None, None))._repr_html_()
    assert type(estimator).__name__ in html
    assert len(html) < 3 * len(plain)


@pytest.mark.parametrize(
    "transformer", [RUN_IDS_ONLY, DatamodelEmbedding(train=NAMED)], ids=name_of
)
def test_transformers_name_their_columns_by_the_training_examples(transformer):
    X = np.arange(9) if transformer is RUN_IDS_ONLY else RUNS
    names = clone(transformer).fit(X).get_feature_names_out()
    train = transformer.train
    assert names.tolist() == [str(name) for name in train.ids.tolist()]
