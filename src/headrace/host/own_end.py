"""How a server without an arbiter ends: what the arbiter does for others, it does by itself."""

from __future__ import annotations

from typing import Protocol

from headrace.core.draining import Tally
from headrace.host import farewell
from headrace.host.audit import Asker, Audit
from headrace.settings.table import Settings


class Life(Protocol):
    """What is to be stopped."""

    def stop(self, grace_s: float | None = None, delay_s: float = 0.0) -> None:
        """Serve on for `delay_s`, take nothing new, let the rest end; a second call hurries."""

    @property
    def tally(self) -> Tally:
        """How its stop stands."""


class OwnEnd:
    """One server's end: whoever asks first is named, whoever asks again hurries."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._is_asked = settings, False
        self._audit = Audit(settings.audit_log)

    def ask(self, life: Life, asker: Asker, grace_s: float | None = None) -> None:
        """Stop it, or hurry."""
        usual_s = 0.0 if self._is_asked else self._settings.graceful_timeout_s
        within_s = usual_s if grace_s is None else grace_s
        delay_s = 0.0 if self._is_asked else self._settings.drain_delay_s
        self._is_asked = True
        self._audit.asked(asker, within_s)
        life.stop(within_s, delay_s)

    def done(self, tally: Tally, exit_code: int | None = None) -> None:
        """Record that nothing is left, and tell the program's own function."""
        self._audit.stopped(tally, exit_code)
        farewell.tell(self._settings.on_shutdown, self._audit.report)

    def failed(self, tally: Tally, exit_code: int | None = None) -> None:
        """Record that it never served, and tell the program's own function."""
        self._audit.failed_to_start()
        self.done(tally, exit_code)
