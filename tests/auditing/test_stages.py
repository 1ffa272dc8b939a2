"""The audit says what it does, how long the rest takes, and what a store has."""

import re
import time

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skdatamodels import audit
from skdatamodels.auditing import _stages
from skdatamodels.auditing._stages import Stage, Stages
from skdatamodels.runs import RunStore

pytest.importorskip("pandas")


def test_cost_of_a_stage():
    assert Stage("some", halves=10, full=5).cost == 20
    assert Stage("some", halves=10, full=5, found=12).cost == 4
    assert Stage("some", halves=10, found=99).cost == 0
    assert Stage("some").cost == 0


def test_time_left_follows_the_clock(monkeypatch, capsys):
    now = iter([0, 50, 100, 107, 200, 201])
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    stages = [Stage("a", 10), Stage("b"), Stage("c", 0, 10), Stage("d", 100, found=99)]
    stage = Stages(stages, seconds=2.0, verbose=1)
    assert stage.seconds == 2 * (10 + 20 + 1)
    with stage("a"):  # five seconds each, instead of two
        pass
    assert stage.seconds == 5 * 31
    with stage("b"):  # trains nothing, and does not count
        pass
    with stage("d"):  # all in the store but one
        pass
    assert stage.seconds == 5 * 31
    assert capsys.readouterr().err.splitlines() == [
        "audit, step 1 of 4: a",
        "audit, step 2 of 4: b; about 1.8 min left in all",
        "audit, step 4 of 4: d; about 5 s left in all",
    ]


def test_silence(capsys):
    with Stages([Stage("a", 10)], 2.0, verbose=0)("a"):
        pass
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("test_rows", [True, False])
def test_bars_have_names_and_what_is_stored_is_told(tmp_path, capsys, test_rows):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = np.where(X[:, 0] + 0.3 * rng.normal(size=80) > 0, "yes", "no")
    parts = (X[:60], y[:60], X[60:], y[60:]) if test_rows else (X, y)
    groups = np.arange(len(parts[0])) % 12
    options = {"n_jobs": 1, "n_runs": 50, "store": tmp_path, "groups": groups}
    model, told = LogisticRegression(), []
    for _ in range(2):
        found = audit(model, *parts, **options)
        told.append(capsys.readouterr().err)
    assert found.trust.enough
    assert found.group_audit.trust.enough
    first, second = told
    steps = re.findall(r"audit, step (\d) of (\d): ([^;\n]*)", first)
    n = len(steps)
    assert [(int(k), int(of)) for k, of, _ in steps] == [(k + 1, n) for k in range(n)]
    bars = [
        line.partition(":")[0] for line in re.split("[\n\r]", first) if "%|" in line
    ]
    assert set(bars) == {name for *_, name in steps} - {_stages.FITTING}
    assert " of them are in" not in first
    n_stored = sum(int(RunStore(path).done().sum()) for path in tmp_path.iterdir())
    assert f" {n_stored} of them are in {tmp_path}. About " in second
    assert "%|" not in second
