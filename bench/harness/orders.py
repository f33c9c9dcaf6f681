"""What the command line asks of a bench."""

import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness.contenders import BASE, HEADRACE, NAMES
from harness.duels import Effort
from harness.results import Duel, p50_ms, p99_ms, rate, worker_us

QUICK = Effort(seconds=1, pairs=3)


@dataclass(frozen=True, slots=True)
class Orders:
    """How long, how often, who; nothing said is the bench's own choice."""

    seconds: int | None = None
    pairs: int | None = None
    only: str | None = None
    base: Path | None = None
    idle_s: float = 10.0

    def effort(self, usual: Effort) -> Effort:
        """Return what was asked for, else what is usual."""
        return Effort(self.seconds or usual.seconds, self.pairs or usual.pairs, self.base)

    def names(self, peers: tuple[str, ...]) -> tuple[str, ...]:
        """Return who takes part in a bench of these peers: fewer than two is nobody.

        Raises ValueError when somebody is asked for who is in no bench.
        """
        asked = (
            self.only.split(",") if self.only else [HEADRACE, *((BASE,) if self.base else peers)]
        )
        if strangers := set(asked) - set(NAMES):
            raise ValueError(
                f"no contender is called {', '.join(strangers)!r}; there are {', '.join(NAMES)}"
            )
        return tuple(name for name in asked if name in {HEADRACE, BASE, *peers})

    @property
    def whole(self) -> bool:
        """Say whether the figures are for the page: everybody, and no other checkout."""
        return not self.only and not self.base


def source_in(base: Path | None) -> Path | None:
    """Return the source folder of another checkout.

    Raises ValueError when it holds no headrace package.
    """
    if base is None:
        return None
    for folder in (base.resolve() / "src", base.resolve()):
        if (folder / "headrace").is_dir():
            return folder
    raise ValueError(f"{base} holds no headrace package")


def line(duel: Duel) -> str | None:
    """Return a duel in one line; None when nothing was measured."""
    both, ratios = duel.medians(rate), duel.ratios(rate)
    if both is None or not ratios:
        return None
    p50, p99, cpu = (duel.ratio(figure) for figure in (p50_ms, p99_ms, worker_us))
    costs = f"p50 {p50 or 0:.2f}x  p99 {p99 or 0:.2f}x  worker CPU {cpu or 0:.2f}x"
    faults = f"  INVALID: {duel.faults} failed requests" if duel.faults else ""
    spread = f" ({min(ratios):.2f}-{max(ratios):.2f})"
    rates = f"{duel.one} {both[0]:,.0f}/s : {duel.other} {both[1]:,.0f}/s"
    return f"{rates} = {median(ratios):.3f}x{spread}  {costs}{faults}"


def say(text: str) -> None:
    """Tell the one who waits."""
    print(text, file=sys.stderr, flush=True)


def whisper(text: str) -> None:
    """Tell only what went wrong."""
    if "skipped" in text or "INVALID" in text:
        say(text.strip())
