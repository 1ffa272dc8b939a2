import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdatamodels.influence import gradient_dot, influence_functions
from skdatamodels.influence.adapters import kronfluence_influence

pytest.importorskip("kronfluence")
torch = pytest.importorskip("torch")

# The package's own: it still calls what torch calls old.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning"
)

OUTPUTS = pytest.mark.parametrize("output", ["margin", "log_odds", "cross_entropy"])


@OUTPUTS
def test_without_curvature_it_is_the_dot_product(
    output, make_module, make_classification, capsys
):
    data, module = make_classification(3), make_module(dtype=torch.float32)
    influence = kronfluence_influence(
        module, *data, output=output, strategy="identity", batch_size=7
    )
    assert capsys.readouterr() == ("", "")
    assert module.training
    expected = gradient_dot(module, *data, output=output)
    assert_allclose(influence, expected, rtol=1e-4, atol=1e-5)


@OUTPUTS
def test_is_near_influence_functions(output, make_linear, make_classification):
    """Order and unit: EK-FAC is a diagonal in the eigenvectors of a product."""
    data = make_classification(3)
    options = {"output": output, "damping": 3.0}
    module = make_linear(data[0]).float()
    influence = kronfluence_influence(module, *data, random_state=0, **options)
    expected = influence_functions(module, *data, **options)
    assert np.corrcoef(influence.ravel(), expected.ravel())[0, 1] > 0.8
    slope = (influence * expected).sum() / (expected**2).sum()
    assert 0.6 < slope < 1.6


def test_random_state(make_module, make_classification):
    data, module = make_classification(3), make_module(dtype=torch.float32)
    before = torch.random.get_rng_state()
    first, again, other = (
        kronfluence_influence(module, *data, random_state=seed) for seed in (0, 0, 1)
    )
    assert torch.equal(before, torch.random.get_rng_state())
    assert_allclose(first, again)
    assert abs(first - other).max() > 1e-6


def test_bad_input(make_module, make_classification):
    with pytest.raises(ValueError, match="'strategy' parameter"):
        kronfluence_influence(make_module(), *make_classification(3), strategy="x")
