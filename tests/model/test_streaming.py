"""How streams are made: item by item, in turn, each request's own, in both layouts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from headrace.core.credit import WINDOW
from headrace.errors import Cancelled, HTTPError
from headrace.model.adapters import Encode
from headrace.model.api import DONE, Model
from headrace.model.context import Context, NoContext, current_context
from headrace.model.deployment import deployment
from headrace.model.description import described
from headrace.model.envelope import Answer, Closed, Envelope, Fault, Opened, Part, Reply
from headrace.model.faults import NOBODY_WAITS
from headrace.model.outlet import MOST_HELD, Outlet
from headrace.model.plain import CannotAnswer
from headrace.model.served import describe
from tests.model.making import ask, envelope, plan_of, run

SSE = ((b"accept", b"text/event-stream"),)


# --- what plays the replica's part ---------------------------------------------------------


class Stage:
    """Steps the streams of one model by hand, or as tasks; the tests see no difference."""

    def __init__(self, model: type[Model]) -> None:
        self.plan, self.model = plan_of(model), model()
        self.is_async = self.plan.layout == "async"
        self.heard: dict[Outlet, list[Part]] = {}
        self.groups: dict[Any, asyncio.Task[None] | None] = {}
        self._open: Any = (self.plan.open_async if self.is_async else self.plan.open)(self.model)

    def begin(self, *envelopes: Envelope) -> list[Outlet]:
        pairs = self._open(envelopes)
        for group, outlet in pairs:
            self.heard[outlet] = []
            if self.is_async and group in self.groups:
                group.wake()
            self.groups.setdefault(group, None)
        return [outlet for _, outlet in pairs]

    async def settle(self, turns: int = 600) -> None:
        """Let everything run until it is over, or waits for its readers."""
        for _ in range(turns):
            for group, task in list(self.groups.items()):
                if not self.is_async:
                    if not group.over and group.ready:
                        group.step()
                elif task is None:
                    self.groups[group] = asyncio.create_task(group.run(lambda: None))
                else:
                    group.wake()
                    if group.unwanted and not task.done():
                        task.cancel()
            await asyncio.sleep(0)
        for outlet, parts in self.heard.items():
            parts.extend(outlet.take())

    async def play(self, *envelopes: Envelope) -> list[tuple[list[Part], Reply | None]]:
        outlets = self.begin(*envelopes)
        await self.settle()
        return [(self.heard[outlet], outlet.reply) for outlet in outlets]


def played(model: type[Model], *envelopes: Envelope) -> list[tuple[list[Part], Reply | None]]:
    async def play() -> list[tuple[list[Part], Reply | None]]:
        return await Stage(model).play(*envelopes)

    return asyncio.run(play())


def body_of(parts: Sequence[Part]) -> bytes:
    return b"".join(part for part in parts if isinstance(part, bytes))


# --- one generator for each request --------------------------------------------------------


class Count(Model):
    def predict(self, n: int) -> Iterator[Any]:
        for number in range(n):
            if number == 7:
                raise HTTPError(418, "seven")
            yield number


class CountAsync(Model):
    async def predict(self, n: int) -> AsyncIterator[Any]:
        for number in range(n):
            await asyncio.sleep(0)
            if number == 7:
                raise HTTPError(418, "seven")
            yield number


class CountDecoded(Count):
    async def decode_request(self, n: int) -> int:
        await asyncio.sleep(0)
        return n


counts = pytest.mark.parametrize("model", [Count, CountAsync, CountDecoded])


@counts
def test_each_item_is_a_part_and_the_end_is_told(model: type[Model]) -> None:
    ((parts, reply),) = played(model, envelope("3"))
    assert parts == [Opened(200, "application/x-ndjson"), b"0\n", b"1\n", b"2\n"]
    assert reply == Closed()


@counts
def test_a_stream_of_nothing_is_an_empty_answer(model: type[Model]) -> None:
    ((parts, reply),) = played(model, envelope("0"))
    assert (parts, reply) == ([Opened(200, "application/x-ndjson")], Closed())


@counts
def test_an_error_on_the_way_comes_after_the_items_before_it(model: type[Model]) -> None:
    ((parts, reply),) = played(model, envelope("9"))
    assert body_of(parts) == b"0\n1\n2\n3\n4\n5\n6\n"
    assert isinstance(reply, Fault)
    assert (reply.status, reply.detail) == (418, "seven")


@counts
def test_an_error_before_the_first_item_opens_nothing(model: type[Model]) -> None:
    ((parts, reply),) = played(model, envelope('"x"'))
    assert not parts
    assert isinstance(reply, Fault)
    assert reply.status == 422


@counts
def test_a_request_that_comes_too_late_is_not_begun(model: type[Model]) -> None:
    ((parts, reply),) = played(model, envelope("3", deadline=0.0))
    assert not parts
    assert isinstance(reply, Fault)
    assert reply.status == 504


class Endless(Model):
    steps = 0
    ended = ""

    def predict(self) -> Iterator[int]:
        try:
            while True:
                type(self).steps += 1
                yield 1
        except GeneratorExit:
            type(self).ended = "closed"
            raise


class EndlessAsync(Endless):
    async def predict(self) -> AsyncIterator[int]:  # type: ignore[override]
        try:
            while True:
                type(self).steps += 1
                yield 1
        except (GeneratorExit, asyncio.CancelledError) as error:
            type(self).ended = type(error).__name__
            raise


@pytest.mark.parametrize(("model", "how"), [(Endless, "closed"), (EndlessAsync, "CancelledError")])
def test_a_reader_without_room_parks_its_generator(model: type[Endless], how: str) -> None:
    async def play() -> None:
        model.steps, model.ended = 0, ""
        stage = Stage(model)
        (outlet,) = stage.begin(envelope())
        await stage.settle()
        assert len(stage.heard[outlet]) == WINDOW  # the opening is one of them
        assert model.steps == WINDOW - 1
        outlet.grant(3)
        await stage.settle()
        assert len(stage.heard[outlet]) == WINDOW + 3
        assert not model.ended
        outlet.give_up()
        await stage.settle()
        assert (outlet.reply, model.ended) == (NOBODY_WAITS, how)
        assert outlet.context.cancelled
        assert len(stage.heard[outlet]) == WINDOW + 3

    asyncio.run(play())


class Stubborn(Model):
    """Goes on when it is closed, once."""

    def predict(self) -> Iterator[int]:
        for _ in range(2):
            try:
                while True:
                    yield 1
            except GeneratorExit:
                continue


class StubbornAsync(Model):
    async def predict(self) -> AsyncIterator[int]:
        for _ in range(2):  # it is cancelled, then closed
            try:
                while True:
                    yield 1
            except (GeneratorExit, asyncio.CancelledError):
                continue


@pytest.mark.parametrize(("model", "is_logged"), [(Stubborn, True), (StubbornAsync, False)])
def test_a_generator_that_goes_on_when_it_is_closed_is_left(
    model: type[Model], *, is_logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        stage = Stage(model)
        (outlet,) = stage.begin(envelope())
        await stage.settle()
        outlet.give_up()
        await stage.settle()
        assert outlet.reply == NOBODY_WAITS
        assert ("predict, as it was closed, raised" in caplog.text) == is_logged

    asyncio.run(play())


word: ContextVar[str] = ContextVar("word")


class Whispers(Model):
    """Fails if it ever sees another stream's context or variable."""

    def predict(self, name: str, context: Context) -> Iterator[str]:
        word.set(name)
        for number in range(5):
            assert current_context() is context
            assert word.get() == name
            assert context.request_id == f"r-{name}"
            yield f"{name}{number} "

    def encode_response(self, output: str, context: Context) -> str:
        assert current_context() is context
        context["n"] = context.get("n", 0) + 1
        return f"{output}{context['n']};"


