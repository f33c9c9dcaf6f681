"""A replica ends once, says why, and is silent then."""

from __future__ import annotations

from headrace.core.messages import Why
from headrace.testing.conformance.stage import Stage
from headrace.testing.conformance.subjects import Broken, Obedient, ObedientAsync, Slow, Tidy

SOON_S = 2.0


async def evict_finishes_then_tears_down(stage: Stage) -> None:
    """`evict` lets every call sent before it finish, runs teardown, then comes `gone(ASKED)`."""
    replica = await stage.load(Tidy)
    serials = [stage.send(number) for number in range(5)]
    replica.evict()
    ending = await stage.gone()
    assert list(stage.ledger.answers) == serials
    assert ending.why is Why.ASKED
    assert ending.claimed == serials[-1]
    assert stage.mark.read_text() == "x"


async def evict_waits_for_async_calls(stage: Stage) -> None:
    """`evict` lets async calls under way finish too."""
    replica = await stage.load(ObedientAsync)
    waiting, quick = stage.ask("wait", str(stage.mark)), stage.ask("echo", 1)
    await stage.marked(".begun")
    replica.evict()
    await stage.answer(quick)
    assert not stage.ledger.endings
    replica.stop(waiting, 0)
    replica.flush()
    assert (await stage.gone()).why is Why.ASKED
    assert waiting in stage.ledger.answers


async def a_setup_that_raises_is_told(stage: Stage) -> None:
    """A setup that raises ends in `gone(SETUP)` with its words and traceback, torn down.

    A teardown that then fails as well does not hide why.
    """
    stage.start(Broken)
    ending = await stage.gone()
    assert ending.why is Why.SETUP
    line, _, traceback = ending.words.partition("\n")
    assert "no weights here" in line
    assert "in setup" in traceback
    assert stage.mark.read_text() == "x"
    assert not stage.ledger.readied


async def kill_ends_what_runs(stage: Stage) -> None:
    """`kill` ends a replica that would work on for long, as asked."""
    replica = await stage.load(ObedientAsync)
    stage.ask("wait", str(stage.mark))
    await stage.marked(".begun")
    replica.kill()
    assert (await stage.gone(SOON_S)).why is Why.ASKED


async def kill_ends_what_loads(stage: Stage) -> None:
    """`kill` ends a replica that is still loading."""
    replica = stage.start(Slow)
    await stage.marked()
    replica.kill()
    assert (await stage.gone(SOON_S)).why is Why.ASKED
    assert not stage.ledger.readied


async def kill_tells_why(stage: Stage) -> None:
    """`gone` tells the reason and the words that `kill` was given."""
    replica = stage.start(Slow)
    await stage.marked()
    replica.kill(Why.SETUP, "took too long")
    ending = await stage.gone(SOON_S)
    assert (ending.why, ending.words) == (Why.SETUP, "took too long")


async def evict_does_not_wait_for_a_setup(stage: Stage) -> None:
    """`evict` ends a replica that is still loading: it has nothing to finish."""
    replica = stage.start(Slow)
    await stage.marked()
    replica.evict()
    assert (await stage.gone(SOON_S)).why is Why.ASKED
    assert not stage.ledger.readied


async def kill_ends_the_unborn(stage: Stage) -> None:
    """`kill` right after the start still ends in `gone`."""
    stage.start(Obedient).kill()
    assert (await stage.gone()).why is Why.ASKED


async def the_gone_owe_nothing(stage: Stage) -> None:
    """Every method may be called on a replica that is gone; nothing comes of it."""
    replica = await stage.load(Tidy)
    replica.evict()
    await stage.gone()
    serial = stage.send_now(1)
    replica.recall(serial)
    replica.stop(serial, 0)
    replica.flush()
    replica.evict()
    replica.kill()
    assert not stage.ledger.ended
    assert len(stage.ledger.endings) == 1


CHECKS = (
    evict_finishes_then_tears_down,
    evict_waits_for_async_calls,
    a_setup_that_raises_is_told,
    kill_ends_what_runs,
    kill_ends_what_loads,
    kill_tells_why,
    evict_does_not_wait_for_a_setup,
    kill_ends_the_unborn,
    the_gone_owe_nothing,
)
