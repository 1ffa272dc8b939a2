"""A file of failed runs, one JSON line each, which only ever grows."""

import json
import os


def append_failures(path, failures):
    """Append failures (iterable of dict) to a file."""
    lines = "".join(json.dumps(failure) + "\n" for failure in failures)
    if not lines:
        return
    with open(path, "a+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 1))
        # half a line, left by a process that was killed, must not spoil ours
        torn = file.read() not in (b"", b"\n")
        file.write(b"\n" * torn + lines.encode())


def read_failures(path):
    """Return the failures in a file (list of dict), but for torn lines."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    return [json.loads(line) for line in text.splitlines() if _is_json(line)]


def _is_json(line):
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
