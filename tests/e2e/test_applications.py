"""Applications of a running server: added, replaced, taken away by commands, under load."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.load import Crowd
from tests.e2e.serving import APPS, Program, ask, program, served, status, wait_for
from tests.e2e.trees import get

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

TOML = """
[server]
port = 0

[applications.text]
import_path = "deployed:text"

[applications.vision]
import_path = "deployed:graph"
route_prefix = "/see"

[applications.vision.deployments.embed]
replicas = 2
"""


def headrace(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "headrace", *words],
        cwd=APPS,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Site:
    """A server with a pidfile, and the commands that know it."""

    def __init__(self, server: Program, pidfile: Path) -> None:
        self.server, self.pidfile = server, pidfile

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return headrace(*words, "--pidfile", str(self.pidfile))

    def done(self, *words: str) -> str:
        said = self.run(*words)
        assert said.returncode == 0, said.stderr
        return said.stdout

    def refused(self, *words: str) -> str:
        said = self.run(*words)
        assert said.returncode, said.stdout
        return said.stderr

    def word(self, path: str) -> Any:
        answer = ask(self.server, path, {"nonce": "x"})
        return answer.json()["word"] if answer.status_code == 200 else answer.status_code

    def pids(self, label: str) -> set[int]:
        told = status(self.server)["deployments"][label]
        return {replica["pid"] for replica in told["replicas"]}


@pytest.fixture
def version(tmp_path: Path) -> Path:
    path = tmp_path / "version"
    path.write_text("v1")
    return path


@pytest.fixture
def site(tmp_path: Path, version: Path) -> Iterator[Site]:
    pidfile = tmp_path / "server.pid"
    env = {"VERSION": str(version)}
    with served("deployed:Embed", "--pidfile", str(pidfile), env=env) as server:
        yield Site(server, pidfile)


def under_load(server: Program, path: str, change: Callable[[], object]) -> None:
    """Change something while clients ask; every one of them is answered."""

    async def run() -> None:
        crowd = Crowd(server.port, path, clients=8)
        asking = asyncio.create_task(crowd.ask_until_stopped())
        await crowd.answered(50)
        await asyncio.to_thread(change)
        await crowd.answered(50)
        crowd.stop()
        await asking
        assert crowd.tally.is_clean, crowd.tally

    asyncio.run(run())


def test_applications_come_and_go_under_load(site: Site) -> None:
    def change() -> None:
        assert "POST /text  text.embed: 1 replica" in site.done(
            "deploy", "deployed:text", "--name", "text"
        )
        assert (site.word("/predict"), site.word("/text")) == ("embed", "text")
        under_load(
            site.server, "/text", lambda: site.done("deploy", "deployed:better", "--name", "text")
        )
        assert site.word("/text") == "better"
        assert "text at /text" in site.done("status")
        assert site.done("delete", "text") == "deleted text\n"
        assert site.word("/text") == 404

    under_load(site.server, "/predict", change)
    wait_for(lambda: len(site.server.children) == 2, "the worker and one replica to be left")


def test_a_broken_deploy_changes_nothing_and_tells_why(site: Site, version: Path) -> None:
    site.done("deploy", "deployed:text", "--name", "text")
    before = site.pids("text.embed")
    rows = (
        (("deployed:unfit", "--name", "text"), "weights.bin is missing"),
        (("deployed:nothing",), "deployed has no nothing"),
        (("deployed:text", "--route-prefix", "/text"), "both want the route /text"),
        (("deployed:text", "--set", "Embde.replicas=2"), "did you mean `embed`?"),
        (("deployed:server", "--name", "x"), "has 3 applications"),
    )
    for words, told in rows:
        said = site.refused("deploy", *words)
        assert told in said, said
        assert "nothing has changed" in said
    version.write_text("broken")
    assert "ValueError: this version is broken" in site.refused("deploy", "deployed:text")
    assert site.pids("text.embed") == before
    assert site.word("/text") == "text"
    told = json.loads(site.done("status", "--json"))["applications"]["text"]
    assert "weights.bin is missing" in told["last_deploy_failed"]
    assert "the last deploy failed: text.embed could not start" in site.done("status")
    assert "did you mean `text`?" in site.refused("delete", "tex")


def test_only_what_differs_is_replaced(site: Site, version: Path) -> None:
    site.done("deploy", "deployed:graph", "--name", "g")
    front, embed = site.pids("g.front"), site.pids("g.embed")
    site.done("deploy", "deployed:graph", "--name", "g")
    assert (site.pids("g.front"), site.pids("g.embed")) == (front, embed)
    site.done("deploy", "deployed:graph", "--name", "g", "--route-prefix", "/h")
    assert (site.pids("g.front"), site.pids("g.embed")) == (front, embed)
    assert (site.word("/g/embed"), site.word("/h/embed")) == (404, "embed")
    under_load(
        site.server,
        "/h/embed",
        lambda: site.done("deploy", "deployed:retrained", "--name", "g", "--route-prefix", "/h"),
    )
    assert site.word("/h/embed") == "retrained"
    assert site.pids("g.front") == front
    assert site.pids("g.embed") != embed


def test_a_reload_and_a_worker_that_fell_know_all_applications(site: Site, version: Path) -> None:
    site.done("deploy", "deployed:text", "--name", "text", "--set", "Embed.replicas=2")
    site.done("deploy", "deployed:text", "--name", "gone")
    site.done("delete", "gone")
    version.write_text("v2")
    site.done("reload")
    answers = [ask(site.server, path, {"nonce": "x"}).json() for path in ("/predict", "/text")]
    assert [(each["version"], each["word"]) for each in answers] == [
        ("v2", "embed"), ("v2", "text"),
    ]  # fmt: skip
    assert len(site.pids("text.embed")) == 2
    assert site.word("/gone") == 404
    version.write_text("unfit")
    assert site.run("reload").returncode == 1
    version.write_text("v3")
    os.kill(site.server.worker.pid, signal.SIGKILL)
    wait_for(lambda: site.word("/text") == "text", "the next worker", 30)
    assert len(site.pids("text.embed")) == 2
    assert site.word("/gone") == 404


def test_the_admin_socket_is_its_owners_alone_and_goes_with_the_server(site: Site) -> None:
    sock = site.pidfile.with_name("server.pid.sock")
    assert stat.S_IMODE(sock.stat().st_mode) == 0o600
    assert stat.S_ISSOCK(sock.stat().st_mode)
    site.done("stop")
    assert not sock.exists()
    assert "no server runs by the pidfile" in site.refused("delete", "text")


def test_a_target_may_have_several_applications() -> None:
    with served("deployed.py") as server:
        assert get(server, "/-/routes").json() == {
            "/predict": "embed",
            "/text": "text.embed",
            "/g": "graph.front",
            "/g/embed": "graph.embed",
        }
        words = [ask(server, path, {"nonce": "x"}).json()["word"] for path in ("/predict", "/text")]
        assert words == ["embed", "text"]
        assert "POST /text  text.embed: 1 replica" in server.terminal


def test_a_file_names_applications(tmp_path: Path) -> None:
    config, pidfile = tmp_path / "headrace.toml", tmp_path / "server.pid"
    config.write_text(TOML)
    flags = ("-m", "headrace", "serve", "-c", str(config), "--pidfile", str(pidfile))
    with program(*flags, "--set", "text.embed.replicas=2") as server:
        server.wait_until_serving()
        site = Site(server, pidfile)
        assert (site.word("/text"), site.word("/see/embed")) == ("text", "embed")
        assert (len(site.pids("text.embed")), len(site.pids("vision.embed"))) == (2, 2)
        server.signal(signal.SIGHUP)
        server.wait_for_line("the new code serves", 30)
        assert (len(site.pids("text.embed")), len(site.pids("vision.embed"))) == (2, 2)
        config.write_text(TOML.replace("deployed:text", "deployed:better"))
        front = site.pids("vision.front")
        site.done("deploy", str(config))
        assert site.word("/text") == "better"
        assert site.pids("vision.front") == front
