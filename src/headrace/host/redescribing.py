"""Describe a target while the event loop goes on: in a child, as it was at the start."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence

from headrace.host.describing import Question, begin, found_in, read
from headrace.host.targets import Found
from headrace.model.served import Served
from headrace.processes.watch import Watch, kill_group
from headrace.settings.said import Said

READ_BYTES = 1 << 16


async def describe_anew(
    targets: Sequence[str],
    options: Mapping[str, Mapping[str, Said]] | None = None,
    sys_path: Sequence[str] = (),
) -> Found:
    """Return what the targets are by now. Raises the StartError that the child met."""
    asked = {name: dict(said) for name, said in (options or {}).items()}
    question = Question(list(targets), asked, sys_path=list(sys_path))
    loop = asyncio.get_running_loop()
    child, pipe = begin(question)
    ended = asyncio.Event()
    watch = Watch(child, ended.set)
    os.set_blocking(pipe, False)
    answer = bytearray()
    loop.add_reader(pipe, _take, pipe, answer)
    try:
        await ended.wait()
        while _take(pipe, answer):
            pass
    except asyncio.CancelledError:
        kill_group(child)
        raise
    finally:
        loop.remove_reader(pipe)
        os.close(pipe)
        watch.close()
        code = child.wait()
    return found_in(read(bytes(answer), code, f"importing {', '.join(targets)}"), question)


async def read_again(deployments: Sequence[Served]) -> list[Served]:
    """Describe deployments anew, each by the file or module that its class is in.

    What is in no file, or lives in this very process, which imports a module once, comes as it was.
    Raises StartError.
    """
    places = {each.name: _place(each) for each in deployments}
    wanted = [place for place in places.values() if place]
    if not wanted:
        return list(deployments)
    paths = [path for each in deployments for path in each.source.sys_path]
    found = iter((await describe_anew(wanted, sys_path=list(dict.fromkeys(paths)))).deployments)
    return [next(found) if places[each.name] else each for each in deployments]


def _place(served: Served) -> str:
    """Return where a class is to be found, as a target; nothing where that would not be new."""
    source = served.source
    where = source.path or source.module
    return f"{where}:{source.qualname}" if where and served.options.executor == "process" else ""


def _take(pipe: int, answer: bytearray) -> bool:
    """Read once; tell whether there was something."""
    with contextlib.suppress(BlockingIOError):
        part = os.read(pipe, READ_BYTES)
        answer += part
        if not part:
            asyncio.get_running_loop().remove_reader(pipe)
        return bool(part)
    return False
