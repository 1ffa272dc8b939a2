"""FFCV runs in processes with a time limit, for its own has none."""

import os
import shutil
import sys
import textwrap
import time
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from skdatamodels.runs import TrainingRuns, _beton, read_beton, write_beton


def needs_ffcv(test):
    test = pytest.mark.skipif(find_spec("ffcv") is None, reason="needs FFCV")(test)
    return pytest.mark.slow(test)


_SETUP = """
    import os, sys
    import numba, numpy as np, pytest, torch
    from numpy.testing import assert_array_equal
    from skdatamodels.masks import PackedMasks
    from skdatamodels.runs import TrainingRuns, read_beton, write_beton

    os.chdir(sys.argv[1])
    rng = np.random.default_rng(0)
    masks = rng.random((250, 21)) < 0.5
    outputs = rng.standard_normal((250, 3)).astype(np.float32)

    def write_as_the_authors_do(path, rows, n_workers=2, **changes):
        # `rows`: what the samples say their numbers are
        from ffcv.fields import IntField, NDArrayField
        from ffcv.writer import DatasetWriter

        columns = {"mask": masks, "targets": outputs, "idx": rows} | changes
        fields = {
            name: NDArrayField(values.dtype, values.shape[1:])
            if values.ndim > 1
            else IntField()
            for name, values in columns.items()
        }
        samples = [
            tuple(values[i] for values in columns.values()) for i in range(len(rows))
        ]
        DatasetWriter(path, fields, num_workers=n_workers).from_indexed_dataset(samples)
"""


def _run(script, folder, limit=300):
    script = textwrap.dedent(_SETUP) + textwrap.dedent(script)
    _beton._run([sys.executable, "-c", script, str(folder)], folder, limit)


@needs_ffcv
def test_round_trip(tmp_path):
    _run(
        """
        before = torch.get_num_threads(), numba.get_num_threads()
        half = outputs[:2].astype(np.float16)
        half[1] = np.nan
        wide = rng.random((2, 9_000_000)) < 0.5  # a row is longer than FFCV's pages
        for number, runs in enumerate([
            TrainingRuns(masks, outputs),
            TrainingRuns(PackedMasks.from_dense(wide)[::-1], half[::-1]),
        ]):
            write_beton(runs, f"{number}.beton", timeout=120)
            again = read_beton(f"{number}.beton")
            assert again.shape == runs.shape
            assert again.seeds is None
            assert_array_equal(again.packed.bits, runs.packed.bits)
            assert again.outputs.dtype == np.float32
            assert_array_equal(again.outputs, runs.outputs)
        assert (torch.get_num_threads(), numba.get_num_threads()) == before
        assert {f"{number}.beton" for number in range(2)} | {"log"} == set(os.listdir())
        """,
        tmp_path,
    )


@needs_ffcv
def test_files_of_the_authors_writer(tmp_path, monkeypatch):
    _run(
        """
        from skdatamodels.masks import _packed

        rows = rng.permutation(1000)[:250]  # a part of the runs, in any order
        order = np.argsort(rows)
        write_as_the_authors_do("theirs.beton", rows)
        write_as_the_authors_do(
            "other.beton", rows, mask=masks.astype(np.uint8),
            targets=outputs.astype(np.float16), more=outputs,
        )
        _packed._BLOCK_BYTES = 1000
        for path, dtype in ("theirs.beton", np.float32), ("other.beton", np.float16):
            runs = read_beton(path)
            assert_array_equal(runs.masks, masks[order])
            assert_array_equal(runs.outputs, outputs[order].astype(dtype), strict=True)
        """,
        tmp_path,
    )


@needs_ffcv
def test_the_authors_loader_reads_ours(tmp_path):
    _run(
        """
        write_beton(TrainingRuns(masks, outputs), "ours.beton", timeout=120)

        from ffcv.fields.decoders import IntDecoder, NDArrayDecoder
        from ffcv.loader import Loader, OrderOption
        from ffcv.transforms import Squeeze, ToTensor

        loader = Loader(
            "ours.beton",
            batch_size=50,
            num_workers=1,
            order=OrderOption.RANDOM,
            os_cache=True,
            pipelines={
                "mask": [NDArrayDecoder(), ToTensor()],
                "targets": [NDArrayDecoder(), ToTensor()],
                "idx": [IntDecoder(), ToTensor(), Squeeze()],
            },
        )
        seen = []
        for mask, targets, idx in loader:
            assert_array_equal(mask, masks[idx], strict=True)
            assert_array_equal(targets, outputs[idx], strict=True)
            seen += idx.tolist()
        assert sorted(seen) == list(range(250))

        # after a Loader, FFCV's writer in this process might wait for ever
        write_beton(TrainingRuns(masks, outputs), "more.beton", timeout=120)
        assert_array_equal(read_beton("more.beton").outputs, outputs)
        """,
        tmp_path,
    )


