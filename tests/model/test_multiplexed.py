"""`@hr.multiplexed`: the few models last used, loaded once for all, torn down for others."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context as Variables
from typing import Any

import pytest

import headrace as hr
from headrace.errors import ConfigError
from headrace.model import multiplexed as ours
from headrace.model.context import Several, current, running
from headrace.model.multiplexed import NoModelId, began, emptied, ended, listen, models_of
from headrace.model.served import describe
from tests.support.loops import on_a_loop, turns


class Weights:
    def __init__(self, name: str, story: list[str]) -> None:
        self.name, self.story = name, story

    async def teardown(self) -> None:
        await asyncio.sleep(0)
        self.story.append(f"-{self.name}")


class Closed:
    def __init__(self, name: str, story: list[str]) -> None:
        self.name, self.story = name, story

    def close(self) -> None:
        self.story.append(f"-{self.name}")


class Hub:
    """Loads on an event loop; a load may be held up."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    @hr.multiplexed(max_models=2)
    async def load(self, model_id: str) -> Weights:
        """Load one."""
        self.story.append(f"+{model_id}")
        await self.gate.wait()
        if model_id.startswith("bad"):
            raise ValueError(model_id)
        return Weights(model_id, self.story)


class Sync:
    """Loads in whatever thread asks."""

    def __init__(self, wait: Callable[[], object] = lambda: None) -> None:
        self.story: list[str] = []
        self.wait = wait

    @hr.multiplexed(max_models=2)
    def load(self, model_id: str) -> Closed:
        self.story.append(f"+{model_id}")
        self.wait()
        if model_id.startswith("bad"):
            raise ValueError(model_id)
        return Closed(model_id, self.story)


class Calls:
    """The calls of one replica, as it tells an object of them."""

    def __init__(self, thing: Any) -> None:
        self.thing, self.last = thing, 0

    def begin(self, model_id: str = "") -> Variables:
        """Begin a call; return what its code sees."""
        self.last += 1
        began(self.thing, self.last)
        variables = Variables()
        variables.run(running.set, self.last)
        variables.run(current.set, hr.Context(model_id=model_id))
        return variables

    def end(self, variables: Variables) -> None:
        ended(self.thing, variables[running])


# --- with or without a server --------------------------------------------------------------


@on_a_loop
async def test_a_model_is_loaded_once_and_the_least_recently_used_goes() -> None:
    hub = Hub()
    for name in "abacab":
        assert (await hub.load(name)).name == name
    assert hub.story == ["+a", "+b", "-b", "+c", "-c", "+b"]
    assert models_of(hub) == ["a", "b"]


@on_a_loop
async def test_many_who_ask_for_one_wait_for_one_load() -> None:
    hub = Hub()
    hub.gate.clear()
    asking = [asyncio.ensure_future(hub.load("a")) for _ in range(5)]
    await turns()
    asking[0].cancel()
    hub.gate.set()
    found = await asyncio.gather(*asking[1:])
    assert len(set(map(id, found))) == 1
    assert hub.story == ["+a"]


@on_a_loop
async def test_different_ones_load_side_by_side_as_far_as_there_are_places() -> None:
    hub = Hub()
    hub.gate.clear()
    asking = [asyncio.ensure_future(hub.load(name)) for name in "abc"]
    await turns()
    assert hub.story == ["+a", "+b"]
    hub.gate.set()
    await asyncio.gather(*asking)
    assert hub.story[2:] == ["-a", "+c"]


@on_a_loop
async def test_a_load_that_raises_is_its_askers_error_and_is_not_kept() -> None:
    hub = Hub()
    one, two = await asyncio.gather(hub.load("bad"), hub.load("bad"), return_exceptions=True)
    assert type(one) is type(two) is ValueError
    assert one is not two
    with pytest.raises(ValueError, match="bad"):
        await hub.load("bad")
    assert hub.story == ["+bad", "+bad"]
    assert models_of(hub) == []


@on_a_loop
async def test_each_object_has_its_own_and_they_go_with_it() -> None:
    one, two = Hub(), Hub()
    await one.load("a")
    await two.load("b")
    assert (models_of(one), models_of(two)) == (["a"], ["b"])
    gone = weakref.ref(one)
    del one
    await turns()
    gc.collect()
    assert gone() is None


