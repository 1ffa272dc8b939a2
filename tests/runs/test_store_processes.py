"""RunStore among processes, and with processes that are killed.

This file is also the program that the tests start: ``python FILE`` reads commands, one
a line, and runs each in a fork of its own, for a fork starts in a few milliseconds and
a Python that imports scikit-learn in a second.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from itertools import count

import numpy as np
import pytest

from skdatamodels.masks import PackedMasks
from skdatamodels.runs import RunStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="fork and SIGKILL")

_N_TRAIN, _N_TARGETS, _NOTE = 70, 40, {"alpha": 0.5}
_FILES = [f"{name}.npy" for name in ("masks", "seeds", "outputs", "checksums")]


def _content(rows):
    """Masks, seeds and outputs that belong to some rows: arguments of write."""
    rows = np.asarray(rows, dtype=np.int64)
    masks = (rows[:, None] * np.arange(3, 3 + _N_TRAIN) // 5) % 2 == 0
    outputs = np.sin(rows[:, None] + np.arange(_N_TARGETS)).astype(np.float32)
    return masks, rows * 1_000_003 % 2**32, outputs


def _open_or_create(path, entropy=0):
    return RunStore.open_or_create(
        path, _N_TRAIN, _N_TARGETS, configuration=_NOTE, entropy=entropy
    )


# ---- the program


def serve():
    """Run each command in a fork, and tell when it begins and ends."""
    names = {}

    def reap(*_):
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                _say(names[found[0]], "ended", os.waitstatus_to_exitcode(found[1]))

    signal.signal(signal.SIGCHLD, reap)
    for line in sys.stdin:
        name, function, *arguments = json.loads(line)
        # its end is not told before its beginning
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            _work(name, function, arguments)
        names[pid] = name
        _say(name, "pid", pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _work(name, function, arguments):
    try:
        for words in globals()[function](*arguments):
            _say(name, *words)
        os._exit(0)
    except BaseException as error:
        _say(name, "failed", repr(error))
        os._exit(1)


def _say(*words):
    # one write, so that lines of several processes do not mix
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def fill(path, n_rows):
    """Write what is not done yet, a few rows at a time, the last of them first."""
    with RunStore(path).lock() as store:
        todo = np.flatnonzero(~store.done(np.arange(n_rows)))
        for start in range(0, len(todo), 4):
            rows = todo[start : start + 4][::-1]
            store.write(rows, *_content(rows))
            yield "wrote", *rows


def begin(path, row):
    """Make the store, unless another process does, and add a run."""
    while not os.path.exists(os.path.dirname(path)):
        pass  # all begin at once
    store = _open_or_create(path, entropy=row)
    yield "entropy", store.entropy
    store.write([row], *_content([row]))


def append(path, first, n):
    """Give runs without ids the rows that are free."""
    store = RunStore(path)
    for run in range(first, first + n):
        masks, seeds, outputs = _content([run])
        with store.lock():
            rows = store.rows_for(PackedMasks.from_dense(masks), seeds)
            store.write(rows, masks, seeds, outputs)
            yield "wrote", *rows


def hold(path, release):
    """Hold the lock until a file appears, and write just before it is given back."""
    with RunStore(path).lock() as store:
        yield ("locked",)
        while not os.path.exists(release):
            time.sleep(0.005)
        store.write([0], *_content([0]))


def wait(path):
    """Say how many runs there are when it is this one's turn."""
    store = RunStore(path)
    yield ("waits",)
    with store.lock():
        yield "sees", len(store)


def write_and_die(path, n_lines, rows):
    """Be killed after so many lines of the code that writes rows."""
    with RunStore(path).lock() as store:
        _die_in({"grow", "write", "_write_all"}, n_lines)
        store.write(rows, *_content(rows))
    yield ("survived",)


def create_and_die(path, n_lines):
    """Be killed after so many lines of the code that makes a store."""
    _die_in({"create", "write_meta", "write_atomically"}, n_lines)
    _open_or_create(path)
    yield ("survived",)


