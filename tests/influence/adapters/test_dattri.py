import pytest
from numpy.testing import assert_allclose

from skdatamodels.influence import influence_functions, tracin
from skdatamodels.influence.adapters import dattri_influence, dattri_tracin

pytest.importorskip("dattri")

# The package's own: it still calls what torch calls old.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning"
)

OUTPUTS = pytest.mark.parametrize("output", ["margin", "log_odds", "cross_entropy"])


@OUTPUTS
@pytest.mark.parametrize("batch_size", [7, 64])
def test_tracin_is_ours(output, batch_size, make_module, make_classification, capsys):
    data, module = make_classification(3), make_module()
    states = [make_module(seed).state_dict() for seed in (1, 2)]
    path = {"checkpoints": states, "learning_rates": [0.3, 0.1], "output": output}
    influence = dattri_tracin(module, *data, batch_size=batch_size, **path)
    assert capsys.readouterr() == ("", "")
    assert module.training
    assert_allclose(influence, tracin(module, *data, **path), rtol=1e-4, atol=1e-5)


@OUTPUTS
@pytest.mark.parametrize("method", ["explicit", "cg"])
def test_influence_is_ours(output, method, make_linear, make_classification):
    data = make_classification(3)
    module, options = make_linear(data[0]), {"output": output, "damping": 0.5}
    influence = dattri_influence(module, *data, method=method, batch_size=3, **options)
    expected = influence_functions(module, *data, tol=1e-8, **options)
    assert_allclose(influence, expected, rtol=1e-4, atol=1e-5)


def test_of_a_network_with_its_hessian(make_module, make_classification):
    data, options = make_classification(3), {"damping": 60.0}
    influence = dattri_influence(make_module(), *data, **options)
    expected = influence_functions(
        make_module(), *data, curvature="hessian", tol=1e-8, **options
    )
    assert_allclose(influence, expected, rtol=1e-4, atol=1e-5)


def test_bad_input(make_module, make_classification):
    path = {"checkpoints": [], "learning_rates": []}
    with pytest.raises(ValueError, match="one or more checkpoints"):
        dattri_tracin(make_module(), *make_classification(3), **path)