class WhispersAsync(Model):
    async def predict(self, name: str, context: Context) -> AsyncIterator[str]:
        word.set(name)
        for number in range(5):
            await asyncio.sleep(0)
            assert current_context() is context
            assert word.get() == name
            yield f"{name}{number} "

    async def encode_response(self, output: str, context: Context) -> str:
        await asyncio.sleep(0)
        assert current_context() is context
        context["n"] = context.get("n", 0) + 1
        return f"{output}{context['n']};"


@pytest.mark.parametrize("model", [Whispers, WhispersAsync])
def test_streams_in_turn_do_not_see_one_another(model: type[Model]) -> None:
    names = ["a", "b", "c"]
    got = played(model, *(envelope(json.dumps(name), label=f"r-{name}") for name in names))
    assert [body_of(parts).decode() for parts, _ in got] == [
        "".join(f"{name}{number} {number + 1};" for number in range(5)) for name in names
    ]
    with pytest.raises(LookupError):
        word.get()


class Breaks(Model):
    def predict(self, wish: str) -> Iterator[Any]:
        yield "first"
        if wish == "oddly":
            raise Cancelled
        yield {"text": 1}.get(wish, object())


def test_an_item_that_cannot_be_written_fails_its_stream_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    (parts, reply), (others, other) = played(Breaks, envelope('"text"'), envelope('"x"'))
    assert body_of(parts) == body_of(others) == b"first"
    assert isinstance(reply, Fault)
    assert reply.code == "hook_failed"
    assert isinstance(other, Fault)
    assert "a int came in a stream that began with text" in caplog.text


