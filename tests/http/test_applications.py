"""Several applications behind one front door: added, replaced, taken away, gate by gate."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

import httpx2
import pytest

import headrace as hr
from headrace.core.messages import DeploymentId
from headrace.errors import ConfigError, SetupFailed, StartError
from headrace.model.application import Application, application_of
from headrace.model.binding import served_from
from headrace.service import Service
from tests.http.asking import gates, ready, until

made: list[str] = []


@hr.deployment(executor="inline")
class Embed(hr.Model):
    def __init__(self, word: str = "embed") -> None:
        self.word = word

    def setup(self) -> None:
        made.append(self.word)

    async def predict(self, value: Any) -> Any:
        if value == "wait":
            await gates["a"].pass_through()
        return [self.word, value]


@hr.deployment(executor="inline")
class Slow(hr.Model):
    async def setup(self) -> None:
        await gates["setup"].pass_through()

    def predict(self, value: Any) -> Any:
        return ["slow", value]


@hr.deployment(executor="inline")
class Unfit(hr.Model):
    def setup(self) -> None:
        raise OSError("no weights")

    def predict(self, value: Any) -> Any:
        return value


@hr.deployment(executor="inline")
class Front(hr.Model):
    def __init__(self, embed: hr.Handle, word: str) -> None:
        self.embed, self.word = embed, word

    def setup(self) -> None:
        made.append(self.word)

    async def predict(self, value: Any) -> Any:
        if value == "wait":
            await gates["b"].pass_through()
        return [self.word, value]


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test that is a coroutine."""

    @functools.wraps(test)
    def run(*arguments: Any, **words: Any) -> None:
        made.clear()
        asyncio.run(test(*arguments, **words))

    return run


def one(*targets: object, name: str = "text", prefix: str | None = None) -> Application:
    return application_of([s for t in targets for s in served_from(t)], name, prefix, "code")


def graph(word: str = "front", embed: str = "embed", name: str = "text") -> Application:
    return one(hr.bind(Front, hr.bind(Embed, embed), word), name=name)


async def deploy(service: Service, *applications: Application) -> None:
    await asyncio.wait_for(service.applications.deploy(applications), 5)


async def post(client: httpx2.AsyncClient, path: str, value: Any = 1) -> Any:
    answer = await client.post(path, json=value)
    return answer.json() if answer.status_code == 200 else answer.status_code


def ids(service: Service) -> set[str]:
    return set(service.driver.replicas)


@in_a_loop
async def test_applications_are_added_and_taken_away() -> None:
    async with ready(Embed) as (service, client):
        assert await post(client, "/text") == 404
        await deploy(service, one(Embed))
        assert await post(client, "/text") == await post(client, "/predict") == ["embed", 1]
        routes = (await client.get("/-/routes")).json()
        assert routes == {"/predict": "embed", "/text": "text.embed"}
        told = (await client.get("/-/health")).json()["applications"]
        assert told["text"] == {
            "state": "ok",
            "route_prefix": "/text",
            "generation": 2,
            "deployments": ["text.embed"],
        }
        paths = (await client.get("/-/openapi.json")).json()["paths"]
        assert paths["/text"]["post"]["operationId"] == "text.embed"
        metrics = (await client.get("/-/metrics")).text
        assert 'headrace_requests_total{deployment="text.embed",status="200"} 1' in metrics
        assert 'headrace_replicas_ready{deployment="text.embed"} 1' in metrics
        await service.applications.delete(["text"])
        assert await post(client, "/text") == 404
        assert await post(client, "/predict") == ["embed", 1]
        await until(lambda: ids(service) == {"embed/1"}, "the end of its replica")
        assert "text" not in (await client.get("/-/health")).json()["applications"]
        assert set((await client.get("/-/info")).json()["deployments"]) == {"embed"}


@in_a_loop
async def test_what_is_new_is_ready_before_a_route_leads_to_it() -> None:
    async with ready(Embed) as (service, client):
        await deploy(service, one(Embed))
        waiting = asyncio.create_task(post(client, "/text", "wait"))
        await until(lambda: gates["a"].held, "a request under way")
        deploying = asyncio.create_task(deploy(service, one(Slow)))
        await until(lambda: gates["setup"].held, "its setup")
        told = service.status()["applications"]["text"]
        assert told["state"] == "ok"
        assert told["coming"] == {"generation": 3, "loading": ["text.slow"]}
        assert await post(client, "/text") == ["embed", 1]
        gates["setup"].open()
        await deploying
        assert await post(client, "/text") == ["slow", 1]
        gates["a"].open()
        assert await waiting == ["embed", "wait"]
        await until(lambda: ids(service) == {"embed/1", "text.slow@3/1"}, "the end of the old one")


