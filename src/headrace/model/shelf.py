"""Which models an object has loaded, which one goes for the next, and when: decided, not done.

At most so many are there at a time, being loaded and being torn down included. Nothing in use is
torn down: a model is used from the moment that a request asks for it until its call has ended.
Where no place is free, the model goes that was asked for least recently, one that nobody uses
first; one in use goes when its last call has ended, and nobody else is given it any more.

A request that has one model already does not wait for a second one, and nobody waits longer than
`PATIENCE_S`: then there is one model too many for a while. Else two requests might wait for each
other, or all of them for a stream that nobody ends.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple

PATIENCE_S = 10.0


class State(Enum):
    """Where a model is."""

    WAITING = auto()  # for a place
    LOADING = auto()
    THERE = auto()
    LEAVING = auto()  # as soon as nobody uses it
    GONE = auto()  # or being torn down, or it could not be loaded


@dataclass(slots=True, eq=False)
class Held:
    """One model, from the first request for it until it is torn down."""

    id: str
    state: State = State.WAITING
    users: int = 0
    urgent: bool = False
    """It waits for no place."""
    model: Any = None
    error: BaseException | None = None
    signal: Any = None
    """How those who wait for it hear of it: the shell's own."""


class Load(NamedTuple):
    """Load this model."""

    held: Held


class TearDown(NamedTuple):
    """Tear this model down."""

    held: Held


Step = Load | TearDown


@dataclass(slots=True)
class Shelf:
    """The models of one object."""

    most: int
    known: OrderedDict[str, Held] = field(default_factory=OrderedDict)
    """Those that may be asked for; the one that was not for longest first."""
    waiting: list[Held] = field(default_factory=list)
    leaving: list[Held] = field(default_factory=list)
    """They take a place until they are torn down."""
    under_way: set[int] = field(default_factory=set)
    """The serials of the calls of this replica; what outlives its call uses nothing any more."""
    leases: dict[int, list[Held]] = field(default_factory=dict)
    """What each of those uses."""

    @property
    def used(self) -> int:
        """How many places are taken."""
        return len(self.known) - len(self.waiting) + len(self.leaving)

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to be done."""
        return not (self.waiting or self.leaving) and len(self.known) <= self.most

    @property
    def there(self) -> list[str]:
        """The models that are loaded."""
        return [held.id for held in self.known.values() if held.state is State.THERE]

    # --- events ------------------------------------------------------------------------------

    def asked(self, model: str, calls: Sequence[int], *, waits: bool) -> Held:
        """These calls use a model from now on, loaded or not; see whether it is.

        Whoever asks is a user too, until it is `released`.
        """
        calls = [call for call in calls if call in self.under_way]
        held = self._theirs(model, calls) or self.known.get(model)
        if held is None:
            held = self.known[model] = Held(model)
            self.waiting.append(held)
        if held.id in self.known:
            self.known.move_to_end(model)
        held.users += 1
        used = [each for call in calls for each in self.leases.get(call, ()) if each is not held]
        has_another = any(each.state is not State.GONE for each in used)
        held.urgent = held.urgent or not waits or has_another
        for call in calls:
            leases = self.leases.setdefault(call, [])
            if held not in leases:
                leases.append(held)
                held.users += 1
        return held

    def released(self, held: Held) -> None:
        """One user less."""
        held.users -= 1
        if held.state is State.WAITING and not held.users:
            self.waiting.remove(held)
            del self.known[held.id]
            held.state = State.GONE

    def ended(self, call: int) -> None:
        """A call uses nothing any more."""
        for held in self.leases.pop(call, ()):
            self.released(held)

    def _theirs(self, model: str, calls: Sequence[int]) -> Held | None:
        """Return the model if one of these calls uses it: it is theirs though it is to go."""
        mine = (held for call in calls for held in self.leases.get(call, ()) if held.id == model)
        return next((held for held in mine if held.state is not State.GONE), None)

    def loaded(self, held: Held, model: Any) -> None:
        """A model is there."""
        held.state, held.model = State.THERE, model

    def failed(self, held: Held, error: BaseException) -> None:
        """A model could not be loaded; the next request tries again."""
        held.state, held.error = State.GONE, error
        del self.known[held.id]

    def torn_down(self, held: Held) -> None:
        """A place is free."""
        self.leaving.remove(held)

    # --- what is to be done ----------------------------------------------------------------------

    def steps(self) -> list[Step]:
        """Return what is to be done now; ask after each event."""
        steps: list[Step] = []
        for held in sorted(self.waiting, key=lambda each: not each.urgent):
            if held.urgent or self.used < self.most:
                self.waiting.remove(held)
                held.state = State.LOADING
                steps.append(Load(held))
        self._make_room()
        for held in self.leaving:
            if held.state is State.LEAVING and not held.users:
                held.state = State.GONE
                steps.append(TearDown(held))
        return sorted(steps, key=lambda step: isinstance(step, Load))  # first there is to be room

    def empty(self) -> list[Step]:
        """Return what is to be torn down at the end, used or not."""
        there = [held for held in self.known.values() if held.state is State.THERE]
        there += [held for held in self.leaving if held.state is State.LEAVING]
        for held in there:
            if held.state is State.THERE:
                del self.known[held.id]
                self.leaving.append(held)
            held.state = State.GONE
        return [TearDown(held) for held in there]

    def _make_room(self) -> None:
        there = [held for held in self.known.values() if held.state is State.THERE]
        going = [held for held in there if not held.users]
        if self.waiting:
            going += [held for held in there if held.users]
        surplus = max(self.used - self.most, 0)
        lacking = min(len(self.waiting), self.most) + surplus - len(self.leaving)
        for held in going[: max(lacking, 0)]:
            held.state = State.LEAVING
            del self.known[held.id]
            self.leaving.append(held)
