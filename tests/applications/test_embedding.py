"""Embeddings: pipelines of runs to clusters of targets."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, csr_matrix, issparse
from sklearn.base import clone
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer, TrainingRuns
from skdatamodels.applications import (
    DatamodelEmbedding,
    effective_dimension,
    explained_variance_curve,
)
from skdatamodels.datasets import make_linear_runs
from skdatamodels.influence import DifferenceOfMeans

RUNS, COEF = make_linear_runs(300, 20, 6, random_state=0)
WEIGHTS = np.random.default_rng(0).normal(size=(7, 12))


def test_runs_become_the_unit_rows_of_the_datamodels():
    regressor = DatamodelRegressor(random_state=0)
    coef = regressor.fit(RUNS).coef_
    embedding = DatamodelEmbedding().fit_transform(RUNS)
    assert_allclose(
        embedding, coef / np.linalg.norm(coef, axis=1, keepdims=True), rtol=1e-5
    )
    plain = DatamodelEmbedding(regressor, normalize=False)
    assert_array_equal(plain.fit_transform(RUNS), coef)
    assert_array_equal(plain.fit(RUNS).transform(RUNS), coef)
    cosine = (embedding * COEF / np.linalg.norm(COEF, axis=1, keepdims=True)).sum(1)
    assert (cosine > 0.99).all()


@pytest.mark.parametrize("regressor", [DifferenceOfMeans(), Ridge(1e-6)])
def test_any_regressor_with_weights_will_do(regressor):
    embedding = DatamodelEmbedding(regressor, normalize=False).fit_transform(RUNS)
    expected = clone(regressor).fit(RUNS.masks, RUNS.outputs).coef_
    assert_allclose(embedding, expected, rtol=1e-5, atol=1e-5)


def test_a_single_target_keeps_its_row():
    runs = TrainingRuns(RUNS.packed, RUNS.outputs[:, :1])
    assert DatamodelEmbedding().fit_transform(runs).shape == (1, 20)


def test_sparse_stays_sparse():
    dense = DatamodelRegressor(0.1).fit(RUNS).coef_
    embedding = DatamodelEmbedding(DatamodelRegressor(0.1, sparse=True))
    found = embedding.fit_transform(RUNS)
    assert issparse(found)
    assert found.nnz == np.count_nonzero(dense) < dense.size
    assert_allclose(
        found.toarray(), DatamodelEmbedding().fit_transform(dense), rtol=1e-5
    )
    svd = make_pipeline(embedding, TruncatedSVD(3, random_state=0))
    assert svd.fit_transform(RUNS).shape == (6, 3)


@pytest.mark.parametrize("container", [np.asarray, csr_array, csr_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matrix_rows_become_unit_and_zeros_stay(container, dtype):
    weights = np.array([[3, 0, 4], [0, 0, 0]], dtype=dtype)
    found = DatamodelEmbedding().fit(container(weights)).transform(container(weights))
    assert found.dtype == dtype
    found = found.toarray() if issparse(found) else found
    assert_allclose(found, [[0.6, 0, 0.8], [0, 0, 0]], rtol=1e-6)
    assert weights[0, 0] == 3


@pytest.fixture(scope="module")
def blobs():
    """Three blobs under one label: styles of a class, beside another class."""
    centres = [[0, 9], [9, 0], [-9, -9], [0, 0]]
    X, blob = make_blobs(160, centers=centres, cluster_std=0.6, random_state=0)
    y = (blob == 3).astype(int)
    train, targets = Examples(X[:70], y[:70]), Examples(X[70:], y[70:])
    return train, targets, blob[70:]


def near(train, targets):
    """Margin by the neighbours in the subset: outputs rest on one's own blob."""
    kernel = np.exp(-((targets.X[:, None] - train.X) ** 2).sum(axis=2))

    def learner(train_indices, seed):
        return kernel[:, train_indices].sum(axis=1)

    return learner


@pytest.mark.parametrize(
    "clusterer",
    [
        [PCA(5, random_state=0), KMeans(4, n_init=5, random_state=0)],
        [SpectralClustering(4, random_state=0)],
    ],
)
def test_pipelines_from_run_ids_to_clusters_of_targets(blobs, clusterer):
    train, targets, blob = blobs
    trainer = SubsetTrainer(near(train, targets), train, targets, random_state=0)
    pipeline = make_pipeline(trainer, DatamodelEmbedding(), *clusterer)
    labels = pipeline.fit_predict(np.arange(400))
    assert adjusted_rand_score(blob, labels) > 0.9


def test_neighbours_of_a_target_are_of_its_blob(blobs):
    train, targets, blob = blobs
    trainer = SubsetTrainer(near(train, targets), train, targets, random_state=0)
    embedding = make_pipeline(trainer, DatamodelEmbedding()).fit_transform(
        np.arange(400)
    )
    _, found = NearestNeighbors(n_neighbors=2).fit(embedding).kneighbors(embedding)
    assert (blob[found[:, 1]] == blob).mean() > 0.95


