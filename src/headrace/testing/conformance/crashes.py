"""A replica apart from its worker: a crash is heard, no answer is lost, its output comes."""

from __future__ import annotations

import os
import signal
import time

from headrace.core.messages import Why
from headrace.testing.conformance.stage import Stage
from headrace.testing.conformance.subjects import Obedient, ObedientAsync

SOON_S = 2.0


async def it_runs_elsewhere(stage: Stage) -> None:
    """User code runs in the process that `pid` names, never in ours."""
    replica = await stage.load(Obedient)
    assert await stage.answer(stage.ask("pid")) == [replica.pid]
    assert replica.pid != os.getpid()


async def sigkill_is_told(stage: Stage) -> None:
    """SIGKILL in a call: `gone(KILLED)`, and the call is the claimed one."""
    await _die(stage, "die", signal.SIGKILL, Why.KILLED)


async def sigsegv_is_told(stage: Stage) -> None:
    """SIGSEGV in a call: `gone(CRASHED)`, and the call is the claimed one."""
    await _die(stage, "die", signal.SIGSEGV, Why.CRASHED)


async def an_exit_is_told(stage: Stage) -> None:
    """`os._exit(0)` in a call is a crash too."""
    await _die(stage, "exit", 0, Why.CRASHED)


async def a_polite_exit_is_told(stage: Stage) -> None:
    """`sys.exit()` in a call is a crash too."""
    await _die(stage, "leave", 0, Why.CRASHED)


async def a_polite_exit_of_an_async_hook_is_told(stage: Stage) -> None:
    """`sys.exit()` in an async call is a crash too."""
    await stage.load(ObedientAsync)
    await stage.answer(stage.ask("echo", 1))
    fatal = stage.ask("leave", 0)
    ending = await stage.gone()
    assert ending.why is Why.CRASHED
    assert ending.claimed == fatal
    assert fatal not in stage.ledger.ended


async def _die(stage: Stage, wish: str, how: int, why: Why) -> None:
    """Five answers, then a death, with five calls behind it: no answer is lost, none is made up."""
    replica = await stage.load(Obedient)
    before = [stage.send({"wish": "echo", "value": number}) for number in range(5)]
    fatal = stage.send({"wish": wish, "value": how})
    for number in range(5):
        stage.send({"wish": "echo", "value": number})
    replica.flush()
    ending = await stage.gone()
    assert list(stage.ledger.answers) == before
    assert not stage.ledger.returns
    assert ending.why is why
    assert ending.claimed == fatal


async def an_async_crash_is_told(stage: Stage) -> None:
    """A crash among async calls: what was answered before it arrives first."""
    await stage.load(ObedientAsync)
    stage.ask("wait", str(stage.mark))
    answered = stage.ask("echo", 1)
    await stage.answer(answered)
    fatal = stage.ask("die", signal.SIGSEGV)
    ending = await stage.gone()
    assert ending.why is Why.CRASHED
    assert ending.claimed == fatal
    assert list(stage.ledger.answers) == [answered]


async def a_child_holding_the_socket_delays_nothing(stage: Stage) -> None:
    """`gone` comes with the death, though a child of the replica keeps its socket and pipe open."""
    await stage.load(Obedient)
    began = time.monotonic()
    stage.ask("bear_and_die", signal.SIGKILL)
    await stage.gone(SOON_S)
    assert time.monotonic() - began < SOON_S


async def a_child_that_prints_delays_nothing(stage: Stage) -> None:
    """`gone` comes, though a child of the dead replica goes on printing into its pipe."""
    await stage.load(Obedient)
    stage.ask("bear_a_chatterbox", 7)
    assert (await stage.gone(SOON_S)).why is Why.CRASHED


async def one_that_let_go_is_ended(stage: Stage) -> None:
    """A replica that closed its socket and lives on is ended, and the call is blamed."""
    await stage.load(Obedient)
    fatal = stage.ask("let_go", 3)
    ending = await stage.gone()
    assert ending.why is Why.CRASHED
    assert ending.claimed == fatal


async def recall_is_at_once_where_it_can_be(stage: Stage) -> None:
    """A recall while a C call runs frees what is behind it, and stays true when told at once."""
    replica = await stage.load(Obedient)
    busy = stage.ask("mark_and_sleep", str(stage.mark))
    behind = [stage.ask("mark", str(stage.mark)) for _ in range(3)]
    await stage.marked()
    first = replica.recall(busy)
    assert first in (None, behind[0])
    replica.kill()
    ending = await stage.gone(SOON_S)
    assert ending.claimed == busy
    assert stage.mark.read_text() == "x"


async def output_arrives_by_lines(stage: Stage) -> None:
    """What a hook prints, on either output, comes line by line."""
    await stage.load(Obedient)
    await stage.answer(stage.ask("say", "one\nzwei ☂"))
    await stage.ledger.until(lambda: len(stage.ledger.lines) >= 4)
    assert sorted(stage.ledger.lines) == ["one", "one", "zwei ☂", "zwei ☂"]


async def an_exit_is_worded(stage: Stage) -> None:
    """The words of a death name the signal or the code."""
    await stage.load(Obedient)
    stage.ask("exit", 7)
    assert "7" in (await stage.gone()).words


CHECKS = (
    it_runs_elsewhere,
    sigkill_is_told,
    sigsegv_is_told,
    an_exit_is_told,
    a_polite_exit_is_told,
    a_polite_exit_of_an_async_hook_is_told,
    an_async_crash_is_told,
    a_child_holding_the_socket_delays_nothing,
    a_child_that_prints_delays_nothing,
    one_that_let_go_is_ended,
    recall_is_at_once_where_it_can_be,
    output_arrives_by_lines,
    an_exit_is_worded,
)
