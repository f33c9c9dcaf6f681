"""Run the calls of a leaf replica one after the other: one thread, no event loop.

The socket is read only when nothing is left to run, and the answers of a call leave before the next
call begins: a quick answer never waits for the slow call behind it.
"""

from __future__ import annotations

import time
from collections import deque
from socket import socket
from typing import assert_never

from headrace.model.envelope import Envelope
from headrace.model.hooks import Plan
from headrace.replica.frames import (
    Calls,
    Finished,
    GiveUpOn,
    Load,
    Order,
    Returned,
    Splitter,
    TearDown,
    pack,
    read_order,
)
from headrace.replica.page import Page
from headrace.replica.uncaught import EXITS, faults_of


class WorkerGone(Exception):
    """The other end of the socket is closed."""


def run_leaf(plan: Plan, model: object, sock: socket, page: Page, splitter: Splitter) -> None:
    """Serve until told to tear down. Raises WorkerGone at the end of the stream."""
    inbox: deque[tuple[int, list[Envelope]]] = deque()
    asked_to_end = False
    while not asked_to_end:
        records = splitter.read(sock)
        if records is None:
            raise WorkerGone
        for record in records:
            order: Order = read_order(record)
            match order:
                case Calls(calls):
                    inbox.extend(calls)
                case TearDown():
                    asked_to_end = True
                case GiveUpOn() | Load():
                    pass  # a leaf runs on: its signal comes with the page
                case _:
                    assert_never(order)
        _run_all(inbox, plan, model, sock, page)


def _run_all(
    inbox: deque[tuple[int, list[Envelope]]], plan: Plan, model: object, sock: socket, page: Page
) -> None:
    clock, run, claim, send = time.perf_counter, plan.run, page.claim, sock.sendall
    while inbox:
        serial, envelopes = inbox.popleft()
        if not claim(serial):
            send(pack(Returned(serial)))
            continue
        began = clock()
        try:
            replies = run(model, envelopes)
        except EXITS:
            raise
        except BaseException as error:  # noqa: BLE001 - their clients wait, and hear of it
            replies = faults_of(error, envelopes)
        send(pack(Finished(serial, clock() - began, replies)))
