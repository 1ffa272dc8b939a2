import base64
import json
import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.sparse import csr_array

from skdatamodels import DatamodelRegressor, Examples
from skdatamodels._example_scales import cell_differences, plain_values, scales_of
from skdatamodels.applications import (
    predict_counterfactual,
    read_annotations,
    similar_examples,
)
from skdatamodels.datasets import make_linear_runs
from skdatamodels.inference import infer_weights
from skdatamodels.pages import read_selection, write_explorer
from skdatamodels.pages._page import make_page

N_TRAIN, N_TARGETS = 40, 12
HOSTILE = [
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 2'>",
    '" onfocus="window.hacked = 3" autofocus=\'',
    "invoice\u202efdp.exe",
    "{{data}} ${window.hacked = 4} {{script}}",
    "=cmd|' /C calc'!A0",
    "x" * 3000,
    "",
]


def _frame(n, seed):
    rng = np.random.default_rng(seed)
    frame = {
        "age": rng.integers(18, 80, n),
        "income": rng.normal(size=n),
        "job": rng.choice(["clerk", "nurse"], n),
        "<b>note</b>": np.resize(np.array(HOSTILE, dtype=object), n),
    }
    return pd.DataFrame(frame)


TRAIN = Examples(
    _frame(N_TRAIN, 0),
    np.resize(["no", "<i>yes"], N_TRAIN),
    ids=[f"{HOSTILE[k % 8]} {k}" for k in range(N_TRAIN)],
    metadata={"source": np.resize(["web", "phone"], N_TRAIN)},
)
TARGETS = Examples(_frame(N_TARGETS, 1), np.resize(["no", "<i>yes"], N_TARGETS))
RNG = np.random.default_rng(2)
WEIGHTS = RNG.normal(size=(N_TARGETS, N_TRAIN))
WEIGHTS[np.abs(WEIGHTS) < 0.2] = 0
ERRORS = RNG.uniform(0.1, 0.3, size=WEIGHTS.shape)
OUTPUTS = RNG.normal(size=N_TARGETS)
QUALITY = np.resize([0.5, -0.1, np.nan], N_TARGETS)
GROUPS = np.resize(["a", "b", "c"], N_TRAIN)
CANDIDATES = np.full((N_TARGETS, 2), -1)
CANDIDATES[3] = 5, 8
OPTIONS = {
    "outputs": OUTPUTS,
    "output_info": "margin",
    "standard_error": ERRORS,
    "quality": QUALITY,
    "groups": GROUPS,
    "trust": {"LDS": (0.62, 0.58, 0.66), "runs": 300, "message": "Not <b>bad</b>."},
    "sections": {
        "Label errors": {"example": np.array([7, 3]), "why": np.array(HOSTILE[:2])},
        "Leaks": pd.DataFrame({"target": [4], "train": [9], "score": [0.5]}),
    },
    "candidates": CANDIDATES,
    "title": "Why <b>this</b>?",
}


def _write(folder, weights=WEIGHTS, train=TRAIN, targets=TARGETS, **options):
    path = folder / "page.html"
    write_explorer(path, weights, train, targets, **options)
    return path


def _data(path):
    page = path.read_text("utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])


# In a browser


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("pages"), **OPTIONS)


@pytest.fixture
def explorer(page, browser):
    browser.open(page)
    yield browser
    hacked = browser.execute_script("return window.hacked === undefined")
    assert hacked
    browser.check_silent()


def _listed(explorer):
    return [int(text) for text in explorer.texts(".list td:first-child")]


def _go(explorer, part):
    explorer.execute_script(f"location.hash = '{part}'")
    explorer.settle()


def _tick(explorer, *rows):
    for row in rows:
        explorer.execute_script(
            f"document.querySelector('.detail [data-column=\"{row}\"] input').click()"
        )


def test_first_sight(explorer):
    assert explorer.one("h1").text == OPTIONS["title"]
    trust = explorer.one("#trust").text
    assert "LDS\n0.620 (0.580 to 0.660)" in trust
    assert "Not <b>bad</b>." in trust
    assert explorer.texts("#tabs a") == [
        "Targets",
        "Training rows",
        "Label errors",
        "Leaks",
        "Annotate",
    ]
    assert _listed(explorer) == list(range(N_TARGETS))
    heads = explorer.texts(".side h3")
    n_raise, n_lower = (WEIGHTS[0] > 0).sum(), (WEIGHTS[0] < 0).sum()
    assert heads == [
        f"▲ {n_raise} rows that raise the margin (helpers)",
        f"▼ {n_lower} rows that lower the margin (harmers)",
    ]
    shown = [card.get_attribute("data-column") for card in explorer.all(".raise .card")]
    assert [int(row) for row in shown] == np.argsort(-WEIGHTS[0])[:10].tolist()


