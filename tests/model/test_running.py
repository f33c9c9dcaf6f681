"""How a call is run, in both layouts: one reply each, in order, and nothing is mixed up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import Cancelled, HTTPError, Unprocessable
from headrace.model.api import Model
from headrace.model.context import Context, NoContext, current_context
from headrace.model.deployment import deployment
from headrace.model.envelope import Fault
from tests.model.making import (
    LAYOUTS,
    Layout,
    ask,
    envelope,
    fault,
    plan_of,
    run,
    running,
    with_async_hooks,
)

layouts = pytest.mark.parametrize("layout", LAYOUTS)
SEE_LOG = "see the server's log under this request id"


class Traced(Model):
    """Carry a nonce through the hooks in the context, and fail if it ever is another's."""

    def decode_request(self, nonce: int, context: Context, **_: object) -> int:
        assert not context
        assert current_context() is context
        context["nonce"] = nonce
        if nonce % 5 == 3:
            raise HTTPError(409, str(nonce))
        return nonce

    def predict(self, nonce: int, context: Context) -> Any:
        assert current_context() is context
        assert context["nonce"] == nonce
        context["worked"] = True
        if nonce % 7 == 3:
            raise HTTPError(410, str(nonce))
        return nonce

    def encode_response(self, output: int, context: Context) -> dict[str, Any]:
        assert current_context() is context
        assert context["nonce"] == output
        assert context.request_id == f"r-{output}"
        return dict(context)


class TracedBatch(Traced):
    def predict_batch(self, nonces: list[int], contexts: list[Context]) -> Sequence[Any]:
        assert len({id(context) for context in contexts}) == len(nonces)
        outputs: list[Any] = []
        for nonce, context in zip(nonces, contexts, strict=True):
            assert context["nonce"] == nonce
            context["worked"] = True
            outputs.append(HTTPError(410, str(nonce)) if nonce % 7 == 3 else nonce)
        contexts.reverse()  # it is the hook's own list
        nonces.clear()
        return outputs


def traced(nonce: int) -> object:
    """Say what must come of a nonce."""
    if nonce % 5 == 3:
        return Fault(409, "http_error", str(nonce))
    if nonce % 7 == 3:
        return Fault(410, "http_error", str(nonce))
    return msgspec.json.encode({"nonce": nonce, "worked": True})


PLANS = [plan_of(layout(cls)) for cls in (Traced, TracedBatch) for layout in LAYOUTS]


@given(st.lists(st.integers(0, 1000), max_size=40, unique=True), st.sampled_from(PLANS))
def test_every_context_is_seen_by_its_own_hooks_alone(nonces: list[int], plan: Any) -> None:
    replies = run(plan, [envelope(str(n), label=f"r-{n}") for n in nonces])
    assert replies == [traced(nonce) for nonce in nonces]


@given(st.lists(st.sampled_from(["ok", "syntax", "type", "late"]), max_size=12))
def test_what_cannot_be_decoded_never_enters_the_batch(kinds: list[str]) -> None:
    sizes: list[int] = []

    class Counts(Model):
        def predict_batch(self, numbers: list[int]) -> list[int]:
            sizes.append(len(numbers))
            return numbers

    for layout in LAYOUTS:
        sizes.clear()
        bodies = {"ok": "1", "syntax": "[", "type": '"a"', "late": "1"}
        calls = [
            envelope(bodies[kind], deadline=monotonic() + (60 if kind != "late" else -1))
            for kind in kinds
        ]
        replies = run(plan_of(layout(Counts)), calls)
        statuses = [r.status if isinstance(r, Fault) else 200 for r in replies]
        wanted = {"ok": 200, "syntax": 400, "type": 422, "late": 504}
        assert statuses == [wanted[kind] for kind in kinds]
        assert sizes == ([kinds.count("ok")] if "ok" in kinds else [])


class Boom(Model):
    where = ""
    error: BaseException = ValueError("secret")

    def decode_request(self, x: int) -> int:
        self._maybe("decode_request")
        return x

    def predict(self, x: int) -> int:
        self._maybe("predict")
        return x

    def encode_response(self, x: int) -> int:
        self._maybe("encode_response")
        return x

    def _maybe(self, hook: str) -> None:
        if hook == self.where:
            raise self.error


