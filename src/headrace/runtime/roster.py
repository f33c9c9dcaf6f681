"""Which of the engine's deployments stand behind a name: a reload puts new ones beside the old.

The engine knows a deployment by an id that is used once: `embed`, after a reload `embed@2`. People
know it by its label, `embed`, or `vision.embed` in an application of another name than the default
one, whichever code answers; its counters go on under it. Code within its application says `embed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from headrace.core.messages import DeploymentId
from headrace.core.records import Pool

Figure = Callable[[Pool], float]
Pools = Mapping[DeploymentId, Pool]


@dataclass(slots=True)
class Present:
    """Which code serves, since when, and how the last attempt to bring other code went."""

    number: int = 1
    loaded_at: float | None = None
    """In Unix time; None until it is loaded."""
    fault: str = ""
    """Why the last reload failed; empty if it did not."""

    def told(self) -> dict[str, Any]:
        """Return it for /-/info."""
        at = self.loaded_at
        since = (
            None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
        )
        said = {"number": self.number, "loaded_at": since}
        return {**said, "last_reload_failed": self.fault} if self.fault else said


Kin = Mapping[str, DeploymentId]
"""The deployments of one application and generation, by the names that its code has for them."""


@dataclass(slots=True)
class Roster:
    """Who serves, who comes, who goes. A deployment that nobody spoke of serves under its id."""

    generation: Present = field(default_factory=Present)
    kin: dict[DeploymentId, Kin] = field(default_factory=dict)
    """With whom a deployment was made: its code finds these first."""
    _names: dict[DeploymentId, str] = field(default_factory=dict)
    _apart: set[DeploymentId] = field(default_factory=set)
    """Those that do not serve: not yet, or not any more."""
    _past: dict[str, dict[Figure, float]] = field(default_factory=dict)
    """What was counted by those that are gone."""

    def name_of(self, deployment: DeploymentId) -> str:
        """Return what people call it."""
        return self._names.get(deployment, deployment)

    def come(self, deployment: DeploymentId, name: str, kin: Kin = MappingProxyType({})) -> None:
        """Take in a deployment that is to serve later."""
        self._names[deployment] = name
        self.kin[deployment] = kin
        self._apart.add(deployment)

    def switch(self, serving: Iterable[DeploymentId]) -> None:
        """Let these serve from now on, and no others."""
        self._apart = set(self._names) - set(serving)

    def leave(self, pool: Pool, figures: Iterable[Figure]) -> None:
        """Forget a deployment that is gone, but for what it counted."""
        past = self._past.setdefault(self.name_of(pool.id), {})
        for figure in figures:
            past[figure] = past.get(figure, 0) + figure(pool)
        self._names.pop(pool.id, None)
        self.kin.pop(pool.id, None)
        self._apart.discard(pool.id)

    def find(self, target: str, asker: DeploymentId | None = None) -> DeploymentId | None:
        """Return whom a handle of `target` means, in code of `asker` or of none of them.

        First one of its own kin; else who serves under that label; else who alone serves under that
        name in any application. None if there is no such.
        """
        own = None if asker is None else self.kin.get(asker, {}).get(target)
        if own is not None and own in self._names:  # else it is gone already
            return own
        serving = [each for each in self._names if each not in self._apart]
        for each in serving:
            if self._names[each] == target:
                return each
        there = [each for each in serving if self.kin.get(each, {}).get(target) == each]
        return there[0] if len(there) == 1 else None

    def names(self, asker: DeploymentId | None = None) -> list[str]:
        """Return every name by which `find` finds somebody, for whoever has mistaken one."""
        own = [] if asker is None else list(self.kin.get(asker, ()))
        serving = [self._names[each] for each in self._names if each not in self._apart]
        return list(dict.fromkeys([*own, *serving]))

    def serving(self, pools: Pools) -> dict[str, Pool]:
        """Return those that serve, by name."""
        return {self.name_of(each): pool for each, pool in pools.items() if each not in self._apart}

    def beside(self, pools: Pools, name: str) -> list[Pool]:
        """Return those of this name that come or go, the eldest first."""
        return [pools[each] for each in pools if each in self._apart and self.name_of(each) == name]

    def counted(self, pools: Pools, name: str, figure: Figure) -> float:
        """Return what all of this name ever counted."""
        there = (pool for each, pool in pools.items() if self.name_of(each) == name)
        return self._past.get(name, {}).get(figure, 0) + sum(map(figure, there))
