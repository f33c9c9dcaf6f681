"""Measure Headrace and its peers side by side; see bench/README.md."""

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from types import FrameType

from harness import machine, report, results, venvs
from harness.contenders import BATCHING, BENCH, NAMES
from harness.duels import SCENES, Effort, fight, names_of, programme
from harness.load import NoWrk
from harness.results import Results, p50_ms, p99_ms, rate, worker_us
from harness.serving import LeftBehind, sweep
from harness.standing import weigh

PAGE, KEPT, LATEST = (
    BENCH / "README.md",
    BENCH / "results" / "echo.json",
    BENCH / "results" / "latest.json",
)
PLOT = "results/echo.svg"
QUICK = Effort(seconds=1, pairs=3)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for; return 0, or 1 when nothing could be measured."""
    asked = _parse(arguments)
    signal.signal(signal.SIGTERM, _stopped)
    try:
        if asked.report:
            _publish(results.load(KEPT))
            return 0
        return _quick(asked) if asked.quick else _full(asked)
    except KeyboardInterrupt:
        print("interrupted; everything started here has been ended", file=sys.stderr)
        return 130
    except (NoWrk, LeftBehind, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        sweep()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, help="length of a run (3; quick: 1)")
    parser.add_argument("--pairs", type=int, help="pairs of runs in a comparison (7; quick: 3)")
    parser.add_argument(
        "--only", metavar="A,B", help=f"A against B and no others, of {', '.join(NAMES)}"
    )
    parser.add_argument(
        "--base", type=Path, metavar="PATH", help="compare with another checkout of Headrace"
    )
    parser.add_argument(
        "--quick", action="store_true", help="64 connections unbatched, one line, nothing kept"
    )
    parser.add_argument(
        "--idle", type=float, default=10.0, metavar="SECONDS", help="how long to watch it idle (10)"
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="measure nothing, write the page from the kept results",
    )
    return parser.parse_args(arguments)


def _effort(asked: argparse.Namespace, usual: Effort) -> Effort:
    base = asked.base.resolve() if asked.base else None
    if base and (base / "src" / "headrace").is_dir():
        base = base / "src"
    if base and not (base / "headrace").is_dir():
        raise ValueError(f"{asked.base} holds no headrace package")
    return Effort(asked.seconds or usual.seconds, asked.pairs or usual.pairs, base)


def _quick(asked: argparse.Namespace) -> int:
    effort = _effort(asked, QUICK)
    names = names_of(asked.only or (None if effort.base else "headrace,uvicorn"), effort.base)
    measured = 0
    for empty in programme(names, SCENES[:1]):
        duel = fight(empty, effort, _whisper)
        both, ratios = duel.medians(rate), duel.ratios(rate)
        if both is None or not ratios:
            continue
        measured += 1
        p50, p99, cpu = (duel.ratio(figure) for figure in (p50_ms, p99_ms, worker_us))
        costs = f"p50 {p50 or 0:.2f}x  p99 {p99 or 0:.2f}x  worker CPU {cpu or 0:.2f}x"
        faults = f"  INVALID: {duel.faults} failed requests" if duel.faults else ""
        spread = f" ({min(ratios):.2f}-{max(ratios):.2f})"
        rates = f"{duel.one} {both[0]:,.0f}/s : {duel.other} {both[1]:,.0f}/s"
        print(f"{rates} = {median(ratios):.3f}x{spread}  {costs}{faults}")
    return 0 if measured else 1


def _full(asked: argparse.Namespace) -> int:
    effort = _effort(asked, Effort())
    names = names_of(asked.only, effort.base)
    found = Results(machine.describe(), effort.seconds)
    duels = programme(names)
    for number, empty in enumerate(duels, 1):
        _say(f"[{number}/{len(duels)}] {empty.scene.title}: {empty.one} against {empty.other}")
        found.duels.append(fight(empty, effort, _say))
    _say("standing costs")
    for batched in (False, True):
        for name in (each for each in names if not batched or each in BATCHING):
            found.standings.append(weigh(name, effort, _say, batched=batched, idle_s=asked.idle))
    print(report.render(found))
    whole = not asked.only and not effort.base
    results.save(found, KEPT if whole else LATEST)
    if whole:
        _publish(found)
    return 0 if any(duel.pairs for duel in found.duels) else 1


def _publish(found: Results) -> None:
    plotted = any(duel.pairs for duel in found.duels)
    if plotted:
        try:
            command = [
                str(venvs.ensure("plot")),
                str(BENCH / "plot.py"),
                str(KEPT),
                str(BENCH / PLOT),
            ]
            subprocess.run(command, check=True)
        except (venvs.CannotInstall, subprocess.CalledProcessError) as error:
            _say(f"no plot: {error}")
            plotted = False
    report.replace_results(PAGE, found, PLOT if plotted else None)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _whisper(text: str) -> None:
    if "skipped" in text or "INVALID" in text:
        _say(text.strip())


def _stopped(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
