import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdatamodels.influence import trak
from skdatamodels.influence.adapters import traker_trak

pytest.importorskip("trak")
torch = pytest.importorskip("torch")

# The package's own: it still calls what torch calls old.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning"
)


@pytest.mark.parametrize("output", ["margin", "log_odds", "cross_entropy"])
def test_without_projection_it_is_ours_to_scale(
    output, make_module, make_classification, capsys
):
    data, module = make_classification(3), make_module(dtype=torch.float32)
    options = {"output": output, "projection_dim": None, "damping": 0.5}
    influence = traker_trak(module, *data, batch_size=7, **options)
    assert capsys.readouterr() == ("", "")
    assert module.training
    expected = trak(module, *data, **options)
    scale = (influence * expected).sum() / (expected**2).sum()
    assert scale > 0
    assert_allclose(influence, scale * expected, rtol=1e-3, atol=1e-4 * scale)


def test_damping_of_projections_is_ours(make_module, make_classification):
    """Each with its own projections, whose noise the mean over many takes away."""
    data, module = make_classification(3), make_module(dtype=torch.float32)
    options = {"projection_dim": 30, "damping": 5.0, "random_state": 0}
    states = [module.state_dict()] * 40
    influence = traker_trak(module, *data, checkpoints=states, **options)
    expected = trak(module, *data, checkpoints=states, **options)
    assert np.corrcoef(influence.ravel(), expected.ravel())[0, 1] > 0.97


def test_random_state(make_module, make_classification):
    data, module = make_classification(3), make_module(dtype=torch.float32)
    options = {"projection_dim": 8, "damping": 0.1}
    first, again, other = (
        traker_trak(module, *data, random_state=seed, **options) for seed in (0, 0, 1)
    )
    assert_allclose(first, again)
    assert abs(first - other).max() > 1e-3


def test_bad_input(make_module, make_classification):
    with pytest.raises(ValueError, match="one or more checkpoints"):
        traker_trak(make_module(), *make_classification(3), checkpoints=[])
    with pytest.raises(ValueError, match="logits of the 2 classes"):
        traker_trak(make_module(), *make_classification(2))
