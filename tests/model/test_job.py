from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import headrace as hr
from headrace.core.jobs import Terms
from headrace.errors import ConfigError, QueueFull
from headrace.model import job as jobs
from headrace.model.deployment import Options
from headrace.model.envelope import Envelope, Fault, JobAttempt
from headrace.model.handle import NoLine, WrongUse, use_line_here
from headrace.model.hooks import compile_plan
from headrace.model.job import changes_of, functions_here, name_of, with_changes
from headrace.model.job_body import NotData, class_of, written
from headrace.model.job_plan import job_plan
from headrace.model.job_served import job_deployments, with_jobs
from headrace.model.submit import Wanted


@pytest.fixture(autouse=True)
def own_register(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no other test's server have the functions of these."""
    monkeypatch.setattr(jobs, "_known", {})


@dataclass
class Point:
    x: int
    y: float = 0.0


def add(a: int, b: int = 2) -> int:
    return a + b


def where(point: Point, context: hr.Context | None = None) -> int:
    assert context is not None
    return point.x


def raw(body: bytes) -> int:
    return len(body)


def anything(value) -> Any:  # type: ignore[no-untyped-def] # noqa: ANN001 - that is the case
    return value


def several(text: str, when: datetime, tags: set[str], numbers: dict[str, float]) -> None: ...


def nothing() -> str:
    return "done"


def fails(a: int) -> float:
    return a / 0


def items(count: int) -> Iterator[int]:
    yield from range(count)


async def later(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def later_items(count: int) -> AsyncIterator[int]:
    for item in range(count):
        yield item


def star(*values: int) -> None: ...


def envelope(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Envelope:
    order = written(function, args, kwargs)
    mark = JobAttempt("j", 1, name_of(function))
    return Envelope("r", inf, 1, order.content_type, order.body, job=mark)


def run(*functions: Callable[..., Any]) -> Callable[..., Any]:
    """Return what runs these as a job replica does, one request at a time."""
    noted = {name_of(hr.job(function)) for function in functions}
    found = [each for each in functions_here() if each.name in noted]
    plan = job_plan(found, Options())

    def one(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        (reply,) = plan.run(plan.make(), [envelope(function, *args, **kwargs)])
        return reply

    return one


# --- what is noted -------------------------------------------------------------------------


def test_a_job_is_the_function_that_it_was() -> None:
    assert hr.job(add) is add
    assert hr.job(max_attempts=5)(add) is add
    assert add(1) == 3


def test_what_is_said_of_a_job_changes_those_terms_and_no_others() -> None:
    hr.job(max_attempts=5, priority=-1, timeout_s=None, retry_safe=False)(add)
    (function,) = functions_here()
    said = with_changes(Terms(retention_s=7.0, timeout_s=9.0), function.changes)
    assert said == Terms(
        max_attempts=5, priority=-1, timeout_s=inf, retry_safe=False, retention_s=7.0
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"max_attempt": 3}, "did you mean `max_attempts`"),
        ({"max_attempts": 0}, "max_attempts is from 1"),
        ({"timeout_s": "soon"}, "is a number"),
        ({"priority": 1000}, "priority is from"),
        ({"cron": "every day"}, "cron text"),
    ],
)
def test_a_wrong_option_is_told_with_the_mend(words: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        hr.job(**words)(nothing)


def test_what_another_process_could_not_find_is_refused() -> None:
    def inner() -> None: ...

    for function, told in (
        (inner, "top level of a module"),
        (lambda: None, "top level of a module"),
        (Point.__init__, "top level of a module"),
        (star, "name its parameters"),
        (Point, "onto a function"),
    ):
        with pytest.raises(ConfigError, match=told):
            hr.job(function)


def test_a_timetable_has_nothing_to_give() -> None:
    hr.job(cron="0 4 * * *")(nothing)
    hr.job(cron="0 4 * * *")(where_to)
    with pytest.raises(ConfigError, match="needs `a`, and a timetable has nothing to give"):
        hr.job(cron="0 4 * * *")(add)


def where_to(context: hr.Context, depth: int = 1) -> None: ...


def test_functions_of_one_shape_share_a_deployment() -> None:
    for function in (add, nothing, items, later, later_items):
        hr.job(function)
    found = {each.name: each for each in job_deployments(functions_here())}
    shapes = {name: (each.layout, each.streams, each.slots) for name, each in found.items()}
    assert shapes == {
        "jobs": ("sync", "", 1),
        "jobs-async": ("async", "", 16),
        "jobs-streams": ("sync", "each", 1),
        "jobs-async-streams": ("async", "each", 16),
    }
    assert [each.name for each in found["jobs"].functions] == sorted(
        [name_of(add), name_of(nothing)]
    )
    assert {each.kind for each in found.values()} == {"job"}
    assert not any(each.is_root for each in found.values())


def test_a_program_without_jobs_is_as_it_was() -> None:
    assert with_jobs([]) == []


# --- arguments are data --------------------------------------------------------------------


def test_arguments_arrive_as_the_annotations_say() -> None:
    job = run(add, where, raw, anything, nothing, several)
    assert job(add, 1) == b"3"
    assert job(add, a=1, b=5) == b"6"
    assert job(where, Point(4)) == b"4"
    assert job(raw, b"\0\xff") == b"2"
    assert job(anything, {"a": [1, None, "x"]}) == b'{"a":[1,null,"x"]}'
    assert job(nothing) == b'"done"'
    assert job(several, "a", datetime.now(UTC), {"x", "y"}, {"pi": 3.14}) == b"null"


scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text()
plain_values = st.recursive(
    scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(value=plain_values)
def test_what_json_can_hold_comes_back_equal(value: Any) -> None:
    found: list[Any] = []

    def keep(value) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - nothing is said of it
        found.append(value)

    order = written(keep, (value,), {})
    plan = compile_plan(class_of(keep), Options())
    plan.run(plan.make(), [Envelope("r", inf, 1, order.content_type, order.body)])
    assert found == [value]


@pytest.mark.parametrize(
    ("function", "args", "told"),
    [
        (add, ("one",), r"at \$\.a: Expected `int`, got `str`"),
        (add, (1, object()), "object cannot be written"),
        (where, (3,), "Expected `object`, got `int`"),
        (raw, ("text",), "str is given where bytes are taken"),
        (anything, (b"bytes",), "has no annotation and is a bytes"),
        (anything, ((nan,),), "has no annotation and is a tuple"),
        (anything, ({1: "a"},), "has no annotation and is a dict"),
        (several, ("a", datetime.now(UTC), {"x"}, {"nan": nan}), "numbers"),
    ],
)
def test_what_would_not_arrive_as_it_was_given_is_told_at_once(
    function: Callable[..., Any], args: tuple[Any, ...], told: str
) -> None:
    with pytest.raises(NotData, match=told):
        written(function, args, {})


def test_other_arguments_than_the_function_takes_are_a_type_error() -> None:
    for args, kwargs in (((), {}), ((1, 2, 3), {}), ((1,), {"c": 2})):
        with pytest.raises(TypeError, match=r"hr\.submit\(add, \.\.\.\)"):
            written(add, args, kwargs)
    with pytest.raises(TypeError, match="context"):
        written(where, (Point(1),), {"context": None})


def test_what_a_function_raises_is_told_by_its_own_name() -> None:
    fault = run(fails)(fails, 1)
    assert isinstance(fault, Fault)
    assert fault.detail.startswith("fails raised ZeroDivisionError")


def test_bodies_are_read_and_nothing_runs() -> None:
    hr.job(fails)
    plan = job_plan(functions_here(), Options())
    assert plan.read is not None
    assert plan.read(envelope(fails, 1)) == 1


# --- submitting ----------------------------------------------------------------------------


class Answer:
    """What a line gives: it answers, or refuses, once it is waited for."""

    def __init__(self, line: Desk) -> None:
        self._line = line

    def __await__(self) -> Generator[Any, None, Any]:
        return self._later().__await__()

    async def _later(self) -> Any:
        await asyncio.sleep(0)
        return self.result()

    def __aiter__(self) -> AsyncIterator[Any]:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError

    def cancel(self) -> None: ...

    def result(self, timeout_s: float | None = None) -> Any:
        self._line.waited += 1
        if self._line.refusal is not None:
            raise self._line.refusal
        return "j1", "/jobs/j1", True


class Desk:
    """A line that remembers what was submitted."""

    def __init__(self) -> None:
        self.wanted: list[Wanted] = []
        self.waited = 0
        self.refusal: Exception | None = None

    def ask(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def submit(self, wanted: Wanted) -> Answer:
        self.wanted.append(wanted)
        return Answer(self)


@contextmanager
def at_desk() -> Iterator[Desk]:
    desk = Desk()
    use_line_here(desk)
    try:
        yield desk
    finally:
        use_line_here(None)  # type: ignore[arg-type] # as it was


def test_in_code_that_cannot_await_a_job_is_written_down_when_submit_returns() -> None:
    with at_desk() as desk:
        job = hr.submit(hr.job(add), 1, b=4)
    assert desk.waited == 1
    assert (job.id, job.url, job.is_new) == ("j1", "/jobs/j1", True)
    (wanted,) = desk.wanted
    assert wanted.endpoint == f"job:{name_of(add)}"
    assert wanted.body == b'{"a":1,"b":4}'


def test_on_an_event_loop_a_job_is_awaited() -> None:
    async def view() -> None:
        job = hr.submit(hr.job(add), 1)
        with pytest.raises(WrongUse, match="await"):
            _ = job.id
        assert desk.waited == 0
        assert (await job).id == "j1"
        assert job.url == "/jobs/j1"

    with at_desk() as desk:
        asyncio.run(view())


def test_a_job_that_nobody_awaited_is_warned_of() -> None:
    async def view() -> None:
        hr.submit(hr.job(add), 1)

    def forgets() -> None:
        asyncio.run(view())
        gc.collect()

    with at_desk(), pytest.warns(RuntimeWarning, match=r"await hr\.submit"):
        forgets()


def test_a_refusal_is_raised_where_the_job_was_submitted() -> None:
    async def view() -> None:
        with pytest.raises(QueueFull):
            await hr.submit(add, 1)

    hr.job(add)
    with at_desk() as desk:
        desk.refusal = QueueFull("full")
        with pytest.raises(QueueFull):
            hr.submit(add, 1)
        asyncio.run(view())


@pytest.mark.parametrize(
    ("args", "kwargs", "body"),
    [
        (("x",), {}, ("application/json", b'"x"')),
        ((b"x",), {}, ("application/octet-stream", b"x")),
        ((), {"text": "x", "k": 2}, ("application/json", b'{"text":"x","k":2}')),
        ((), {}, (None, b"")),
    ],
)
def test_a_route_is_given_a_body_or_the_fields_of_one(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], body: tuple[str | None, bytes]
) -> None:
    with at_desk() as desk:
        hr.submit("/predict", *args, **kwargs)
    assert (desk.wanted[0].content_type, desk.wanted[0].body) == body
    assert desk.wanted[0].endpoint == "/predict"


def test_options_are_of_this_job_and_leave_the_others_as_they_are() -> None:
    urgent = hr.submit.options(priority=-5, delay_s=1.5)
    with at_desk() as desk:
        urgent.options(key="order-7", max_attempts=1)(hr.job(add), 1)
        urgent("/predict")
        hr.submit("/predict")
    first, second, third = desk.wanted
    assert first.changes == {"priority": -5, "delay_s": 1.5, "max_attempts": 1}
    assert (first.key, second.key) == ("order-7", None)
    assert second.changes == {"priority": -5, "delay_s": 1.5}
    assert third.changes == {}
    assert repr(urgent) == "<hr.submit with priority=-5, delay_s=1.5>"


def test_what_is_no_job_is_told_how_to_become_one() -> None:
    with at_desk(), pytest.raises(ConfigError, match=r"write `@hr\.job`"):
        hr.submit(asyncio.sleep, 1)


def test_outside_of_a_server_there_is_nobody_to_write_a_job_down() -> None:
    with pytest.raises(NoLine, match="JobsClient"):
        hr.submit(hr.job(add), 1)


def test_words_of_options_are_those_of_the_decorator() -> None:
    assert changes_of({"deadline_s": None, "priority": 3}) == {"deadline_s": inf, "priority": 3}
