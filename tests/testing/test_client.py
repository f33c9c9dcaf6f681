"""The client of a test: real HTTP over models in this process, and nothing is left of it."""

from __future__ import annotations

import asyncio
import builtins
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import headrace as hr
from headrace.errors import ConfigError, SetupFailed
from headrace.testing import Client

THREADS = 8


class Greets(hr.Model):
    def predict(self, name: str, times: int = 1) -> str:
        return f"Hello, {name}!" * times


class Slow(hr.Model):
    async def predict(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds


class Measures(hr.Model):
    def predict(self, file: hr.Upload, context: hr.Context) -> int:
        context.status = 201
        context.response_headers["X-Name"] = file.filename
        return len(file.data)


class Unready(hr.Model):
    def setup(self) -> None:
        raise OSError("no weights here")

    def predict(self, value: Any) -> Any:
        return value


def test_a_model_is_asked_over_http() -> None:
    with Client(Greets) as client:
        answer = client.post("/predict", json={"name": "Ada"}, headers={"X-Request-Id": "r-7"})
        assert (answer.status_code, answer.json()) == (200, "Hello, Ada!")
        assert answer.headers["x-request-id"] == "r-7"
        assert client.request("POST", "/predict", json={"name": "Bo", "times": 2}).json() == (
            "Hello, Bo!Hello, Bo!"
        )


def test_errors_are_what_a_client_gets() -> None:
    with Client(Greets) as client:
        assert client.post("/predict", json={"nam": "Ada"}).json()["code"] == "validation_error"
        assert client.post("/predict", content=b"{").status_code == 400
        assert client.post("/nowhere", json=1).status_code == 404
        for ask in (client.get, client.put, client.patch, client.delete, client.options):
            assert ask("/predict").status_code == 405
        assert client.head("/predict").status_code == 405


def test_files_status_and_headers_go_through() -> None:
    with Client(Measures) as client:
        answer = client.post("/predict", files={"file": ("a.txt", b"12345")})
        assert (answer.status_code, answer.json()) == (201, 5)
        assert answer.headers["x-name"] == "a.txt"


def test_many_models_have_a_route_each_and_operations_answer() -> None:
    with Client(Greets, Slow) as client:
        assert client.post("/slow", json=0).json() == 0
        assert client.get("/-/health/ready").status_code == 200
        assert set(client.get("/-/routes").text.split('"')) >= {"/slow", "/greets"}


def test_a_server_is_asked_with_its_own_settings() -> None:
    server = hr.Server(Greets, max_body_bytes=3)
    with Client(server) as client:
        assert client.post("/predict", json={"name": "Ada"}).status_code == 413
    with Client(server, max_body_bytes=100) as client:
        assert client.post("/predict", json={"name": "Ada"}).status_code == 200


def test_the_class_itself_runs_so_a_test_may_look_at_it() -> None:
    seen: list[int] = []
    lock = threading.Lock()  # nothing of it is pickled

    @hr.deployment(replicas=4)
    class Here(hr.Model):
        def setup(self) -> None:
            seen.append(0)

        def predict(self, value: int) -> int:
            with lock:
                seen.append(value)
            return value

        def teardown(self) -> None:
            seen.append(-1)

    with Client(Here) as client:
        client.post("/predict", json=7)
    assert seen == [0, 7, -1]


def test_requests_from_many_threads_are_batched() -> None:
    sizes: list[int] = []

    @hr.deployment(max_batch_size=THREADS, batch_wait_s=10)
    class Batches(hr.Model):
        def predict_batch(self, values: list[int]) -> list[int]:
            sizes.append(len(values))
            return [-value for value in values]

    with Client(Batches) as client, ThreadPoolExecutor(THREADS) as pool:
        answers = pool.map(lambda value: client.post("/predict", json=value).json(), range(THREADS))
        assert list(answers) == [-value for value in range(THREADS)]
    assert sizes == [THREADS]


def test_it_raises_when_setup_raised() -> None:
    with pytest.raises(SetupFailed, match="no weights here") as caught:
        Client(Greets, Unready)
    assert "in setup" in caught.value.traceback


def test_mistakes_are_raised_at_once() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        Client()
    with pytest.raises(ConfigError, match="cannot serve 3: a target is a model"):
        Client(3)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="did you mean `port`"):
        Client(Greets, prot=1)  # type: ignore[call-arg]


def test_a_closed_client_says_so() -> None:
    client = Client(Greets)
    assert repr(client) == "<Client of Greets>"
    client.close()
    client.close()
    assert repr(client) == "<Client of Greets, closed>"
    with pytest.raises(RuntimeError, match="closed"):
        client.get("/")


def test_closing_lets_a_request_end() -> None:
    running = threading.Event()

    class Waits(hr.Model):
        async def predict(self, seconds: float) -> float:
            running.set()
            await asyncio.sleep(seconds)
            return seconds

    with ThreadPoolExecutor(1) as pool:
        with Client(Waits) as client:
            answer = pool.submit(client.post, "/predict", json=0.2)
            assert running.wait(5)
        assert answer.result().json() == 0.2


def test_without_httpx2_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "httpx2":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "httpx2", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ModuleNotFoundError, match="pip install httpx2"):
        Client(Greets)
