"""Run the calls of a leaf replica one after the other: one thread, no event loop.

The socket is read only when nothing is left to run, and the answers of a call leave before the next
call begins: a quick answer never waits for the slow call behind it.
"""

from __future__ import annotations

import time
from collections import deque

from headrace.model.context import running
from headrace.model.envelope import Envelope
from headrace.model.handle import use_line
from headrace.model.hooks import Plan
from headrace.replica.end import End
from headrace.replica.frames import (
    Calls,
    Credit,
    Freed,
    GiveUpOn,
    Load,
    Returned,
    TearDown,
    Trim,
    pack,
)
from headrace.replica.holding import in_leaf
from headrace.replica.leaf_line import LeafLine
from headrace.replica.reading import Reading

Inbox = deque[tuple[int, list[Envelope]]]
"""Calls in the order they are to run: each a serial with its requests."""


def run_leaf(plan: Plan, model: object, end: End) -> None:
    """Serve until told to tear down. Raises WorkerGone at the end of the stream."""
    inbox: Inbox = deque()
    line = LeafLine(end, batched=plan.batched)
    use_line(line)
    plan = in_leaf(plan, model, line.tell)
    asked_to_end = False
    while not asked_to_end:
        asked_to_end = _read(inbox, end, line.reading)
        _run_all(inbox, plan, model, end)
        if done := end.bodies.done():
            end.send(done)


def _read(inbox: Inbox, end: End, reading: Reading) -> bool:
    """Take orders; tell if the worker wants an end. No order outlives this: it holds its bodies."""
    asked_to_end = False
    for order in reading.orders():
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
    guarded, writing, begin = end.guard.run, end.writing, running.set
    finished, done = end.bodies.finished, end.bodies.done
    while inbox:
        serial, envelopes = inbox.popleft()
        if not claim(serial):
            with writing:
                send(pack(Returned(serial)))
            continue
        begin(serial)
        began = clock()
        replies = guarded(serial, run, model, envelopes)
        del envelopes  # what nobody kept of large bodies is free with the answer
        with writing:
            send(finished(serial, clock() - began, replies) + done())
    begin(0)
