"""Measure Headrace and its peers side by side; see bench/README.md."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import handle
import plain
from harness.benches import BENCHES
from harness.contenders import NAMES
from harness.load import NoWrk
from harness.orders import Orders, source_in
from harness.serving import LeftBehind, sweep

ALL = "all"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for; return 0, or 1 when nothing could be measured."""
    asked = _parse(arguments)
    signal.signal(signal.SIGTERM, _stopped)
    try:
        return 0 if _done(asked) else 1
    except KeyboardInterrupt:
        print("interrupted; everything started here has been ended", file=sys.stderr)
        return 130
    except (NoWrk, LeftBehind, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        sweep()


def _done(asked: argparse.Namespace) -> bool:
    if asked.bench == plain.NAME:
        seconds, pairs = (1, 3) if asked.quick else (3, 5)
        return plain.measured(asked.seconds or seconds, asked.pairs or pairs)
    if asked.bench == handle.NAME:
        return handle.measured()
    benches = [bench for bench in BENCHES if asked.bench in {ALL, bench.name}]
    if asked.report:
        for bench in benches:
            bench.publish()
        return True
    base = source_in(asked.base)
    orders = Orders(asked.seconds, asked.pairs, asked.only, base, asked.idle)
    act = "in_brief" if asked.quick else "in_full"
    measured = [getattr(bench, act)(orders) for bench in benches]  # every one, whatever came first
    return any(measured)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "bench",
        nargs="?",
        default=ALL,
        choices=[*(bench.name for bench in BENCHES), handle.NAME, plain.NAME, ALL],
        help="which one (all)",
    )
    parser.add_argument("--seconds", type=int, help="length of a run (3; quick: 1)")
    parser.add_argument(
        "--pairs", type=int, help="pairs of runs in a comparison (7, bodies 5; quick: 3)"
    )
    parser.add_argument(
        "--only", metavar="A,B", help=f"A against B and no others, of {', '.join(NAMES)}"
    )
    parser.add_argument(
        "--base", type=Path, metavar="PATH", help="compare with another checkout of Headrace"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one rival, a line or two each, nothing kept"
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


def _stopped(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
