"""Run the calls of a leaf replica one after the other: one thread, no event loop.

The socket is read only when nothing is left to run, and the answers of a call leave before the next
call begins: a quick answer never waits for the slow call behind it.
"""

from __future__ import annotations

import time
from collections import deque

from headrace.model.envelope import Envelope
from headrace.model.hooks import Plan
from headrace.replica.end import End
from headrace.replica.frames import (
    Calls,
    Credit,
    Freed,
    GiveUpOn,
    Load,
    Order,
    Returned,
    TearDown,
    Trim,
    pack,
    read_order,
)

Inbox = deque[tuple[int, list[Envelope]]]
"""Calls in the order they are to run: each a serial with its requests."""


class WorkerGone(Exception):
    """The other end of the socket is closed."""


def run_leaf(plan: Plan, model: object, end: End) -> None:
    """Serve until told to tear down. Raises WorkerGone at the end of the stream."""
    inbox: Inbox = deque()
    asked_to_end = False
    while not asked_to_end:
        asked_to_end = _read(inbox, end)
        _run_all(inbox, plan, model, end)
        if done := end.bodies.done():
            end.sock.sendall(done)


def _read(inbox: Inbox, end: End) -> bool:
    """Read once; tell if the worker wants an end. No order outlives this: it holds its bodies."""
    asked_to_end = False
    records = end.splitter.read(end.sock)
    if records is None:
        raise WorkerGone
    for record in records:
        order: Order = read_order(record)
        match order:
            case Calls(calls):
                inbox.extend(calls)
            case TearDown():
                asked_to_end = True
            case Freed(places):
                end.bodies.freed(places)
            case Trim():
                end.bodies.trim()
            case GiveUpOn() | Load() | Credit():
                pass  # a leaf runs on: its signal comes with the page
            case _:
                end.words.hear(order)
    return asked_to_end


def _run_all(inbox: Inbox, plan: Plan, model: object, end: End) -> None:
    clock, run, claim, send = time.perf_counter, plan.run, end.page.claim, end.sock.sendall
    guarded = end.guard.run
    finished, done = end.bodies.finished, end.bodies.done
    while inbox:
        serial, envelopes = inbox.popleft()
        if not claim(serial):
            send(pack(Returned(serial)))
            continue
        began = clock()
        replies = guarded(serial, run, model, envelopes)
        del envelopes  # what nobody kept of large bodies is free with the answer
        send(finished(serial, clock() - began, replies) + done())