class BoomBatch(Boom):
    def predict_batch(self, xs: list[int]) -> list[int]:
        self._maybe("predict_batch")
        return xs


EACH = ["decode_request", "predict", "encode_response"]
SPOTS = [(Boom, hook) for hook in EACH] + [
    (BoomBatch, hook) for hook in ("decode_request", "predict_batch", "encode_response")
]


def boom(cls: type[Boom], where: str, error: BaseException) -> type[Model]:
    return type(cls.__name__, (cls,), {"where": where, "error": error})


@layouts
@pytest.mark.parametrize(("cls", "hook"), SPOTS)
def test_a_hook_that_raises_is_told_without_its_words_and_logged_with_them(
    cls: type[Boom], hook: str, layout: Layout, caplog: pytest.LogCaptureFixture
) -> None:
    found = fault(layout(boom(cls, hook, ValueError("secret"))), "1")
    assert found == Fault(500, "hook_failed", f"{hook} raised ValueError; {SEE_LOG}")
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("headrace.model", "ERROR")
    assert record.getMessage() == f"request r-1: {hook} raised"
    assert "ValueError: secret" in caplog.text


@layouts
@pytest.mark.parametrize(("cls", "hook"), SPOTS)
def test_an_http_error_of_a_hook_is_the_answer(
    cls: type[Boom], hook: str, layout: Layout, caplog: pytest.LogCaptureFixture
) -> None:
    found = fault(layout(boom(cls, hook, HTTPError(429, "later", {"Retry-After": "3"}))), "1")
    assert found == Fault(429, "http_error", "later", None, [("Retry-After", "3")])
    assert not caplog.records


@layouts
@pytest.mark.parametrize(("cls", "hook"), SPOTS)
def test_a_request_error_of_a_hook_is_the_answer(
    cls: type[Boom], hook: str, layout: Layout
) -> None:
    found = fault(layout(boom(cls, hook, Unprocessable("too dark", path="$.image"))), "1")
    assert found == Fault(422, "validation_error", "too dark", "$.image")


@layouts
@pytest.mark.parametrize(("cls", "hook"), SPOTS)
@pytest.mark.parametrize("error", [Cancelled(), SystemExit(3)])
def test_what_is_no_exception_passes(
    cls: type[Boom], hook: str, error: BaseException, layout: Layout
) -> None:
    plan = plan_of(layout(boom(cls, hook, error)))
    with pytest.raises(type(error)):
        run(plan, [envelope("1"), envelope("2")])


def test_a_header_of_an_error_cannot_break_the_response(caplog: pytest.LogCaptureFixture) -> None:
    found = fault(boom(Boom, "predict", HTTPError(400, "a", {"X-A": "1\r\nX-B: 2"})), "1")
    assert (found.status, found.code, found.headers) == (500, "hook_failed", [])
    assert "cannot be a header" in caplog.text


@layouts
def test_a_batch_that_raises_fails_all_in_it_in_one_record(
    layout: Layout, caplog: pytest.LogCaptureFixture
) -> None:
    whole = deployment(isolate_batch_errors=False)
    plan = plan_of(layout(whole(boom(BoomBatch, "predict_batch", KeyError("secret")))))
    replies = run(
        plan, [envelope("1", label="a"), envelope("x", label="b"), envelope("2", label="c")]
    )
    failed = Fault(500, "hook_failed", f"predict_batch raised KeyError; {SEE_LOG}")
    assert [replies[0], replies[2]] == [failed, failed]
    assert isinstance(replies[1], Fault)
    assert replies[1].status == 400
    assert [r.getMessage() for r in caplog.records] == ["requests a, c: predict_batch raised"]


@deployment(isolate_batch_errors=False)
class Wrecks(Model):
    def predict_batch(self, xs: list[int], contexts: list[Context]) -> list[int]:
        xs.clear()
        contexts.clear()
        raise ValueError("secret")


