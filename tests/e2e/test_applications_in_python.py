"""Applications that a program adds to its own server, replaces and takes away, under load."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

import headrace as hr
from headrace.errors import ConfigError, SetupFailed
from tests.e2e.apps import fronted
from tests.e2e.apps.deployed import Embed, Front
from tests.e2e.serving import PATIENCE_S, program, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def graph(word: str = "embed", front: str = "front") -> Any:
    return hr.bind(Front, hr.bind(Embed, word), front)


@pytest.fixture
def server() -> Iterator[hr.Running]:
    with hr.start(graph(), port=0) as server:
        yield server


def post(server: hr.Running, path: str) -> Any:
    answer = httpx2.post(server.url + path, json={"nonce": "x"}, timeout=PATIENCE_S)
    return answer.json() if answer.status_code == 200 else answer.status_code


def under_load(server: hr.Running, path: str, change: Callable[[], object]) -> None:
    """Change something while clients ask; every one of them is answered."""
    over, seen = threading.Event(), [0] * 6
    wrong: list[str] = []

    def ask(number: int) -> None:
        with httpx2.Client(timeout=PATIENCE_S) as client:
            while not over.is_set():
                answer = client.post(server.url + path, json={"nonce": f"{number}"})
                seen[number] += 1
                if answer.status_code != 200 or answer.json()["predicted"] != f"{number}":
                    wrong.append(answer.text)

    clients = [threading.Thread(target=ask, args=(number,)) for number in range(len(seen))]
    for client in clients:
        client.start()
    try:
        wait_for(lambda: min(seen) >= 3 or wrong, "the load to begin")
        change()
        goal = [count + 3 for count in seen]
        wait_for(
            lambda: wrong or all(now >= then for now, then in zip(seen, goal, strict=True)),
            "answers after the change",
        )
    finally:
        over.set()
        for client in clients:
            client.join()
    assert not wrong


def names(server: hr.Running) -> set[str]:
    told = server.status()["deployments"].values()
    return {replica["name"] for each in told for replica in each["replicas"]}


def test_one_deployment_of_a_graph_is_replaced_and_no_request_is_lost(server: hr.Running) -> None:
    assert post(server, "/predict")["word"] == "embed"

    def change() -> None:
        for word in ("one", "two"):
            server.deploy(graph(word))
            assert post(server, "/predict")["word"] == word
        assert names(server) == {"front/1", "embed@3/1"}
        server.deploy(graph("two", front="another"))
        assert names(server) == {"front@4/1", "embed@3/1"}

    under_load(server, "/predict", change)
    assert post(server, "/predict")["front"] == "another"


def test_a_reload_of_a_graph_keeps_what_it_was_bound_to(server: hr.Running) -> None:
    server.deploy(graph("bound"), name="other")
    under_load(server, "/other", server.reload)
    assert post(server, "/other")["word"] == "bound"
    assert names(server) == {
        "front@3/1", "embed@3/1", "other.front@3/1", "other.embed@3/1",
    }  # fmt: skip


def test_applications_come_and_go(server: hr.Running) -> None:
    def change() -> None:
        server.deploy(hr.bind(Embed, "text"), name="text", route_prefix="/a/b")
        assert post(server, "/a/b")["word"] == "text"
        with pytest.raises(SetupFailed, match=r"weights\.bin is missing"):
            server.deploy(hr.bind(Embed, "unfit"), name="text", route_prefix="/a/b")
        with pytest.raises(ConfigError, match="applications text and more both want"):
            server.deploy(Embed, name="more", route_prefix="/a/b")
        assert post(server, "/a/b")["word"] == "text"
        server.delete("text")
        assert post(server, "/a/b") == 404
        with pytest.raises(ConfigError, match="there is no application 'text'"):
            server.delete("text")

    under_load(server, "/predict", change)
    assert names(server) == {"front/1", "embed/1"}


def test_a_server_is_put_together_of_applications() -> None:
    server = hr.Server(graph(), port=0).add(hr.bind(Embed, "e"), name="text").add(Embed)
    with server.start() as running:
        words = [post(running, path)["word"] for path in ("/predict", "/text", "/embed")]
        assert words == ["embed", "e", "embed"]
    with pytest.raises(ConfigError, match="applications text and other both want"):
        server.add(Embed, name="other", route_prefix="/text")
    with pytest.raises(ConfigError, match="nothing to add"):
        hr.Server().add()


def check_fronted(url: str) -> None:
    def get(path: str) -> httpx2.Response:
        return httpx2.get(url + path, timeout=PATIENCE_S)

    assert get("/embedded/3").json() == {"x": 4}
    assert get("/health").json() == "the application's own"
    assert get("/docs").text.count("swagger") > 0
    assert get("/-/health/ready").status_code == 200
    assert get("/-/routes").json() == {"/": "app"}
    assert get("/embed").status_code == 404


def test_an_application_stands_in_front_of_models() -> None:
    with hr.start(fronted.app, fronted.Embed, port=0) as running:
        check_fronted(running.url)


@pytest.mark.parametrize("command", [["fronted.py"], ["-m", "headrace", "serve", "fronted.py"]])
def test_an_application_stands_in_front_of_models_in_a_file(command: list[str]) -> None:
    with program(*command, env={"HEADRACE_PORT": "0"}) as script:
        script.wait_for_line(" at http", 30)  # three processes import FastAPI, one by one
        check_fronted(script.url)
        assert "ANY /*  app: 1 replica" in script.terminal


def test_two_applications_in_front_are_told_apart_by_prefixes() -> None:
    with pytest.raises(ConfigError, match="2 ASGI applications, and one can stand in front"):
        hr.start(fronted.app, fronted.app, port=0)
    server = hr.Server(fronted.app, fronted.Embed, port=0)
    server.add(fronted.app, fronted.Embed, name="again")
    with server.start() as running:
        for path in ("/embedded/1", "/again/embedded/1"):
            assert httpx2.get(running.url + path, timeout=PATIENCE_S).json() == {"x": 2}


def test_an_application_alone_runs_in_replicas() -> None:
    with hr.start(fronted.app, port=0) as running:
        answer = httpx2.get(f"{running.url}/health", timeout=PATIENCE_S)
        assert answer.json() == "the application's own"
        assert names(running) == {"app/1"}
