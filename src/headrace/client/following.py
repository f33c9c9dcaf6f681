"""Follow a job's events over every break of the connection; nothing is told twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from headrace.client.connection import Failed, Question, Reply, Wire, lines_of
from headrace.client.patience import Patience, checked, is_passing
from headrace.client.records import Event, event_of
from headrace.client.sse import sent
from headrace.errors import Unreachable

SILENCE_S = 45.0
"""Three signs of life that did not come."""
OK, NO_CONTENT = 200, 204


class _Break(Exception):
    """The server is away, or full."""


class Following:
    """One reader of the events of one job."""

    def __init__(
        self, wire: Wire, patience: Patience, question: Callable[[Mapping[str, str]], Question]
    ) -> None:
        """`question` is made with the headers that say where to go on."""
        self._wire, self._patience, self._question = wire, patience, question
        self._after, self._is_over, self._is_well = 0, False, False

    def events(self, after: int) -> Iterator[Event]:
        """Yield those behind this number, until the job is over. Raises NoSuchJob, Unreachable."""
        self._after, tries = after, 0
        end = self._patience.clock() + self._patience.seconds
        while True:
            self._is_well = False
            error: Exception | None = None
            try:
                yield from self._some()
            except (*Failed, _Break) as broken:
                error = broken
            if self._is_over:
                return
            if self._is_well:
                end, tries = self._patience.clock() + self._patience.seconds, 0
            elif self._patience.clock() > end:
                words = f"no events from {self._wire.url}: {error or 'it ends at once'}"
                raise Unreachable(words) from error
            self._patience.sleep(self._patience.wait_s(tries))
            tries += 1

    def _some(self) -> Iterator[Event]:
        headers = {"Last-Event-ID": str(self._after), "Accept": "text/event-stream"}
        with self._wire.open(self._question(headers), SILENCE_S) as response:
            if response.status == NO_CONTENT:
                self._is_over = True
                return
            if response.status != OK:
                names = {name.lower(): value for name, value in response.getheaders()}
                reply = Reply(response.status, names, response.read())
                if is_passing(reply):
                    raise _Break(f"it answers with {reply.status}")
                checked(reply)
            for event in sent(lines_of(response)):
                self._is_well = True
                self._after = int(event.id)
                yield event_of(self._after, event.kind, event.data)
