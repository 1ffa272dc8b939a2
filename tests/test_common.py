"""scikit-learn's own checks on the public estimators."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
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

RUNS, COEF = make_linear_runs(40, 12, 2)
_EXAMPLES = Examples(np.arange(12.0).reshape(-1, 1), np.arange(12) % 2)

MASKS_ONLY = DifferenceOfMeans()
SCALED_MATRIX = AttributionRegressor(AttributionMatrix(COEF))
SCALED_FUNCTION = AttributionRegressor(
    Attribution(random_influence, _EXAMPLES, _EXAMPLES[:2], random_state=3)
)
RUN_IDS_ONLY = SubsetTrainer(RidgeClassifier(), _EXAMPLES, _EXAMPLES, random_state=0)
ATTRIBUTIONS_OF_A_TRAINER = CounterfactualEvaluation(RUN_IDS_ONLY, sizes=[1])

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


@parametrize_with_checks(
    [DatamodelRegressor(0.01), DatamodelRegressor(), DatamodelRegressor("cv", cv=3)],
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
        ATTRIBUTIONS_OF_A_TRAINER,
        DataSupportSearch(RUN_IDS_ONLY),
    ],
    ids=repr,
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
