"""The workers of a plain application, and beside them the engine worker that has its jobs.

Each of the two is a tree of its own. As a server they are one: it has started when both have, and
ends when both have. The engine worker goes last, for views submit jobs to their end; and it reloads
first, so that new code finds its jobs known. One tree alone is a forest, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from headrace.core.tree import Tree
from headrace.core.workers import (
    Action,
    Announce,
    BeginReload,
    End,
    EndReload,
    SetRoom,
    Worker,
    WorkerId,
)


@dataclass(slots=True)
class Forest:
    """See `Tree`: every event is a method, and returns what is to be done."""

    front: Tree
    """Those whom clients ask."""
    engine: Tree | None = None
    """The engine worker, if it stands beside them."""
    _announced: bool = False
    _engine_until: float = inf
    """When the engine worker's grace is over, once the end is asked for."""
    _ends: list[End] = field(default_factory=list)
    _is_reloading: bool = False
    """The engine worker reloads; those in front are to follow."""

    # --- what it is ----------------------------------------------------------------------------

    @property
    def trees(self) -> Sequence[Tree]:
        """Return both, or the one there is."""
        return (self.front,) if self.engine is None else (self.front, self.engine)

    @property
    def workers(self) -> Mapping[WorkerId, Worker]:
        """Return the workers of both."""
        return {known: worker for tree in self.trees for known, worker in tree.workers.items()}

    @property
    def announced(self) -> bool:
        """Whether it has started."""
        return all(tree.announced for tree in self.trees)

    @property
    def stopping(self) -> bool:
        """Whether somebody wants its end."""
        return self.front.stopping

    def tree_of(self, worker: WorkerId) -> Tree:
        """Return the tree that a worker is of."""
        return next((tree for tree in self.trees if worker in tree.workers), self.front)

    def is_engine(self, worker: WorkerId) -> bool:
        """Tell whether it is the engine worker that stands beside others."""
        return self.engine is not None and self.tree_of(worker) is self.engine

    def next_at(self) -> float:
        """Return when time alone changes something; infinite if it does not."""
        return min(tree.next_at() for tree in self.trees)

    # --- events --------------------------------------------------------------------------------

    def begin(self, now: float, chance: float) -> list[Action]:
        """Start."""
        return self._all(lambda tree: tree.begin(now, chance), now, chance)

    def answering(self, worker: WorkerId, now: float, chance: float) -> list[Action]:
        """See `Tree`."""
        tree = self.tree_of(worker)
        return self._out(tree, tree.answering(worker, now, chance), now, chance)

    def loaded(self, worker: WorkerId, now: float, chance: float) -> list[Action]:
        """See `Tree`."""
        tree = self.tree_of(worker)
        return self._out(tree, tree.loaded(worker, now, chance), now, chance)

    def failed_to_start(
        self, worker: WorkerId, words: str, now: float, chance: float
    ) -> list[Action]:
        """See `Tree`. Before all has started, it is the end of the other tree, too."""
        tree = self.tree_of(worker)
        return self._out(tree, tree.failed_to_start(worker, words, now, chance), now, chance)

    def died(self, worker: WorkerId, words: str, now: float, chance: float) -> list[Action]:
        """See `Tree`."""
        tree = self.tree_of(worker)
        return self._out(tree, tree.died(worker, words, now, chance), now, chance)

    def beat(
        self, worker: WorkerId, requests: int, memory_bytes: int, now: float, chance: float
    ) -> list[Action]:
        """See `Tree`."""
        tree = self.tree_of(worker)
        return self._out(tree, tree.beat(worker, requests, memory_bytes, now, chance), now, chance)

    def stop_asked(self, grace_s: float, now: float, chance: float) -> list[Action]:
        """See `Tree`. The engine worker hears of it when the others are gone, or at a second word.

        What is left of the grace is its own.
        """
        hurries = self.stopping
        self._engine_until = min(self._engine_until, now + grace_s)
        self._is_reloading = False
        out = self._out(self.front, self.front.stop_asked(grace_s, now, chance), now, chance)
        if self.engine is not None and hurries:
            told = self.engine.stop_asked(grace_s, now, chance)
            out += self._out(self.engine, told, now, chance)
        return out

    def reload_asked(self, now: float, chance: float) -> list[Action]:
        """See `Tree`."""
        first = self.engine or self.front
        told = first.reload_asked(now, chance)
        self._is_reloading = first is self.engine and first.reloading
        return self._out(first, told, now, chance)

    def reloaded(self, fault: str, now: float, chance: float) -> list[Action]:
        """See `Tree`."""
        tree = self.engine or self.front
        return self._out(tree, tree.reloaded(fault, now, chance), now, chance)

    def count_asked(self, by: int, now: float, chance: float) -> list[Action]:
        """See `Tree`."""
        return self._out(self.front, self.front.count_asked(by, now, chance), now, chance)

    def passed(self, now: float, chance: float) -> list[Action]:
        """Time has passed, if nothing else has."""
        return self._all(lambda tree: tree.passed(now, chance), now, chance)

    # --- rules ---------------------------------------------------------------------------------

    def _all(self, tell: Callable[[Tree], list[Action]], now: float, chance: float) -> list[Action]:
        return [
            action for tree in self.trees for action in self._out(tree, tell(tree), now, chance)
        ]

    def _out(
        self, tree: Tree, actions: Sequence[Action], now: float, chance: float
    ) -> list[Action]:
        """Return what is to be done about what one tree says."""
        out: list[Action] = []
        for action in actions:
            match action:
                case Announce():
                    out += self._announce()
                case End():
                    out += self._ended(tree, action, now, chance)
                case SetRoom() if tree is self.engine:
                    pass  # clients ask those in front
                case BeginReload() if tree is self.front and self._is_reloading:
                    pass  # it has begun with the engine worker
                case EndReload("") if tree is self.engine and self._is_reloading:
                    out += self._reload_front(now, chance)
                case _:
                    out.append(action)
        return out

    def _reload_front(self, now: float, chance: float) -> list[Action]:
        """Reload those in front: the engine worker has, and knows the jobs of the new code."""
        out = self._out(self.front, self.front.reload_asked(now, chance), now, chance)
        self._is_reloading = False
        return out if self.front.reloading else [*out, EndReload("nobody is there to reload")]

    def _announce(self) -> list[Action]:
        if self._announced or not self.announced:
            return []
        self._announced = True
        return [Announce()]

    def _ended(self, tree: Tree, end: End, now: float, chance: float) -> list[Action]:
        """Let the other tree end after this one; with the last one, the server has ended."""
        self._ends.append(end)
        if len(self._ends) == len(self.trees):
            failed = next((each.failed for each in self._ends if each.failed is not None), None)
            return [End(failed)]
        other = next(each for each in self.trees if each is not tree)
        if other.stopping:
            return []
        grace_s = 0.0 if end.failed is not None else max(0.0, self._engine_until - now)
        return self._out(other, other.stop_asked(grace_s, now, chance), now, chance)
