"""A model of CatBoost is audited as it is: categories, gaps and weights."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from skdatamodels import audit

pd = pytest.importorskip("pandas")
CatBoostClassifier = pytest.importorskip("catboost").CatBoostClassifier


def parts():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X, y = X.iloc[:200, 20:26].copy(), y[:200].map({0: "malignant", 1: "benign"})
    thirds = pd.cut(X["worst radius"].rank(), 3, labels=["small", "middle", "large"])
    X["size"] = thirds.astype(object)
    X.iloc[5, 0] = np.nan
    wrong = np.arange(10, 130, 20)
    y.iloc[wrong] = np.where(y.iloc[wrong] == "benign", "malignant", "benign")
    return X[:140], y[:140], X[140:], y[140:], wrong


@pytest.mark.parametrize("columns", [("size",), ["size"]])
def test_audit_of_catboost(columns):
    X, y, X_test, y_test, wrong = parts()
    model = CatBoostClassifier(
        iterations=20,
        cat_features=columns,
        verbose=0,
        thread_count=1,
        allow_writing_files=False,
        random_seed=0,
    )
    weight = np.linspace(1, 2, 140)
    options = {"sample_weight": weight, "n_runs": 50, "n_jobs": 1, "verbose": 0}
    if isinstance(columns, list):
        with pytest.raises(
            TypeError, match=r"cat_features of CatBoost .* pass a tuple"
        ):
            audit(model, X, y, X_test, y_test, **options)
        return
    found = audit(model, X, y, X_test, y_test, **options)
    assert np.isin(found.label_errors.index[:6], wrong).mean() > 0.6
    assert {"size", "worst radius"} <= set(found.columns.index)
    own = model.fit(X, y, sample_weight=weight)
    margin = own.predict(X_test, prediction_type="RawFormulaVal")
    margin = np.where(y_test == "benign", -1, 1) * margin
    trained = found.trainer.transform(np.ones((1, 140), dtype=bool))
    np.testing.assert_allclose(
        np.corrcoef(trained.outputs[0, 140:], margin)[0, 1], 1, atol=0.05
    )
