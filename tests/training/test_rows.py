"""check_rows and mask_keys: what a trainer may be asked for."""

import numpy as np
import pytest

from skdatamodels import Examples, PackedMasks, TrainingRuns
from skdatamodels.training._rows import check_rows, mask_keys

MASKS = np.eye(3, dtype=np.uint8)


def test_run_ids_are_integers_and_masks_are_packed():
    ids = check_rows([2, 0], 3)
    assert ids.dtype == np.int64
    assert ids.tolist() == [2, 0]
    for masks in (MASKS, MASKS.astype(bool), MASKS.tolist()):
        packed = check_rows(masks, 3)
        assert isinstance(packed, PackedMasks)
        np.testing.assert_array_equal(packed.dense(), MASKS)
    assert check_rows(packed, 3) is packed


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (MASKS[:, :2], ValueError, r"n_train=3.*got ndarray of shape \(3, 2\)"),
        (PackedMasks.from_dense(MASKS)[:0], ValueError, "at least one run"),
        ((MASKS, [1, 2, 3]), ValueError, "got tuple of length 2"),
        (Examples(MASKS, [0, 1, 2]), ValueError, "do not belong in X"),
        (TrainingRuns(MASKS, np.ones((3, 1))), TypeError, "trained already"),
        ([1, 1], ValueError, "must be distinct"),
        (2 * MASKS, ValueError, "only 0 and 1"),
    ],
)
def test_anything_else_is_refused(X, error, message):
    with pytest.raises(error, match=message):
        check_rows(X, 3)


def test_a_key_tells_masks_apart_and_how_often_one_came():
    keys = mask_keys(PackedMasks.from_dense(MASKS[[0, 1, 0, 0]]))
    assert len(set(keys)) == 4
    assert len({key[:-1] for key in keys}) == 2
    assert [key[-1] for key in keys] == [0, 0, 1, 2]
