"""A file of failed runs, one JSON line each. Lines are only appended."""

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
        # A killed process may have left half a line, which must not be continued.
        torn = file.read() not in (b"", b"\n")
        file.write(b"\n" * torn + lines.encode())


def read_failures(path):
    """Return the failures in a file (list of dict); incomplete lines are skipped."""
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