def test_what_is_no_exception_leaves_the_step() -> None:
    stage = Stage(Breaks)
    (outlet,) = stage.begin(envelope('"oddly"'))
    (group,) = stage.groups
    group.step()
    with pytest.raises(Cancelled) as caught:
        group.step()
    group.fail(caught.value)
    assert group.over
    assert isinstance(outlet.reply, Fault)


# --- forms ---------------------------------------------------------------------------------


class Say(Model):
    def predict(self, items: list[Any]) -> Iterator[Any]:
        yield from items


class Raw(Model):
    def predict(self, kind: str, context: Context) -> Iterator[bytes | bytearray]:
        if kind:
            context.response_headers = {"Content-Type": kind, "X-Rate": "8000"}
            context.status = 203
        yield b"\x00\xff"
        yield bytearray(b"\x01")


class Drawn(Model):
    def predict(self, x: Any) -> Iterator[Annotated[int, Encode(lambda n: f"<{n}>", "text/html")]]:
        yield from (1, 2)


@pytest.mark.parametrize(
    ("items", "accept", "content_type", "body"),
    [
        (["a", "b\n"], "*/*", "text/plain; charset=utf-8", "ab\n"),
        ([1, "b", None], "*/*", "application/x-ndjson", '1\n"b"\nnull\n'),
        (["a", 1], "application/x-ndjson", "application/x-ndjson", '"a"\n1\n'),
        (["a"], "application/jsonl", "application/x-ndjson", '"a"\n'),
        (
            ["a\nb", "", " c", {"x": 1}],
            "text/event-stream",
            "text/event-stream; charset=utf-8",
            'data: a\ndata: b\n\ndata: \n\ndata:  c\n\ndata: {"x":1}\n\nevent: done\ndata:\n\n',
        ),
        (
            [],
            "text/event-stream",
            "text/event-stream; charset=utf-8",
            "event: done\ndata:\n\n",
        ),
        (["a\r\nb\rc\u2028d"], "TEXT/Event-Stream;q=0.5", "text/event-stream; charset=utf-8", None),
        (["a"], "text/event-stream;q=0, text/plain", "text/plain; charset=utf-8", "a"),
        (
            ["a"],
            "text/event-stream;q=0.2, application/x-ndjson;q=0.3",
            "application/x-ndjson",
            None,
        ),
        (["a"], "text/event-stream;q=x", "text/plain; charset=utf-8", "a"),
        (["a"], "application/x-ndjson, text/event-stream", "application/x-ndjson", '"a"\n'),
        (["a"], "text/html, text/event-stream, */*", "text/event-stream; charset=utf-8", None),
    ],
)
def test_accept_decides_then_the_first_item(
    items: list[Any], accept: str, content_type: str, body: str | None
) -> None:
    sent = envelope(json.dumps(items), headers=[(b"Accept", accept.encode())])
    ((parts, _),) = played(Say, sent)
    assert isinstance(parts[0], Opened)
    assert parts[0].content_type == content_type
    if body is not None:
        assert body_of(parts).decode() == body


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_events_give_back_every_text(texts: list[str]) -> None:
    outlet = Outlet(envelope(headers=SSE), "")
    outlet.grant(len(texts) + 1)
    for text in texts:
        outlet.give(text)
    wanted = [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]
    assert _events(body_of(outlet.take()).decode()) == wanted


def _events(body: str) -> list[str]:
    """Read events as a browser does."""
    events, data = [], []
    for line in body.split("\n"):
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            events.append("\n".join(data))
            data = []
    return events


