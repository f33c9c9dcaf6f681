"""What a replica's answers may weigh on the wire: its mates' are sent, and the worker lives."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from headrace.model.envelope import Answer, Fault, Reply
from headrace.replica import bodies, frames
from headrace.replica.bodies import Bodies
from headrace.replica.frames import HEAD, Finished, Splitter, pack, read_report

NOWHERE = -1  # no shared memory: all is sent


def sent(replies: list[Reply]) -> list[Reply]:
    """Return what a worker hears of these replies."""
    frame = Bodies(NOWHERE).finished(7, 0.1, replies)
    (record,) = Splitter().feed(bytes(frame))
    report = read_report(record)
    assert isinstance(report, Finished)
    return report.replies


def test_what_has_no_room_in_the_frame_is_its_own_requests_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bodies, "FRAME_BYTES", 300_000)
    small, large = b"1", bytes(200_000)
    answer = Answer(200, "application/octet-stream", bytes(90_000))
    heard = sent([small, large, large, answer, small])
    detail = "the server has no memory left to pass an answer of 200,000 bytes on"
    assert heard == [small, large, Fault(500, "hook_failed", detail), answer, small]
    assert "call 7, request 2 of it: no room to send 200,000 bytes" in caplog.text


def test_what_cannot_be_written_is_its_own_requests_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    odd: Any = object()
    heard = sent([b"1", Fault(500, "hook_failed", odd), Fault(1 << 70, "a", "b"), b"2"])
    fault = Fault(500, "hook_failed", "the answer cannot be sent; see the server's log")
    assert heard == [b"1", fault, fault, b"2"]
    assert "call 7: an answer cannot be sent" in caplog.text


def test_a_length_can_say_what_a_frame_may_hold() -> None:
    assert 1 << (8 * HEAD.size) > frames.FRAME_BYTES


@pytest.mark.parametrize(
    "size", [1 << 24, pytest.param(frames.FRAME_BYTES, marks=pytest.mark.soak)]
)
def test_a_frame_at_the_limit_is_read(size: int) -> None:
    here, there = socket.socketpair()
    frame = pack(Finished(1, 0.1, [bytes(size)]))
    writer = threading.Thread(target=there.sendall, args=(frame,))
    writer.start()
    splitter = Splitter()
    replies: list[Reply] = []
    with here, there:
        while not replies:
            for record in splitter.read(here) or ():
                report = read_report(record)
                assert isinstance(report, Finished)
                replies = report.replies
        writer.join()
    (reply,) = replies
    assert isinstance(reply, bytes)
    assert len(reply) == size