@layouts
def test_a_batch_that_wrecks_its_lists_still_fails_each_request(
    layout: Layout, caplog: pytest.LogCaptureFixture
) -> None:
    calls = [envelope("1", label="a"), envelope("2", label="b")]
    assert [isinstance(r, Fault) for r in run(plan_of(layout(Wrecks)), calls)] == [True, True]
    assert [r.getMessage() for r in caplog.records] == ["requests a, b: predict_batch raised"]


class Returns(Model):
    make: Callable[[list[int]], Any]

    def predict_batch(self, numbers: list[int]) -> Any:
        return type(self).make(numbers)


class Tensor:
    """Has a length and rows, and is no list."""

    def __init__(self, rows: list[int], length: int | None = None) -> None:
        self._rows = rows
        self._length = len(rows) if length is None else length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, place: int) -> int:
        return self._rows[place]


def returns(make: Callable[[list[int]], Any]) -> type[Model]:
    return type("Returns", (Returns,), {"make": staticmethod(make)})


@layouts
@pytest.mark.parametrize("make", [list, tuple, Tensor, lambda xs: range(xs[0], xs[-1] + 1)])
def test_a_batch_may_return_any_sequence(make: Callable[[Any], Any], layout: Layout) -> None:
    calls = [envelope(str(n)) for n in range(3)]
    assert run(plan_of(layout(returns(make))), calls) == [b"0", b"1", b"2"]


@layouts
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda xs: xs[:-1], "returned 2 outputs for 3 inputs"),
        (lambda xs: [*xs, 1], "returned 4 outputs for 3 inputs"),
        (lambda _: [], "returned 0 outputs for 3 inputs"),
        (lambda xs: Tensor(xs, 2), "returned 2 outputs for 3 inputs"),
        (lambda xs: Tensor(xs[:2], 3), "outputs for 3 inputs"),
        (lambda _: None, "returned a NoneType, which has no length"),
        (lambda _: 3, "returned a int, which has no length"),
        (iter, "returned a list_iterator, which has no length"),
        (lambda xs: (x for x in xs), "returned a generator, which has no length"),
        (dict.fromkeys, "returned a dict, which has no order of its own"),
        (set, "returned a set, which has no order of its own"),
        (lambda _: "abc", "returned a str, which has no order of its own"),
        (lambda _: b"abc", "returned a bytes, which has no order of its own"),
    ],
)
def test_a_batch_that_cannot_be_dealt_out_fails_as_a_whole(
    make: Callable[[Any], Any], why: str, layout: Layout, caplog: pytest.LogCaptureFixture
) -> None:
    replies = run(plan_of(layout(returns(make))), [envelope(str(n)) for n in range(3)])
    detail = f"what predict_batch returned cannot be sent; {SEE_LOG}"
    assert replies == [Fault(500, "hook_failed", detail)] * 3
    assert why in caplog.text


async def later() -> list[int]:
    return [1]


def test_a_coroutine_in_place_of_a_batch_says_what_is_missing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert fault(returns(lambda _: later()), "1").code == "hook_failed"
    assert "write it as `async def`" in caplog.text


@layouts
def test_an_exception_within_a_batch_fails_that_item_alone(
    layout: Layout, caplog: pytest.LogCaptureFixture
) -> None:
    plan = plan_of(layout(returns(lambda xs: [xs[0], ValueError("secret"), object(), xs[3]])))
    replies = run(plan, [envelope(str(n), label=f"r-{n}") for n in range(4)])
    assert replies == [
        b"0",
        Fault(500, "hook_failed", f"predict_batch raised ValueError; {SEE_LOG}"),
        Fault(500, "hook_failed", f"what predict_batch returned cannot be sent; {SEE_LOG}"),
        b"3",
    ]
    assert "request r-1: predict_batch raised" in caplog.text
    assert "request r-2: predict_batch: builtins.object cannot be written" in caplog.text