def test_hostile_cells_are_text(explorer):
    cells = explorer.texts(".subject dd")
    assert HOSTILE[0] in cells
    _go(explorer, "targets/3")
    assert "invoice⟨U+202E⟩fdp.exe" in explorer.texts(".subject dd")
    assert explorer.all("main script, main img, main iframe") == []
    _go(explorer, "section0")
    assert explorer.texts("main td:nth-child(3)") == HOSTILE[:2]


def test_differing_cells_are_marked(explorer):
    target, row = 1, int(np.argmax(WEIGHTS[1]))
    _go(explorer, f"targets/{target}")
    card = explorer.all(".raise .card")[0]
    card.find_elements("css selector", ".more button")
    marked = {
        cell.text.split("\n")[0]
        for cell in card.find_elements("css selector", ".differs dt")
    }
    ours, theirs = TRAIN.X.iloc[row], TARGETS.X.iloc[target]
    for name in ("age", "income"):
        gap = abs(ours[name] - theirs[name]) / np.std(TRAIN.X[name])
        assert (name in marked) == (gap >= 1)
    assert ("job" in marked) == (ours["job"] != theirs["job"])


def test_cells_differ_by_the_same_rule_as_in_python(browser, tmp_path):
    rng = np.random.default_rng(0)

    def frame(n):
        age = rng.integers(18, 80, n).astype(float)
        age[:2] = np.nan
        return pd.DataFrame(
            {
                "age": age,
                "income": 1e6 * rng.normal(size=n),
                "constant": np.full(n, n),
                "town": rng.choice(["Oslo", "Rome", None], n),
                "born": pd.to_datetime(rng.choice(["2020-01-01", "2021-01-01"], n)),
                "paid": rng.random(n) < 0.5,
            }
        )

    parts = [Examples(frame(n), np.arange(n) % 2, allow_nan=True) for n in (9, 5)]
    browser.open(_write(tmp_path, np.eye(5, 9), *parts))
    found = browser.execute_script(
        "const pairs = parts.train.columns.map(c => [c, findColumn(parts.targets, c)]);"
        "return pairs.map(([own, other]) => Array.from({length: 9}, (_, i) =>"
        " Array.from({length: 5}, (_, k) => own.gap(i, other, k))))"
    )
    scales = scales_of(parts[0].X)
    for gaps, name, scale in zip(found, parts[0].X, scales, strict=True):
        own, other = (plain_values(part.X[name]) for part in parts)
        expected = cell_differences(own[:, None], other, scale)
        assert_allclose(gaps, expected, rtol=1e-5, err_msg=name)
        assert np.ptp(expected) > 0 or name == "constant"


def test_filters(explorer):
    wrong = np.flatnonzero(OUTPUTS <= 0)
    explorer.choose("Prediction", "wrong")
    assert _listed(explorer) == wrong.tolist()
    explorer.choose("y", "<i>yes")
    assert _listed(explorer) == wrong[wrong % 2 == 1].tolist()
    explorer.choose("y", "y: all")
    explorer.choose("Column to filter by", "age")
    explorer.one("[aria-label='age from']").send_keys("40")
    old = np.flatnonzero((TARGETS.X["age"] >= 40) & (OUTPUTS <= 0))
    assert _listed(explorer) == old.tolist()
    explorer.choose("Column to filter by", "job")
    explorer.one("[aria-label='job contains']").send_keys("NUR")
    nurses = np.flatnonzero((TARGETS.X["job"] == "nurse") & (OUTPUTS <= 0))
    assert _listed(explorer) == nurses.tolist()
    _go(explorer, "rows")
    explorer.choose("Group", "b")
    first = explorer.texts(".list td:nth-child(3)")
    assert first == ["b"] * (GROUPS == "b").sum()


