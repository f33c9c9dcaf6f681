from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from headrace.core.forest import Forest
from headrace.core.tree import Tree
from headrace.core.workers import (
    Action,
    Announce,
    BeginReload,
    End,
    EndReload,
    ReloadInside,
    Retire,
    Say,
    SetRoom,
    Start,
    TreePolicy,
    WorkerId,
)

CHANCE = 0.5


class Grove:
    """A forest of two app workers and an engine worker, told of things one by one."""

    def __init__(self, workers: int = 2) -> None:
        ids = count(1)
        front = Tree(TreePolicy(workers=workers), ids=ids)
        policy = TreePolicy(is_engine=True, name="engine worker")
        self.forest = Forest(front, Tree(policy, ids=ids))
        self.now = 0.0
        self.said = self.tell(self.forest.begin)

    def tell(self, event: Callable[..., list[Action]], *what: object) -> list[Action]:
        return event(*what, self.now, CHANCE)

    @property
    def app_workers(self) -> list[WorkerId]:
        return list(self.forest.front.workers)

    @property
    def engine(self) -> WorkerId:
        assert self.forest.engine is not None
        (only,) = self.forest.engine.workers
        return only

    def start(self) -> list[Action]:
        said: list[Action] = []
        for worker in (*self.app_workers, self.engine):
            said += self.tell(self.forest.loaded, worker)
        return said

    def end(self, worker: WorkerId) -> list[Action]:
        return self.tell(self.forest.died, worker, "ended (exit code 0)")


def of(kind: type, actions: list[Action]) -> list[Action]:
    return [action for action in actions if isinstance(action, kind)]


def test_all_workers_start_at_once_each_with_a_number_of_its_own() -> None:
    grove = Grove()
    started = [action.worker for action in grove.said if isinstance(action, Start)]
    assert sorted(started) == [1, 2, 3]
    assert grove.forest.is_engine(grove.engine)
    assert not any(grove.forest.is_engine(worker) for worker in grove.app_workers)


def test_it_has_started_when_both_have_and_says_so_once() -> None:
    grove = Grove(workers=1)
    first = grove.tell(grove.forest.loaded, grove.engine)
    assert of(Announce, first) == []
    assert not grove.forest.announced
    then = grove.tell(grove.forest.loaded, grove.app_workers[0])
    assert of(Announce, then) == [Announce()]
    assert grove.forest.announced
    grove.end(grove.engine)
    grove.now = 100.0
    grove.tell(grove.forest.passed)
    assert of(Announce, grove.tell(grove.forest.loaded, grove.engine)) == []


def test_clients_are_not_turned_away_where_only_the_engine_worker_is_missing() -> None:
    grove = Grove()
    said = grove.said + grove.start()
    rooms = [action.is_open for action in said if isinstance(action, SetRoom)]
    assert rooms == [True, False]
    assert of(SetRoom, grove.end(grove.engine)) == []


def test_an_engine_worker_that_died_is_started_again_and_nothing_else_changes() -> None:
    grove = Grove()
    grove.start()
    others = grove.app_workers
    grove.now = 100.0
    said = grove.end(grove.engine)
    assert any("engine worker" in each.words for each in said if isinstance(each, Say))
    grove.now = 101.0
    grove.tell(grove.forest.passed)
    assert grove.forest.is_engine(grove.engine)
    assert grove.app_workers == others


def test_the_engine_worker_is_the_last_to_hear_of_the_end_and_has_what_is_left_of_it() -> None:
    grove = Grove()
    grove.start()
    engine = grove.engine
    said = grove.tell(grove.forest.stop_asked, 10.0)
    assert {each.worker for each in said if isinstance(each, Retire)} == set(grove.app_workers)
    grove.now = 4.0
    first, last = grove.app_workers
    assert grove.end(first) == []
    assert of(Retire, grove.end(last)) == [Retire(engine, 6.0)]
    assert grove.end(engine) == [End(None)]


def test_a_second_word_hurries_the_engine_worker_too() -> None:
    grove = Grove()
    grove.start()
    grove.tell(grove.forest.stop_asked, 10.0)
    said = grove.tell(grove.forest.stop_asked, 0.0)
    assert Retire(grove.engine, 0.0) in said


def test_a_start_that_fails_ends_the_other_workers_too() -> None:
    for fails in ("engine", "front"):
        grove = Grove(workers=1)
        app, engine = grove.app_workers[0], grove.engine
        bad, other = (engine, app) if fails == "engine" else (app, engine)
        grove.tell(grove.forest.failed_to_start, bad, "no disk")
        said = grove.end(bad) + grove.end(other)
        assert of(End, said) == [End(bad)], fails


def test_a_reload_begins_with_the_engine_worker_and_is_told_once() -> None:
    grove = Grove()
    grove.start()
    old = grove.app_workers
    said = grove.tell(grove.forest.reload_asked)
    assert of(BeginReload, said) == [BeginReload()]
    assert of(ReloadInside, said) == [ReloadInside(grove.engine)]
    assert of(Start, said) == []
    said = grove.tell(grove.forest.reloaded, "")
    assert of(BeginReload, said) == of(EndReload, said) == []
    assert len(of(Start, said)) == 2
    said = []
    for worker in [each for each in grove.app_workers if each not in old]:
        said += grove.tell(grove.forest.loaded, worker)
    assert of(EndReload, said) == [EndReload("")]


def test_a_reload_that_fails_in_the_engine_worker_changes_nothing_in_front() -> None:
    grove = Grove()
    grove.start()
    grove.tell(grove.forest.reload_asked)
    said = grove.tell(grove.forest.reloaded, "a mistake in core")
    assert of(EndReload, said) == [EndReload("a mistake in core")]
    assert of(Start, said) == []


@pytest.mark.parametrize("workers", [1, 3])
def test_one_tree_alone_is_as_it_is_by_itself(workers: int) -> None:
    policy = TreePolicy(workers=workers)
    alone, forest = Tree(policy), Forest(Tree(policy))
    for event in ("begin", "passed", "reload_asked"):
        assert getattr(forest, event)(0.0, CHANCE) == getattr(alone, event)(0.0, CHANCE)
    for worker in list(alone.workers):
        assert forest.loaded(worker, 1.0, CHANCE) == alone.loaded(worker, 1.0, CHANCE)
    assert forest.stop_asked(1.0, 2.0, CHANCE) == alone.stop_asked(1.0, 2.0, CHANCE)
    assert forest.next_at() == alone.next_at()
