"""The arbiter's decisions: tables, and a life of any events under a manual clock."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from headrace.core.tree import Tree
from headrace.core.workers import (
    DUMP_S,
    KILL_AFTER_S,
    UNBORN_GRACE_S,
    Action,
    Announce,
    BeginReload,
    Dump,
    End,
    EndReload,
    Kill,
    Life,
    ReloadInside,
    Retire,
    Say,
    SetRoom,
    Start,
    TreePolicy,
    Turn,
    Worker,
    WorkerId,
    advance,
    why_ended,
)
from headrace.errors import ImpossibleStep

A, B, C, D = map(WorkerId, range(1, 5))


def deeds(actions: list[Action]) -> list[Action]:
    """What is done, without what is said."""
    return [action for action in actions if not isinstance(action, Say)]


def serving(policy: TreePolicy, *, now: float = 0.0) -> Tree:
    """A tree whose first workers are all ready."""
    tree = Tree(policy)
    tree.begin(now, 0.5)
    for worker in list(tree.workers):
        tree.loaded(worker, now, 0.5)
    return tree


TWO = TreePolicy(workers=2)
ENGINE = TreePolicy(is_engine=True)


def test_it_starts_as_many_as_wanted_and_tells_when_all_are_ready() -> None:
    tree = Tree(TWO)
    assert tree.begin(0, 0.5) == [Start(A, 1), Start(B, 1), SetRoom(is_open=True)]
    assert tree.loaded(B, 1, 0.5) == [SetRoom(is_open=False)]
    assert tree.loaded(A, 2, 0.5) == [Announce()]


def test_a_first_start_that_fails_ends_the_server_with_its_fault() -> None:
    tree = Tree(TWO)
    tree.begin(0, 0.5)
    assert deeds(tree.failed_to_start(A, "no such module", 1, 0.5)) == [Retire(B, 0.0)]
    assert tree.died(A, "exited with code 4", 1, 0.5) == []
    assert tree.died(B, "exited with code 0", 1, 0.5) == [End(A), SetRoom(is_open=False)]


def test_a_first_worker_that_just_dies_ends_the_server_too() -> None:
    tree = Tree(TreePolicy())
    tree.begin(0, 0.5)
    assert End(A) in tree.died(A, "was ended by SIGSEGV", 1, 0.5)


def test_a_reload_retires_the_old_when_all_the_new_are_ready_and_not_before() -> None:
    tree = serving(TWO)
    assert deeds(tree.reload_asked(10, 0.5)) == [BeginReload(), Start(C, 2), Start(D, 2)]
    assert tree.loaded(C, 11, 0.5) == []
    assert deeds(tree.loaded(D, 12, 0.5)) == [EndReload(), Retire(A, 30.0), Retire(B, 30.0)]


@pytest.mark.parametrize("how", ["failed", "died", "late"])
def test_a_reload_that_fails_leaves_the_old_and_says_why(how: str) -> None:
    tree = serving(TreePolicy(workers=2, silence_s=0))
    tree.reload_asked(10, 0.5)
    tree.loaded(C, 11, 0.5)
    if how == "failed":
        actions = tree.failed_to_start(D, "SyntaxError", 12, 0.5)
    elif how == "died":
        actions = tree.died(D, "exited with code 1", 12, 0.5)
    else:
        actions = tree.passed(10 + tree.policy.startup_timeout_s, 0.5)
    (ended,) = [action for action in actions if isinstance(action, EndReload)]
    assert "worker 4" in ended.fault
    assert Retire(C, 0.0) in actions
    assert not {Retire(A, 30.0), Retire(B, 30.0)} & set(deeds(actions))
    assert [tree.workers[one].life for one in (A, B)] == [Life.READY, Life.READY]
    assert tree.generation == 1


def test_stop_first_starts_nobody_beside_the_old() -> None:
    tree = serving(TreePolicy(stop_first=True))
    assert deeds(tree.reload_asked(10, 0.5)) == [
        BeginReload(),
        Retire(A, 30.0),
        SetRoom(is_open=True),
    ]
    assert tree.died(A, "exited with code 0", 11, 0.5) == [Start(B, 2)]
    assert tree.loaded(B, 12, 0.5) == [EndReload(), SetRoom(is_open=False)]


def test_a_second_reload_starts_over() -> None:
    tree = serving(TreePolicy())
    tree.reload_asked(10, 0.5)
    assert deeds(tree.reload_asked(11, 0.5)) == [BeginReload(), Retire(B, 0.0), Start(C, 3)]
    tree.died(B, "exited with code 0", 12, 0.5)
    assert deeds(tree.loaded(C, 12, 0.5)) == [EndReload(), Retire(A, 30.0)]


def test_a_killed_worker_is_replaced_at_once_and_later_if_it_goes_on() -> None:
    tree = serving(TreePolicy(), now=0)
    assert Start(B, 1) in tree.died(A, "was ended by SIGKILL", 1, 0.5)
    tree.loaded(B, 1.5, 0.5)
    waits = []
    now, worker = 2.0, B
    for _ in range(8):
        assert not [one for one in tree.died(worker, "fell", now, 0.5) if isinstance(one, Start)]
        waits.append(tree.next_at() - now)
        now = tree.next_at()
        (start,) = [one for one in tree.passed(now, 0.5) if isinstance(one, Start)]
        worker = start.worker
        tree.loaded(worker, now, 0.5)
    assert waits == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30])
    assert [one for one in tree.died(worker, "fell", now + 60, 0.5) if isinstance(one, Start)]


def test_a_silent_worker_shows_its_stacks_and_is_replaced_then_killed() -> None:
    tree = serving(TreePolicy(silence_s=5))
    tree.beat(A, 0, 0, 4, 0.5)
    assert tree.passed(8.9, 0.5) == []
    assert deeds(tree.passed(9, 0.5)) == [Dump(A), Start(B, 1), SetRoom(is_open=True)]
    assert deeds(tree.passed(9 + DUMP_S, 0.5)) == [Kill(A)]


def test_an_engine_is_not_ended_for_silence() -> None:
    tree = serving(TreePolicy(is_engine=True, silence_s=5))
    assert tree.next_at() == inf
    assert tree.passed(1e6, 0.5) == []


def test_an_engine_that_answers_may_load_for_ever_and_one_that_does_not_may_not() -> None:
    tree = Tree(ENGINE)
    tree.begin(0, 0.5)
    assert tree.next_at() == ENGINE.startup_timeout_s
    tree.answering(A, 1, 0.5)
    assert tree.next_at() == inf


@pytest.mark.parametrize(("requests", "memory_bytes"), [(101, 0), (0, 201)])
def test_a_worn_worker_serves_until_its_successor_does(requests: int, memory_bytes: int) -> None:
    tree = serving(TreePolicy(workers=2, max_requests=100, max_memory_bytes=200))
    assert deeds(tree.beat(A, 100 - 1, 200, 1, 0.5)) == []
    assert deeds(tree.beat(A, requests, memory_bytes, 1, 0.5)) == [Start(C, 1)]
    assert deeds(tree.beat(B, requests, memory_bytes, 1, 0.5)) == []  # one at a time
    assert deeds(tree.loaded(C, 2, 0.5)) == [Retire(A, 30.0)]


def test_jitter_keeps_workers_from_being_recycled_together() -> None:
    tree = serving(TreePolicy(workers=4, max_requests=100, max_requests_jitter=100))
    limits = {one.limit for one in tree.workers.values()}
    assert len(limits) == 4
    assert all(100 <= limit <= 200 for limit in limits)


def test_one_more_and_one_less() -> None:
    tree = serving(TreePolicy())
    assert deeds(tree.count_asked(1, 1, 0.5)) == [Start(B, 1)]
    tree.loaded(B, 2, 0.5)
    assert deeds(tree.count_asked(-1, 3, 0.5)) == [Retire(A, 30.0)]
    assert deeds(tree.count_asked(-1, 3, 0.5)) == []  # the last one stays
    assert deeds(serving(ENGINE).count_asked(1, 1, 0.5)) == []


def test_a_stop_waits_for_the_grace_and_then_no_longer() -> None:
    tree = serving(TreePolicy())
    assert tree.stop_asked(30, 10, 0.5) == [Retire(A, 30), SetRoom(is_open=True)]
    assert tree.next_at() == 10 + 30 + KILL_AFTER_S
    assert tree.stop_asked(0, 11, 0.5) == [Retire(A, 0)]
    assert tree.next_at() == 11 + KILL_AFTER_S
    assert tree.passed(11 + KILL_AFTER_S, 0.5) == [Kill(A)]
    assert tree.died(A, "was ended by SIGKILL", 20, 0.5) == [End(), SetRoom(is_open=False)]


def test_a_stop_does_not_wait_for_an_import() -> None:
    tree = Tree(TreePolicy())
    tree.begin(0, 0.5)
    tree.stop_asked(30, 1, 0.5)
    assert tree.next_at() == 1 + UNBORN_GRACE_S


def test_an_engine_answers_from_its_first_word_to_its_last() -> None:
    tree = Tree(ENGINE)
    tree.begin(0, 0.5)
    assert tree.answering(A, 1, 0.5) == [SetRoom(is_open=False)]
    assert tree.loaded(A, 2, 0.5) == [Announce()]
    assert tree.stop_asked(30, 3, 0.5) == [Retire(A, 30)]


def test_an_engine_reloads_within() -> None:
    tree = serving(ENGINE)
    assert tree.reload_asked(1, 0.5) == [BeginReload(), ReloadInside(A)]
    assert tree.reloaded("no memory", 2, 0.5) == [EndReload("no memory")]
    tree.reload_asked(3, 0.5)
    assert any(
        isinstance(one, EndReload) and one.fault for one in tree.died(A, "was killed", 4, 0.5)
    )


def test_a_stop_with_a_delay_serves_on_first_and_a_second_one_hurries() -> None:
    tree = serving(TreePolicy(grace_s=30, drain_delay_s=5))
    assert tree.stop_asked(30, 10, 0.5) == [Retire(A, 30, 5)]
    assert tree.next_at() == 15
    assert tree.passed(15, 0.5) == [SetRoom(is_open=True)]
    assert tree.next_at() == 10 + 5 + 30 + KILL_AFTER_S
    again = serving(TreePolicy(grace_s=30, drain_delay_s=5))
    again.stop_asked(30, 10, 0.5)
    assert again.stop_asked(0, 11, 0.5) == [Retire(A, 0), SetRoom(is_open=True)]


def test_who_does_not_serve_yet_stops_without_a_delay() -> None:
    tree = Tree(TreePolicy(drain_delay_s=5))
    tree.begin(0, 0.5)
    assert tree.stop_asked(30, 1, 0.5) == [Retire(A, 30)]


def test_an_engine_answers_until_its_end_whatever_the_delay() -> None:
    tree = serving(TreePolicy(is_engine=True, drain_delay_s=5))
    tree.stop_asked(30, 10, 0.5)
    assert tree.passed(15, 0.5) == []


@pytest.mark.parametrize(
    ("life", "generation", "due", "why"),
    [
        (Life.RETIRING, 2, True, "recycling"),
        (Life.RETIRING, 1, False, "reload"),
        (Life.RETIRING, 2, False, "fewer"),
        (Life.READY, 2, False, "crash"),
        (Life.DOOMED, 2, False, "crash"),
        (Life.STARTING, 2, False, "failed_start"),
    ],
)
def test_the_record_says_why_a_worker_has_ended(
    life: Life,
    generation: int,
    due: bool,  # noqa: FBT001 - a row of the table
    why: str,
) -> None:
    worker = Worker(A, generation, 0.0, life=life, due=due)
    assert why_ended(worker, 2, stopping=False) == why
    assert why_ended(worker, 2, stopping=True) == "stop"


def test_the_last_of_several_reloads_of_an_engine_tells_how_things_are() -> None:
    tree = serving(ENGINE)
    tree.reload_asked(1, 0.5)
    tree.reload_asked(2, 0.5)
    assert tree.reloaded("a slip of the pen", 3, 0.5) == []
    assert tree.reloaded("", 4, 0.5) == [EndReload()]


def test_a_life_has_no_step_that_its_table_lacks() -> None:
    with pytest.raises(ImpossibleStep):
        advance(Life.READY, Turn.LOADED)


class Arbiter(RuleBasedStateMachine):
    """Processes that do as they are told, or fall at any moment; a clock that jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.room, self.ended = 0.0, False, 0
        self.alive: set[WorkerId] = set()
        self.killed: set[WorkerId] = set()
        self.open_reloads = 0
        self.tree = Tree(
            TreePolicy(workers=2, silence_s=20, startup_timeout_s=60, max_requests=100)
        )
        self.do(self.tree.begin(self.now, 0.5))

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Start(worker):
                    assert worker not in self.alive
                    self.alive.add(worker)
                case Retire(worker) | Dump(worker) | Kill(worker):
                    assert worker in self.alive, "who is gone is not spoken to"
                    if isinstance(action, Kill):
                        self.killed.add(worker)
                case SetRoom(is_open):
                    assert is_open is not self.room
                    self.room = is_open
                case End():
                    self.ended += 1
                    assert not self.alive
                case _:
                    self.note(action)

    def note(self, action: Action) -> None:
        if isinstance(action, BeginReload):
            self.open_reloads = 1
        if isinstance(action, EndReload):
            assert self.open_reloads == 1, "a reload ends once"
            self.open_reloads = 0

    def some(self, *lives: Life) -> list[WorkerId]:
        return [one.id for one in self.tree.workers.values() if one.life in lives]

    @rule(seconds=st.sampled_from([0.01, 0.4, 3.0, 25.0, 70.0]), chance=st.floats(0, 0.99))
    def wait(self, seconds: float, chance: float) -> None:
        end = self.now + seconds
        turns = 0
        while (when := self.tree.next_at()) <= end:
            self.now = max(self.now, when)
            self.do(self.tree.passed(self.now, chance))
            for worker in sorted(self.killed):
                self.killed.discard(worker)
                self.alive.discard(worker)
                self.do(self.tree.died(worker, "was ended by SIGKILL", self.now, chance))
            turns += 1
            assert turns < 1000, "time alone must come to rest"
        self.now = end

    @rule()
    def load(self) -> None:
        for worker in self.some(Life.STARTING)[:1]:
            self.do(self.tree.loaded(worker, self.now, 0.5))

    @rule()
    def fail(self) -> None:
        for worker in self.some(Life.STARTING)[-1:]:
            self.do(self.tree.failed_to_start(worker, "broken", self.now, 0.5))

    @rule(which=st.integers(0, 9))
    def fall(self, which: int) -> None:
        if self.alive:
            worker = sorted(self.alive)[which % len(self.alive)]
            self.alive.discard(worker)
            self.killed.discard(worker)
            self.do(self.tree.died(worker, "fell", self.now, 0.5))

    @rule(requests=st.integers(0, 200), which=st.integers(0, 9))
    def beat(self, requests: int, which: int) -> None:
        ready = self.some(Life.READY)
        if ready:
            worker = ready[which % len(ready)]
            self.do(self.tree.beat(worker, requests, 0, self.now, 0.5))

    @rule()
    def reload(self) -> None:
        served = [
            one for one in self.tree.workers.values() if one.generation == self.tree.generation
        ]
        before = [(one.id, one.life) for one in served]
        self.do(self.tree.reload_asked(self.now, 0.5))
        after = [(one.id, one.life) for one in served]
        assert after == before, "a reload ends nobody by itself"

    @rule(by=st.sampled_from([-1, 1]))
    def count(self, by: int) -> None:
        if self.tree.wanted < 4 or by < 0:
            self.do(self.tree.count_asked(by, self.now, 0.5))

    @precondition(lambda self: self.now > 100)
    @rule(grace_s=st.sampled_from([0.0, 30.0]))
    def stop(self, grace_s: float) -> None:
        self.do(self.tree.stop_asked(grace_s, self.now, 0.5))

    @invariant()
    def the_tree_knows_who_lives(self) -> None:
        assert set(self.tree.workers) == self.alive

    @invariant()
    def somebody_answers_until_the_end(self) -> None:
        assert (
            self.room
            or self.ended
            or any(one.answers and one.life is Life.READY for one in self.tree.workers.values())
        )

    @invariant()
    def there_are_not_more_than_two_generations_and_one_in_repair(self) -> None:
        going = [one for one in self.tree.workers.values() if one.counts or one.due]
        assert len(going) <= 2 * self.tree.wanted + 1 + 4

    @invariant()
    def it_ends_once_and_only_when_asked_or_when_its_first_start_failed(self) -> None:
        assert self.ended <= 1
        assert not self.ended or self.tree.stopping

    def teardown(self) -> None:
        """Whatever happened: a stop ends everything, in bounded time."""
        self.do(self.tree.stop_asked(1.0, self.now, 0.5))
        self.wait(seconds=30.0, chance=0.5)
        assert self.ended == 1
        assert not self.open_reloads


TestArbiter = Arbiter.TestCase
TestArbiter.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