def test_quality_is_beside_the_prediction(explorer):
    assert "explain 50% of the variance" in explorer.one(".quality").text
    _go(explorer, "targets/1")
    assert "explain nothing" in explorer.one(".quality").text
    _go(explorer, "targets/2")
    assert explorer.all(".quality") == []


def test_sorting(explorer):
    explorer.all(".list th button")[2].click()
    assert _listed(explorer) == np.argsort(-OUTPUTS).tolist()
    explorer.all(".list th button")[2].click()
    assert _listed(explorer) == np.argsort(OUTPUTS).tolist()


def test_ticks_predict_and_are_read_back(explorer):
    target = 6
    _go(explorer, f"targets/{target}")
    rows = [
        int(card.get_attribute("data-column"))
        for side in (".raise", ".lower")
        for card in explorer.all(f"{side} .card")[:3]
    ]
    _tick(explorer, *rows)
    effects = predict_counterfactual(WEIGHTS, [rows])[:, 0]
    change = float(explorer.one(".without").get_attribute("data-change"))
    assert_allclose(change, effects[target], atol=1e-6)
    half = 1.959964 * np.sqrt((ERRORS[target, rows] ** 2).sum())
    low, high = re.findall(r"interval (\S+) to (\S+)\)", explorer.one(".without").text)[
        0
    ]
    shown = [float(text.replace("−", "-")) for text in (low, high)]
    assert_allclose(shown, effects[target] + [-half, half], rtol=0.01)
    halves = 1.959964 * np.sqrt((ERRORS[:, rows] ** 2).sum(axis=1))
    ends = (OUTPUTS + effects)[:, None] + halves[:, None] * [-1, 1]
    n_beyond = ((ends > 0) != (OUTPUTS > 0)[:, None]).sum(axis=1)
    certain, possible = n_beyond == 2, n_beyond == 1
    bar = explorer.one("#ticked").text
    assert (
        f"Flips of 12 targets: {certain.sum()} certain, {possible.sum()} possible."
        in bar
    )
    assert ("⇄ certain to flip" in bar) == certain[target]
    assert ("⇄ may flip" in bar) == possible[target]
    assert certain.any()
    assert possible.any()
    explorer.choose("Prediction", "certain to flip")
    assert _listed(explorer) == np.flatnonzero(certain).tolist()
    explorer.choose("Prediction", "certain or possible to flip")
    assert _listed(explorer) == np.flatnonzero(certain | possible).tolist()
    explorer.choose("Prediction", "Prediction: all")
    for button in ("csv", "json"):
        assert_array_equal(read_selection(explorer.saved(button), TRAIN), np.sort(rows))
    _tick(explorer, *rows)
    assert not explorer.one("#csv").is_enabled()


def test_rows_lead_to_the_targets_that_they_serve(explorer):
    explorer.all(".raise .card a")[0].click()
    explorer.settle()
    row = int(np.argmax(WEIGHTS[0]))
    assert explorer.current_url.endswith(f"#rows/{row}")
    served = explorer.texts(".raise .card a")
    expected = np.argsort(-WEIGHTS[:, row])[: (WEIGHTS[:, row] > 0).sum()]
    assert served == [f"target {target}" for target in expected[:10]]
    explorer.all(".raise .card a")[0].click()
    explorer.settle()
    assert explorer.current_url.endswith(f"#targets/{expected[0]}")


def test_groups_are_ticked_at_once(explorer):
    _go(explorer, "rows/4")
    (button,) = (b for b in explorer.all("button") if "Tick all of group" in b.text)
    button.click()
    rows = read_selection(explorer.saved("json"), TRAIN)
    assert_array_equal(rows, np.arange(1, N_TRAIN, 3))


