"""What a user may get wrong: every type checker finds each line marked `expect`, and no other."""

from __future__ import annotations

import headrace as hr
from headrace.testing import Client, check_isolation


@hr.deployment(replicas="two")  # expect
class Two(hr.Model):
    def predict(self, value: int) -> int:
        return value


@hr.deployment(replica=2)  # expect
class Misspelt(hr.Model):
    def predict(self, value: int) -> int:
        return value


@hr.deployment(executor="thread")  # expect
class Thread(hr.Model):
    def predict(self, value: int) -> int:
        return value


def wrong_settings() -> None:
    hr.start(Two, prot=0)  # expect
    hr.start(Two, port="0")  # expect
    hr.run(Two())  # expect
    hr.Server("module:Two")  # expect


def wrong_hooks(model: Two, context: hr.Context) -> None:
    model.predict("a")  # expect
    model.predikt(1)  # expect
    context.request_id = "other"  # expect
    context.status = "teapot"  # expect
    hr.HTTPError("404")  # expect


def wrong_tests() -> None:
    client = Client(Two, prot=0)  # expect
    client.post("/predict", jsn=1)  # expect
    check_isolation(Two(), [1, 2])  # expect


class Front:
    def __init__(self, two: hr.Handle, top_k: int = 5) -> None:
        self.two, self.top_k = two, top_k


def wrong_graphs(handle: hr.Handle) -> None:
    hr.bind(Front)  # expect
    hr.bind(Front, 5)  # expect
    hr.bind(Front, hr.bind(Two), top_k="many")  # expect
    hr.bind(Two, 5)  # expect
    hr.handle(5)  # expect
    handle.options(timeout=1)  # expect
    handle(5).result("soon")  # expect


class Gathers:
    @hr.batch(max_size="many")  # expect
    async def length(self, texts: list[str]) -> list[int]:
        return [len(text) for text in texts]

    @hr.batch()
    async def double(self, numbers: list[int]) -> list[int]:
        return numbers

    @hr.multiplexed(max_models=2)
    def load(self, model_id: str) -> Two:
        return Two()


async def wrong_batches(thing: Gathers) -> None:
    await thing.double("a")  # expect
    await thing.double([1])  # expect
    thing.load(5)  # expect
    thing.load().predikt(1)  # expect


def wrong_jobs(client: hr.JobsClient) -> None:
    hr.JobsClient()  # expect
    client.submit(5)  # expect
    client.submit("/predict", 1, priority="high")  # expect
    client.submit("/predict", 1, delay=1)  # expect
    client.get("job").cancel()  # expect
    client.wait("job", "soon")  # expect


@hr.job(max_attempt=3)  # expect
def core(a: int) -> int:
    return a


@hr.job
def good(a: int) -> int:
    return a


def wrong_submissions() -> None:
    hr.submit(good, "one")  # expect
    hr.submit(good)  # expect
    hr.submit(5)  # expect
    hr.submit.options(delay=1)(good, 1)  # expect
    hr.submit(good, 1).status()  # expect
    good("one")  # expect
