"""A new `user_config` reaches replicas that run, between their calls, and those that come later."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

import headrace as hr
from headrace.errors import ConfigError, ReconfigureFailed, SetupFailed
from tests.e2e.apps import caring as app
from tests.e2e.serving import PATIENCE_S, ask, wait_for
from tests.e2e.test_scaling import info

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]
BOTH = pytest.mark.parametrize("model", [app.Switch, app.AsyncSwitch])
INLINE = pytest.mark.parametrize("executor", ["process", "inline"])


def bound(model: type[app.Switch], **options: Any) -> Any:
    return hr.bind(model).options(name="switch", route="/switch", **options)


def said(url: str, nap_s: float = 0.0) -> list[Any]:
    answer: list[Any] = ask(url, "/switch", nap_s).json()
    return answer


@BOTH
@INLINE
def test_it_is_told_after_setup_and_anew_without_a_restart(model: type, executor: str) -> None:
    config = {"weights": [0.5, None, "a"], "deep": {"er": True}}
    with hr.start(bound(model, user_config=config, executor=executor), port=0) as running:
        before, _, told, pid = said(running.url)
        assert (before, told) == (config, 1)
        running.reconfigure("switch", {"weights": 2})
        assert said(running.url) == [{"weights": 2}, {"weights": 2}, 2, pid]


def test_a_leaf_is_told_between_two_calls() -> None:
    with hr.start(bound(app.Switch, user_config={"n": 1}), port=0) as running:
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(said, running.url, 1.0)
            wait_for(lambda: info(running.url, "switch")["replicas"][0]["running"], "the call")
            running.reconfigure("switch", {"n": 2})
            before, after, *_ = call.result()
        assert before == after == {"n": 1}
        assert said(running.url)[0] == {"n": 2}


def test_who_comes_later_has_the_newest() -> None:
    with hr.start(bound(app.Switch, user_config={"n": 1}), port=0) as running:
        running.reconfigure("switch", {"n": 2})
        pid = said(running.url)[3]
        os.kill(pid, signal.SIGKILL)
        config, _, told, other = said(running.url)
        assert (config, told) == ({"n": 2}, 1)
        assert other != pid


def test_who_still_loads_is_told_when_it_is_ready() -> None:
    options = {"load": "lazy", "user_config": {"n": 1}}
    with hr.start(bound(app.Switch, **options), port=0, while_loading="wait") as running:
        running.reconfigure("switch", {"n": 2})
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(said, running.url)
            wait_for(lambda: info(running.url, "switch")["replicas"], "a replica")
            running.reconfigure("switch", {"n": 3})
            assert call.result()[0] in ({"n": 2}, {"n": 3})
        assert said(running.url)[0] == {"n": 3}


@BOTH
def test_one_that_fails_is_told_to_who_changed_it_and_the_old_one_holds(model: type) -> None:
    with hr.start(bound(model, user_config={"n": 1}), port=0) as running:
        pid = said(running.url)[3]
        with pytest.raises(
            ReconfigureFailed, match=r"no replica has .*ValueError: no such weights"
        ):
            running.reconfigure("switch", {"fails": True})
        assert said(running.url)[0] == {"n": 1}
        os.kill(pid, signal.SIGKILL)
        assert said(running.url)[0] == {"n": 1}, "nobody took it, so nobody begins with it"


def test_where_some_fail_they_are_named() -> None:
    with hr.start(bound(app.Switch, user_config={"n": 1}, replicas=2), port=0) as running:
        pids = [copy["pid"] for copy in info(running.url, "switch")["replicas"]]
        with pytest.raises(ReconfigureFailed, match=r"some replicas have not.*switch/1: Value"):
            running.reconfigure("switch", {"fails": pids[0]})


def test_one_that_fails_at_the_start_is_a_failed_setup() -> None:
    with pytest.raises(SetupFailed, match="no such weights"):
        hr.start(bound(app.Switch, user_config={"fails": True}), port=0)


def test_what_cannot_be_is_said_with_its_mend() -> None:
    leaf = hr.bind(app.Leaf).options(user_config={"n": 1})
    with pytest.raises(ConfigError, match=r"Leaf has a `user_config`.*def reconfigure\(self, c"):
        hr.start(leaf, port=0)
    with hr.start(bound(app.Switch), app.Leaf, port=0) as running:
        with pytest.raises(ConfigError, match="leaf takes no user_config"):
            running.reconfigure("leaf", 1)
        with pytest.raises(ConfigError, match="there is no deployment 'swich'; did you mean"):
            running.reconfigure("swich", 1)
        with pytest.raises(ConfigError, match="JSON can say"):
            running.reconfigure("switch", {"model": object()})


def test_a_deploy_that_changes_the_config_alone_keeps_the_replicas() -> None:
    with hr.start(bound(app.Switch, user_config={"n": 1}), port=0) as running:
        pid = said(running.url)[3]
        running.deploy(bound(app.Switch, user_config={"n": 2}))
        assert said(running.url) == [{"n": 2}, {"n": 2}, 2, pid]
        with pytest.raises(ReconfigureFailed, match="no such weights"):
            running.deploy(bound(app.Switch, user_config={"fails": True}))
        config, _, _, there = said(running.url)
        assert (config, there) == ({"n": 2}, pid)


def test_any_class_may_have_reconfigure_and_health(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLDER", str(tmp_path))
    with hr.start(app.Plain, port=0) as running:
        first = httpx2.get(f"{running.url}/plain").json()
        running.reconfigure("plain", {"n": 2})
        assert httpx2.get(f"{running.url}/plain").json() == {"n": 2, "pid": first["pid"]}
        (tmp_path / str(first["pid"])).write_text("ill")
        wait_for(lambda: info(running.url, "plain")["health"]["unwell"] == 1, "the verdict")
        wait_for(lambda: info(running.url, "plain")["state"] == "ok", "another one")
        again = httpx2.get(f"{running.url}/plain", timeout=PATIENCE_S).json()
        assert again["n"] == 2
        assert again["pid"] != first["pid"]
