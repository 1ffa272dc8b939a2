"""Settings of all tests, and a browser for those of pages."""

import json
import shutil
import sys
import time
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, settings

# A slow machine is no failure.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium, started once for a file of tests."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs Chromium and its driver")
    folder = tmp_path_factory.mktemp("browser")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "window-size=1280,800",
        f"user-data-dir={folder / 'profile'}",
    ):
        options.add_argument(f"--{argument}")
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    started = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield Browser(started, folder / "saved")
    started.quit()


_SHOWN = """const shown = [...document.querySelectorAll(arguments[0])]
    .filter(element => element.checkVisibility());"""


class Browser:
    """A browser with what tests of pages need; the rest is selenium's."""

    def __init__(self, driver, folder):
        self.driver, self.folder, self.n_saved = driver, folder, 0
        self.webdriver = pytest.importorskip("selenium.webdriver")
        self.keys = self.webdriver.Keys

    def __getattr__(self, name):
        return getattr(self.driver, name)

    def open(self, path, part=""):
        """Open a file anew, at one of its views."""
        self.driver.get("about:blank")
        self.driver.get(path.as_uri() + part)

    def all(self, selector):
        """Return the elements of a CSS selector that are shown."""
        return self.driver.execute_script(_SHOWN + "return shown", selector)

    def one(self, selector):
        """Return the only shown element of a CSS selector."""
        (element,) = self.all(selector)
        return element

    def texts(self, selector):
        """Return the texts of the shown elements of a CSS selector."""
        script = _SHOWN + "return shown.map(element => element.innerText.trim())"
        return self.driver.execute_script(script, selector)

    def choose(self, name, text):
        """Choose the option with this text, in the list with this name."""
        choose = (
            _SHOWN
            + """shown[0].value =
            [...shown[0].options].find(option => option.text === arguments[1]).value;
            shown[0].dispatchEvent(new Event("change"));"""
        )
        self.driver.execute_script(choose, f"select[aria-label='{name}']", text)

    def drag(self, element, points):
        """Press the mouse at the first point of an element, and move to the others."""
        mouse = self.webdriver.ActionChains(self.driver, duration=0)
        for number, point in enumerate(points):
            mouse.move_to_element_with_offset(element, *point)
            if number == 0:
                mouse.click_and_hold()
        mouse.release().perform()

    def settle(self):
        """Wait until the page has done what the last click asked for."""
        self.driver.execute_async_script("setTimeout(arguments[0], 20)")

    def saved(self, button):
        """Press the button with this id, and return the file that it saves."""
        self.n_saved += 1
        folder = self.folder / str(self.n_saved)
        folder.mkdir(parents=True)
        place = {"behavior": "allow", "downloadPath": str(folder)}
        self.driver.execute_cdp_cmd("Browser.setDownloadBehavior", place)
        self.driver.find_element("id", button).click()
        for _ in range(500):
            found = [
                path for path in folder.iterdir() if path.suffix in (".csv", ".json")
            ]
            if found and found[0].stat().st_size:
                return found[0]
            time.sleep(0.01)
        raise AssertionError(f"Nothing was saved by {button}.")

    @contextmanager
    def before_each_page(self, script):
        """Run a script at the start of the pages that are opened."""
        key = self.driver.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument", {"source": script}
        )
        yield
        self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", key)

    def check_silent(self):
        """Check that pages logged no errors and asked for nothing beside themselves."""
        assert [entry["message"] for entry in self.driver.get_log("browser")] == []
        for entry in self.driver.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            asked = event["method"] == "Network.requestWillBeSent"
            if asked and event["params"]["documentURL"].startswith("file:"):
                url = event["params"]["request"]["url"]
                assert url.startswith(("file:", "data:", "blob:")), url


@pytest.fixture(autouse=True)
def one_torch_thread():
    """On arrays this small a second thread only waits, for long on shared cores."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
