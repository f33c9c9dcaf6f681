"""What a Plan tells of a class, and how it runs the hooks that serve no request."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable
from typing import Any

import pytest

from headrace.errors import ImpossibleStep
from headrace.model.api import Model
from headrace.model.context import Context
from headrace.model.deployment import deployment, options_of
from headrace.model.types import Request
from tests.model.making import LAYOUTS, Layout, ask, envelope, plan_of, run, running


class Hello(Model):
    def predict(self, name: str) -> str:
        return f"Hello, {name}!"


class Batches(Model):
    def predict_batch(self, names: list[str]) -> list[str]:
        return names


class Asks(Model):
    def predict(self, request: Request) -> str:
        return request.method


class EncodesWithContext(Model):
    def predict(self, name: str) -> str:
        return name

    def encode_response(self, output: str, it: Context) -> str:
        return output + it.request_id


class AsyncEncode(Model):
    def predict(self, name: str) -> str:
        return name

    async def encode_response(self, output: str) -> str:
        return output


class AsyncSetup(Model):
    async def setup(self) -> None: ...

    def predict(self, name: str) -> str:
        return name


class Awaits:
    async def __call__(self, name: str) -> str:
        return name


class AsyncObject(Model):
    predict = Awaits()


@pytest.mark.parametrize(
    ("cls", "layout", "batched", "wants_head"),
    [
        (Hello, "sync", False, False),
        (Batches, "sync", True, False),
        (Asks, "sync", False, True),
        (EncodesWithContext, "sync", False, True),
        (AsyncEncode, "async", False, False),
        (AsyncObject, "async", False, False),
        (AsyncSetup, "sync", False, False),
    ],
)
def test_a_plan_tells_what_the_hooks_are(
    cls: type, layout: str, *, batched: bool, wants_head: bool
) -> None:
    plan = plan_of(cls)
    assert (plan.layout, plan.batched, plan.wants_head) == (layout, batched, wants_head)
    assert (plan.target, plan.options) == (cls, options_of(cls))


def test_a_plan_has_the_deployments_name() -> None:
    assert plan_of(Hello).name == "hello"
    assert plan_of(deployment(name="front")(type("Named", (Hello,), {}))).name == "front"


def test_a_model_is_plain_python() -> None:
    assert Hello().predict("Ada") == "Hello, Ada!"
    Hello().loading(1, 2, "weights")


@dataclasses.dataclass(frozen=True)
class Loads(Model):
    seen: list[object] = dataclasses.field(default_factory=list)

    def setup(self, device: str) -> None:
        self.loading(1, 3, "downloading weights")
        self.seen.append(device)

    def predict(self, name: str) -> str:
        return name

    def teardown(self) -> None:
        self.seen.append("bye")


class LoadsByName(Loads):
    def setup(self, *, device: str, size: int = 3) -> None:  # type: ignore[override]
        super().setup(device)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cls", [Loads, LoadsByName])
def test_setup_gets_the_device_and_its_progress_is_heard(cls: type[Model], layout: Layout) -> None:
    plan = plan_of(layout(cls))
    model: Any = plan.make()
    heard: list[tuple[float, float, str]] = []
    wait(plan.setup(model, "cuda:1", lambda *news: heard.append(news)))
    wait(plan.teardown(model))
    assert model.seen == ["cuda:1", "bye"]
    assert heard == [(1, 3, "downloading weights")]


def wait(result: Awaitable[Any] | object) -> Any:
    async def waiting() -> Any:
        return await result if isinstance(result, Awaitable) else result

    return asyncio.run(waiting())


def test_setup_and_teardown_may_be_left_out() -> None:
    plan = plan_of(Hello)
    model = plan.make()
    assert plan.setup(model, "cpu", lambda *_: None) is None
    assert plan.teardown(model) is None
    assert plan.health(model) is True


class WithHealth(Model):
    verdict: Any = None

    def health(self) -> Any:
        return self.verdict

    def predict(self, name: str) -> str:
        return name


class Needy(Model):
    def predict(self, it: Context, *, text: str) -> list[str]:
        return [text, it.request_id]


def test_a_context_and_a_keyword_find_one_another() -> None:
    assert ask(Needy, '"a"') == b'["a","r-1"]'


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("verdict", "healthy"), [(True, True), (False, False), (None, True)])
def test_health_is_what_the_hook_says(verdict: object, *, healthy: bool, layout: Layout) -> None:
    plan = plan_of(layout(WithHealth))
    model: Any = plan.make()
    model.verdict = verdict
    assert wait(plan.health(model)) is healthy


class Compiles(Model):
    predict: Any

    def setup(self) -> None:
        before = self.predict
        self.predict = lambda name: before(name).upper()

    def predict(self, name: str) -> str:  # type: ignore[no-redef]
        return name


def test_setup_may_put_a_compiled_hook_in_place() -> None:
    plan = plan_of(Compiles)
    model = plan.make()
    plan.setup(model, "cpu", lambda *_: None)
    assert run(plan, [envelope('"ada"')], model) == [b'"ADA"']


def test_an_async_model_is_not_run_as_a_sync_one() -> None:
    plan = plan_of(AsyncEncode)
    with pytest.raises(ImpossibleStep):
        plan.run(plan.make(), [])


def test_a_sync_model_can_be_run_on_a_loop() -> None:
    plan = plan_of(Hello)
    replies = asyncio.run(running(plan, plan.make(), [envelope('"Ada"')]))
    assert replies == [ask(Hello, '"Ada"')]