@needs_ffcv
def test_files_that_cannot_be_read(tmp_path):
    _run(
        """
        def refuses(path, message, error=ValueError):
            with pytest.raises(error, match=message) as caught:
                read_beton(path)
            assert path in str(caught.value)

        rows = np.arange(250)
        refuses("none.beton", "No such file", FileNotFoundError)
        for content in b"", b"x", b"run,output" * 1000:
            open("junk.beton", "wb").write(content)
            refuses("junk.beton", "is incomplete, or is not a file that FFCV can read")

        write_as_the_authors_do("whole.beton", rows)
        content = open("whole.beton", "rb").read()
        for length in 10, 3000, 5000, 2**23 + 100, len(content) - 250 * 48 - 99:
            open("short.beton", "wb").write(content[:length])
            refuses("short.beton", "is incomplete")
        open("part.beton", "wb").write(content[:16] + bytes(8) + content[24:])
        refuses("part.beton", "its writer did not finish")

        write_as_the_authors_do("twice.beton", np.r_[rows[:-1], 7])
        refuses("twice.beton", "has run 7 twice")
        wrong = masks.astype(np.uint8)
        wrong[9, 4] = 2
        write_as_the_authors_do("wrong.beton", rows + 100, mask=wrong)
        with pytest.raises(ValueError, match="got 2 at run 109, example 4"):
            read_beton("wrong.beton")
        infinite = outputs.copy()
        infinite[9, 2] = -np.inf
        write_as_the_authors_do("infinite.beton", rows, targets=infinite)
        refuses("infinite.beton", "contains infinity: -inf at run 9, target 2")
        for changes in (
            {"mask": outputs}, {"targets": masks}, {"idx": outputs}, {"mask": rows},
            {"targets": np.stack([outputs] * 2, axis=2)},
        ):
            write_as_the_authors_do("fields.beton", rows, **changes)
            refuses("fields.beton", "must have the fields mask .* it has mask = ")
        """,
        tmp_path,
    )


@pytest.fixture
def runs():
    return TrainingRuns(np.eye(3), np.ones((3, 2), np.float32))


def test_without_ffcv(monkeypatch, tmp_path, runs):
    monkeypatch.setitem(sys.modules, "ffcv", None)
    message = r'pip install "skdatamodels\[ffcv\]"'
    with pytest.raises(ImportError, match=message):
        read_beton(tmp_path / "runs.beton")
    with pytest.raises(ImportError, match=message):
        write_beton(runs, tmp_path / "runs.beton")
    assert not os.listdir(tmp_path)


def test_what_is_not_written(monkeypatch, tmp_path, runs):
    monkeypatch.setattr(_beton, "import_ffcv", lambda: None)
    path = tmp_path / "runs.beton"
    with pytest.raises(ValueError, match="no runs"):
        write_beton(runs[:0], path)
    with pytest.raises(TimeoutError, match=r"did not finish in 0\.01 s"):
        write_beton(runs, path, timeout=0.01)
    with monkeypatch.context() as patch:
        usage = SimpleNamespace(total=2**40, free=2**25)
        patch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(OSError, match=f"{2**25 + 57} bytes on disk, but only"):
            write_beton(runs, path)
    assert not os.listdir(tmp_path)
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="already exists"):
        write_beton(runs, path)
    assert path.read_text() == "mine"


def test_a_writer_that_fails_says_why(tmp_path):
    script = "import sys; print('halfway'); sys.exit('the disk is on fire')"
    with pytest.raises(RuntimeError, match=r"failed: halfway\nthe disk is on fire$"):
        _beton._run([sys.executable, "-uc", script], tmp_path, 60)
    with pytest.raises(RuntimeError, match="it printed nothing"):
        _beton._run([sys.executable, "-c", "raise SystemExit(3)"], tmp_path, 60)


@pytest.mark.skipif(sys.platform == "win32", reason="no fork, no process groups")
def test_a_writer_that_hangs_is_ended_with_its_workers(tmp_path):
    """FFCV's waits for ever for a worker that has died, or is stuck."""
    script = """
import multiprocessing, os, pathlib, sys, time
def work():
    pathlib.Path(sys.argv[1], "worker").write_text(str(os.getpid()))
    print("stuck", flush=True)
    time.sleep(600)
multiprocessing.get_context("fork").Process(target=work).start()
time.sleep(600)
"""
    start = time.monotonic()
    with pytest.raises(TimeoutError, match="in 3 s and was stopped: stuck"):
        _beton._run([sys.executable, "-c", script, str(tmp_path)], tmp_path, 3)
    assert time.monotonic() - start < 30
    worker = int((tmp_path / "worker").read_text())
    for _ in range(100):
        if not _is_running(worker):
            return
        time.sleep(0.1)
    pytest.fail("the worker lives on")


def test_without_process_groups_the_writer_itself_is_ended(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "killpg", raising=False)  # as on Windows
    with pytest.raises(TimeoutError, match="did not finish in 1 s"):
        _beton._run([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, 1)


def _is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # one that has ended stays a zombie until its parent asks
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().split()[2] != "Z"
