import sys
from math import asin, cos, radians, sin, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdatamodels.metrics import leakage_recall, metadata_distances


def _kilometres(a, b):
    """Haversine formula, one pair at a time."""
    (lat1, lon1), (lat2, lon2) = (map(radians, point) for point in (a, b))
    h = sin((lat2 - lat1) / 2) ** 2
    h += cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371.0088 * asin(sqrt(h))


def _places(n, seed):
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(-90, 90, n), rng.uniform(-180, 180, n)])


def test_haversine_is_in_kilometres():
    a, b = _places(5, 0), _places(7, 1)
    expected = [[_kilometres(p, q) for q in b] for p in a]
    assert_allclose(metadata_distances(train=b, targets=a), expected)
    # Paris to London
    apart = metadata_distances(train=[[51.507, -0.128]], targets=[[48.857, 2.352]])
    assert_allclose(apart, 343.6, 1)


@pytest.mark.parametrize("block_entries", [1, 100, 2**22])
def test_recall_counts_as_a_loop_does(block_entries, monkeypatch):
    module = sys.modules["skdatamodels.metrics._leakage_recall"]
    monkeypatch.setattr(module, "_BLOCK_ENTRIES", block_entries)
    targets, train = _places(20, 0), _places(50, 1)
    candidates = np.random.default_rng(2).integers(-1, 50, size=(20, 4))
    candidates[3] = -1
    thresholds = [1.0, 500.0, 1500.0, 9000.0]
    recall, n_leaks = leakage_recall(
        candidates, train=train, targets=targets, thresholds=thresholds
    )
    for threshold, share, n in zip(thresholds, recall, n_leaks, strict=True):
        near = [[_kilometres(p, q) <= threshold for q in train] for p in targets]
        leaks = [j for j in range(20) if any(near[j])]
        found = [j for j in leaks if any(near[j][i] for i in candidates[j] if i >= 0)]
        assert n == len(leaks)
        assert_array_equal(share, len(found) / n if n else np.nan)
    assert n_leaks[0] == 0


def test_any_callable():
    def differ(a, b):
        return np.abs(np.subtract.outer(np.ravel(a), np.ravel(b)))

    recall, _ = leakage_recall(
        [[0]],
        train=[[1.5], [1.0]],
        targets=[[1.0]],
        thresholds=[0, 0.5],
        metric=differ,
    )
    assert_array_equal(recall, [0, 1])
    with pytest.raises(ValueError, match=r"shape \(1, 2\); got \(2,\)"):
        metadata_distances(
            train=[[1], [2]], targets=[[1]], metric=lambda a, b: np.zeros(2)
        )


@pytest.mark.parametrize(
    ("candidates", "targets", "message"),
    [
        ([[0], [1]], [[0.0, 0.0]], "each of the 1 targets.*They look swapped"),
        ([0], [[0.0, 0.0]], "each of the 1 targets"),
        ([[2]], [[0.0, 0.0]], "rows of the 2 training"),
        ([[-2]], [[0.0, 0.0]], "rows of the 2 training"),
        ([[0.0]], [[0.0, 0.0]], "rows of the 2 training"),
        ([[0]], [[0.0]], "two columns, .* metric='euclidean'"),
        ([[0]], [[91.0, 0.0]], "-90 to 90"),
        ([[0]], [[np.nan, 0.0]], "-90 to 90"),
    ],
)
def test_bad_input(candidates, targets, message):
    with pytest.raises(ValueError, match=message):
        leakage_recall(
            candidates, train=np.zeros((2, 2)), targets=targets, thresholds=[1.0]
        )
