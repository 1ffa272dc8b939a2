"""Pace: how many runs go out together, and when no more do."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skdatamodels.training._execution.pace import _HOPELESS, Pace


@given(
    st.integers(0, 300),
    st.integers(1, 8),
    st.lists(st.tuples(st.integers(1, 50), st.floats(1e-6, 1e3)), max_size=8),
)
def test_chunks_cover_all_in_order_at_any_pace(n_todo, n_workers, reports):
    pace = Pace()
    todo, seen, reports = np.arange(n_todo), [], iter(reports)
    for chunk in pace.chunks(todo, lambda: n_workers):
        assert len(chunk) > 0
        seen += chunk.tolist()
        n_runs, seconds = next(reports, (1, 1.0))
        pace.record(n_runs, 0, seconds)
    assert seen == todo.tolist()


def test_no_more_chunks_after_so_many_failures_and_no_success():
    pace = Pace()
    chunks = pace.chunks(np.arange(10_000), lambda: 1)
    for _ in range(_HOPELESS):
        assert len(next(chunks)) == 1
        pace.record(0, 1, 10.0)
    assert pace.stopped
    assert list(chunks) == []


def test_one_success_is_hope():
    for pace in (Pace(n_finished=1), Pace()):
        pace.record(1 - pace.n_finished, 0, 1.0)
        pace.record(0, 100 * _HOPELESS, 1.0)
        assert not pace.stopped


def test_chunks_are_whole_blocks():
    pace = Pace(block_size=8)
    pace.record(100, 0, 1.0)  # 100 a second
    sizes = [len(chunk) for chunk in pace.chunks(np.arange(203), lambda: 1)]
    assert sizes == [96, 96, 11]
