"""What the worker and one replica have lent each other of shared memory.

A request's slot lives while its envelope does, and while any replica that was sent it has not said
`Freed`, or ended. An answer's slot is the replica's, and free when the worker's last use is over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from headrace.memory.arena import Arena, watch
from headrace.memory.slots import Slot
from headrace.memory.tidying import Tidying
from headrace.model.envelope import Envelope
from headrace.replica.frames import Answered, AnswerParts, Feed

Place = tuple[int, int]
"""A region, and an offset in it."""


class Lending:
    """The books of one replica; it is the keeper of the replica's own region."""

    def __init__(
        self, arena: Arena, *, free: Callable[[list[Place]], None], trim: Callable[[], None]
    ) -> None:
        """`free` and `trim` send the replica word of its own slots. Raises OSError."""
        self._arena, self._free = arena, free
        self._loop = asyncio.get_running_loop()
        self.region = arena.new_region()
        arena.keepers[self.region] = self
        self._lent: dict[Place, list[Slot]] = {}
        self._borrowed = 0
        self._done: deque[Place] = deque()
        self._tidying = Tidying(trim)
        self._over = False

    # --- the worker's slots ----------------------------------------------------------------

    def lend(self, envelopes: Sequence[Envelope]) -> None:
        """Note what a call that is sent carries along."""
        for envelope in envelopes:
            self._lend(envelope.payload)

    def lend_in(self, word: Answered | AnswerParts | Feed) -> None:
        """Note what a word for the replica's code carries along."""
        match word:
            case Answered(_, Slot() as slot):
                self._lend(slot)
            case AnswerParts(_, parts):
                for part in parts:
                    self._lend(part)
            case Feed(_, _, messages):
                for message in messages:
                    self._lend(message.data)
            case _:
                pass

    def _lend(self, body: object) -> None:
        if type(body) is Slot:
            self._lent.setdefault((body.region, body.offset), []).append(body)

    def came_back(self, places: Iterable[Place]) -> None:
        """Forget slots that the replica is done with."""
        for place in places:
            slots = self._lent.get(place)
            if slots:
                slots.pop()
            if not slots:
                self._lent.pop(place, None)

    # --- the replica's slots -----------------------------------------------------------------

    def adopt(self, slot: Slot) -> None:
        """See `memory.arena.Keeper`."""
        self._borrowed += 1
        self._tidying.stir()
        watch(slot, self._let_go, (slot.region, slot.offset))

    def _let_go(self, place: Place) -> None:
        """Hear, in whatever thread, that nobody here uses an answer any more."""
        self._done.append(place)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._give_back)

    def _give_back(self) -> None:
        places = [self._done.popleft() for _ in range(len(self._done))]
        self._borrowed -= len(places)
        if self._over:
            self._forget_region()
        elif places:
            self._free(places)

    def close(self) -> None:
        """The replica has ended: nothing that it was lent is in use."""
        self._over = True
        self._lent.clear()
        self._tidying.close()
        self._forget_region()

    def _forget_region(self) -> None:
        if not self._borrowed:
            self._arena.drop_region(self.region)
