"""scikit-learn's own checks on the public estimators."""

import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.utils.estimator_checks import (
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
    check_set_params,
    parametrize_with_checks,
)

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.influence import DifferenceOfMeans


@parametrize_with_checks(
    [DatamodelRegressor(0.01), DatamodelRegressor(), DatamodelRegressor("cv", cv=3)],
    xfail_strict=True,
)
def test_regressors(estimator, check):
    check(estimator)


def test_estimators_that_need_masks():
    # The other checks fit on real numbers, which these two estimators refuse: one
    # takes 0/1 masks and the other run ids.
    examples = Examples(np.zeros((4, 1)), [0, 0, 1, 1])
    for estimator in (
        DifferenceOfMeans(),
        SubsetTrainer(RidgeClassifier(), examples, examples),
    ):
        name = type(estimator).__name__
        check_get_params_invariance(name, estimator)
        check_set_params(name, estimator)
        check_no_attributes_set_in_init(name, estimator)
    check_parameters_default_constructible("DifferenceOfMeans", DifferenceOfMeans())
