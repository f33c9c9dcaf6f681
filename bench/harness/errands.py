"""What is done with a large body: a little is answered, or all of it is sent back."""

import json
from dataclasses import dataclass
from pathlib import Path

from harness.contenders import BASE, HEADRACE, Contender, headrace, peer, source_of
from harness.questions import OCTETS, Question
from harness.results import Scene

PATTERN, MB = "0123456789", 1_000_000
ROOM = 64 * 1024 * 1024  # Headrace's own limit of a body; mosec's is 10 MiB


@dataclass(frozen=True, slots=True)
class Errand:
    """So many megabytes in; `back`: the same bytes out, else their length and a sum."""

    size_mb: int
    back: bool = False

    @property
    def title(self) -> str:
        """In words."""
        return f"{self.size_mb} MB in and out" if self.back else f"{self.size_mb} MB in"

    def question(self) -> Question:
        """Return it as a question."""
        times = self.size_mb * MB // len(PATTERN)
        body = (PATTERN * times).encode()
        summed = {"sum": sum(body[:1000]), "length": len(body)}

        def right(answer: bytes) -> bool:
            return answer == body if self.back else bool(json.loads(answer) == summed)

        return Question(body, right, OCTETS, ("bodies.lua", PATTERN, str(times)))

    def enlist(self, name: str, _scene: Scene, base: Path | None) -> Contender:
        """Return how to start a contender for it.

        Raises CannotInstall.
        """
        command, surroundings = self._command(name, base)
        return Contender(
            name,
            batched=False,
            command=command,
            environment=surroundings,
            question=self.question(),
            bench="bodies",
        )

    def _command(self, name: str, base: Path | None) -> tuple[tuple[str, ...], dict[str, str]]:
        if name in {HEADRACE, BASE}:
            target = f"bodies_headrace.py:{'Back' if self.back else 'Sum'}"
            command, own = headrace(target, source_of(name, base))
            return command, dict(own)
        command = peer(name, "bodies")
        if name == "mosec":
            command = (*command, "--max-request-size", str(ROOM))
        return command, {"BENCH_ERRAND": "back" if self.back else "sum"}


SMALL, LARGE, BACK = Errand(1), Errand(10), Errand(10, back=True)
ERRANDS = (SMALL, LARGE, BACK)
