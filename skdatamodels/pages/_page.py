"""One HTML file: template, style, script and data together."""

import base64
import hashlib
import html
import json
import re
from importlib.resources import files

import numpy as np

_SCRIPTS = (
    "base.js",
    "examples.js",
    "table.js",
    "weights.js",
    "selection.js",
    "target.js",
    "map.js",
    "lists.js",
    "overview.js",
    "annotation.js",
    "main.js",
)


def make_page(title, data):
    """Return the text of a page. It needs no other file and makes no requests.

    Parameters
    ----------
    title : str
        Heading of the page.
    data : dict
        What the script reads, as JSON; its keys decide which views the page has.

    Returns
    -------
    page : str
        HTML.
    """
    folder = files("skdatamodels.pages") / "templates"
    read = {
        path.name: path.read_text("utf-8")
        for path in (folder / name for name in ("page.html", "page.css", *_SCRIPTS))
    }
    script = "\n".join(read[name] for name in _SCRIPTS)
    parts = {
        "title": html.escape(title),
        "style": read["page.css"],
        "script": script,
        # nothing but these two runs or styles the page, whatever the data contain
        "style-hash": _hash(read["page.css"]),
        "script-hash": _hash(script),
        "data": as_json(data),
    }
    return re.sub(
        r"\{\{([a-z-]+)\}\}", lambda found: parts[found[1]], read["page.html"]
    )


def as_json(data):
    """Return data as JSON that is safe in a script element.

    A "<" in the data could end the element.
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # half of a surrogate pair cannot be written in UTF-8
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text.replace("<", "\\u003c")


def check_size(values, name):
    """Raise if numbers are too large for the page, which reads them as float32."""
    low = np.fmin.reduce(values, axis=None, initial=0)
    high = np.fmax.reduce(values, axis=None, initial=0)
    most = np.finfo(np.float32).max
    if low < -most or high > most:
        raise ValueError(
            f"{name} has numbers beyond {most:.2g} in magnitude, which a page cannot "
            "show. Write them in a larger unit."
        )


def embed(values):
    """Return an array as its type and its bytes in base64."""
    values = np.ascontiguousarray(values)
    name = values.dtype.name
    if name not in ("float32", "float64", "uint8", "uint16", "uint32", "int32"):
        raise TypeError(f"The page cannot read an array of {name}.")
    content = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    return {"type": name, "base64": base64.b64encode(content).decode()}


def embed_counts(values):
    """Embed integers from 0, in as few bytes as they need."""
    most = int(np.max(values, initial=0))
    kinds = (k for k in (np.uint8, np.uint16, np.uint32) if most <= np.iinfo(k).max)
    return embed(np.asarray(values).astype(next(kinds)))


def _hash(text):
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
