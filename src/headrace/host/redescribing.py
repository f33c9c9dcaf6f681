"""Describe a target while the event loop goes on: in a child, as it was at the start."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence

from headrace.host.describing import Question, Report, begin, found_in, read
from headrace.host.targets import Found
from headrace.model.application import Application, application_of
from headrace.model.served import Served
from headrace.processes.watch import Watch, kill_group
from headrace.settings.said import Said

READ_BYTES = 1 << 16


async def describe_anew(
    target: str,
    options: Mapping[str, Mapping[str, Said]] | None = None,
    sys_path: Sequence[str] = (),
) -> Found:
    """Return what a target is by now. Raises the StartError that the child met."""
    asked = {name: dict(said) for name, said in (options or {}).items()}
    question = Question([target], asked, sys_path=list(sys_path))
    return found_in(await _answer(question, target), question)


async def _answer(question: Question, what: str) -> Report:
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
    return read(bytes(answer), code, f"importing {what}")


async def read_again(applications: Sequence[Application], code: str = "") -> list[Application]:
    """Describe applications anew, each deployment by the file or module that its class is in.

    What is in no file, or lives in this very process, which imports a module once, comes as it was.
    `code` tells what files hold by now. Raises StartError.
    """
    old = [served for each in applications for served in each.deployments if _place(served)]
    if not old:
        return list(applications)
    paths = dict.fromkeys(path for served in old for path in served.source.sys_path)
    question = Question(again=old, sys_path=list(paths))
    what = ", ".join(dict.fromkeys(map(_place, old)))
    found = iter((await _answer(question, what)).again)
    return [
        application_of(
            [next(found) if _place(served) else served for served in each.deployments],
            each.name,
            each.route_prefix,
            code,
        )
        for each in applications
    ]


def _place(served: Served) -> str:
    """Return where a class is to be found; nothing where that would not be new."""
    source = served.source
    where = source.path or source.module
    return where if served.options.executor == "process" else ""


def _take(pipe: int, answer: bytearray) -> bool:
    """Read once; tell whether there was something."""
    with contextlib.suppress(BlockingIOError):
        part = os.read(pipe, READ_BYTES)
        answer += part
        if not part:
            asyncio.get_running_loop().remove_reader(pipe)
        return bool(part)
    return False
