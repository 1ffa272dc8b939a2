"""Target blocks on other processes: a dask cluster of two gives the same datamodels."""

import numpy as np
import pytest
from joblib import parallel_config

from skdatamodels import DatamodelRegressor
from skdatamodels.datasets import make_linear_runs


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def tasks_of(client):
    """Count the tasks that each worker has done."""
    done = client.run(lambda dask_worker: dask_worker.state.executed_count)
    return list(done.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [{"lam": 0.05}, {"lam": "validation"}, {"exclude": np.arange(200) % 20}],
    ids=["given", "validation", "exclude"],
)
def test_dask(cluster, parameters):
    runs, _ = make_linear_runs(150, 40, 200, noise=0.5, random_state=0)
    model = DatamodelRegressor(random_state=0, **parameters)
    expected = model.fit(runs).coef_
    before = tasks_of(cluster)
    with parallel_config("dask"):
        coef = model.set_params(n_jobs=-1).fit(runs).coef_
    np.testing.assert_array_equal(coef, expected)
    done = np.subtract(tasks_of(cluster), before)
    assert done.sum() > 3  # which worker has short tasks is up to dask
