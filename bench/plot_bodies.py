"""Draw bench/results/bodies.json: large bodies a second, the worker's memory over a thousand.

Runs in the environment that has matplotlib: `plot_bodies.py RESULTS.json OUT.svg`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from plot import OURS, THEIRS, TITLES, bars, sheet

LINES = {"headrace": "-", "base": "-.", "mosec": "--", "litserve": ":"}


def rates(results: dict[str, Any], errand: str) -> dict[str, float]:
    """Return each server's median rate over one errand, 4 at a time."""
    duels = [each["duel"] for each in results["meetings"] if each["errand"] == errand]
    return bars({"duels": duels}, 4, batched=False)


def draw(results: dict[str, Any], out: Path) -> None:
    """Draw a panel for each errand, and one for the memory."""
    errands = list(dict.fromkeys(each["errand"] for each in results["meetings"]))
    figure, grid = sheet(2, 2, (8, 4))
    for axes, errand in zip(grid.flat, errands, strict=False):
        found = rates(results, errand)
        colours = [OURS if name in {"headrace", "base"} else THEIRS for name in found]
        drawn = axes.barh([TITLES[name] for name in found], list(found.values()), color=colours)
        axes.bar_label(drawn, fmt="{:,.0f}", padding=3)
        axes.set_title(f"requests/s, {errand}, 4 at a time", loc="left", fontweight="bold")
        axes.invert_yaxis()
        axes.margins(x=0.18)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(bottom=False, labelbottom=False, left=False)
    remember(grid.flat[-1], results["curves"])
    figure.savefig(out, metadata={"Date": None})


def remember(axes: Any, curves: list[dict[str, Any]]) -> None:
    """Draw the memory of each worker, request by request."""
    for curve in curves:
        name, weights = curve["name"], curve["weights"]
        axes.plot(
            [each["requests"] for each in weights],
            [each["worker_pss_mb"] for each in weights],
            LINES[name],
            color=OURS if name in {"headrace", "base"} else THEIRS,
            label=TITLES[name],
        )
    axes.set_title("worker MB over 10 MB in and out", loc="left", fontweight="bold")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