def test_bytes_are_sent_as_they_are_under_the_type_that_was_set() -> None:
    (parts, _), (own, _) = played(Raw, envelope('""'), envelope('"audio/wav"'))
    assert parts == [Opened(200, "application/octet-stream"), b"\x00\xff", b"\x01"]
    assert own == [Opened(203, "audio/wav", [("X-Rate", "8000")]), b"\x00\xff", b"\x01"]


def test_bytes_may_be_framed_already() -> None:
    ((parts, _),) = played(Raw, envelope('"text/event-stream"'))
    assert isinstance(parts[0], Opened)
    assert parts[0].content_type == "text/event-stream"
    assert parts[1:] == [b"\x00\xff", b"\x01"]


def test_an_encode_writes_each_item() -> None:
    (parts, _), (events, _) = played(Drawn, envelope("1"), envelope("1", headers=SSE))
    assert parts == [Opened(200, "text/html; charset=utf-8"), b"<1>", b"<2>"]
    assert b"data: <1>\n\ndata: <2>\n\n" in body_of(events)


class Headed(Model):
    def predict(self, bad: int, context: Context) -> Iterator[int]:
        context.status = 204 if bad else 200
        context.response_headers["Content-Length" if not bad else "X"] = "1"
        yield 1


@pytest.mark.parametrize("bad", ["1", "0"])
def test_what_cannot_open_a_stream_is_an_ordinary_error(bad: str) -> None:
    ((parts, reply),) = played(Headed, envelope(bad))
    assert not parts
    assert isinstance(reply, Fault)
    assert reply.status == 500


def test_a_first_item_that_cannot_be_written_is_an_ordinary_error() -> None:
    ((parts, reply),) = played(Breaks, envelope('"nothing"'))
    assert body_of(parts) == b"first"
    outlet = Outlet(envelope(headers=SSE), "")
    with pytest.raises(CannotAnswer):
        outlet.give(object())
    assert not outlet.take()
    assert isinstance(reply, Fault)


def test_what_is_held_leaves_as_it_is_granted_and_not_twice_as_much() -> None:
    outlet = Outlet(envelope(), "")
    for number in range(WINDOW + 4):
        outlet.give(str(number))
    assert len(outlet.take()) == WINDOW  # the opening is one of them: 5 are held
    assert not outlet.room
    outlet.grant(3)
    assert len(outlet.take()) == 3
    outlet.grant(3)
    outlet.give("one more")
    outlet.give("one too many")
    assert len(outlet.take()) == 3
    outlet.finish()
    assert (outlet.reply, outlet.over) == (Closed(), False)
    outlet.grant(1)
    assert outlet.over


# --- one generator for all requests of a call ----------------------------------------------


class CountTogether(Model):
    """Counts each down, in step; `-1` fails, and so does all at `-2`."""

    def predict_batch(self, numbers: list[int], contexts: list[Context]) -> Iterator[list[Any]]:
        with pytest.raises(NoContext):
            current_context()
        left = list(numbers)
        while left:
            given = [self.of(number) for number in left]
            yield given
            left = [n - 1 for n, item in zip(left, given, strict=True) if isinstance(item, int)]

    def of(self, number: int) -> Any:
        if number == -2:
            raise RuntimeError("all of it")
        return ValueError("negative") if number == -1 else number or DONE


class CountTogetherAsync(CountTogether):
    async def predict_batch(  # type: ignore[override]
        self, numbers: list[int], contexts: list[Context]
    ) -> AsyncIterator[list[Any]]:
        for items in super().predict_batch(numbers, contexts):
            await asyncio.sleep(0)
            yield items


together = pytest.mark.parametrize("model", [CountTogether, CountTogetherAsync])


@together
def test_the_items_of_a_batch_go_each_to_its_own(model: type[Model]) -> None:
    got = played(model, *(envelope(n) for n in ("3", '"x"', "-1", "0", "2")))
    assert [body_of(parts) for parts, _ in got] == [b"3\n2\n1\n", b"", b"", b"", b"2\n1\n"]
    assert [type(reply) for _, reply in got] == [Closed, Fault, Fault, Closed, Closed]


