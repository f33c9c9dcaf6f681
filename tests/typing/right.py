"""What a user may write: no type checker finds anything here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, assert_type

import httpx2

import headrace as hr
from headrace.client.records import JobRecord, Result
from headrace.core.jobs import Status
from headrace.testing import Client, check_isolation


@hr.deployment
class Plain(hr.Model):
    factor = 2

    def predict(self, value: int) -> int:
        return value * self.factor


@hr.deployment(
    name="full",
    route="/full",
    replicas=2,
    devices=[0, 1],
    threads_per_replica=1,
    executor="inline",
    max_batch_size=32,
    batch_wait_s=0.01,
    max_queued_requests=10,
    timeout_s=None,
    env={"A": "1"},
)
class Full(hr.Model):
    async def setup(self, device: str) -> None:
        self.loading(1, 2, "weights")

    def predict_batch(self, values: list[str], contexts: list[hr.Context]) -> list[str]:
        for context in contexts:
            assert_type(context, hr.Context)
            assert_type(context.remaining(), float)
        return values


def a_decorated_class_is_still_itself() -> None:
    assert_type(Plain(), Plain)
    assert_type(Plain().predict(2), int)
    assert_type(Plain.factor, int)
    assert_type(Full().predict_batch([], []), list[str])


def a_server_is_started() -> None:
    assert_type(hr.start(Plain, Full, port=0), hr.Running)
    with hr.start(Plain) as running:
        assert_type(running, hr.Running)
        assert_type(running.url, str)
        assert_type(running.status(), dict[str, Any])
    server = hr.Server(Plain, log_level="debug")
    assert_type(server.start(), hr.Running)
    server.run()


def a_context_is_a_dict_and_more() -> None:
    context = hr.Context(request_id="r", headers={"accept": "text/plain"}, deadline=1.0)
    context["key"] = object()
    context.status = 201
    context.response_headers = {"X-A": "b"}
    assert_type(context.headers["accept"], str)
    assert_type(context.response_headers, dict[str, str])
    assert_type(hr.current_context(), hr.Context)


class Gathers:
    @hr.batch(max_size=8)
    async def length(self, texts: list[str]) -> list[int]:
        return [len(text) for text in texts]

    @hr.batch()
    async def pick(self, texts: list[str], numbers: list[int]) -> tuple[str, ...]:
        return tuple(text[number] for text, number in zip(texts, numbers, strict=True))

    @hr.batch()
    async def named(self, texts: list[str], contexts: list[hr.Context]) -> list[str]:
        return [context.model_id for context in contexts]

    @hr.batch()
    async def letters(self, texts: list[str]) -> AsyncIterator[list[str]]:
        yield [text[0] for text in texts]

    @hr.multiplexed(max_models=2)
    async def load(self, model_id: str) -> Plain:
        return Plain()

    @hr.multiplexed()
    def load_now(self, model_id: str) -> Plain:
        return Plain()


@hr.batch()
async def doubled(numbers: list[int]) -> list[float]:
    return [2.0 * number for number in numbers]


async def a_batch_is_called_with_one() -> None:
    thing = Gathers()
    assert_type(await thing.length("a"), int)
    assert_type(await thing.pick("abc", 1), str)
    assert_type(await thing.named("a"), str)
    assert_type([letter async for letter in thing.letters("a")], list[str])
    assert_type(await doubled(2), float)


async def a_loader_returns_the_model() -> None:
    thing = Gathers()
    assert_type(await thing.load(), Plain)
    assert_type(await thing.load("de"), Plain)
    assert_type(thing.load_now("de"), Plain)


def a_client_answers_as_httpx2_does() -> None:
    with Client(Plain, hr.Server(Full), max_body_bytes=10) as client:
        assert_type(client, Client)
        assert_type(client.post("/plain", json=1), httpx2.Response)
        assert_type(client.get("/-/info", params={"a": "b"}), httpx2.Response)
    check_isolation(Plain, [1, 2], tolerance=0.0)


def an_upload_and_a_fault(upload: hr.Upload) -> None:
    assert_type(upload.data, bytes)
    raise hr.HTTPError(404, "no such user", {"X-Hint": upload.filename})


class Front:
    def __init__(self, plain: hr.Handle, top_k: int = 5) -> None:
        self.plain, self.top_k = plain, top_k

    async def __call__(self, text: str) -> list[str]:
        first = self.plain(text)
        second = self.plain.options(timeout_s=1.0, detach=True).again(first, top_k=self.top_k)
        items = [item async for item in self.plain.stream(text)]
        return [await first, await second, *items]

    def in_a_thread(self, text: str) -> list[str]:
        response = self.plain(text)
        response.cancel()
        return [response.result(timeout_s=1.0), *hr.handle(Plain)(text), *hr.handle("plain")(text)]


def a_graph_is_bound() -> None:
    bound = hr.bind(Front, hr.bind(Plain), top_k=3)
    handle: hr.Handle = bound.options(replicas=2)
    hr.bind(Front, handle)
    with hr.start(bound, port=0) as running:
        assert_type(running.handle(Plain), hr.Handle)


def a_client_knows_its_jobs() -> None:
    with hr.JobsClient("http://127.0.0.1:8000", "a key", patience_s=5.0) as client:
        assert_type(client, hr.JobsClient)
        job = client.submit("/predict", {"a": 1}, priority=-5, delay_s=1.5, headers={"X-A": "b"})
        assert_type(job.id, str)
        assert_type(job.status, Status)
        assert_type(job.is_over, bool)
        assert_type(client.get(job.id, wait_s=1.0), JobRecord)
        assert_type(client.wait(job.id, 10.0, seen=print), JobRecord)
        assert_type(client.result(job.id), Any)
        assert_type(client.response(job.id), Result)
        assert_type(list(client.list("failed", "/predict")), list[JobRecord])
        assert_type([each.kind for each in client.events(job.id)], list[str])
        client.put("mine", "/predict", content=b"raw", content_type="image/png")
        client.delete(client.cancel(client.retry(job.id).id).id)


@hr.job
def add(a: int, b: int = 2, context: hr.Context | None = None) -> int:
    return a + b


@hr.job(max_attempts=5, timeout_s=None, cron="0 4 * * *", retry_safe=False)
async def nightly() -> None: ...


def a_job_is_still_its_function() -> None:
    assert_type(add(1), int)
    assert_type(hr.submit(add, 1, b=3), hr.Job)
    assert_type(hr.submit("/predict", {"a": 1}).url, str)
    assert_type(hr.submit.options(delay_s=1.5, key="order-7")(nightly).is_new, bool)


async def a_job_is_awaited_on_a_loop() -> None:
    job = await hr.submit(add, 1)
    assert_type(job, hr.Job)
    assert_type(job.id, str)
