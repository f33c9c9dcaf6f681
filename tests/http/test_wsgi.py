"""WSGI applications get what PEP 3333 promises, and leave no half answer that looks whole."""

from __future__ import annotations

import io
import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any
from wsgiref.validate import validator

import httpx2
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

import headrace as hr
from tests.http.plainly import PATIENCE_S, everything, get, served, wsgi
from tests.support.waiting import until

PLAIN = [("Content-Type", "text/plain")]


class Parts:
    """An iterable that knows whether it was closed."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self.closed = parts, threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        self.closed.set()


def test_the_standards_own_validator_finds_no_fault() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", [*PLAIN, ("Content-Length", str(len(body)))])
        return [body]

    with served(validator(app), threads=2) as server:
        for path in ("/", "/a%20b?x=1", "/%E2%82%AC"):
            answer = httpx2.post(server.url + path, content=b"hello")
            assert (answer.status_code, answer.content) == (200, b"hello")
        large = b"x" * 3_000_000
        assert httpx2.put(server.url, content=large).content == large


def test_the_environ_says_what_was_asked() -> None:
    seen: dict[str, Any] = {}

    def answer(environ: dict[str, Any], start_response: Any) -> str:
        seen.update(environ)
        return "ok"

    with served(wsgi(answer), threads=3) as server:
        request = get(
            "/caf%C3%A9/x?a=1&b=%20",
            "X-One: 1",
            "x-one: 2",
            "Cookie: a=1",
            "Cookie: b=2",
            "X_Forged: no",
            "Proxy: evil:80",
            "Content-Type: text/x",
        )
        assert server.talk(request).startswith(b"HTTP/1.1 200 OK\r\n")
    assert seen["REQUEST_METHOD"] == "GET"
    assert seen["PATH_INFO"].encode("latin-1").decode() == "/café/x"
    assert (seen["SCRIPT_NAME"], seen["QUERY_STRING"]) == ("", "a=1&b=%20")
    assert (seen["HTTP_X_ONE"], seen["HTTP_COOKIE"]) == ("1,2", "a=1; b=2")
    assert (seen["REMOTE_ADDR"], seen["SERVER_NAME"]) == ("127.0.0.1", "127.0.0.1")
    assert seen["SERVER_PORT"] == str(server.port)
    assert seen["CONTENT_TYPE"] == "text/x"
    assert "HTTP_X_FORGED" not in seen
    assert "HTTP_PROXY" not in seen
    assert "CONTENT_LENGTH" not in seen
    assert (seen["wsgi.multithread"], seen["wsgi.run_once"]) == (True, False)
    assert seen["HTTP_X_REQUEST_ID"]


@pytest.mark.parametrize("path", ["/shop/cart", "/cart"])
def test_a_root_path_is_the_script_name_whether_the_proxy_strips_it_or_not(path: str) -> None:
    app = wsgi(lambda environ, _: f"{environ['SCRIPT_NAME']}|{environ['PATH_INFO']}")
    with served(app, root_path="/shop") as server:
        assert httpx2.get(server.url + path).text == "/shop|/cart"


def test_a_chunked_body_arrives_whole_with_its_length() -> None:
    def answer(environ: dict[str, Any], start_response: Any) -> str:
        body = environ["wsgi.input"].read()
        return f"{environ['CONTENT_LENGTH']} {environ.get('HTTP_TRANSFER_ENCODING')} {body!r}"

    with served(wsgi(answer)) as server:
        told = httpx2.post(server.url, content=iter([b"one", b"two"])).text
        assert told == "6 None b'onetwo'"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_unread(chunked: bool) -> None:  # noqa: FBT001 - drawn
    with served(wsgi(lambda *_: "never"), max_body_bytes=1000) as server:
        body: Any = iter([b"x" * 600] * 2) if chunked else b"x" * 1001
        answer = httpx2.post(server.url, content=body)
        assert answer.status_code == 413
        assert answer.json()["code"] == "too_large"


def test_each_part_leaves_as_soon_as_it_is_there() -> None:
    gate = threading.Event()

    def parts() -> Iterator[bytes]:
        yield b"first"
        assert gate.wait(PATIENCE_S)
        yield b"second"

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return parts()

    with served(app) as server, httpx2.stream("GET", server.url) as answer:
        came = answer.iter_raw()
        assert next(came) == b"first"  # while the application waits for us
        gate.set()
        assert b"".join(came) == b"second"
        assert answer.headers["transfer-encoding"] == "chunked"


def test_write_sends_at_once_and_before_the_iterable() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", PLAIN)
        write(b"one ")
        write(b"two ")
        return [b"three"]

    with served(app) as server:
        assert httpx2.get(server.url).text == "one two three"


def test_a_whole_answer_has_a_length_even_if_the_application_names_none() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return [b"ab", b"cd"]

    with served(app) as server:
        answer = httpx2.get(server.url)
        assert (answer.headers["content-length"], answer.content) == ("4", b"abcd")


def test_head_has_the_headers_of_get_and_no_body() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [*PLAIN, ("Content-Length", "5")])
        return [b"hello"]

    with served(app) as server:
        head, _, body = server.talk(get(method="HEAD")).partition(b"\r\n\r\n")
        assert b"content-length: 5" in head
        assert body == b""


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_bodiless_status_has_neither_body_nor_length(status: str) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response(status, [])
        return []

    with served(app) as server:
        head, _, body = server.talk(get()).partition(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status[:3]}".encode())
        assert b"content-length" not in head
        assert b"transfer-encoding" not in head
        assert body == b""


def test_the_file_wrapper_sends_a_file_and_closes_it() -> None:
    file = io.BytesIO(b"z" * 200_000)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "200000")])
        return environ["wsgi.file_wrapper"](file, 8192)

    with served(app) as server:
        assert httpx2.get(server.url).content == b"z" * 200_000
        assert until(lambda: file.closed)


def test_an_old_client_gets_no_chunks() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return iter([b"a" * 10, b"b" * 10])

    with served(app) as server:
        head, _, body = server.talk(b"GET / HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")
        assert b"chunked" not in head
        assert body == b"a" * 10 + b"b" * 10


def raising(environ: Any, start_response: Any) -> Any:
    raise ValueError("a secret")


def exiting(environ: Any, start_response: Any) -> Any:
    raise SystemExit(7)


def silent(environ: Any, start_response: Any) -> Any:
    return [b"no start_response"]


def bad_status(environ: Any, start_response: Any) -> Any:
    start_response("fine", PLAIN)
    return [b""]


def bad_header(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [("X-Bad", "a\r\nSet-Cookie: forged=1")])
    return [b""]


def no_bytes(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    return iter(["text"])


def too_long(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [("Content-Length", "2")])
    return iter([b"three"])


def twice(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    start_response("201 Created", PLAIN)
    return [b""]


FAULTY = [raising, exiting, silent, bad_status, bad_header, no_bytes, too_long, twice]


@pytest.mark.parametrize("app", FAULTY, ids=lambda app: app.__name__)
@pytest.mark.parametrize("size", [0, 100_000], ids=["express", "asgi"])
def test_what_fails_before_anything_left_is_a_500(
    app: Any, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    with served(app) as server, caplog.at_level(logging.ERROR, "headrace.http"):
        answer = httpx2.post(server.url, content=b"x" * size)
        assert answer.status_code == 500
        told = answer.json()
        assert told["code"] == "application_failed"
        assert "secret" not in answer.text
        assert told["request_id"] == answer.headers["x-request-id"]
        assert told["request_id"] in caplog.text
        assert "Traceback" in caplog.text
        assert httpx2.get(server.url + "/-/health/ready").status_code == 200


@pytest.mark.parametrize("length", [[], [("Content-Length", "100")]])
def test_what_fails_after_that_is_cut_off(length: list[tuple[str, str]]) -> None:
    sent = threading.Event()

    def parts() -> Iterator[bytes]:
        yield b"half"
        assert sent.wait(PATIENCE_S)
        raise ValueError("in the middle")

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [*PLAIN, *length])
        return parts()

    with served(app) as server, server.connect() as sock:
        sock.sendall(get())
        came = b""
        while b"half" not in came:
            came += sock.recv(1000)
        sent.set()
        came += everything(sock)
        assert not came.endswith(b"0\r\n\r\n")
        assert b"half" in came


def test_an_answer_can_be_taken_back_until_its_body_begins() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        try:
            int("too late for 200")
        except ValueError:
            start_response("418 Teapot", PLAIN, sys.exc_info())
        return [b"short"]

    with served(app) as server:
        assert httpx2.get(server.url).status_code == 418


def test_with_its_body_begun_the_error_comes_back() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", PLAIN)
        write(b"begun")
        try:
            int("the application's own")
        except ValueError:
            start_response("500 Oh", PLAIN, sys.exc_info())
        return []

    with served(app) as server:
        came = server.talk(get())
        assert not came.endswith(b"0\r\n\r\n")


def test_every_iterable_is_closed_whatever_became_of_it() -> None:
    made: list[Parts] = []

    def app(environ: Any, start_response: Any) -> Any:
        def failing() -> Iterator[bytes]:
            yield b"a"
            raise ValueError

        start_response("200 OK", PLAIN)
        made.append(Parts(failing() if environ["PATH_INFO"] == "/bad" else iter([b"a", b"b"])))
        return made[-1]

    with served(app) as server:
        server.talk(get("/"))
        server.talk(get("/bad"))
        server.talk(get("/", method="HEAD"))
        assert len(made) == 3
        for parts in made:
            assert parts.closed.wait(PATIENCE_S)


def test_a_client_that_leaves_has_the_iterable_closed() -> None:
    made: list[Parts] = []

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000
            time.sleep(0.001)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        made.append(Parts(endless()))
        return made[-1]

    with served(app) as server:
        with server.connect() as sock:
            sock.sendall(get())
            assert sock.recv(100)
        assert made[0].closed.wait(PATIENCE_S)
        assert httpx2.get(server.url + "/-/health").status_code == 200


def test_a_slow_reader_holds_the_application_back() -> None:
    """Far less is made than the application would make: our window, and the kernel's buffers."""
    made = 0
    block, number = b"x" * 65536, 600

    def app(environ: Any, start_response: Any) -> Any:
        def parts() -> Iterator[bytes]:
            nonlocal made
            for _ in range(number):
                made += 1
                yield block

        start_response("200 OK", [("Content-Length", str(len(block) * number))])
        return parts()

    with served(app) as server, server.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        sock.sendall(get())
        assert until(lambda: made > 0)
        before = -1
        while before != made:  # until it stands still
            before = made
            time.sleep(0.3)
        assert made < number
        came = everything(sock)
        assert len(came.partition(b"\r\n\r\n")[2]) == len(block) * number
        assert made == number


