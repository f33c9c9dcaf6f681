"""What a call through a handle carries: arguments in; a value, items or an exception back.

Objects travel packed (see model/pickles.py). An exception arrives as its own type where that can be
pickled, with the callee's traceback as a note; else as a `CalleeFailed` that names its type and
words. Clients over HTTP are told nothing of it: the packed exception is beside the fault's words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from headrace.errors import (
    CalleeFailed,
    Cancelled,
    Expired,
    HeadraceError,
    HookFailed,
    HTTPError,
    ReplicaLost,
)
from headrace.memory.slots import Slot, view_of
from headrace.model.context import Context
from headrace.model.envelope import Envelope, Fault
from headrace.model.faults import LONGEST_TEXT, REMOTE, fault_of, own_part
from headrace.model.pickles import Packed, joined, packed, size_of, unpacked
from headrace.model.plain import CannotAnswer
from headrace.model.sizes import ANSWER_BYTES

MOST_ERROR_BYTES = 1 << 20
"""An exception may hold what it was about; above this, it goes by its words alone."""
Place = Callable[[Packed], bytes | Slot]
"""Writes the pieces of a packed value where they can travel from."""


class _Room:
    """Where large values of this process are written: shared memory, once a replica has some."""

    place: Place = staticmethod(joined)


def use_room(place: Place) -> None:
    """Write packed values with `place` from now on."""
    _Room.place = staticmethod(place)


# --- the callee's side -----------------------------------------------------------------------


def arguments(envelope: Envelope) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return what a call brings, by position and by keyword. Raises what unpickling raises."""
    args, kwargs = unpacked(envelope.view())
    return tuple(args), kwargs


def value(result: Any) -> bytes | Slot:
    """Pack an answer; a large one lies in shared memory at once. Raises CannotAnswer."""
    return _Room.place(_packed(result))


def item(result: Any) -> bytes:
    """Pack one item of a streamed answer. Raises CannotAnswer."""
    return joined(_packed(result))


def _packed(result: Any) -> Packed:
    try:
        pieces = packed(result)
    except Exception as error:
        kind = type(result).__name__
        raise CannotAnswer(f"{kind} cannot be pickled, so no handle can bring it: {error}") from (
            error
        )
    if (size := size_of(pieces)) > ANSWER_BYTES:
        raise CannotAnswer(f"an answer of {size:,} bytes; the most is {ANSWER_BYTES:,}")
    return pieces


def fault(error: BaseException, hook: str, contexts: Sequence[Context]) -> Fault:
    """Make the fault of a call: logged as any fault is, with the exception itself in it."""
    return with_error(fault_of(error, hook, contexts), error)


def fault_for(envelope: Envelope, found: Fault, error: BaseException) -> Fault:
    """Return a fault as its caller is to have it: with its exception where a handle called."""
    return found if envelope.call is None else with_error(found, error)


def with_error(found: Fault, error: BaseException) -> Fault:
    """Return a fault that brings its exception along."""
    return replace(found, error=_packed_error(error))


def _packed_error(error: BaseException) -> bytes:
    told = _told(error)
    if isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration):
        try:
            whole = joined(packed((error, told)))
            if len(whole) <= MOST_ERROR_BYTES and type(unpacked(whole)[0]) is type(error):
                return whole
        except Exception:  # noqa: BLE001, S110 - it cannot travel: its words can
            pass
    return joined(packed((_by_words(error), told)))


def _by_words(error: BaseException) -> CalleeFailed:
    try:
        words = str(error)[:LONGEST_TEXT]
    except Exception:  # noqa: BLE001 - its own words raise
        words = "an exception without words"
    return CalleeFailed(type(error).__qualname__, words)


def _told(error: BaseException) -> str:
    """Format an error and where it came from; what it brought from callees of its own goes along.

    That part is in its notes already.
    """
    try:
        text = own_part(error)
    except Exception:  # noqa: BLE001 - groups within groups, a note that raises
        return "its traceback cannot be shown"
    return text[-LONGEST_TEXT:]


# --- the caller's side -----------------------------------------------------------------------


def result_of(reply: bytes | Slot) -> Any:
    """Return the value of an answer, or one item. Raises what unpickling raises."""
    return unpacked(view_of(reply))


def error_of(found: Fault) -> BaseException:
    """Return the exception that a fault stands for; never raises."""
    if not found.error:
        return _by_code(found)
    try:
        error, told = unpacked(found.error)
    except Exception as broken:  # noqa: BLE001 - its class is not here, or its constructor raises
        return CalleeFailed("an exception that this process cannot unpickle", str(broken))
    if told and isinstance(error, Exception):
        error.add_note(f"{REMOTE}\n{told.rstrip()}")
    found_error: BaseException = error
    return found_error


def _by_code(found: Fault) -> BaseException:
    match found.code:
        case "client_closed_request":
            return Cancelled(found.detail)
        case "deadline_exceeded":
            return Expired(found.detail)
        case "replica_lost":
            return ReplicaLost(found.detail)
        case "http_error":
            return HTTPError(found.status, found.detail, dict(found.headers))
        case _:
            return HookFailed(found.detail)


def refusal(error: HeadraceError) -> Fault:
    """Make the fault of a call that the engine ended, or never let in."""
    return Fault(error.status, error.code, str(error), error=joined(packed((error, ""))))