@together
def test_an_error_ends_all_that_are_left_of_a_batch(model: type[Model]) -> None:
    class Late(model):  # type: ignore[misc, valid-type]
        def of(self, number: int) -> Any:
            return super().of(-2 if number == 8 else number)

    got = played(Late, envelope("1"), envelope("9"), envelope("99"))
    assert [body_of(parts) for parts, _ in got] == [b"1\n", b"9\n", b"99\n"]
    assert [type(reply) for _, reply in got] == [Fault, Fault, Fault]


class Uneven(Model):
    def predict_batch(self, numbers: list[int]) -> Iterator[list[int]]:
        yield numbers
        yield numbers[1:]


def test_a_step_of_a_wrong_length_is_told_and_ends_all(caplog: pytest.LogCaptureFixture) -> None:
    got = played(Uneven, envelope("1"), envelope("2"))
    assert [body_of(parts) for parts, _ in got] == [b"1\n", b"2\n"]
    assert all(isinstance(reply, Fault) for _, reply in got)
    assert "predict_batch: returned 1 outputs for 2 inputs" in caplog.text


class Pour(Model):
    """Gives each of its requests the same, without end."""

    gone: list[bool]

    def predict_batch(self, sizes: list[int], contexts: list[Context]) -> Iterator[list[Any]]:
        while True:
            yield ["x" * size for size in sizes]
            type(self).gone = [context.cancelled for context in contexts]


class PourAsync(Pour):
    async def predict_batch(  # type: ignore[override]
        self, sizes: list[int], contexts: list[Context]
    ) -> AsyncIterator[list[Any]]:
        for items in super().predict_batch(sizes, contexts):
            yield items


@pytest.mark.parametrize("model", [Pour, PourAsync])
@pytest.mark.parametrize(("size", "most"), [("1", MOST_HELD), ("100000", 10)])
def test_a_slow_reader_ends_alone(model: type[Pour], size: str, most: int) -> None:
    async def play() -> None:
        stage = Stage(model)
        quick, slow, gone = stage.begin(envelope("1"), envelope(size), envelope("1"))
        await stage.settle()
        assert slow.reply is None  # none has room: nobody is held up
        gone.give_up()
        quick.grant(most - 2)
        await stage.settle()
        assert slow.reply is None
        quick.grant(4)
        await stage.settle()
        assert isinstance(slow.reply, Fault)
        assert (slow.reply.status, slow.reply.code) == (503, "slow_reader")
        assert (quick.reply, gone.reply) == (None, None)
        assert model.gone == [False, True, True]
        assert len(stage.heard[slow]) == WINDOW
        quick.give_up()
        await stage.settle()
        assert quick.reply == gone.reply == NOBODY_WAITS

    asyncio.run(play())


# --- requests that join and leave ----------------------------------------------------------


class Countdown(Model):
    """Counts every request down, all in step."""

    def __init__(self) -> None:
        self.crowds: list[list[str]] = []
        self.left: list[str] = []

    def admit(self, start: int, name: str, context: Context) -> dict[str, Any]:
        assert current_context() is context
        if start > 100:
            raise HTTPError(400, "too many")
        return {"n": start, "name": name}

    def step(self, states: list[dict[str, Any]], contexts: list[Context]) -> list[Any]:
        assert len(contexts) == len(states)
        self.crowds.append([state["name"] for state in states])
        return [self.next(state) for state in states]

    def next(self, state: dict[str, Any]) -> Any:
        number = state["n"]
        state["n"] -= 1
        if number == -1:
            return ValueError("negative")
        if number == -2:
            raise RuntimeError("all of them")
        return number or DONE

    def leave(self, state: dict[str, Any]) -> None:
        self.left.append(state["name"])


class CountdownAsync(Countdown):
    async def admit(self, start: int, name: str, context: Context) -> dict[str, Any]:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().admit(start, name, context)

    async def step(self, states: list[dict[str, Any]], contexts: list[Context]) -> list[Any]:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().step(states, contexts)

    async def leave(self, state: dict[str, Any]) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().leave(state)


def joins(start: int, name: str) -> Envelope:
    return envelope(json.dumps({"start": start, "name": name}))


crowds = pytest.mark.parametrize("model", [Countdown, CountdownAsync])