def _die_in(functions, n_lines):
    lines = count()

    def trace(frame, event, _):
        code = frame.f_code
        if code.co_name not in functions or "skdatamodels" not in code.co_filename:
            return None
        if event == "line" and next(lines) == n_lines:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


# ---- the tests


class _Program:
    """The program of this file, running."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.workers = []
        threading.Thread(target=self._read, daemon=True).start()

    def start(self, function, *arguments):
        worker = _Worker()
        command = [len(self.workers), function, *arguments]
        self.workers.append(worker)
        self.process.stdin.write(json.dumps(command, default=str) + "\n")
        self.process.stdin.flush()
        return worker

    def close(self):
        for worker in self.workers:
            worker.kill()
        self.process.stdin.close()
        self.process.wait(timeout=30)

    def _read(self):
        with self.process.stdout as lines:
            for line in lines:
                name, *words = line.split()
                self.workers[int(name)].hear(words)


class _Worker:
    """One command of the program, and what its process has said so far."""

    def __init__(self):
        self.lines = queue.SimpleQueue()
        self.pid = queue.SimpleQueue()
        self.alive = True
        self.code = None

    def hear(self, words):
        if words[0] == "pid":
            self.pid.put(int(words[1]))
        else:
            self.lines.put(words)

    def kill(self):
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid.get(timeout=30), signal.SIGKILL)

    def read(self, timeout=30):
        words = self.lines.get(timeout=timeout)
        assert words[0] != "failed", words
        if words[0] == "ended":
            self.alive, self.code = False, int(words[1])
        return words

    def rest(self):
        """What it says until it ends."""
        said = []
        while self.alive:
            said.append(self.read())
        return said[:-1]


@pytest.fixture(scope="module")
def program():
    program = _Program()
    yield program
    program.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "root" / "runs"


def _rows_said(lines):
    return [int(row) for words in lines for row in words[1:]]


def _assert_whole(path, at_least=()):
    """The store opens, done rows hold what belongs to them, these are done."""
    store = RunStore(path, _NOTE)
    rows = np.flatnonzero(store.done())
    runs = store.runs(rows)
    masks, seeds, outputs = _content(rows)
    assert np.array_equal(runs.masks, masks)
    assert np.array_equal(runs.seeds, seeds)
    assert np.array_equal(runs.outputs, outputs)
    assert np.isin(at_least, rows).all()
    return rows


def _assert_as_undisturbed(path, tmp_path):
    """Every file of a full store is, byte for byte, that of one written in one go."""
    n_rows = len(RunStore(path))
    undisturbed = _open_or_create(tmp_path / f"undisturbed-{n_rows}")
    if not len(undisturbed):
        undisturbed.write(np.arange(n_rows), *_content(np.arange(n_rows)))
    for name in _FILES:
        assert (path / name).read_bytes() == (undisturbed.path / name).read_bytes()


def test_killed_again_and_again_while_it_writes(program, path, tmp_path):
    _open_or_create(path)
    rng = np.random.default_rng(0)
    said, n_killed, n_stopped_between = [], 0, 0
    for _ in range(32):
        worker = program.start("fill", path, 10**6)
        said += _rows_said([worker.read()])  # it is at work
        time.sleep(rng.uniform(0, 0.03))
        worker.kill()
        said += _rows_said(worker.rest())
        n_killed += worker.code == -signal.SIGKILL
        done = _assert_whole(path, at_least=said)
        n_stopped_between += len(np.load(path / "masks.npy")) > done.max() + 1
    assert n_killed == 32
    assert len(said) == len(set(said))  # nothing that was done was done again
    assert n_stopped_between > 0  # some kills came within a write
    n_rows = len(np.load(path / "masks.npy")) + 9
    worker = program.start("fill", path, n_rows)
    said += _rows_said(worker.rest())
    assert worker.code == 0
    assert len(_assert_whole(path, at_least=said)) == n_rows
    _assert_as_undisturbed(path, tmp_path)


def test_killed_at_each_line_of_write(program, tmp_path):
    first, second = [0, 1, 2, 4], [5, 3]
    done_after, codes = [], []
    for n_lines in count():
        path = tmp_path / str(n_lines)
        _open_or_create(path).write(first, *_content(first))
        worker = program.start("write_and_die", path, n_lines, second)
        said = worker.rest()
        codes.append(worker.code)
        done = _assert_whole(path, at_least=first + second * len(said))
        done_after.append(len(done))
        store = RunStore(path)
        missing = np.flatnonzero(~store.done(np.arange(6)))
        store.write(missing, *_content(missing))
        _assert_as_undisturbed(path, tmp_path)
        if said:
            break
    assert codes == [-signal.SIGKILL] * n_lines + [0]
    assert n_lines > 80
    # a row counts at last, and never ceases to
    assert done_after == sorted(done_after)
    assert done_after.count(4) > n_lines / 2
    assert done_after[-1] == 6


def test_killed_at_each_line_of_create(program, tmp_path):
    opened = []
    for n_lines in count():
        path = tmp_path / str(n_lines) / "runs"
        worker = program.start("create_and_die", path, n_lines)
        survived = worker.rest()
        assert worker.code == (0 if survived else -signal.SIGKILL)
        opened.append((path / "meta.json").exists())
        if opened[-1]:
            assert len(_assert_whole(path)) == 0
        else:
            with pytest.raises((FileNotFoundError, ValueError), match="run store"):
                RunStore(path)
        _open_or_create(path).write([0, 1], *_content([0, 1]))
        _assert_whole(path, at_least=[0, 1])
        _assert_as_undisturbed(path, tmp_path)
        if survived:
            break
    assert n_lines > 15
    assert opened == sorted(opened)
    assert not opened[0]
    assert opened[-1]


def test_others_read_while_one_writes(program, path):
    _open_or_create(path)
    worker = program.start("fill", path, 800)
    sizes = []
    while worker.lines.qsize() < 201:  # 200 writes and the end
        sizes.append(len(_assert_whole(path)))
    worker.rest()
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 10
    assert len(_assert_whole(path)) == 800


@pytest.mark.parametrize("end", ["release", "kill"])
def test_one_writes_at_a_time(program, path, tmp_path, end):
    _open_or_create(path)
    holder = program.start("hold", path, tmp_path / "release")
    assert holder.read() == ["locked"]
    waiter = program.start("wait", path)
    assert waiter.read() == ["waits"]
    with pytest.raises(queue.Empty):
        waiter.read(timeout=0.3)
    if end == "release":
        (tmp_path / "release").touch()
    else:
        holder.kill()
    assert waiter.read() == ["sees", "1" if end == "release" else "0"]
    for worker in (holder, waiter):
        assert worker.rest() == []
    assert waiter.code == 0
    assert holder.code == (0 if end == "release" else -signal.SIGKILL)


def test_several_begin_the_same_store(program, tmp_path):
    for attempt in range(6):
        path = tmp_path / str(attempt) / "runs"
        workers = [program.start("begin", path, row) for row in range(4)]
        for worker in workers:
            worker_pid = worker.pid.get(timeout=30)
            worker.pid.put(worker_pid)  # it is there
        path.parent.mkdir()
        entropies = {tuple(worker.read()) for worker in workers}
        assert len(entropies) == 1
        for worker in workers:
            assert worker.rest() == []
            assert worker.code == 0
        assert RunStore(path).entropy in range(4)
        assert list(_assert_whole(path)) == [0, 1, 2, 3]


def test_several_add_runs_without_ids(program, path):
    _open_or_create(path)
    workers = [program.start("append", path, 100 * k, 6) for k in range(4)]
    rows = []
    for worker in workers:
        rows += _rows_said(worker.rest())
        assert worker.code == 0
    assert sorted(rows) == list(range(24))
    seeds = [_content([100 * k + i])[1][0] for k in range(4) for i in range(6)]
    assert sorted(RunStore(path).runs().seeds) == sorted(seeds)


if __name__ == "__main__":
    serve()
