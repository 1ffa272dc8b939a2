"""scikit-learn's own checks on the public estimators."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skdatamodels import DatamodelRegressor


@parametrize_with_checks(
    [DatamodelRegressor(0.01), DatamodelRegressor(), DatamodelRegressor("cv", cv=3)],
    xfail_strict=True,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