def test_intervals_and_marks_by_standard_errors(explorer):
    """Of each sign the rate is 0.1, and no mark without a 95% interval beyond 0."""
    p = 2 * stats.norm.sf(np.abs(WEIGHTS[0] / ERRORS[0]))
    marked = p < 0.05
    for sign in (1, -1):
        one_sided = stats.norm.sf(sign * WEIGHTS[0] / ERRORS[0])
        of_sign = np.sign(WEIGHTS[0]) == sign
        rate = stats.false_discovery_control(one_sided) <= 0.1
        marked &= rate | ~of_sign
    marked &= WEIGHTS[0] != 0
    raising, lowering = marked & (WEIGHTS[0] > 0), marked & (WEIGHTS[0] < 0)
    text = explorer.one(".marked").text
    assert text.startswith(
        f"{raising.sum()} rows that raise the margin and {lowering.sum()} that lower "
        "it are distinguishable from nothing at FDR 0.1."
    )
    assert 0 < marked.sum() < (WEIGHTS[0] != 0).sum()
    first = np.argmax(WEIGHTS[0])
    ends = WEIGHTS[0, first] + 1.96 * ERRORS[0, first] * np.array([-1, 1])
    shown = (
        explorer.texts(".raise .ends")[0].replace("\N{MINUS SIGN}", "-").split(" to ")
    )
    assert_allclose([float(end) for end in shown], ends, rtol=5e-3)
    explorer.one(".marked input").click()
    assert explorer.texts(".raise h3")[0].startswith(f"▲ {raising.sum()} row")
    assert explorer.texts(".lower h3")[0].startswith(f"▼ {lowering.sum()} row")
    assert (
        explorer.switch_to.active_element.accessible_name.strip() == "List only these"
    )
    n_cards = min(10, raising.sum()) + min(10, lowering.sum())
    assert explorer.texts(".card .badge.sure") == ["distinguishable"] * n_cards
    whisker = explorer.all(".raise .whisker")[0]
    assert whisker.size["width"] > 0
    explorer.one(".marked input").click()


def test_marks_of_an_inference(browser, tmp_path):
    runs, _ = make_linear_runs(
        200, n_train=N_TRAIN, n_targets=N_TARGETS, noise=1.0, random_state=0
    )
    noise = np.random.default_rng(3).normal(size=(200, N_TARGETS))
    outputs = np.array(runs.outputs)
    outputs[:, 1] = noise[:, 1]  # no row has an effect on target 1
    model = DatamodelRegressor(0.05, penalty="l2").fit(runs.masks, outputs)
    inference = infer_weights(model, runs.masks, outputs)
    assert not inference.select(0.1)[1].any()
    browser.open(_write(tmp_path, model, inference=inference))
    found = similar_examples(model, 40, inference=inference)
    n_raise, n_lower = (
        getattr(found, f"{sign}_distinguishable")[0].sum()
        for sign in ("positive", "negative")
    )
    words = browser.one(".marked").text
    assert words.startswith(f"{n_raise} row")
    assert f" and {n_lower} that lower" in words
    ends = browser.texts(".raise .ends")[0].replace("\N{MINUS SIGN}", "-").split(" to ")
    assert_allclose(
        [float(end) for end in ends], found.positive_intervals[0, 0], rtol=6e-3
    )
    _go(browser, "targets/1")
    assert browser.one(".marked").text == (
        "No row stands out: none is distinguishable from nothing at FDR 0.1."
    )
    assert "allow for the choice of the largest" in browser.texts(".detail .note")[-2]
    _go(browser, "rows/0")
    assert len(browser.all(".card .ends")) == len(browser.all(".card")) > 0
    browser.check_silent()


def test_map_chooses_what_is_drawn_around(explorer):
    canvas = explorer.one("canvas")
    size = canvas.size
    width, height = size["width"] / 2 - 2, size["height"] / 2 - 2
    corners = [(-width, -height), (0, -height), (0, height), (-width, height)]
    explorer.drag(canvas, corners)
    places = explorer.execute_script(
        "const map = views.get('targets').map;"
        "return Array.from({length: map.n}, (_, i) => map.place(i)[0])"
    )
    left = [i for i, x in enumerate(places) if x < size["width"] / 2]
    assert _listed(explorer) == left
    assert f"{len(left)} targets chosen" in explorer.one(".chosen").text
    explorer.one(".chosen button").click()
    assert _listed(explorer) == list(range(N_TARGETS))


def test_sections_tick_rows(explorer):
    _go(explorer, "section0")
    (button,) = (b for b in explorer.all("button") if "Tick the 2 rows" in b.text)
    button.click()
    assert_array_equal(read_selection(explorer.saved("csv"), TRAIN), [3, 7])
    _go(explorer, "section1")
    explorer.all("main td a")[0].click()
    explorer.settle()
    assert explorer.current_url.endswith("#targets/4")


