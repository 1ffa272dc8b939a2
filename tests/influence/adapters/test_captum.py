import pytest
from numpy.testing import assert_allclose

from skdatamodels.influence import influence_functions, tracin
from skdatamodels.influence.adapters import captum_influence, captum_tracin

pytest.importorskip("captum")

# The package's own: it still calls what torch calls old.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore:To copy construct from a tensor:UserWarning",
)

OUTPUTS = pytest.mark.parametrize("output", ["margin", "log_odds", "cross_entropy"])


@OUTPUTS
@pytest.mark.parametrize("batch_size", [7, 64])
def test_tracin_is_ours(output, batch_size, make_module, make_classification):
    data, module = make_classification(3), make_module()
    states = [make_module(seed).state_dict() for seed in (1, 2)]
    path = {"checkpoints": states, "learning_rates": [0.3, 0.1], "output": output}
    influence = captum_tracin(module, *data, batch_size=batch_size, **path)
    assert module.training
    assert_allclose(influence, tracin(module, *data, **path), rtol=1e-8)


@OUTPUTS
@pytest.mark.parametrize(("method", "atol"), [("naive", 1e-6), ("arnoldi", 2e-3)])
def test_influence_is_ours(output, method, atol, make_linear, make_classification):
    """All directions of a convex loss: 15 parameters."""
    data = make_classification(3)
    module, options = make_linear(data[0]), {"output": output, "damping": 0.5}
    influence = captum_influence(
        module, *data, method=method, projection_dim=15, random_state=0, **options
    )
    expected = influence_functions(module, *data, tol=1e-8, **options)
    assert_allclose(influence, expected, rtol=1e-3, atol=atol)


def test_random_state(make_module, make_classification):
    data, options = make_classification(3), {"projection_dim": 2, "damping": 1.0}
    first, again = (
        captum_influence(make_module(), *data, random_state=3, **options)
        for _ in range(2)
    )
    assert_allclose(first, again)


def test_bad_input(make_module, make_classification):
    path = {"checkpoints": [make_module().state_dict()], "learning_rates": [0.1, 0.2]}
    with pytest.raises(ValueError, match="1 checkpoints, learning_rates of shape"):
        captum_tracin(make_module(), *make_classification(3), **path)
    with pytest.raises(ValueError, match="logits of the 2 classes"):
        captum_influence(make_module(), *make_classification(2))
