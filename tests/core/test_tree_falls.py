"""What the log says of a worker that falls, and of the code that the next one starts with."""

from __future__ import annotations

import pytest

from headrace.core.tree import Tree
from headrace.core.workers import Action, Say, TreePolicy, WorkerId

A, B, C = map(WorkerId, range(1, 4))
FAILED = "the reload that failed"


def serving() -> Tree:
    tree = Tree(TreePolicy(workers=2, silence_s=0))
    tree.begin(0, 0.5)
    for worker in (A, B):
        tree.loaded(worker, 0, 0.5)
    return tree


def said(actions: list[Action]) -> str:
    return " ".join(action.words for action in actions if isinstance(action, Say))


def reload_badly(tree: Tree) -> None:
    tree.reload_asked(10, 0.5)
    tree.failed_to_start(C, "no such module", 11, 0.5)


def test_a_fall_is_told_with_when_the_next_one_starts() -> None:
    tree = serving()
    words = said(tree.died(A, "was killed by SIGKILL", 100, 0.5))
    assert words == "worker 1 was killed by SIGKILL; another is started now"


def test_after_a_failed_reload_a_fall_is_told_with_the_code_that_is_started_then() -> None:
    tree = serving()
    reload_badly(tree)
    assert FAILED in said(tree.died(A, "was killed", 100, 0.5))


@pytest.mark.parametrize("now", [20.0, 2000.0])
def test_it_is_tried_again_later_and_later_while_the_others_serve(now: float) -> None:
    tree = serving()
    reload_badly(tree)
    tree.died(A, "was killed", now, 0.5)
    waits, told = [], ""
    for _ in range(8):
        newest = max(tree.workers)
        told = said(tree.failed_to_start(newest, "no such module", now, 0.5))
        tree.died(newest, "ended", now, 0.5)
        assert B in tree.workers
        waits.append(tree.start_at - now)
        now = tree.next_at()
        tree.passed(now, 0.5)
    assert waits == sorted(waits)
    assert waits[-1] > waits[0]
    assert waits[-1] <= 30.0
    assert FAILED in told


def test_after_a_reload_that_worked_it_is_told_no_longer() -> None:
    tree = serving()
    reload_badly(tree)
    tree.died(C, "ended", 12, 0.5)
    tree.reload_asked(20, 0.5)
    for worker in [one for one in tree.workers if one > C]:
        tree.loaded(worker, 21, 0.5)
    assert not tree.stale
    last = max(tree.workers)
    assert FAILED not in said(tree.died(last, "was killed", 500, 0.5))