@on_a_loop
async def test_the_end_tears_down_all_that_are_there() -> None:
    hub = Hub()
    await hub.load("a")
    await hub.load("b")
    hub.gate.clear()
    stuck = asyncio.ensure_future(hub.load("c"))
    await turns()
    work = emptied(hub)
    assert work is not None
    await work
    assert sorted(hub.story[2:]) == ["+c", "-a", "-b"]
    with pytest.raises(asyncio.CancelledError):
        await stuck


def test_it_works_in_code_that_cannot_await() -> None:
    thing = Sync()
    for name in "abacab":
        assert thing.load(name).name == name
    assert thing.story == ["+a", "+b", "-b", "+c", "-c", "+b"]
    with pytest.raises(ValueError, match="bad"):
        thing.load("bad")
    assert emptied(thing) is None
    assert models_of(thing) == []


def test_what_has_nothing_to_tear_it_down_is_only_dropped() -> None:
    class Plain:
        @hr.multiplexed(max_models=1)
        def load(self, model_id: str) -> list[str]:
            return [model_id]

    thing = Plain()
    assert [thing.load(name) for name in "aba"] == [["a"], ["b"], ["a"]]


# --- the use of a call -----------------------------------------------------------------------


@on_a_loop
async def test_what_a_call_uses_is_torn_down_after_its_end() -> None:
    hub = Hub()
    calls = Calls(hub)
    one, two, three = (calls.begin() for _ in range(3))
    await as_part_of(one, use(hub, "a"))
    await as_part_of(two, use(hub, "b"))
    waiting = as_part_of(three, use(hub, "c"))
    await turns(20)
    assert hub.story == ["+a", "+b"], "nothing in use is torn down, and there is no third place"
    assert (await as_part_of(one, use(hub, "a"))).name == "a", "it is still its own"
    calls.end(one)
    assert (await waiting).name == "c"
    assert hub.story == ["+a", "+b", "-a", "+c"]


@on_a_loop
async def test_a_call_that_has_one_does_not_wait_for_another() -> None:
    hub = Hub()
    calls = Calls(hub)
    one = calls.begin()
    for name in "abc":
        await as_part_of(one, use(hub, name))
    assert hub.story == ["+a", "+b", "+c"], "one too many, for a while"
    calls.end(one)
    await turns(20)
    assert hub.story == ["+a", "+b", "+c", "-a"]


@on_a_loop
async def test_nobody_waits_for_ever_for_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.model.shelf_async.PATIENCE_S", 0.02)
    hub = Hub()
    calls = Calls(hub)
    for name in "ab":
        await as_part_of(calls.begin(), use(hub, name))
    assert (await as_part_of(calls.begin(), use(hub, "c"))).name == "c"


@on_a_loop
async def test_the_id_may_be_that_of_the_request() -> None:
    hub = Hub()
    calls = Calls(hub)
    one = calls.begin("a")
    assert (await as_part_of(one, load_own(hub))).name == "a"
    batch = Several([hr.Context(model_id="b"), hr.Context(model_id="b")])
    variables = Variables()
    variables.run(current.set, batch)
    assert (await as_part_of(variables, load_own(hub))).name == "b"


async def use(hub: Hub, name: str) -> Weights:
    return await hub.load(name)


async def load_own(hub: Hub) -> Weights:
    return await hub.load()


@on_a_loop
async def test_without_an_id_there_is_a_clear_error() -> None:
    hub = Hub()
    with pytest.raises(NoModelId, match="send the header X-Headrace-Model-Id"):
        await hub.load()
    variables = Variables()
    variables.run(current.set, Several([hr.Context(model_id="a"), hr.Context(model_id="b")]))
    with pytest.raises(NoModelId, match="serves requests for 2 models"):
        await as_part_of(variables, load_own(hub))


def as_part_of(variables: Variables, work: Any) -> asyncio.Task[Any]:
    return asyncio.get_running_loop().create_task(work, context=variables)


@on_a_loop
async def test_a_batch_of_calls_uses_what_it_loads_for_all_of_them() -> None:
    class Both(Hub):
        @hr.batch()
        async def names(self, xs: list[int]) -> list[str]:
            return [(await self.load("a")).name for _ in xs]

    hub = Both()
    calls = Calls(hub)
    one, two = calls.begin(), calls.begin()
    assert await asyncio.gather(*(as_part_of(v, hub.names(1)) for v in (one, two))) == ["a", "a"]
    await hub.load("b")
    calls.end(one)
    await hub.load("c")
    assert "-a" not in hub.story, "the second call goes on"
    calls.end(two)
    await hub.load("d")
    await hub.load("e")
    assert "-a" in hub.story