def test_a_websocket_is_turned_away() -> None:
    with served(wsgi(lambda *_: "never")) as server, pytest.raises(InvalidStatus, match="403"):
        connect(f"ws://127.0.0.1:{server.port}/")


@pytest.mark.parametrize("size", [5, 5000])
def test_what_stands_around_an_application_sees_its_answers(size: int) -> None:
    app = wsgi(lambda *_: "x" * size)
    with served(app, gzip=True, cors_origins=["https://shop.example"]) as server:
        told = httpx2.get(server.url, headers={"Origin": "https://shop.example"})
        assert told.text == "x" * size
        assert told.headers["access-control-allow-origin"] == "https://shop.example"
        assert ("content-encoding" in told.headers) == (size > 1024)
        assert told.headers["x-request-id"]


def test_requests_sent_together_are_answered_in_their_order() -> None:
    app = wsgi(lambda environ, _: environ["PATH_INFO"])
    with served(app, threads=4) as server:
        first = b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
        came = server.talk(first + first.replace(b"GET /1", b"GET /2") + get("/3"))
        bodies = [part.partition(b"HTTP/1.1 ")[0] for part in came.split(b"\r\n\r\n")[1:]]
        assert bodies == [b"/1", b"/2", b"/3"]
        assert came.count(b"HTTP/1.1 200 OK") == 3