@crowds
def test_requests_join_and_leave_between_steps(model: type[Countdown]) -> None:
    async def play() -> None:
        stage = Stage(model)
        counting: Any = stage.model
        first = stage.begin(joins(40, "a"), joins(2, "b"))
        await stage.settle()
        second = stage.begin(joins(1, "c"), joins(-1, "d"), joins(101, "e"))
        first[0].grant(100)
        await stage.settle()
        outlets = [*first, *second]
        assert [type(o.reply) for o in outlets] == [Closed, Closed, Closed, Fault, Fault]
        assert [body_of(stage.heard[o]) for o in outlets] == [
            b"".join(b"%d\n" % n for n in range(40, 0, -1)),
            b"2\n1\n",
            b"1\n",
            b"",
            b"",
        ]
        assert counting.crowds[0] == ["a", "b"]
        assert ["a", "c", "d"] in counting.crowds
        assert sorted(counting.left) == ["a", "b", "c", "d"]

    asyncio.run(play())


@crowds
def test_a_step_that_raises_fails_all_present_and_the_next_ones_are_served(
    model: type[Countdown],
) -> None:
    async def play() -> None:
        stage = Stage(model)
        present = stage.begin(joins(5, "a"), joins(-2, "b"))
        await stage.settle()
        assert all(isinstance(outlet.reply, Fault) for outlet in present)
        if stage.is_async:
            stage.groups.clear()
        (later,) = stage.begin(joins(1, "c"))
        await stage.settle()
        assert later.reply == Closed()
        assert sorted(stage.model.left) == ["a", "b", "c"]  # type: ignore[attr-defined]

    asyncio.run(play())


@crowds
def test_who_is_given_up_leaves_before_the_next_step(model: type[Countdown]) -> None:
    async def play() -> None:
        stage = Stage(model)
        counting: Any = stage.model
        gone, stays = stage.begin(joins(90, "a"), joins(90, "b"))
        await stage.settle()
        gone.give_up()
        seen = len(counting.crowds)
        stays.grant(100)
        await stage.settle()
        assert (gone.reply, stays.reply) == (NOBODY_WAITS, Closed())
        assert counting.crowds[seen:] == [["b"]] * len(counting.crowds[seen:])
        assert counting.left == ["a", "b"]

    asyncio.run(play())


# --- as a whole, and as it is told ---------------------------------------------------------


@pytest.mark.parametrize("model", [Count, CountAsync, CountTogether, CountTogetherAsync])
def test_a_call_without_a_server_gives_the_whole_answer(model: type[Model]) -> None:
    answers = run(plan_of(model), [envelope("3"), envelope("100")])
    assert isinstance(answers[0], Answer)
    assert answers[0].body in {b"0\n1\n2\n", b"3\n2\n1\n"}
    assert isinstance(ask(model, b'"x"'), Fault)


@pytest.mark.parametrize(
    ("model", "options", "streams", "slots", "size"),
    [
        (Count, {}, "each", 16, 1),
        (Count, {"max_ongoing_requests": 3}, "each", 3, 1),
        (CountAsync, {}, "each", 16, 1),
        (CountTogether, {"max_batch_size": 4}, "batch", 0, 4),
        (CountTogetherAsync, {"max_batch_size": 4}, "batch", 16, 4),
        (Countdown, {"max_batch_size": 4}, "steps", 4, 1),
    ],
)
def test_the_server_knows_how_a_model_streams(
    model: type[Model], options: dict[str, Any], streams: str, slots: int, size: int
) -> None:
    noted: Callable[[type[Model]], type[Model]] = deployment(**options)
    named = type(model.__name__, (model,), {"__module__": model.__module__})
    plan = plan_of(noted(named))
    assert (plan.streams, plan.wants_head) == (streams, True)
    served = describe(model)
    assert (served.streams, served.wants_head) == (streams, True)
    tried = replace(served, options=plan.options)
    assert (tried.slots, tried.batch_size) == (slots, size)


class Sound(Model):
    def predict(self, seconds: int) -> Iterator[bytes]:
        yield bytes(seconds)


class Chat(Model):
    def predict(self, prompt: str) -> Iterator[str]:
        yield prompt


def test_what_a_stream_gives_is_described() -> None:
    assert set(described(Chat).answer) == {
        "text/plain",
        "text/event-stream",
        "application/x-ndjson",
    }
    assert set(described(Count).answer) == {"text/event-stream", "application/x-ndjson"}
    assert set(described(Sound).answer) >= {"application/octet-stream", "text/event-stream"}
    assert "text/html" in described(Drawn).answer
    assert described(Countdown).body is not None