def test_what_is_listed_after_a_filter_is_ticked(browser, tmp_path):
    score = np.linspace(0, 1, 30)  # two pages of a table
    section = pd.DataFrame({"train": np.arange(30)[::-1], "score": score})
    section["why"] = np.resize(["odd", "even", "odd"], 30)
    rows = np.arange(30)[::-1]
    path = _write(tmp_path, sections={"Found": section})
    browser.open(path, "#section0")

    def ticks(n):
        word = "row" if n == 1 else "rows"
        (button,) = browser.all("main button:not(.quiet):not([aria-label])")
        assert button.text == f"Tick the {n} {word} listed"
        if n == 0:
            assert not button.is_enabled()
            return []
        button.click()
        ticked = read_selection(browser.saved("csv"), TRAIN)
        browser.one("#untick").click()
        return sorted(ticked)

    assert ticks(30) == sorted(rows)
    browser.choose("Column to filter by", "score")
    browser.one("[aria-label='score from']").send_keys("0.25")
    assert ticks((score >= 0.25).sum()) == sorted(rows[score >= 0.25])
    browser.one("[aria-label='score to']").send_keys("0.2")
    assert ticks(0) == []
    browser.choose("Column to filter by", "why")
    browser.one("[aria-label='why contains']").send_keys("EV")
    even = (section["why"] == "even").to_numpy()
    assert ticks(even.sum()) == sorted(rows[even])
    browser.choose("Column to filter by", "train")
    browser.one("[aria-label='train contains']").send_keys(TRAIN.ids[5][:12])
    known = [TRAIN.ids[5][:12].lower() in TRAIN.ids[k].lower() for k in rows]
    assert ticks(sum(known)) == sorted(rows[known])
    _go(browser, "rows")
    browser.choose("y", "no")
    no = np.flatnonzero(TRAIN.y == "no")
    (button,) = (b for b in browser.all("button") if "listed" in b.text)
    assert button.text == f"Tick the {len(no)} rows listed"
    button.click()
    assert_array_equal(read_selection(browser.saved("csv"), TRAIN), no)
    browser.check_silent()


def test_questions_are_answered_on_the_same_page(explorer):
    _go(explorer, "annotate")
    explorer.one('.same[data-pair="3,5"]').click()
    explorer.one('.other[data-pair="3,8"]').click()
    explorer.one("#annotator").send_keys("Ann")
    path = explorer.saved("answers-csv")
    assert_array_equal(read_annotations(path, CANDIDATES, TRAIN, TARGETS)[3], [1, 0])


def test_keyboard_and_theme(explorer):
    link = explorer.all(".list td a")[2]
    link.send_keys(explorer.keys.ENTER)
    explorer.settle()
    assert explorer.one(".detail h2").text == "target 2"
    explorer.all(".card input")[0].send_keys(explorer.keys.SPACE)
    assert explorer.one("#ticked").text.startswith("1 row ticked")
    canvas = explorer.one("canvas")
    keys = explorer.keys
    canvas.send_keys(keys.ARROW_LEFT, keys.ARROW_RIGHT, keys.ENTER)
    assert "#targets/" in explorer.current_url
    unnamed = explorer.execute_script(
        "return [...document.querySelectorAll('input, select, button, a')].filter(e =>"
        " !(e.getAttribute('aria-label') || e.textContent.trim()"
        " || (e.labels && [...e.labels].some(l => l.textContent.trim()))))"
        ".map(e => e.outerHTML)"
    )
    assert unnamed == []
    colour = "return getComputedStyle(document.body).backgroundColor"
    before = explorer.execute_script(colour)
    explorer.one("#theme").click()
    assert explorer.execute_script(colour) != before


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(explorer, width):
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    explorer.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        for part in ("targets/2", "targets", "rows/3", "section0", "annotate"):
            _go(explorer, part)
            wide = "return document.querySelector('main').scrollWidth"
            assert explorer.execute_script(wide) <= width, part
    finally:
        explorer.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_columns_that_are_groups(browser, tmp_path):
    weights = RNG.normal(size=(N_TARGETS, 3))
    path = _write(tmp_path, weights, groups=GROUPS, outputs=OUTPUTS)
    browser.open(path)
    column = int(np.argmax(weights[0]))
    _tick(browser, column)
    change = float(browser.one(".without").get_attribute("data-change"))
    assert_allclose(change, -weights[0, column], rtol=1e-6)
    rows = read_selection(browser.saved("json"), TRAIN)
    assert_array_equal(rows, np.arange(column, N_TRAIN, 3))
    browser.check_silent()


