import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from skdatamodels._example_scales import scales_of

X = np.random.default_rng(0).normal(size=(9, 3)) * [1, 5, 0]


@pytest.mark.parametrize("given", [X, csr_array(X), pd.DataFrame(X)])
def test_standard_deviations(given):
    assert_allclose(scales_of(given), X.std(axis=0), atol=1e-12)


def test_what_is_no_number_has_no_scale():
    frame = pd.DataFrame({"a": ["x", "y"], "b": [1.0, np.nan]})
    assert_allclose(scales_of(frame), [np.nan, 0])
    assert_allclose(scales_of(np.array(["a", "b"])), [np.nan])
