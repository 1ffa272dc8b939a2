"""Text of a table cannot start a formula or hide what is printed."""

import io

import numpy as np
import pytest

from skdatamodels.auditing._safe_text import for_spreadsheets, visible

pd = pytest.importorskip("pandas")


def test_hidden_characters_become_visible():
    hidden = [chr(k) for k in (0, 0x1B, 0x7F, 0x9B, 0x200F, 0x202E, 0x2066, 0xFEFF)]
    for character in hidden:
        assert visible(f"a{character}b") == f"a⟨U+{ord(character):04X}⟩b"
    assert visible("a\n\tb ü é 名") == "a\n\tb ü é 名"


def test_formulas_in_cells_names_and_index():
    frame = pd.DataFrame(
        {
            "=x": ["=1+1", "+1", "-1", "@a", "a=1", None],
            "n": np.arange(-3.0, 3.0),
            "day": pd.date_range("2020-01-01", periods=6),
            "kind": pd.Categorical(["-a", "b"] * 3),
        },
        index=["=r", "a", "b", "c", "d", "e"],
    )
    safe = for_spreadsheets(frame)
    assert safe.index[0] == "'=r"
    assert safe["'=x"].tolist()[:5] == ["'=1+1", "'+1", "'-1", "'@a", "a=1"]
    assert safe["kind"].tolist()[:2] == ["'-a", "b"]
    assert frame.columns[0] == "=x"
    read = pd.read_csv(io.StringIO(safe.to_csv()), index_col=0)
    assert read["n"].tolist() == frame["n"].tolist()
    assert read["day"].iloc[0] == "2020-01-01"
    assert for_spreadsheets(frame[:0]).shape == (0, 4)
