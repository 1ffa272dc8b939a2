import sys
import warnings

import numpy as np
import pytest

from skdatamodels.influence import adapters
from skdatamodels.influence.adapters._peers import Problem, quiet

torch = pytest.importorskip("torch")

PATH = {"checkpoints": [None], "learning_rates": [1.0]}


@pytest.mark.parametrize(
    ("name", "module", "package", "options"),
    [
        ("captum_tracin", "captum.influence", "captum", PATH),
        (
            "captum_influence",
            "captum.influence._core.arnoldi_influence_function",
            "captum",
            {},
        ),
        ("dattri_influence", "dattri.algorithm.influence_function", "dattri", {}),
        ("kronfluence_influence", "kronfluence", "kronfluence", {}),
        ("traker_trak", "trak", "traker", {}),
    ],
)
def test_says_how_to_install(
    name, module, package, options, monkeypatch, make_module, make_classification
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=f"pip install {package}"):
        getattr(adapters, name)(make_module(), *make_classification(3), **options)


def _problem(make_module, make_classification):
    return Problem(make_module(), *make_classification(3), "margin")


def test_refuses_scores_that_are_not_finite(make_module, make_classification):
    problem, scores = _problem(make_module, make_classification), np.zeros((8, 30))
    scores[2, 11] = np.nan
    with pytest.raises(ValueError, match="first for target 2 and train example 11"):
        problem.influence(torch.tensor(scores), "peer")


def test_refuses_another_orientation(make_module, make_classification):
    problem = _problem(make_module, make_classification)
    with pytest.raises(ValueError, match=r"shape \(30, 8\) for 8 targets and 30"):
        problem.influence(np.zeros((30, 8)), "peer")


def test_works_on_a_copy(make_module, make_classification):
    module = make_module()
    problem = Problem(module, *make_classification(3), "margin")
    with torch.no_grad():
        problem.module[0].weight += 1
    assert not problem.module.training
    assert module.training
    assert torch.equal(module[0].weight, make_module()[0].weight)


def _chatter(verbose):
    with quiet(verbose):
        print("progress")
        print("progress", file=sys.stderr)
        warnings.warn("heard", stacklevel=1)


@pytest.mark.parametrize("verbose", [0, 1])
def test_quiet(verbose, capsys):
    """What is printed is dropped; a warning is not."""
    with pytest.warns(UserWarning, match="heard"):
        _chatter(verbose)
    printed = "progress\n" * verbose
    assert capsys.readouterr() == (printed, printed)
