"""LazyAttributions: a mapping that is computed once, when it is first read."""

import pickle
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from skdatamodels import TrainingRuns
from skdatamodels.runs._lazy_attributions import LazyAttributions

N_CALLS = []


def compute():
    """Count the calls; slow enough for threads to meet."""
    N_CALLS.append(1)
    time.sleep(0.05)
    return {"ones": np.ones((2, 3)), "twos": np.full((2, 3), 2.0)}


@pytest.fixture(autouse=True)
def _anew():
    N_CALLS.clear()


def test_a_mapping_that_is_computed_when_it_is_read():
    lazy = LazyAttributions(compute)
    assert repr(lazy) == "<attributions, not computed yet>"
    assert not N_CALLS
    assert list(lazy) == ["ones", "twos"]
    assert len(lazy) == 2
    assert "ones" in lazy
    np.testing.assert_array_equal(lazy["twos"], np.full((2, 3), 2.0))
    assert repr(lazy) == repr(lazy.found)
    assert lazy.seconds is None
    assert len(N_CALLS) == 1


def test_an_error_is_not_kept():
    faults = [OSError("gone"), None]

    def sometimes():
        fault = faults.pop(0)
        if fault:
            raise fault
        return {}

    lazy = LazyAttributions(sometimes)
    with pytest.raises(OSError, match="gone"):
        len(lazy)
    assert len(lazy) == 0


def test_threads_wait_for_the_first():
    lazy, found = LazyAttributions(compute), []
    threads = [
        threading.Thread(target=lambda: found.append(lazy.found)) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(N_CALLS) == 1
    assert all(one is found[0] for one in found)


def test_copies_share_what_one_of_them_computes():
    lazy, other = LazyAttributions(compute), LazyAttributions(compute)
    first, second = (pickle.loads(pickle.dumps(lazy)) for _ in range(2))
    assert first.found is second.found
    assert len(N_CALLS) == 1
    assert pickle.loads(pickle.dumps(other)).found is not first.found
    assert len(N_CALLS) == 2


def test_a_pickle_has_what_is_computed():
    lazy = LazyAttributions(compute)
    len(lazy)
    copy = pickle.loads(pickle.dumps(lazy))
    np.testing.assert_array_equal(copy["twos"], lazy["twos"])
    assert len(N_CALLS) == 1


def test_parts_of_runs_share_attributions_and_models():
    lazy, models = LazyAttributions(compute), [SimpleNamespace()]
    runs = TrainingRuns(np.eye(3), np.ones((3, 2)), attributions=lazy, models=models)
    for part in (runs[1], runs[:2], runs[[0, 2]][[True, False]]):
        assert part.attributions is lazy
        assert part.models == tuple(models)
    assert not N_CALLS
    plain = TrainingRuns(np.eye(3), np.ones((3, 2)))
    assert plain.attributions is None
    assert plain.models == ()
