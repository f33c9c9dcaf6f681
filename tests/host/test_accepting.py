"""A crowd that comes at once is let in within a few turns of the loop."""

from __future__ import annotations

import asyncio
import socket

import pytest

from headrace.host.limits import DEFAULTS
from headrace.host.listening import ACCEPTORS, Listening
from headrace.host.sockets import bind
from headrace.http.messages import Receive, Scope, Send
from headrace.replica.asyncio_end import new_loop

CROWD = 64


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer nobody."""


async def turns_until_all_are_in(acceptors: int) -> int:
    sock = bind("127.0.0.1", 0)
    listening = Listening(nothing, sock, limits=DEFAULTS, acceptors=acceptors)
    await listening.open()
    crowd = [socket.create_connection(sock.getsockname()) for _ in range(CROWD)]
    turns = 0
    while len(listening.server_state.connections) < CROWD:
        turns += 1
        assert turns < 100 * CROWD
        await asyncio.sleep(0)
    for client in crowd:
        client.close()
    await listening.close()
    return turns


@pytest.mark.parametrize("acceptors", [1, ACCEPTORS])
def test_a_turn_of_the_loop_lets_in_as_many_as_there_are_descriptors(acceptors: int) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        turns = runner.run(turns_until_all_are_in(acceptors))
    assert turns <= CROWD / acceptors + 10