@in_a_loop
async def test_only_what_differs_is_replaced() -> None:
    async with ready(Embed) as (service, client):
        await deploy(service, graph())
        before = ids(service)
        assert before == {"embed/1", "text.front@2/1", "text.embed@2/1"}
        await deploy(service, graph())
        assert ids(service) == before
        await deploy(service, graph(embed="better"))
        await until(
            lambda: ids(service) == {"embed/1", "text.front@2/1", "text.embed@4/1"}, "one replaced"
        )
        await deploy(service, graph("other", embed="better"))
        await until(
            lambda: ids(service) == {"embed/1", "text.front@5/1", "text.embed@4/1"}, "one replaced"
        )
        assert await post(client, "/text") == ["other", 1]
        assert made == ["embed", "front", "embed", "better", "other"]
        assert service.status()["applications"]["text"]["generation"] == 5


@in_a_loop
async def test_whom_code_finds_is_of_its_own_application_and_generation() -> None:
    async with ready(Embed) as (service, client):
        find = service.driver.roster.find
        await deploy(service, graph())
        front, old, new = map(DeploymentId, ("text.front@2", "text.embed@2", "text.embed@3"))
        assert find("embed") == find("embed", DeploymentId("embed")) == "embed"
        assert find("embed", front) == find("text.embed") == old
        assert find("front") == front  # nobody else is called so
        assert find("nobody", front) is None
        assert service.driver.roster.names(front) == ["front", "embed", "text.front", "text.embed"]
        waiting = asyncio.create_task(post(client, "/text", "wait"))
        await until(lambda: gates["b"].held, "a request under way")
        await deploy(service, graph(embed="better"))
        assert find("embed", front) == find("text.embed") == new  # it stays, and meets the new one
        gates["b"].open()
        await waiting


@in_a_loop
async def test_who_is_called_stays_as_long_as_a_caller_has_requests() -> None:
    async with ready(Embed) as (service, client):
        await deploy(service, graph())
        waiting = asyncio.create_task(post(client, "/text", "wait"))
        await until(lambda: gates["b"].held, "a request under way")
        await deploy(service, graph("other", embed="better"))
        find = service.driver.roster.find
        assert find("embed", DeploymentId("text.front@2")) == "text.embed@2"
        assert "text.embed@2/1" in ids(service)
        assert find("embed", DeploymentId("text.front@3")) == "text.embed@3"
        gates["b"].open()
        assert await waiting == ["front", "wait"]
        await until(lambda: not any("@2" in each for each in ids(service)), "the old ones go")


@pytest.mark.parametrize(
    ("broken", "error", "words"),
    [
        (one(Unfit), SetupFailed, r"text\.unfit could not start: OSError"),
        (one(Embed, Unfit), SetupFailed, r"text\.unfit could not start: OSError"),
        (one(Embed, prefix="/predict"), ConfigError, "default and text both want the route"),
        (one(Embed, name="new", prefix="/text"), ConfigError, "text and new both want the route"),
        (one(Unfit, name="new"), SetupFailed, r"new\.unfit could not start"),
    ],
)
@in_a_loop
async def test_a_broken_deploy_changes_nothing_and_says_why(
    broken: Application, error: type[StartError], words: str
) -> None:
    async with ready(Embed) as (service, client):
        await deploy(service, graph())
        before = ids(service)
        with pytest.raises(error, match=words):
            await deploy(service, broken)
        assert await post(client, "/text") == ["front", 1]
        told = service.status()["applications"]
        assert told["text"]["generation"] == 2
        assert words.replace("\\", "") in told[broken.name]["last_deploy_failed"]
        assert told[broken.name]["state"] == ("ok" if broken.name == "text" else "failed")
        await until(lambda: ids(service) == before, "what was begun is gone")
        await service.applications.delete([broken.name])
        assert broken.name not in service.status()["applications"]


@in_a_loop
async def test_who_is_not_there_cannot_be_taken_away() -> None:
    async with ready(Embed) as (service, client):
        with pytest.raises(ConfigError, match="no application 'defalt'; did you mean `default`"):
            await service.applications.delete(["defalt"])
        await service.applications.delete(["default"])
        assert await post(client, "/predict") == 404
        assert (await client.get("/-/health/ready")).status_code == 200
        await service.reload()
        await deploy(service, one(Embed, name="default"))
        assert await post(client, "/predict") == ["embed", 1]


