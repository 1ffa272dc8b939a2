import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from skdatamodels.influence import representation_similarity


def _embeddings(seed=0, n_train=30, n_targets=7, n_features=5):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(n_features, n_features))
    return (rng.normal(3, size=(n, n_features)) @ mixing for n in (n_train, n_targets))


def _reference(train, targets, metric):
    if metric == "dot":
        return np.einsum("jf,if->ji", targets, train)
    if metric == "cosine":
        return 1 - cdist(targets, train, "cosine")
    if metric == "l2":
        return -cdist(targets, train)
    inverse = np.linalg.inv(np.cov(train.T, bias=True))
    return -cdist(targets, train, "mahalanobis", VI=inverse)


METRICS = pytest.mark.parametrize("metric", ["l2", "cosine", "dot", "mahalanobis"])


@METRICS
def test_equals_scipy(metric):
    train, targets = _embeddings()
    similarity = representation_similarity(train, targets, metric=metric)
    assert_allclose(similarity, _reference(train, targets, metric), rtol=1e-8)


def test_far_from_the_origin():
    train, targets = _embeddings()
    expected = representation_similarity(train, targets)
    far = representation_similarity(train + 1e6, targets + 1e6)
    assert_allclose(far, expected, rtol=1e-6)


def test_shrinkage():
    train, targets = _embeddings()
    whole = representation_similarity(train, targets, metric="mahalanobis", shrinkage=1)
    scale = np.sqrt(train.var(axis=0).mean())
    assert_allclose(whole, -cdist(targets, train) / scale)


@METRICS
def test_several_models_are_averaged_as_ranks(metric):
    models = [tuple(_embeddings(seed, n_features=4 + seed)) for seed in range(3)]
    train, targets = zip(*models, strict=True)
    average = representation_similarity(list(train), list(targets), metric=metric)
    ranks = [rankdata(_reference(*model, metric), axis=1) for model in models]
    assert_allclose(average, np.mean(ranks, axis=0) / 30)
    # The scale of a model's embedding does not count.
    scaled = [1000 * train[0], *train[1:]], [1000 * targets[0], *targets[1:]]
    assert_allclose(representation_similarity(*scaled, metric=metric), average)


def test_lists_of_numbers_are_one_model():
    train, targets = _embeddings()
    assert_allclose(
        representation_similarity(train.tolist(), targets.tolist()),
        representation_similarity(train, targets),
    )


TRAIN, TARGETS = _embeddings()
HOLED = TRAIN.copy()
HOLED[4, 1] = np.nan


@pytest.mark.parametrize(
    ("train", "targets", "options", "message"),
    [
        (HOLED, TARGETS, {}, "embedding of train example 4 is not finite"),
        (TRAIN, TARGETS[:, :2], {}, "5 features, but those of targets have 2"),
        (TRAIN, TARGETS[0], {}, r"targets must have one embedding per row.*\(5,\)"),
        ([TRAIN] * 2, [TARGETS], {}, "from 2 models, but targets from 1"),
        ([TRAIN, TRAIN[1:]], [TARGETS] * 2, {}, "numbers of examples differ"),
        (TRAIN, TARGETS, {"metric": "l1"}, "'metric' parameter"),
        (
            TRAIN @ np.ones((5, 5)),
            TARGETS,
            {"metric": "mahalanobis"},
            "singular. Set shrinkage",
        ),
    ],
)
def test_bad_input(train, targets, options, message):
    with pytest.raises(ValueError, match=message):
        representation_similarity(train, targets, **options)


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64"])
def test_tensors_of_torch(kind):
    torch = pytest.importorskip("torch")
    train, targets = (
        torch.tensor(np.random.default_rng(n).normal(size=(n, 3)), requires_grad=True)
        for n in (5, 4)
    )
    train, targets = (part.to(getattr(torch, kind)) for part in (train, targets))
    expected = [part.detach().double().numpy() for part in (train, targets)]
    for metric in "l2", "dot":
        assert_allclose(
            representation_similarity(train, targets, metric=metric),
            representation_similarity(*expected, metric=metric),
        )


def test_dicts_are_no_embeddings():
    with pytest.raises(TypeError, match="real numbers as embeddings train"):
        representation_similarity([{"a": 1.0}], [{"a": 2.0}])
