"""Every solver, device and form of the input solves the same problem to its gap."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from skdatamodels import DatamodelRegressor, PackedMasks, TrainingRuns
from skdatamodels.datasets import make_linear_runs

RUNS, COEF = make_linear_runs(160, 40, 4, noise=0.5, random_state=0)
OUTPUTS = RUNS.outputs.astype(np.float64)
GAPS = OUTPUTS.copy()
GAPS[np.random.default_rng(0).random(GAPS.shape) < 0.2] = np.nan
PRIOR = COEF + 0.3 * np.random.default_rng(1).standard_normal(COEF.shape)

WEIGHT = np.random.default_rng(2).random(160) + 0.2

FORMS = {
    "bool": lambda Y: (RUNS.masks, Y),
    "packed": lambda Y: (PackedMasks.from_dense(RUNS.masks), Y),
    "runs": lambda Y: (TrainingRuns(RUNS.masks, Y),),
    "float32": lambda Y: (RUNS.masks, Y.astype(np.float32)),
    "real": lambda Y: (RUNS.masks.astype(float), Y),
}
# a solver, and where it runs: "shim" is our CUDA kernels, built for the CPU
SOLVERS = [("gram", "cpu"), ("residual", "cpu"), ("saga", "cpu")] + [
    (solver, device) for solver in ("gram", "saga") for device in ("shim", "gpu")
]
PROBLEMS = {
    "plain": (OUTPUTS, {}),
    "gaps": (GAPS, {}),
    "exclude": (OUTPUTS, {"exclude": [39, 5, -1, 5]}),
    "factors": (OUTPUTS, {"penalty_factors": np.geomspace(0.5, 2, 40)}),
    "prior": (OUTPUTS, {"prior": PRIOR}),
    "weights": (GAPS, {"sample_weight": WEIGHT}),
}


def cases():
    for solver, device in SOLVERS:
        for form in FORMS:
            here = device == "cpu" or form in ("packed", "float32")
            if here and (solver == "gram" or form != "real"):
                yield solver, device, form


def residual_problems(
    Y, model, exclude=None, penalty_factors=None, prior=None, sample_weight=None
):
    """Yield, for each target, X, y less the offset, weights, factors, offset."""
    weight = np.ones(len(Y)) if sample_weight is None else sample_weight
    for j, y in enumerate(Y.T):
        usable = ~np.isnan(y)
        if exclude is not None and exclude[j] >= 0:
            usable &= ~RUNS.masks[:, exclude[j]]
        X, y, offset = RUNS.masks[usable].astype(float), y[usable], np.zeros(40)
        factors = np.ones(40) if penalty_factors is None else penalty_factors
        if prior is not None:
            offset = model.prior_coef_[j]
            size = np.abs(prior[j])
            factors = factors * (size / size.mean() + 0.1) ** -0.5
        yield X, y - X @ offset, weight[usable], factors, offset


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize(("solver", "device", "form"), cases())
def test_objective_is_within_the_gap_of_the_optimum(
    on_device, solver, device, form, problem
):
    Y, parameters = PROBLEMS[problem]
    of_model = {k: v for k, v in parameters.items() if k != "sample_weight"}
    weight = parameters.get("sample_weight")
    model = DatamodelRegressor(0.02, solver=solver, random_state=0, **of_model)
    model.set_params(device=on_device(device))
    model.fit(*FORMS[form](Y), sample_weight=weight)
    assert model.solver_ == solver
    assert model.dual_gap_.max() <= model.tol
    for j, each in enumerate(residual_problems(Y, model, **parameters)):
        X, y, w, factors, offset = each

        def objective(delta, b, X=X, y=y, w=w, factors=factors):
            loss = 0.5 * np.average((y - X @ delta - b) ** 2, weights=w)
            return loss + 0.02 * np.sum(factors * np.abs(delta))

        best = Lasso(0.02, tol=1e-10, max_iter=100_000).fit(X / factors, y, w)
        optimum = objective(best.coef_ / factors, best.intercept_)
        found = objective(model.coef_[j] - offset, model.intercept_[j])
        variance = np.average((y - np.average(y, weights=w)) ** 2, weights=w)
        assert found - optimum <= (model.dual_gap_[j] + 1e-5) * variance / 2


def choices():
    for solver, device in SOLVERS[1:]:
        for lam in ("validation", "cv") if device == "cpu" else ("validation",):
            for problem in PROBLEMS:
                # a path for each strength of the prior: slow where g++ built it, and
                # what is chosen among them is chosen as on the CPU
                if (solver, device, problem) != ("saga", "shim", "prior"):
                    yield solver, device, lam, problem


@pytest.mark.parametrize(("solver", "device", "lam", "problem"), choices())
def test_solvers_choose_alike(on_device, solver, device, lam, problem):
    Y, parameters = PROBLEMS[problem]
    parameters = dict(parameters)
    weight = {"sample_weight": parameters.pop("sample_weight", None)}
    parameters = {"n_lams": 8, "tol": 1e-5, "random_state": 0, **parameters}
    gram = DatamodelRegressor(lam, solver="gram", **parameters)
    gram.fit(RUNS.masks, Y, **weight)
    other = DatamodelRegressor(lam, solver=solver, **parameters)
    other.set_params(device=on_device(device)).fit(RUNS.masks, Y, **weight)
    np.testing.assert_allclose(other.lams_, gram.lams_, rtol=1e-5)
    followed = np.isfinite(gram.validation_error_) & np.isfinite(
        other.validation_error_
    )
    np.testing.assert_allclose(
        other.validation_error_[followed], gram.validation_error_[followed], rtol=1e-2
    )
    np.testing.assert_array_equal(other.prior_strength_, gram.prior_strength_)
    np.testing.assert_allclose(other.lam_, gram.lam_, rtol=1e-5)
    np.testing.assert_allclose(other.predict(RUNS), gram.predict(RUNS), atol=0.1)


def test_a_device_that_is_not_there_is_told():
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match='named "cuda"'):
        DatamodelRegressor(device="tpu").fit(RUNS)
    pytest.importorskip("cuda.core")
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match='Use device="cpu"'):
            DatamodelRegressor(device="cuda").fit(RUNS)