@in_a_loop
async def test_a_reload_is_of_all_applications_and_of_all_or_none() -> None:
    async with ready(Embed) as (service, client):
        await deploy(service, graph())
        with pytest.raises(SetupFailed):
            await service.reload([one(Embed, name="default"), one(Unfit)])
        assert ids(service) == {"embed/1", "text.front@2/1", "text.embed@2/1"}
        await service.reload()
        assert await post(client, "/text") == ["front", 1]
        await until(
            lambda: ids(service) == {"embed@4/1", "text.front@4/1", "text.embed@4/1"}, "all anew"
        )
        await service.reload([one(Embed, name="default")])  # what is not given stays
        await until(
            lambda: ids(service) == {"embed@5/1", "text.front@4/1", "text.embed@4/1"}, "one anew"
        )


@in_a_loop
async def test_where_there_is_no_memory_for_both_the_old_one_ends_first() -> None:
    async with ready(Embed, reload="stop_first") as (service, client):
        await deploy(service, graph())
        gates["setup"].open()
        await deploy(service, graph(embed="better"))
        assert ids(service) == {"embed/1", "text.front@2/1", "text.embed@3/1"}
        assert await post(client, "/text") == ["front", 1]


@in_a_loop
async def test_nothing_changes_once_the_server_stops() -> None:
    async with ready(Embed) as (service, _):
        deploying = asyncio.create_task(service.applications.deploy([one(Slow)]))
        await until(lambda: gates["setup"].held, "its setup")
        service.stop(0.0)
        with pytest.raises(StartError, match="no deploy: the server is being stopped"):
            await deploying
        with pytest.raises(StartError, match="no delete: the server"):
            await service.applications.delete(["default"])


@in_a_loop
async def test_what_the_front_door_alone_knows_changes_without_a_restart() -> None:
    async with ready(Embed) as (service, client):
        key = "a-key-of-thirty-two-characters-ok"
        await deploy(service, one(Embed))
        before = ids(service)
        await deploy(service, one(hr.bind(Embed).options(route="/x", api_keys=key)))
        assert ids(service) == before
        assert await post(client, "/text") == 404
        assert await post(client, "/text/x") == 401
        answer = await client.post("/text/x", json=1, headers={"Authorization": f"Bearer {key}"})
        assert answer.json() == ["embed", 1]


@hr.deployment(executor="inline")
class Tuned(hr.Model):
    def setup(self) -> None:
        self.config: Any = None

    def reconfigure(self, config: Any) -> None:
        if config == "bad":
            raise ValueError("no such config")
        self.config = config

    def predict(self, value: Any) -> Any:
        return self.config


def tuned(*configs: Any) -> Application:
    words = ("one", "two")
    found = [
        hr.bind(Tuned).options(name=word, user_config=config, route=f"/{word}")
        for word, config in zip(words, configs, strict=True)
    ]
    return one(*found)


@in_a_loop
async def test_a_new_user_config_is_told_without_a_restart() -> None:
    async with ready(Embed) as (service, client):
        await deploy(service, tuned(1, 2))
        before = ids(service)
        assert (await post(client, "/text/one"), await post(client, "/text/two")) == (1, 2)
        await deploy(service, tuned(3, 2))
        assert ids(service) == before
        assert (await post(client, "/text/one"), await post(client, "/text/two")) == (3, 2)
        with pytest.raises(StartError, match="no such config"):
            await deploy(service, tuned(4, "bad"))
        assert ids(service) == before
        assert (await post(client, "/text/one"), await post(client, "/text/two")) == (3, 2)
        assert service.status()["applications"]["text"]["generation"] == 3
        await deploy(service, tuned(4, 5))
        assert (await post(client, "/text/one"), await post(client, "/text/two")) == (4, 5)


@in_a_loop
async def test_more_replicas_or_fewer_are_no_new_ones() -> None:
    async with ready(Embed) as (service, client):
        await deploy(service, one(hr.bind(Embed).options(replicas=2)))
        assert ids(service) == {"embed/1", "text.embed@2/1", "text.embed@2/2"}
        await deploy(service, one(hr.bind(Embed).options(replicas=3, timeout_s=7.0)))
        await until(lambda: len(ids(service)) == 4, "one more")
        assert {"text.embed@2/1", "text.embed@2/2"} < ids(service)
        await deploy(service, one(hr.bind(Embed).options(replicas=1)))
        await until(lambda: len(ids(service)) == 2, "two fewer")
        await deploy(service, one(hr.bind(Embed).options(replicas=(2, 3))))
        await until(lambda: len(ids(service)) == 3, "as many as there are at the least")
        assert service.status()["deployments"]["text.embed"]["replicas_wanted"] == 2
        assert await post(client, "/text") == ["embed", 1]
