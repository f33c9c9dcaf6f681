"""What the world knows of calls that nobody waits for, and of replicas that hang in them."""

from __future__ import annotations

from math import inf

from headrace.core.messages import Outcome
from tests.core.books import Books
from tests.core.scripted import Scripted, Sent


def note(books: Books, now: float) -> None:
    """Write down since when nobody waits for a call that has begun."""
    for copy in books.replicas.values():
        for call in copy.begun_as_told:
            if call.left_at == inf and is_left(books, call):
                call.left_at = now


def is_left(books: Books, call: Sent) -> bool:
    return all(books.requests[number].outcome is not None for number in call.requests)


def interrupted(books: Books, copy: Scripted, call: Sent) -> None:
    """Hold the engine to it that a call is interrupted once, and only when nobody waits."""
    assert copy.policy.cancel_grace_s is not None
    assert call in copy.begun_as_told
    assert is_left(books, call), "somebody waits"
    assert not call.interrupted, "once is enough"
    call.interrupted = True


def aborted(books: Books, copy: Scripted, now: float) -> None:
    """Hold the engine to it that a replica is ended for a good reason, and no other is away."""
    assert not copy.evicted
    assert not copy.doomed
    assert overdue(copy, now), "nothing hangs"
    assert not is_wanted(books, copy), "somebody waits for what it runs"
    assert copy.retiring or all_are_there(books, copy), "one is away"
    copy.doomed = True


def nothing_hangs(books: Books, now: float, alarm: float) -> None:
    """At the end of a turn, all is done that can be done."""
    for copy in books.replicas.values():
        for call in copy.begun_as_told:
            outcomes = [books.requests[number].outcome for number in call.requests]
            if copy.policy.cancel_grace_s is None or {None, Outcome.ANSWERED} & set(outcomes):
                continue
            assert call.interrupted, "it was not interrupted"
            due = call.left_at + patience_s(copy)
            if now < due:
                assert alarm <= due or copy.evicted, "it hangs, and nobody looks"
            elif not (copy.evicted or copy.doomed) and all_are_there(books, copy):
                assert is_wanted(books, copy), "a replica that hangs is left lying"


def overdue(copy: Scripted, now: float) -> list[Sent]:
    return [call for call in copy.begun_as_told if now >= call.left_at + patience_s(copy)]


def gets_no_calls(books: Books, copy: Scripted, now: float) -> bool:
    """Tell if a replica is in no state to be sent a call; who answered early may go on."""
    calls = overdue(copy, now)
    outcomes = [{books.requests[number].outcome for number in call.requests} for call in calls]
    return copy.doomed or copy.silent or any(Outcome.ANSWERED not in each for each in outcomes)


def patience_s(copy: Scripted) -> float:
    grace_s = copy.policy.cancel_grace_s
    return inf if grace_s is None else max(grace_s, copy.ready_at - copy.started_at)


def is_wanted(books: Books, copy: Scripted) -> bool:
    return not all(is_left(books, call) for call in copy.begun_as_told)


def all_are_there(books: Books, copy: Scripted) -> bool:
    """Tell if a replica may go because every other is there, or because it is one too many."""
    there = [each for each in books.staying(copy.deployment) if each.ready and not each.doomed]
    return copy.retiring or len(there) >= books.wanted[copy.deployment]
