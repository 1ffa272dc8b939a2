"""Tables that reach the last step of a pipeline, against one table of both parts."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skdatamodels import Examples
from skdatamodels.influence._pipeline_tables import split_pipeline


@pytest.mark.parametrize("dtype", [object, "category", "string"])
@pytest.mark.parametrize("other", [[0, 1], [0.5, np.nan], [None, "a"]])
def test_a_column_of_text_may_have_none_in_the_targets(dtype, other):
    known = pd.DataFrame({"size": np.arange(4.0), "c": [*"abab"]}).astype({"c": dtype})
    train = Examples(known, np.arange(4) % 2)
    table = pd.DataFrame({"c": other, "size": [4.0, 5.0]})
    targets = Examples(table, [0, 1], allow_nan=True)
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["c"]), remainder="passthrough"
    )
    model = make_pipeline(encode, LogisticRegression()).fit(train.X, train.y)
    last, *parts = split_pipeline(model, train, targets)
    assert last is model[-1]
    both = pd.concat([known.astype({"c": object}), table])
    expected = encode.transform(both)
    assert_allclose(parts[0].X, expected[:4])
    assert_allclose(parts[1].X, expected[4:])