def test_ticked_rows_whose_weights_are_left_out(browser, tmp_path):
    path = _write(tmp_path, outputs=OUTPUTS, n_weights=4, standard_error=ERRORS)
    browser.open(path, "#rows")
    (button,) = (b for b in browser.all("button") if "Tick the 40 rows" in b.text)
    button.click()
    _go(browser, "targets/5")
    kept = np.argsort(-np.abs(WEIGHTS[5]))[:4]
    change = float(browser.one(".without").get_attribute("data-change"))
    assert_allclose(change, -WEIGHTS[5, kept].sum(), rtol=1e-6)
    rest = np.delete(WEIGHTS[5], kept)
    half = 1.959964 * np.sqrt((ERRORS[5] ** 2).sum() + (rest**2).sum())
    low = re.findall(r"interval (\S+) to", browser.one(".without").text)[0]
    assert_allclose(float(low.replace("−", "-")), change - half, rtol=0.01)
    assert "36 of the ticked rows are not among" in browser.one(".prediction").text
    browser.check_silent()


def _interval(browser):
    """Return the predicted change that is shown, and half of its interval."""
    without = browser.one(".without")
    low, high = re.findall(r"interval (\S+) to (\S+)\)", without.text)[0]
    low, high = (float(end.replace("−", "-")) for end in (low, high))
    return float(without.get_attribute("data-change")), (high - low) / 2


def test_interval_of_a_weight_of_zero(browser, tmp_path):
    train, targets = TRAIN[:4], TARGETS[:2]
    weights = np.array([[1.0, 0, 3, 4], [5, 6, 0, 8]])
    errors = np.full((2, 4), 0.5)
    path = _write(tmp_path, weights, train, targets, standard_error=errors)
    browser.open(path, "#targets/1")
    _tick(browser, 1)
    _go(browser, "targets/0")
    assert_allclose(_interval(browser), [0, 0.98], rtol=0.01)
    assert "all 3 weights of this target that" in browser.one(".detail").text
    _go(browser, "targets/1")
    assert_allclose(_interval(browser), [-6, 0.98], rtol=0.01)
    browser.check_silent()


def test_sets_of_rows_do_more_than_their_sum(browser, tmp_path):
    """Compared with the documented formula, written out over pairs of rows."""
    noise = np.linspace(0.1, 0.4, N_TARGETS)
    removal = {"growth": 1.5, "growth_error": 0.6, "shared_error": 0.3}
    removal |= {"noise": noise, "sizes": [1, 4], "widths": [1.0, 2.5]}
    path = _write(tmp_path, outputs=OUTPUTS, standard_error=ERRORS, removal=removal)
    browser.open(path, "#targets/2")
    w, total = WEIGHTS[2], np.abs(WEIGHTS[2]).sum()
    rows = np.argsort(-w)[:5]
    for n in (1, 3):
        _tick(browser, *(rows[:1] if n == 1 else rows[1:3]))
        some = rows[:n]
        together = sum(w[i] * abs(w[j]) / total for i in some for j in some if i != j)
        change = -w[some].sum() - 1.5 * together
        strength = np.abs(WEIGHTS[:, some]).mean(axis=0).sum()
        parts = [noise[2], *ERRORS[2, some], 0.6 * together, 0.3 * strength]
        half = 1.959964 * np.linalg.norm(parts)
        half *= 1 + 1.5 * np.log(n) / np.log(4)
        assert_allclose(_interval(browser), [change, half], rtol=0.01)
    assert "more than the sum" in browser.one(".prediction").text
    _tick(browser, *rows[3:])
    assert "interval " not in browser.one(".without").text
    assert "checked for up to 4 rows" in browser.one(".prediction").text
    browser.check_silent()


# Without a browser


def test_page_is_small_enough(tmp_path):
    rng = np.random.default_rng(0)
    train = Examples(rng.random((300, 24, 24)), np.arange(300) % 3)
    targets = train[:4]
    weights = rng.normal(size=(4, 300))
    whole = _write(tmp_path, weights, train, targets)
    assert len(_data(whole)["examples"]["train"]["images"]) == 300
    bare = len(make_page("", {}))
    for max_bytes in bare + np.array([200_000, 80_000, 35_000]):
        path = _write(tmp_path, weights, train, targets, max_bytes=max_bytes)
        assert path.stat().st_size <= max_bytes
        data = _data(path)
        assert data["notes"]
        rows = data["examples"]["train"]["rows"] or range(300)
        assert set(np.abs(weights).argmax(axis=1)) <= set(rows)
    with pytest.raises(ValueError, match=rf"more than max_bytes={bare:,}\. Pass fewer"):
        _write(tmp_path, weights, train, targets, max_bytes=bare)


