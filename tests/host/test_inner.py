from __future__ import annotations

import asyncio
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from headrace.errors import QueueFull, Refused
from headrace.host.inner import InnerLine, listening
from headrace.model.called import refusal
from headrace.model.handle import CallOptions, NoLine
from headrace.model.pickles import joined, packed
from headrace.model.submit import Wanted

WANTED = Wanted("job:m.core", "application/json", b"1")
TAKEN = msgspec.msgpack.encode(joined(packed(("j1", "/-/jobs/j1", True))))


def answered(sock: socket.socket, *answers: bytes | None) -> tuple[threading.Thread, list[Wanted]]:
    """Answer connection after connection, or close it where there is no answer."""
    heard: list[Wanted] = []

    def serve() -> None:
        for answer in answers:
            connection, _ = sock.accept()
            with connection, connection.makefile("rb") as lines:
                length = 0
                while (line := lines.readline().strip()) != b"":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                heard.append(msgspec.msgpack.decode(lines.read(length), type=Wanted))
                if answer is not None:
                    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(answer)
                    connection.sendall(head + answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread, heard


def test_the_socket_is_for_its_owner_alone_and_goes_with_the_server() -> None:
    with listening() as sock:
        path = Path(sock.getsockname())
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.parent.exists()


def test_a_job_is_sent_again_under_its_own_id_until_somebody_answers() -> None:
    with listening() as sock:
        thread, heard = answered(sock, None, None, TAKEN)
        told = InnerLine(sock.getsockname()).submit(WANTED).result()
        thread.join()
    assert told == ("j1", "/-/jobs/j1", True)
    assert len(heard) == 3
    assert len({each.id for each in heard} - {None}) == 1


def test_a_key_says_already_which_job_it_is() -> None:
    with listening() as sock:
        thread, heard = answered(sock, TAKEN)
        wanted = msgspec.structs.replace(WANTED, key="order-7")
        InnerLine(sock.getsockname()).submit(wanted).result()
        thread.join()
    assert (heard[0].id, heard[0].key) == (None, "order-7")


def test_on_an_event_loop_it_is_awaited_and_the_loop_goes_on() -> None:
    async def both(line: InnerLine) -> tuple[object, int]:
        turns = 0

        async def turn(over: Callable[[], bool]) -> None:
            nonlocal turns
            while not over():
                turns += 1
                await asyncio.sleep(0)

        async def submit() -> object:
            return await line.submit(WANTED)

        task = asyncio.create_task(submit())
        await turn(task.done)
        return task.result(), turns

    with listening() as sock:
        thread, _ = answered(sock, TAKEN)
        told, turns = asyncio.run(both(InnerLine(sock.getsockname())))
        thread.join()
    assert told == ("j1", "/-/jobs/j1", True)
    assert turns > 1


def test_a_refusal_arrives_as_what_it_is() -> None:
    with listening() as sock:
        thread, _ = answered(sock, msgspec.msgpack.encode(refusal(QueueFull("10 jobs wait"))))
        with pytest.raises(QueueFull, match="10 jobs wait"):
            InnerLine(sock.getsockname()).submit(WANTED).result()
        thread.join()


def test_where_nobody_answers_in_time_it_is_said_how_to_try_again() -> None:
    with listening() as sock, pytest.raises(Refused, match=r"options\(key=") as told:
        InnerLine(sock.getsockname()).submit(WANTED).result(timeout_s=0.1)
    assert told.value.retry_after_s == 1.0


def test_a_plain_application_has_no_deployments_to_call() -> None:
    with pytest.raises(NoLine, match="plain application"):
        InnerLine("/nowhere").ask("embed", "", CallOptions(), (), {})