# --- threads ---------------------------------------------------------------------------------


def test_threads_that_ask_for_one_wait_for_one_load() -> None:
    thing = Sync(lambda: time.sleep(0.02))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: thing.load("a"), range(8)))
    assert len(set(map(id, found))) == 1
    assert thing.story == ["+a"]


def test_threads_wait_for_a_place_and_never_lose_what_they_use() -> None:
    thing = Sync(lambda: time.sleep(0.001))
    calls, lock = Calls(thing), threading.Lock()
    torn: list[str] = []

    def ask(number: int) -> None:
        with lock:
            variables = calls.begin()
        name = "abcde"[number % 5]
        model = variables.run(thing.load, name)
        time.sleep(0.001)
        if thing.story.count(f"-{name}") == thing.story.count(f"+{name}"):
            torn.append(name)
        assert model.name == name
        calls.end(variables)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(ask, range(60)))
    assert not torn
    assert len(models_of(thing)) <= 2


def test_a_load_that_was_interrupted_is_tried_by_the_next() -> None:
    class Stopped(BaseException):
        pass

    begun, go_on = threading.Event(), threading.Event()

    class Thing:
        tries = 0

        @hr.multiplexed()
        def load(self, model_id: str) -> str:
            self.tries += 1
            if self.tries == 1:
                begun.set()
                go_on.wait(10)
                raise Stopped
            return model_id

    thing = Thing()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(thing.load, "a")
        assert begun.wait(10)
        second = pool.submit(thing.load, "a")
        go_on.set()
        assert second.result(10) == "a"
        assert isinstance(first.exception(10), Stopped)


# --- who listens -----------------------------------------------------------------------------


@on_a_loop
async def test_a_listener_hears_of_each_change_and_of_what_a_load_took() -> None:
    hub = Hub()
    await hub.load("a")
    heard: list[tuple[list[str], bool]] = []
    listen(hub, lambda models, load_s: heard.append((list(models), load_s > 0)))
    await hub.load("b")
    await hub.load("c")
    with pytest.raises(ValueError, match="bad"):
        await hub.load("bad")
    assert heard == [
        (["a"], False),
        (["a", "b"], True),
        (["b"], False),
        (["b", "c"], True),
        (["c"], False),
    ]


# --- mistakes ----------------------------------------------------------------------------------


def test_mistakes_are_told_where_they_are_written() -> None:
    with pytest.raises(ConfigError, match="`max_models` must be a whole number of 1 or more"):
        hr.multiplexed(max_models=0)
    for load, words in MISTAKES:
        with pytest.raises(ConfigError, match=words):
            hr.multiplexed()(load)


def without_id(self: object) -> str:
    return ""


def with_more(self: object, model_id: str, more: int) -> str:
    return model_id


def yielding(self: object, model_id: str) -> Any:
    yield model_id


MISTAKES: list[tuple[Any, str]] = [
    (without_id, "it is to take `self` and `model_id`"),
    (with_more, "it is to take `self` and `model_id`"),
    (yielding, "it yields"),
    (Hub, "goes onto a method"),
]


class NeverAwaited(hr.Model):
    @hr.multiplexed()
    async def load(self, model_id: str) -> str:
        return model_id

    def predict(self, x: int) -> int:
        return x


class Awaited(hr.Model):
    @hr.multiplexed()
    async def load(self, model_id: str) -> str:
        return model_id

    async def predict(self, x: int) -> str:
        return await self.load()


def test_what_is_served_tells_whether_it_holds_models() -> None:
    assert describe(Awaited).multiplexed
    assert ours.is_multiplexed(Hub)
    assert not ours.is_multiplexed(Weights)
    with pytest.raises(ConfigError, match="no hook can await it"):
        describe(NeverAwaited)


def test_it_looks_like_the_method_that_it_is() -> None:
    assert Hub.load.__name__ == "load"
    assert Hub.load.__doc__ == "Load one."
    assert repr(Hub.load) == "<multiplexed Hub.load, 2 models>"
    thing = Sync()
    assert Sync.load(thing, "a") is thing.load("a")
