"""Runs that are in the data twice are found, and repeated subsets are not copies."""

import numpy as np
import pytest

from skdatamodels.masks import PackedMasks, _packed
from skdatamodels.runs._copied_runs import copied_runs


@pytest.mark.parametrize("block_bytes", [2**26, 20])
def test_copies(monkeypatch, block_bytes):
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", block_bytes)
    rng = np.random.default_rng(0)
    masks, outputs = rng.random((30, 70)) < 0.5, rng.normal(size=(30, 3))
    outputs[4, 1] = np.nan
    for copy, original in ((9, 4), (12, 4), (20, 13)):
        masks[copy], outputs[copy] = masks[original], outputs[original]
    masks[21] = masks[13]  # another training of the same subset
    outputs[22] = outputs[13]  # another subset
    masks[[25, 27]], outputs[[25, 27]] = False, 0  # never written
    found = copied_runs(PackedMasks.from_dense(masks), outputs)
    np.testing.assert_array_equal(found, [[9, 12, 20, 27], [4, 4, 13, 25]])


def test_no_copies():
    masks = PackedMasks.from_dense(np.eye(3))
    copies, originals = copied_runs(masks, np.zeros((3, 1)))
    assert copies.shape == originals.shape == (0,)
