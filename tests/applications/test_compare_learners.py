import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import compare_learners
from skdatamodels.datasets import load_digits_examples
from skdatamodels.masks import sample_masks
from skdatamodels.runs import TrainingRuns


def planted(noise=0.0, n_targets=60, n_train=90, seed=0):
    """Weights of two learners; only the first uses `own` for a third of the targets."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n_targets, n_train))
    own = np.zeros(n_train)
    own[:8] = 1 / np.sqrt(8)
    use = np.where(np.arange(n_targets) < 20, 15.0, 0.0)
    a, b = shared + use[:, None] * own, 3 * shared
    a, b = (each + noise * rng.normal(size=shared.shape) for each in (a, b))
    return a, b, own


@pytest.mark.parametrize("noise", [0, 0.5])
def test_planted_direction_is_found(noise):
    a, b, own = planted(noise)
    found = compare_learners(a, b, n_components=2)
    assert abs(found.components[0] @ own) > 0.95
    assert found.explained_in_a[0] > 5 * found.explained_in_b[0]
    most = np.argsort(-np.abs(found.coordinates[:, 0]))[:20]
    assert sorted(most) == list(range(20))
    assert found.similarity[:20].max() < found.similarity[20:].min()


def test_directions_are_those_of_the_residuals():
    a, b, _ = planted(0.5)
    found = compare_learners(a, b, n_components=3)
    a, b = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (a, b))
    residual = a - (a * b).sum(axis=1, keepdims=True) * b
    svd = TruncatedSVD(3, algorithm="arpack", random_state=0).fit(residual)
    cosine = np.abs(found.components @ svd.components_.T)
    np.testing.assert_allclose(np.diag(cosine), 1, atol=1e-6)
    np.testing.assert_allclose(found.coordinates, residual @ found.components.T)
    share = [((unit @ found.components.T) ** 2).mean(axis=0) for unit in (a, b)]
    np.testing.assert_allclose([found.explained_in_a, found.explained_in_b], share)


def test_scale_of_targets_and_sparse_weights_change_nothing():
    a, b, _ = planted()
    expected = compare_learners(a, b)
    scale = np.linspace(0.1, 9, len(a))[:, None]
    found = compare_learners(csr_array(scale * a), b / scale)
    np.testing.assert_allclose(found.components, expected.components, atol=1e-7)
    large = planted(n_targets=140, n_train=150)[:2]  # by a randomised decomposition
    directions = np.linalg.svd(_residual(*large))[2][:1]
    one = compare_learners(*large, n_components=1).components
    assert abs(one @ directions.T) > 0.999


def _residual(a, b):
    a, b = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (a, b))
    return a - (a * b).sum(axis=1, keepdims=True) * b


def test_comparison_as_a_frame():
    a, b, _ = planted(n_targets=60, n_train=90)
    train = Examples(np.eye(90), range(90), ids=[f"row {i}" for i in range(90)])
    found = compare_learners(a, b, n_components=2, train=train)
    frame = found.to_frame()
    assert len(frame) == 2 * (60 + 90)
    one = frame[frame.direction == 1]
    of = {name: part.sort_values("example") for name, part in one.groupby("of")}
    np.testing.assert_array_equal(of["train"].coordinate, found.components[1])
    np.testing.assert_array_equal(of["target"].coordinate, found.coordinates[:, 1])
    assert of["train"].id.tolist() == train.ids.tolist()
    assert of["target"].id.tolist() == list(range(60))
    assert (one.explained_in_a == found.explained_in_a[1]).all()
    assert (one.explained_in_b == found.explained_in_b[1]).all()
    first = one[one.of == "target"]
    assert first.coordinate.abs().is_monotonic_decreasing
    assert one.of.tolist() == ["target"] * 60 + ["train"] * 90


def test_noise_does_not_flatter_on_weights_of_other_runs():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(50, 80))
    a, b, a_other, b_other = (shared + 2 * rng.normal(size=(50, 80)) for _ in range(4))
    flattered = compare_learners(a, b, n_components=1)
    honest = compare_learners(a, b, n_components=1, held_out=(a_other, b_other))
    assert flattered.explained_in_a[0] > 3 / 80
    assert abs(honest.explained_in_a[0]) < 1.5 / 80


def test_retraining_shows_that_only_one_learner_uses_the_mark():
    train, targets = load_digits_examples(n_train=300)
    rng = np.random.default_rng(0)
    # a mark that tells the class of 40 training examples and of 30 targets
    marks = [np.zeros((len(part), 10)) for part in (train, targets)]
    rows = rng.permutation(300)[:40]
    marks[0][rows, 3], y = 1, np.array(train.y)
    y[rows] = 3
    others = np.flatnonzero(targets.y != 3)[:60]
    marks[1][others[:30], 3] = 1
    parts = [
        Examples(np.hstack([part.X, 40 * mark]), labels)
        for part, mark, labels in zip(
            (train, targets), marks, (y, targets.y), strict=True
        )
    ]
    train, targets = parts[0], parts[1][others]
    without = FunctionTransformer(lambda X: X[:, :64])
    trainers = [
        SubsetTrainer(model, train, targets, random_state=0)
        for model in (RidgeClassifier(10), make_pipeline(without, RidgeClassifier(10)))
    ]
    weights = [
        DatamodelRegressor(penalty="l2", random_state=0)
        .fit(trainer.fit_transform(np.arange(400)))
        .coef_
        for trainer in trainers
    ]
    found = compare_learners(*weights, n_components=1, train=train, targets=targets)
    top = np.argsort(-np.abs(found.components[0]))[:20]
    assert np.isin(top, rows).mean() > 0.8
    assert found.explained_in_a[0] > 2 * found.explained_in_b[0]
    params = {"n_removed": 20, "n_ends": 15, "n_trials": 1, "n_control_trials": 1}
    a, b = found.effects(*trainers, **params)
    assert np.nanmax(np.abs(a.same_end)) > 3 * np.nanmax(np.abs(b.same_end))
    assert "in B" in repr(found)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"weights_b": np.ones((60, 5))}, ValueError, "of the same targets"),
        ({"n_components": 0}, ValueError, "an integer from 1 to 60, got 0"),
        ({"n_components": 2.5}, ValueError, "got 2.5"),
        ({"held_out": np.ones((60, 90))}, TypeError, "two attribution matrices"),
        (
            {"held_out": (np.ones((60, 90)), np.ones((6, 90)))},
            ValueError,
            r"held_out\[1",
        ),
        ({"train": Examples(np.eye(3), range(3))}, ValueError, "train has 3 rows"),
        ({"targets": [1, 2]}, TypeError, "targets must be Examples"),
    ],
)
def test_bad_input(params, error, message):
    a, b, _ = planted()
    with pytest.raises(error, match=message):
        compare_learners(**{"weights_a": a, "weights_b": b} | params)


def test_both_trainers_are_checked_before_any_training():
    def learner(rows, seed):
        raise RuntimeError("trained")

    a, b, _ = planted()
    data, few = (Examples(np.eye(n), range(n)) for n in (90, 80))
    targets = Examples(np.eye(90)[:60], range(60))
    short = Examples(np.eye(80)[:60], range(60))
    trainers = SubsetTrainer(learner, data, targets), SubsetTrainer(learner, few, short)
    with pytest.raises(ValueError, match="trainer_b has 80 training examples"):
        compare_learners(a, b).effects(*trainers)


def test_equal_weights_have_no_directions():
    a, *_ = planted()
    assert "mean nothing" in " ".join(repr(compare_learners(a, 2 * a)).split())


def test_noise_of_a_is_told_unless_held_out_weights_measure_it():
    a, b, _ = planted(noise=0.5)
    told = "two fits of one learner differ, too. Pass held_out"
    assert told in " ".join(repr(compare_learners(a, b)).split())
    honest = compare_learners(a, b, held_out=planted(noise=0.5, seed=1)[:2])
    assert honest.held_out
    assert "Pass held_out" not in repr(honest)


def test_fitted_estimators_know_their_ids_and_what_they_are_about():
    masks = sample_masks(np.arange(60), 40, 0.5).dense()
    outputs = masks[:, :12] + 0.0

    def fitted(output="margin", names="a"):
        ids = [f"{names}{k}" for k in range(12)]
        runs = TrainingRuns(
            masks, outputs, output=output, player_ids=np.arange(40) * 2, target_ids=ids
        )
        return DatamodelRegressor(penalty="l2", random_state=0).fit(runs)

    found = compare_learners(fitted(), fitted().coef_)
    assert found.train_ids.tolist() == list(range(0, 80, 2))
    assert found.target_ids[0] == "a0"
    with pytest.raises(ValueError, match=r"and weights_b were .* different outputs"):
        compare_learners(fitted(), fitted("correctness"))
    with pytest.raises(ValueError, match=r"held_out\[1\] were .* different targets"):
        compare_learners(fitted(), fitted(), held_out=(fitted(), fitted(names="b")))