@layouts
@pytest.mark.parametrize("cls", [Boom, BoomBatch])
def test_a_request_past_its_deadline_is_not_run(cls: type[Boom], layout: Layout) -> None:
    plan = plan_of(layout(boom(cls, "decode_request", AssertionError())))
    (reply,) = run(plan, [envelope("1", deadline=monotonic() - 1)])
    assert isinstance(reply, Fault)
    assert (reply.status, reply.code) == (504, "deadline_exceeded")


class AsksAround(Model):
    def predict_batch(self, numbers: list[int]) -> list[str]:
        try:
            current_context()
        except NoContext as error:
            return [str(error)] * len(numbers)
        return ["found one"] * len(numbers)


@layouts
def test_within_a_batch_there_is_no_current_context(layout: Layout) -> None:
    reply = ask(layout(AsksAround), "1")
    assert isinstance(reply, bytes)
    assert b"`contexts`" in reply


@layouts
@pytest.mark.parametrize("cls", [Traced, TracedBatch])
def test_nothing_of_a_request_is_left_behind(cls: type[Model], layout: Layout) -> None:
    plan = plan_of(layout(cls))
    model = plan.make()

    async def look() -> None:
        await plan.run_async(model, [envelope(str(n), label=f"r-{n}") for n in range(9)])
        with pytest.raises(NoContext, match="no request"):
            current_context()

    asyncio.run(look())


class Hangs(Model):
    """Wait for ever, and tell how it ended."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.contexts: list[Context] = []

    async def decode_request(self, x: int, context: Context) -> int:
        self.contexts.append(context)
        return x

    async def predict(self, x: int) -> int:
        self.begun.set()
        await asyncio.Event().wait()
        return x


class HangsInBatch(Hangs):
    async def predict_batch(self, xs: list[int]) -> list[int]:
        return [await self.predict(x) for x in xs]


class HangsInDecode(HangsInBatch):
    async def decode_request(self, x: int, context: Context) -> int:
        await super().decode_request(x, context)
        return await self.predict(x)


@pytest.mark.parametrize("cls", [Hangs, HangsInBatch, HangsInDecode])
def test_cancelling_the_task_passes_and_the_contexts_know(cls: type[Hangs]) -> None:
    async def cancel() -> None:
        plan = plan_of(cls)
        model: Any = plan.make()
        task = asyncio.ensure_future(running(plan, model, [envelope("1"), envelope("2")]))
        await model.begun.wait()
        assert not any(context.cancelled for context in model.contexts)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert all(context.cancelled for context in model.contexts)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(cancel())


@pytest.mark.parametrize(("cls", "hook"), SPOTS)
def test_a_cancellation_nobody_asked_for_fails_the_hook_alone(
    cls: type[Boom], hook: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = fault(with_async_hooks(boom(cls, hook, asyncio.CancelledError())), "1")
    assert found == Fault(500, "hook_failed", f"{hook} raised CancelledError; {SEE_LOG}")
    assert caplog.records


class Meets(Model):
    """Decode only once all have begun to: they must be under way side by side."""

    def __init__(self) -> None:
        self.barrier = asyncio.Barrier(3)

    async def decode_request(self, x: int) -> int:
        await self.barrier.wait()
        return x

    async def predict_batch(self, xs: list[int]) -> list[int]:
        return xs


def test_async_decoding_of_a_batch_goes_side_by_side() -> None:
    assert run(plan_of(Meets), [envelope(str(n)) for n in range(3)]) == [b"0", b"1", b"2"]


class Threads(Model):
    def predict(self, x: int, context: Context) -> bool:
        seen: list[bool] = []
        thread = threading.Thread(target=lambda: seen.append(context.cancelled))
        thread.start()
        thread.join()
        return seen[0]


def test_a_thread_can_ask_whether_anybody_waits() -> None:
    assert ask(Threads, "1") == b"false"


class Attempts(Model):
    def predict(self, x: int, context: Context) -> list[object]:
        return [context.attempt, context.headers["x-a"], context.path, context.client, x]


def test_a_context_tells_what_its_envelope_says() -> None:
    call = envelope("1", attempt=2, headers=[(b"X-A", b"7")])
    assert run(plan_of(Attempts), [call]) == [b'[2,"7","/predict","10.0.0.7",1]']
