"""Views of the page in a browser: overview, groups, numbers and small screens."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skdatamodels import Examples
from skdatamodels.applications import predict_counterfactual
from skdatamodels.pages import read_selection, write_explorer

RNG = np.random.default_rng(0)
N_TRAIN, N_TARGETS = 30, 8
NAN = float("nan")
LABELS = np.resize(["shop", "web", "app"], N_TRAIN)


def _table(n):
    longitude = -121 - RNG.random(n)
    return pd.DataFrame({"longitude": longitude, "note": ["some words " * 20] * n})


TRAIN = Examples(_table(N_TRAIN), RNG.normal(2e5, 5e4, N_TRAIN))
TARGETS = Examples(_table(N_TARGETS), RNG.normal(2e5, 5e4, N_TARGETS))
WEIGHTS = RNG.normal(size=(N_TARGETS, N_TRAIN)) * 1000
GROUPS = pd.DataFrame(
    {"effect": [-3.0, 2.0, 5.0]}, index=pd.Index(["web", "app", "shop"], name="group")
)
ERRORS = pd.DataFrame(
    {"price": [1.0, 2.0], "probability": [0.9998, 0.5], "note": ["words " * 30] * 2},
    index=[4, 2],
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("views") / "page.html"
    write_explorer(
        path,
        WEIGHTS,
        TRAIN,
        TARGETS,
        outputs=RNG.normal(2e5, 5e4, N_TARGETS),
        output_info="prediction",
        groups=LABELS,
        trust={"LDS": (0.62, 0.58, 0.66), "runs": 300, "message": "Fine. " * 30},
        overview={
            "root mean squared error": "103,000 on 8 test rows",
            "label errors": "2 likely",
            "harmful rows": "1 distinguishable",
            "message": "One.\nTwo <i>.",
        },
        sections={
            "Label errors": (ERRORS, {"index": "train"}),
            "Groups": (GROUPS, {"index": "groups"}, "Without web, it is better."),
            "Rows by effect": (ERRORS, {"index": "train"}),
        },
        label="price",
    )
    return path


@pytest.fixture
def views(page, browser):
    browser.open(page)
    yield browser
    browser.check_silent()


def _go(views, part):
    views.execute_script(f"location.hash = '{part}'")
    views.settle()


def _ticked(views):
    return read_selection(views.saved("json"), TRAIN)


def test_the_page_opens_with_what_was_found(views):
    assert views.texts("#tabs a")[:3] == ["Overview", "Targets", "Training rows"]
    assert views.one("#tabs [aria-current]").text == "Overview"
    found = ["103,000 on 8 test rows", "2 likely", "1 distinguishable"]
    assert views.texts(".findings dd") == found
    assert views.texts(".overview .says") == ["One.", "Two <i>."]
    assert {"target", "weight", "LDS"} <= set(views.texts(".words dt"))
    assert "certain, possible" not in views.texts(".words dt")  # values do not flip
    for k, tab in enumerate(["Label errors", "Rows by effect"]):
        _go(views, "overview")
        views.all(".findings a")[k].click()
        views.settle()
        assert views.one("#tabs [aria-current]").text == tab


def test_words_of_trust_are_explained_where_they_stand(views):
    for fact in views.all("#trust dl div"):
        assert len(fact.get_attribute("title")) > 20, fact.text
    _go(views, "section1")
    (effect,) = (th for th in views.all("th") if th.text == "effect")
    assert "harmful" in effect.get_attribute("title")


def test_a_group_is_ticked_at_once(views):
    _go(views, "section1")
    assert "Without web, it is better." in views.texts(".says")
    assert views.texts("main td:nth-child(2)") == ["web", "app", "shop"]
    views.one("[aria-label='Remove group web']").click()
    web = np.flatnonzero(LABELS == "web")
    assert_array_equal(_ticked(views), web)
    _go(views, "targets/3")
    change = float(views.one(".without").get_attribute("data-change"))
    expected = predict_counterfactual(WEIGHTS[[3]], [web])[0, 0]
    np.testing.assert_allclose(change, expected, rtol=1e-6)
    _go(views, f"rows/{web[0]}")
    views.one(".heading .tick input").click()
    _go(views, "section1")
    box = views.one("[aria-label='Remove group web']")
    assert box.get_property("indeterminate")
    box.click()
    assert_array_equal(_ticked(views), web)
    views.one("[aria-label='Remove group web']").click()
    assert not views.one("#json").is_enabled()


def test_a_group_leads_to_its_rows(views):
    _go(views, "section1")
    views.all("main td a")[1].click()
    views.settle()
    shown = [int(text) for text in views.texts(".list td:first-child")]
    assert shown == np.flatnonzero(LABELS == "app").tolist()
    select = views.one("select[aria-label='Group']")
    chosen = "return arguments[0].selectedOptions[0].text"
    assert views.execute_script(chosen, select) == "app"
    views.choose("Group", "Group: all")
    assert len(views.texts(".list td:first-child")) == 20  # of a page


def test_numbers_are_told_apart(views):
    _go(views, "rows")
    _go(views, "targets/0")
    shown = views.texts(".subject dd")[0]
    longitude = TARGETS.X["longitude"].iloc[0]
    assert abs(float(shown.replace("−", "-")) - longitude) < 0.001
    _go(views, "section0")
    assert views.texts("main td:nth-child(4)") == ["0.9998", "0.500"]


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        ("0.9998", "undefined", "0.9998"),
        ("0.12345", "undefined", "0.123"),
        ("186918.37", "undefined", "186918"),
        ("-121.3641", "3", "−121.364"),
        ("0.00333", "4", "0.0033"),
        ("41", "1", "41.0"),
        ("1780000", "0", "1780000"),
        ("9.99999999", "undefined", "10"),
        ("1.5e12", "undefined", "1.50e+12"),
        ("NaN", "2", "–"),
        ("2e-7", "3", "2.00e−7"),
    ],
)
def test_numbers(views, value, decimals, text):
    shown = views.execute_script(f"return number({value}, {decimals})")
    assert shown == text


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([1, 2.5, 2], 1),
        ([-121.25, -121.75, -120], 2),
        ([3, 4, NAN], 0),
        ([0.1, 1 / 3, 0.9], 3),
        ([1e5 + 1 / 3, 2e5, 5e5], 0),
        ([7.5, 7.5], 0),
    ],
)
def test_decimals_of_a_column(views, values, decimals):
    listed = str(values).replace("nan", "NaN")
    script = f"return decimalsOf(new Float32Array({listed}))"
    assert views.execute_script(script) == decimals


def test_predictions_have_the_name_of_the_target(views):
    _go(views, "targets/2")
    assert views.one(".says").text.startswith("The model says: price = ")
    assert "units of y" not in views.one("body").text
    views.all(".card input")[0].click()
    assert "Target 2: price " in views.one("#ticked").text


def test_small_screens_show_rows_not_headers(views):
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    views.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        views.refresh()
        _go(views, "section0")
        assert views.one("header").size["height"] < 130
        assert views.one("#trust summary").text == "Trust: LDS 0.620 (0.580 to 0.660)"
        assert {row.size["height"] for row in views.all("tbody tr")} <= set(range(36))
        label = views.all("main td:nth-child(3)")[0]
        assert label.location["x"] + label.size["width"] < 390
        views.one("#trust summary").click()
        assert "Fine. Fine." in views.one("#trust").text
    finally:
        views.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_links_to_groups_need_groups(tmp_path):
    sections = {"Groups": (GROUPS, {"index": "groups"})}
    path = tmp_path / "page.html"
    with pytest.raises(ValueError, match="no link from 'index' to 'groups'"):
        write_explorer(path, WEIGHTS, TRAIN, TARGETS, sections=sections)
    wrong = pd.DataFrame({"effect": [1.0]}, index=["shops"])
    sections = {"Groups": (wrong, {"index": "groups"})}
    with pytest.raises(ValueError, match=r"ids of groups; these are not: \['shops'\]"):
        write_explorer(path, WEIGHTS, TRAIN, TARGETS, sections=sections, groups=LABELS)