def test_requests_run_side_by_side_up_to_the_number_of_threads() -> None:
    meeting = threading.Barrier(3)

    def answer(environ: Any, start_response: Any) -> str:
        meeting.wait(PATIENCE_S)
        return threading.current_thread().name

    with served(wsgi(answer), threads=3) as server:
        names: list[str] = []
        askers = [
            threading.Thread(target=lambda: names.append(httpx2.get(server.url).text))
            for _ in range(3)
        ]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(PATIENCE_S)
        assert len(set(names)) == 3


def test_no_request_sees_the_context_of_another() -> None:
    mine: ContextVar[str] = ContextVar("mine", default="nobody's")

    def answer(environ: Any, start_response: Any) -> str:
        before = mine.get()
        mine.set("another's")
        return f"{before} {hr.current_context().request_id} {hr.current_context().path}"

    with served(wsgi(answer)) as server, httpx2.Client(base_url=server.url) as client:
        for label in ("one", "two"):
            told = client.get("/here", headers={"X-Request-Id": label})
            assert told.text == f"nobody's {label} /here"
            assert told.headers["x-request-id"] == label


def test_a_request_that_hangs_is_told_with_where_it_stands(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = threading.Event()

    def answer(environ: Any, start_response: Any) -> str:
        gate.wait(PATIENCE_S)
        return "at last"

    with served(wsgi(answer), worker_timeout_s=0.2) as server:
        asker = threading.Thread(target=lambda: httpx2.get(server.url + "/stuck", timeout=20))
        asker.start()
        assert until(lambda: "/stuck) has run for" in caplog.text, PATIENCE_S)
        assert "gate.wait" in caplog.text
        gate.set()
        asker.join(PATIENCE_S)


def test_a_stop_lets_requests_under_way_end() -> None:
    gate = threading.Event()
    arrived = threading.Event()

    def answer(environ: Any, start_response: Any) -> str:
        arrived.set()
        gate.wait(PATIENCE_S)
        return "whole"

    with served(wsgi(answer)) as server:
        told: list[Any] = []
        asker = threading.Thread(target=lambda: told.append(httpx2.get(server.url, timeout=20)))
        asker.start()
        assert arrived.wait(PATIENCE_S)
        server.stop(PATIENCE_S)
        assert until(lambda: not can_connect(server.port), PATIENCE_S)
        gate.set()
        asker.join(PATIENCE_S)
        assert (told[0].status_code, told[0].text) == (200, "whole")
        server.wait()


def can_connect(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_threads_of_the_application_are_waited_for_and_named_if_they_are_cut(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = threading.Event()
    ended: list[str] = []

    def work() -> None:
        gate.wait(PATIENCE_S)
        ended.append("work")

    def answer(environ: Any, start_response: Any) -> str:
        threading.Thread(target=work, name=environ["PATH_INFO"]).start()
        return "Task Scheduled"

    with served(wsgi(answer)) as server:
        assert httpx2.get(server.url + "/long-work").text == "Task Scheduled"
        server.stop(0.1)
        server.wait()
        assert server.service is not None
        assert server.service.left_behind == ["/long-work"]
        assert "/long-work" in caplog.text
        gate.set()
        assert until(lambda: ended)
