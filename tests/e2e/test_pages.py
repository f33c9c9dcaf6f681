"""A person opens `/` in a browser, fills the form, sends it and reads the answer."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import uvicorn
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Mount, Route

import headrace as hr
from headrace.host.sockets import bind, url_of
from tests.e2e.serving import PATIENCE_S, Program, served, wait_for
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


# --- a route with a key ---------------------------------------------------------------------

KEY = "a-key-for-this-test-only"


@hr.deployment(executor="inline", api_keys=KEY)
class Locked(hr.Model):
    def predict(self, number: int) -> int:
        return number


@hr.deployment(executor="inline")
class Plain(hr.Model):
    def predict(self, number: int) -> int:
        return number


def test_a_key_goes_with_the_request_and_nowhere_else(browser: webdriver.Chrome) -> None:
    with hr.start(Locked, Plain, port=0) as server:
        locked = card(browser, f"{server.url}/docs", "locked")
        assert not browser.find_elements(By.CSS_SELECTOR, "#model-plain input.key")
        assert sent(locked).startswith("401")
        field = locked.find_element(By.CSS_SELECTOR, "input.key")
        assert field.get_property("type") == "password"
        field.send_keys("wrong")
        assert sent(locked).startswith("401")
        field.clear()
        field.send_keys(KEY)
        assert sent(locked) == "200 OK", said(locked, ".answer")
        locked.find_element(By.CSS_SELECTOR, "form > details summary").click()
        curl = said(locked, ".curl")
        assert curl.startswith('curl -H "Authorization: Bearer $KEY" --json')
        kept = "return [localStorage.length, sessionStorage.length, document.cookie, location.href]"
        assert browser.execute_script(kept) == [0, 0, "", f"{server.url}/docs"]
        assert KEY not in browser.page_source
        again = card(browser, f"{server.url}/docs", "locked")
        assert again.find_element(By.CSS_SELECTOR, "input.key").get_property("value") == ""
        assert complaints(browser) == []


# --- an answer that comes in parts ----------------------------------------------------------


class Stream:
    """One streamed answer; its next part is sent when the test says so."""

    def __init__(self, media: str) -> None:
        self.media, self.has_left = media, threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._parts: asyncio.Queue[str | None] = asyncio.Queue()

    def send(self, part: str | None) -> None:
        """Send a part; None is the end."""
        wait_for(lambda: self._loop, "the request")
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._parts.put_nowait, part)

    async def answer(self, request: Request) -> StreamingResponse:
        self._loop = asyncio.get_running_loop()
        return StreamingResponse(self._all(), media_type=self.media)

    async def _all(self) -> AsyncIterator[str]:
        try:
            while (part := await self._parts.get()) is not None:
                yield part
        finally:
            self.has_left.set()


@contextlib.contextmanager
def streaming(media: str) -> Iterator[tuple[str, Stream]]:
    """Serve a model's pages by another server, which answers the model's route by itself."""
    stream, models = Stream(media), hr.Server(Plain).asgi
    routes = [Route("/predict", stream.answer, methods=["POST"]), Mount("/", models)]
    app = Starlette(routes=routes, lifespan=models.lifespan)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    with contextlib.closing(bind("127.0.0.1", 0)) as sock:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        try:
            wait_for(lambda: server.started, "the outer server")
            yield url_of(sock), stream
        finally:
            server.should_exit = True
            thread.join()


ITEMS = {
    "text/event-stream": ("data: one\n\n", "data: two\n\n"),
    "application/x-ndjson": ('{"item": 1}\n', '{"item": 2}\n'),
    "text/plain": ("Once upon", " a time\N{SNOWMAN}"),
}


@pytest.mark.parametrize("media", ITEMS)
def test_a_streamed_answer_is_shown_as_it_comes(browser: webdriver.Chrome, media: str) -> None:
    one, two = ITEMS[media]
    with streaming(media) as (url, stream):
        plain = card(browser, url, "plain")
        button = plain.find_element(By.CSS_SELECTOR, "button[type=submit]")
        button.click()
        stream.send(one)
        wait_for(lambda: said(plain, ".answer") == one.strip(), "the first item")
        assert said(plain, ".figures").startswith("first byte after ")
        assert "bytes" not in said(plain, ".figures")
        assert button.text == "Stop"
        stream.send(two)
        stream.send(None)
        wait_for(lambda: " bytes" in said(plain, ".figures"), "the end")
        assert plain.find_element(By.CSS_SELECTOR, ".answer").text == (one + two).strip()
        assert "last after " in said(plain, ".figures")
        assert f"{len((one + two).encode())} bytes" in said(plain, ".figures")
        assert button.text == "Send"
        assert complaints(browser) == []


def test_a_stream_can_be_stopped_and_keeps_what_came(browser: webdriver.Chrome) -> None:
    with streaming("text/plain") as (url, stream):
        plain = card(browser, url, "plain")
        button = plain.find_element(By.CSS_SELECTOR, "button[type=submit]")
        button.click()
        stream.send("enough")
        wait_for(lambda: said(plain, ".answer") == "enough", "the first item")
        button.click()
        wait_for(lambda: said(plain, ".reply .badge") == "stopped", "the stop")
        wait_for(stream.has_left.is_set, "the server to hear of it")
        assert said(plain, ".answer") == "enough"
        assert "ended after " in said(plain, ".figures")
        assert button.text == "Send"


def test_an_endless_answer_is_shown_in_part_only(browser: webdriver.Chrome) -> None:
    with streaming("text/plain") as (url, stream):
        plain = card(browser, url, "plain")
        plain.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
        for _ in range(30):
            stream.send("x" * 10_000)
        stream.send(None)
        wait_for(lambda: "300,000 bytes" in said(plain, ".figures"), "the end")
        length = "return document.querySelector('.answer').textContent.length"
        assert browser.execute_script(length) == 200_000 + len("\n...")


@hr.deployment(executor="inline")
class Tells(hr.Model):
    """Tells each word when the test lets it."""

    words: ClassVar[queue.Queue[str | None]] = queue.Queue()

    async def predict(self, first: str) -> AsyncIterator[str]:
        yield first
        while (word := await asyncio.to_thread(self.words.get, timeout=PATIENCE_S)) is not None:
            yield word


def test_a_models_own_stream_is_shown_as_it_comes(browser: webdriver.Chrome) -> None:
    with hr.start(Tells, port=0) as server:
        tells = card(browser, server.url, "tells")
        editor = tells.find_element(By.TAG_NAME, "textarea")
        editor.clear()
        editor.send_keys('"Once"')
        tells.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
        wait_for(lambda: said(tells, ".answer") == "Once", "the first item")
        assert said(tells, ".figures").startswith("first byte after ")
        Tells.words.put(" upon")
        wait_for(lambda: said(tells, ".answer") == "Once upon", "the second")
        assert "bytes" not in said(tells, ".figures")
        Tells.words.put(None)
        wait_for(lambda: "9 bytes" in said(tells, ".figures"), "the end")
        assert said(tells, ".reply .badge") == "200 OK"
        tells.find_element(By.CSS_SELECTOR, ".reply details summary").click()
        assert "content-type: text/plain; charset=utf-8" in said(tells, ".headers")
        assert complaints(browser) == []
