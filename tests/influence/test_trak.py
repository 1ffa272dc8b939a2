import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdatamodels import Examples
from skdatamodels.influence import trak

torch = pytest.importorskip("torch")
nn = torch.nn

from skdatamodels.influence._projection import Projection  # noqa: E402

NAMES = ["cat", "dog", "eel"]


def _module(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    layers = [nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(5, 3)).to(dtype)


def _square(logits, y):
    return torch.where(torch.arange(3) == y, logits**2, 0).sum()


def _gradients(module, examples, output):
    """One backward pass an example; also the probability of its class."""
    gradients, proba = [], []
    for x, y in zip(examples.X, examples.y, strict=True):
        module.zero_grad()
        z, column = module(torch.tensor(x[None]))[0], NAMES.index(y)
        others = torch.cat([z[:column], z[column + 1 :]])
        value = {
            "margin": z[column] - others.max(),
            "log_odds": z[column] - torch.logsumexp(others, 0),
            "cross_entropy": -torch.log_softmax(z, 0)[column],
            _square: z[column] ** 2,
        }[output]
        value.backward()
        gradients.append(torch.cat([p.grad.flatten() for p in module.parameters()]))
        proba.append(torch.softmax(z, 0)[column].item())
    return torch.stack(gradients).numpy(), np.array(proba)


def _naive(modules, data, output, damping, projections):
    """The formula of the paper, with all matrices formed and inverted."""
    effects, doubts = [], []
    for module, P in zip(modules, projections, strict=True):
        features, proba = _gradients(module.eval(), data[0], "log_odds")
        of_targets, _ = _gradients(module, data[1], output)
        features, of_targets = features @ P, of_targets @ P
        mean_square = np.mean((features**2).sum(axis=1))
        added = mean_square if damping is None else damping
        gram = features.T @ features + added * np.eye(features.shape[1])
        effects.append(of_targets @ np.linalg.pinv(gram, rcond=1e-12) @ features.T)
        doubts.append(1 - proba)
    return np.mean(effects, axis=0) * np.mean(doubts, axis=0)


def _matrices(kind, n_out, numbers, entropy):
    eye = torch.eye(53, dtype=torch.float64)
    return [Projection(53, n_out, kind, entropy, key)(eye).numpy() for key in numbers]


@pytest.mark.parametrize("output", ["margin", "log_odds", "cross_entropy", _square])
@pytest.mark.parametrize("damping", [0.0, 0.3, None])
def test_equals_the_definition_without_projection(output, damping, make_classification):
    """30 examples, 53 parameters: without damping the pseudo-inverse."""
    data, module = make_classification(3), _module()
    influence = trak(module, *data, output=output, damping=damping)
    assert module.training
    expected = _naive([_module()], data, output, damping, [np.eye(53)])
    assert_allclose(influence, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("n_out", [8, 40])  # fewer and more than examples
@pytest.mark.parametrize("kind", ["sign", "gaussian"])
@pytest.mark.parametrize("damping", [0.1, None])
def test_equals_the_definition_with_projections(
    damping, kind, n_out, make_classification
):
    """Three checkpoints, each with a projection of its own."""
    data, modules = make_classification(3), [_module(seed) for seed in (1, 2, 3)]
    options = {"projection_dim": n_out, "projection": kind, "damping": damping}
    states = [module.state_dict() for module in modules]
    influence = trak(_module(), *data, checkpoints=states, random_state=5, **options)
    matrices = _matrices(kind, n_out, range(3), 5)
    expected = _naive(modules, data, "margin", damping, matrices)
    assert_allclose(influence, expected, rtol=1e-6, atol=1e-8)


def test_checkpoints_are_averaged_also_from_files(make_classification, tmp_path):
    data, modules = make_classification(3), [_module(seed) for seed in (1, 2)]
    paths = [tmp_path / f"{number}.pt" for number in range(2)]
    for module, path in zip(modules, paths, strict=True):
        torch.save(module.state_dict(), path)
    influence = trak(_module(), *data, checkpoints=paths, damping=0.2)
    expected = _naive(modules, data, "margin", 0.2, [np.eye(53)] * 2)
    assert_allclose(influence, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("projection_dim", [None, 20])
@pytest.mark.parametrize("block_bytes", [1, 5000])
def test_blocks_change_nothing(block_bytes, projection_dim, make_classification):
    train, targets = make_classification(3)
    data = train[:6], targets[:3]
    options = {"projection_dim": projection_dim, "random_state": 0, "damping": 0.1}
    whole = trak(_module(), *data, **options)
    blocks = trak(_module(), *data, **options, block_bytes=block_bytes)
    assert_allclose(blocks, whole, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("projection_dim", [None, 9, 40])
def test_subset(projection_dim, make_classification):
    """Inside as without the others; outside, by the inverse that has not seen them."""
    (train, targets), subset = make_classification(3), np.r_[2:22]
    options = {"projection_dim": projection_dim, "damping": 0.3, "random_state": 4}
    influence = trak(_module(), train, targets, **options, subset=subset)
    inside = trak(_module(), train[subset], targets, **options)
    assert_allclose(influence[:, subset], inside, rtol=1e-8, atol=1e-10)
    P = np.eye(53)
    if projection_dim is not None:
        (P,) = _matrices("sign", projection_dim, [0], 4)
    features, proba = _gradients(_module().eval(), train, "log_odds")
    of_targets, _ = _gradients(_module().eval(), targets, "margin")
    used = features[subset] @ P
    inverse = np.linalg.inv(used.T @ used + 0.3 * np.eye(len(P.T)))
    expected = of_targets @ P @ inverse @ (features @ P).T * (1 - proba)
    assert_allclose(influence, expected, rtol=1e-6, atol=1e-8)


def test_a_subset_for_each_checkpoint(make_classification):
    (train, targets), modules = make_classification(3), [_module(1), _module(2)]
    states, subsets = [module.state_dict() for module in modules], [[1, 5, 7], [2, 3]]
    given = {"checkpoints": states, "damping": 0.3}
    influence = trak(modules[0], train, targets, subset=subsets, **given)
    effects, doubts = [], []
    for module, subset in zip(modules, subsets, strict=True):
        _, proba = _gradients(module.eval(), train, "log_odds")
        alone = trak(module, train, targets, subset=subset, damping=0.3)
        effects.append(alone / (1 - proba))
        doubts.append(1 - proba)
    expected = np.mean(effects, axis=0) * np.mean(doubts, axis=0)
    assert_allclose(influence, expected, rtol=1e-8)
    for_all = trak(modules[0], train, targets, subset=subsets[0], **given)
    twice = [subsets[0]] * 2
    same = trak(modules[0], train, targets, subset=twice, **given)
    assert_allclose(for_all, same, rtol=1e-12)


def test_many_projections_tend_to_none(make_classification):
    """The mean over projections comes near the whole gradients' influence."""
    data, state = make_classification(3), _module().state_dict()
    whole = trak(_module(), *data, damping=1.0)
    errors = []
    for n_checkpoints in (1, 16):
        options = {"projection_dim": 53, "damping": 1.0, "random_state": 0}
        states = [state] * n_checkpoints
        projected = trak(_module(), *data, checkpoints=states, **options)
        errors.append(np.linalg.norm(projected - whole))
    assert errors[1] < 0.6 * errors[0]


def test_random_state(make_classification):
    data, options = make_classification(3), {"projection_dim": 10}
    first, again, other = (
        trak(_module(), *data, random_state=seed, **options) for seed in (0, 0, 1)
    )
    assert_allclose(first, again, rtol=0)
    assert abs(first - other).max() > 1e-3


def test_float32(make_classification):
    data, options = make_classification(3), {"damping": 0.3, "output": "log_odds"}
    single = trak(_module(dtype=torch.float32), *data, **options)
    assert single.dtype == np.float64
    expected = _naive([_module()], data, "log_odds", 0.3, [np.eye(53)])
    assert_allclose(single, expected, rtol=1e-3, atol=1e-4)


def test_sign(make_classification):
    """An example raises its own log-odds, and lowers its own loss."""
    train, _ = make_classification(3)
    own = trak(_module(), train, train, output="log_odds", damping=0.1).diagonal()
    loss = trak(_module(), train, train, output="cross_entropy", damping=0.1).diagonal()
    assert (own > 0).all()
    assert (loss < 0).all()


def test_progress(make_classification, capsys):
    """30 training examples and 8 targets, or as many products as there are blocks."""
    data, states = make_classification(3), [_module().state_dict()] * 2
    options = {"checkpoints": states, "damping": 1.0, "verbose": 1}
    trak(_module(), *data, projection_dim=5, **options)
    assert "76/76" in capsys.readouterr().err
    trak(_module(), *data, block_bytes=2 * 15 * 53 * 8, **options)
    assert "180/180" in capsys.readouterr().err


def test_singular_without_damping(make_classification):
    train, targets = make_classification(3)
    rows = [*range(9), 0]
    twice = Examples(train.X[rows], train.y[rows])
    with pytest.raises(ValueError, match=r"\(10, 10\), is singular.* set damping"):
        trak(_module(), twice, targets, damping=0)
    assert np.isfinite(trak(_module(), twice, targets)).all()


def test_non_finite_gradient_names_example_and_parameter(make_classification):
    train, targets = make_classification(3)
    X = np.array(train.X)
    X[7] = 1e200
    module = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3)).double()
    with torch.no_grad():
        module[1].weight[:] = torch.arange(9).double().reshape(3, 3) * 1e120
    with pytest.raises(ValueError, match=r"of train example 7 by .*'0.weight'"):
        trak(module, Examples(X, train.y), targets, projection_dim=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checkpoints": []}, "one or more checkpoints"),
        (
            {"checkpoints": [nn.Linear(4, 3).state_dict()]},
            "Checkpoint 0 does not match the module",
        ),
        ({"projection_dim": 54}, "more than the 53 parameters of the module"),
        ({"projection_dim": 0}, "'projection_dim' parameter"),
        ({"projection": "sparse"}, "'projection' parameter"),
        ({"output": "accuracy"}, "output must be one of margin"),
        ({"damping": -1.0}, "'damping' parameter"),
        ({"subset": [30]}, "indices from 0 to 29, got 30"),
        ({"subset": [[1, 2], [3]]}, "got 2 subsets and 1 checkpoints"),
        ({"subset": np.r_[:20], "damping": 0.0}, "20 examples of a subset do not"),
        ({"module": nn.Linear(4, 4)}, "logits of the 3 classes"),
    ],
)
def test_bad_input(options, message, make_classification):
    train, targets = make_classification(3)
    given = {"module": _module(), "train": train, "targets": targets, "damping": 1.0}
    with pytest.raises(ValueError, match=message):
        trak(**given | options)
