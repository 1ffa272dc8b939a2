import io
import sys

import pytest

from skdatamodels import _progress
from skdatamodels._progress import duration, named_progress, progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, stream, n=500, **params):
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    with progress_bar(total=n, unit="run", **params) as bar:
        for _ in range(n):
            bar.update()
    return stream.getvalue()


def test_a_log_gets_lines_and_few_of_them(monkeypatch):
    text = shown(monkeypatch, io.StringIO())
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert "\r" not in text
    assert "500/500" in text
    assert "run/s" in text


def test_a_log_gets_a_line_now_and_then(monkeypatch):
    monkeypatch.setattr(_progress, "_SECONDS", 0)
    lines = shown(monkeypatch, io.StringIO(), n=5).splitlines()
    assert len(lines) > 2
    assert all("run/s" in line or "?" in line for line in lines)


def test_a_terminal_gets_one_line_that_changes(monkeypatch):
    text = shown(monkeypatch, Terminal())
    assert text.count("\n") == 1
    assert text.startswith("\r")


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_nothing_is_shown_without_verbose(monkeypatch, stream):
    assert shown(monkeypatch, stream(), verbose=0) == ""


def test_it_counts_from_what_is_done_and_iterates(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert list(progress_bar("abc", total=5, initial=2)) == ["a", "b", "c"]
    assert "5/5" in sys.stderr.getvalue()


def test_names_of_bars(monkeypatch):
    with named_progress("training"):
        assert shown(monkeypatch, io.StringIO()).startswith("training: 100%")
        assert shown(monkeypatch, io.StringIO(), desc="own").startswith("own: 100%")
    assert shown(monkeypatch, io.StringIO()).startswith("100%")


def test_short_work_shows_nothing_with_a_delay(monkeypatch):
    assert shown(monkeypatch, Terminal(), delay=60) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0123, "0.012 s"),
        (89, "89 s"),
        (150, "2.5 min"),
        (7200, "2 h"),
        (5 * 86400, "5 days"),
        (86400 * 12345, "12,000 days"),
    ],
)
def test_durations_have_two_digits(seconds, text):
    assert duration(seconds) == text