def test_large_numbers(tmp_path):
    weights = np.float32(WEIGHTS) * np.float32(1e37)
    sections = {"s": {"hash": [2**60 + 1, 10**400], "x": np.array([1e300, -1e300])}}
    train = Examples(RNG.choice([-1e300, 1e300], size=(40, 2)), TRAIN.y)
    targets = Examples(RNG.choice([-1e300, 1e300], size=(12, 2)), TARGETS.y)
    data = _data(_write(tmp_path, weights, train, targets, sections=sections))
    (names,) = (c["names"] for c in data["sections"][0]["columns"] if "names" in c)
    assert f"{2**60 + 1}" in names
    coordinates = np.frombuffer(base64.b64decode(data["map"]["base64"]), np.float32)
    assert np.isfinite(coordinates).all()


def test_csr_is_the_same_page(tmp_path):
    dense = _write(tmp_path, **OPTIONS).read_text("utf-8")
    assert _write(tmp_path, csr_array(WEIGHTS), **OPTIONS).read_text("utf-8") == dense


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": WEIGHTS.T}, "Transpose the weights"),
        ({"weights": WEIGHTS[:, :3]}, r"shape \(12, 40\); got \(12, 3\)"),
        ({"outputs": OUTPUTS[:3]}, r"outputs must be finite numbers of shape \(12,\)"),
        ({"quality": [np.inf] * 12}, "quality must be finite"),
        ({"embedding": np.zeros((12, 3))}, r"embedding must be .* shape \(12, 2\)"),
        ({"standard_error": -ERRORS}, "not negative"),
        ({"removal": {"growth": -1}}, r"removal\['growth'\] must be a finite"),
        ({"removal": {"grow": 1}}, "removal must be a dict with keys among"),
        ({"removal": {"sizes": [2, 1], "widths": [1, 1]}}, "must be increasing int"),
        ({"removal": {"sizes": [1, 2], "widths": [1]}}, "as many finite numbers"),
        ({"removal": {"sizes": [1, 2]}}, "as many finite numbers"),
        ({"removal": {"noise": [1.0]}}, r"or one for each of the 12 targets"),
        ({"standard_error": ERRORS[0]}, r"standard_error must have shape \(12,\)"),
        ({"groups": GROUPS[:5]}, "a label for each of the 40"),
        ({"groups": {"a": [0, 40]}}, "must be rows of the training set"),
        ({"groups": {"a": [0], "b": [0]}}, "a row in two groups"),
        ({"trust": {"LDS": (1, 2)}}, r"must be text, a number or \(value, low, high\)"),
        ({"sections": {"s": {"example": np.array([40])}}}, "integers from 0 to 39"),
        ({"sections": {"s": {"a": [1], "b": [1, 2]}}}, "equally long"),
        ({"weights": WEIGHTS * 1e200}, "weights has numbers beyond"),
        ({"weights": csr_array(WEIGHTS * 1e200)}, "weights has numbers beyond"),
        ({"outputs": OUTPUTS * 1e100}, "outputs has numbers beyond"),
        ({"quality": -1e100 * np.abs(QUALITY)}, "quality has numbers beyond"),
        ({"standard_error": ERRORS * 1e100}, "standard_error has numbers beyond"),
        ({"embedding": np.full((12, 2), 1e39)}, "embedding has numbers beyond"),
        ({"threshold": np.nan}, "threshold must be a finite number, got nan"),
        ({"n_weights": 0}, "n_weights must be an integer from 1"),
        ({"max_bytes": 1000}, "weights of each of the 12 targets fit"),
        ({"image_shape": (2, 2), "train": TARGETS}, "a column for each training"),
        ({"output_info": "nonsense"}, "output must be one of"),
    ],
)
def test_bad_input(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        _write(tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_sections_are_tables(tmp_path):
    with pytest.raises(TypeError, match="Section 's' must be a data frame"):
        _write(tmp_path, sections={"s": [1, 2]})
