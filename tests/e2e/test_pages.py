"""A person opens `/` in a browser, fills the form, sends it and reads the answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.e2e.serving import Program, served, wait_for
from tests.support.needs import require

pytestmark = [pytest.mark.e2e, pytest.mark.chromium, pytest.mark.timeout(90)]

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
]
NARROW = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}


@pytest.fixture(scope="module")
def border() -> Iterator[Program]:
    with served("border.py") as server:
        yield server


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium, driver = require("chromium"), require("chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    started.set_page_load_timeout(20)
    try:
        yield started
    finally:
        started.quit()


def card(browser: webdriver.Chrome, url: str, model: str) -> WebElement:
    """Open a page and find a model on it."""
    browser.get(url)
    wait_for(lambda: browser.find_elements(By.ID, f"model-{model}"), f"the card of {model}")
    return browser.find_element(By.ID, f"model-{model}")


def choose(card: WebElement, media: str) -> None:
    card.find_element(By.CSS_SELECTOR, f'option[value="{media}"]').click()


def sent(card: WebElement) -> str:
    """Press the button, and give the status once the whole answer is there."""
    card.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    wait_for(lambda: " bytes" in said(card, ".figures"), "an answer")
    return said(card, ".reply .badge")


def said(card: WebElement, place: str) -> str:
    return " ".join(found.text for found in card.find_elements(By.CSS_SELECTOR, place))


def complaints(browser: webdriver.Chrome) -> list[Any]:
    """List what the console says, but for answers that are no 200: the test asked for those."""
    told = browser.get_log("browser")  # type: ignore[no-untyped-call] # selenium annotates none
    return [line for line in told if "Failed to load resource" not in line["message"]]


def test_json_is_edited_sent_and_answered(border: Program, browser: webdriver.Chrome) -> None:
    points = card(browser, border.url, "points")
    wait_for(lambda: said(points, "[data-model]") == "ok", "the state of the model")
    editor = points.find_element(By.TAG_NAME, "textarea")
    assert editor.get_property("value") == '[\n  {\n    "x": 1,\n    "y": 0\n  }\n]'
    editor.clear()
    editor.send_keys('[{"x": 7, "y": 8}]')
    assert sent(points) == "200 OK"
    assert said(points, ".answer") == '{\n  "x": 7,\n  "y": 8\n}'
    assert " ms, " in said(points, ".figures")
    points.find_element(By.CSS_SELECTOR, "form > details summary").click()
    assert said(points, ".curl") == f"""curl --json '[{{"x":7,"y":8}}]' {border.url}/points"""
    editor.clear()
    editor.send_keys("[{}]")
    assert sent(points).startswith("422")
    assert "missing required field" in said(points, ".answer")
    assert complaints(browser) == []


def test_a_file_goes_into_a_form_and_a_picture_comes_back(
    border: Program, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    picture = tmp_path / "a.png"
    Image.new("RGB", (40, 20), "teal").save(picture)
    form = card(browser, border.url, "form")
    form.find_element(By.CSS_SELECTOR, "form > details summary").click()
    assert said(form, ".curl").startswith("curl -F 'image=@file' -F 'note=text'")
    form.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys(str(picture))
    assert sent(form) == "200 OK", said(form, ".answer")
    assert "40,\n    20\n" in said(form, ".answer")
    images = card(browser, border.url, "images")
    images.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys(str(picture))
    assert sent(images) == "200 OK", said(images, ".answer")
    wait_for(
        lambda: (
            images.find_element(By.CSS_SELECTOR, "img.answer").get_property("naturalHeight") == 40
        ),
        "the picture",
    )
    assert complaints(browser) == []


@pytest.mark.parametrize("path", ["/", "/docs", "/-/docs"])
def test_a_page_is_whole_and_fits_a_telephone(
    border: Program, browser: webdriver.Chrome, path: str
) -> None:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", NARROW)
    try:
        card(browser, border.url + path, "arrays")
        width = browser.execute_script("return document.documentElement.scrollWidth")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width == NARROW["width"]
    assert bool(browser.find_elements(By.ID, "schema-Point")) == path.endswith("docs")
    assert complaints(browser) == []