def test_pca_of_one_set_of_targets_applies_to_another():
    first, second = RUNS.outputs[:, :4], RUNS.outputs[:, 4:]
    pipeline = make_pipeline(DatamodelEmbedding(), PCA(2))
    pipeline.fit(TrainingRuns(RUNS.packed, first))
    found = pipeline.transform(TrainingRuns(RUNS.packed, second))
    E, F = (
        DatamodelEmbedding().fit_transform(TrainingRuns(RUNS.packed, part))
        for part in (first, second)
    )
    assert_allclose(found, PCA(2).fit(E).transform(F))
    assert_allclose(pipeline.transform(second_coef()), found, atol=1e-6)


def second_coef():
    runs = TrainingRuns(RUNS.packed, RUNS.outputs[:, 4:])
    return DatamodelRegressor(random_state=0).fit(runs).coef_


def test_names_are_the_ids_of_the_training_examples():
    train = Examples(np.eye(12), np.arange(12), ids=[f"image {i}" for i in range(12)])
    embedding = DatamodelEmbedding(train=train).fit(WEIGHTS)
    assert embedding.get_feature_names_out().tolist() == train.ids.tolist()
    assert clone(embedding).train is train
    plain = DatamodelEmbedding().fit(WEIGHTS)
    assert plain.get_feature_names_out()[:2].tolist() == ["x0", "x1"]
    pandas = pytest.importorskip("pandas")
    frame = embedding.set_output(transform="pandas").transform(WEIGHTS)
    assert isinstance(frame, pandas.DataFrame)
    assert frame.columns.tolist() == train.ids.tolist()
    assert len(frame) == 7
    frame = DatamodelEmbedding().set_output(transform="pandas").fit_transform(RUNS)
    assert frame.shape == (6, 20)


def test_runs_are_regressed_on_once_in_fit_transform(monkeypatch):
    calls, fit = [], DatamodelRegressor.fit
    monkeypatch.setattr(
        DatamodelRegressor,
        "fit",
        lambda self, *data: calls.append(1) or fit(self, *data),
    )
    DatamodelEmbedding(DatamodelRegressor(0.1)).fit_transform(RUNS)
    assert len(calls) == 1


def test_bad_input():
    with pytest.raises(ValueError, match="NaN"):
        DatamodelEmbedding().fit(WEIGHTS * np.nan)
    with pytest.raises(ValueError, match="expecting 20 features"):
        DatamodelEmbedding().fit(RUNS).transform(WEIGHTS)
    train = Examples(np.eye(5), np.arange(5))
    with pytest.raises(ValueError, match="train has 5 examples, but the attribution"):
        DatamodelEmbedding(train=train).fit(WEIGHTS)
    with pytest.raises(ValueError, match="'regressor' parameter"):
        DatamodelEmbedding("ridge").fit(WEIGHTS)


@pytest.mark.filterwarnings("ignore:.*usable runs")
def test_a_target_without_datamodel_is_named():
    outputs = RUNS.outputs.copy()
    outputs[:, 3] = np.nan
    with pytest.raises(ValueError, match="Target 3 has too few usable runs"):
        DatamodelEmbedding().fit(TrainingRuns(RUNS.packed, outputs))


# Variance


@pytest.mark.parametrize("shape", [(9, 30), (30, 9), (8, 8)])
def test_curve_is_that_of_pca(shape):
    E = np.random.default_rng(1).normal(size=shape) + 3
    expected = PCA().fit(E).explained_variance_ratio_.cumsum()
    assert_allclose(explained_variance_curve(E), expected)
    E[abs(E - 3) < 0.5] = 0
    expected = PCA().fit(E).explained_variance_ratio_.cumsum()
    assert_allclose(explained_variance_curve(csr_array(E)), expected)
    for share in (0.3, 0.9):
        n = effective_dimension(E, share)
        assert expected[n - 1] >= share
        assert n == 1 or expected[n - 2] < share


def test_effective_dimension_counts_directions():
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 40))
    assert effective_dimension(flat, 1) == 3
    assert effective_dimension(rng.normal(size=(50, 40))) > 20
    for share in (0, 1.1):
        with pytest.raises(ValueError, match="share must be in"):
            effective_dimension(flat, share)


@pytest.mark.parametrize("container", [np.asarray, csr_array])
@pytest.mark.parametrize("shape", [(4, 9), (9, 4)])
def test_no_variance_no_curve(container, shape):
    with pytest.raises(ValueError, match="no variance"):
        explained_variance_curve(container(np.full(shape, 0.1)))


def test_on_trained_models():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = (X[:, 0] > 0).astype(int)
    train, targets = Examples(X[:40], y[:40]), Examples(X[40:], y[40:])
    trainer = SubsetTrainer(RidgeClassifier(), train, targets, random_state=0)
    pipeline = make_pipeline(trainer, DatamodelEmbedding(), KMeans(3, random_state=0))
    assert pipeline.fit_predict(np.arange(100)).shape == (20,)
