"""Modules that the adapters are tried on. Their data come from the folder above."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression


@pytest.fixture
def make_module():
    torch = pytest.importorskip("torch")
    nn = torch.nn

    def make(seed=0, dtype=torch.float64):
        torch.manual_seed(seed)
        layers = [nn.Linear(4, 5), nn.Dropout(0.5), nn.Tanh(), nn.Linear(5, 3)]
        return nn.Sequential(*layers).to(dtype)

    return make


@pytest.fixture
def make_linear():
    """A linear module with the weights of a logistic regression without a penalty."""
    torch = pytest.importorskip("torch")

    def make(train):
        model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
        model.fit(train.X, train.y)
        module = torch.nn.Sequential(torch.nn.Linear(4, 3)).double()
        with torch.no_grad():
            module[0].weight[:] = torch.tensor(model.coef_)
            module[0].bias[:] = torch.tensor(model.intercept_)
        return module

    return make
