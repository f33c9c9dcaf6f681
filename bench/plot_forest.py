"""Draw bench/results/forest.json: requests a second, median alone, how large the batches were.

Runs in the environment that has matplotlib: `plot_forest.py RESULTS.json OUT.svg`.
"""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

from plot import OURS, THEIRS, TITLES, bars, sheet


def batches(results: dict[str, Any]) -> dict[str, float]:
    """Return each server's mean batch of 64 clients, the median of its runs."""
    runs: dict[str, list[float]] = {}
    for each in results["insides"]:
        if each["calls"]:
            runs.setdefault(each["name"], []).append(each["items"] / each["calls"])
    return {name: median(means) for name, means in runs.items()}


def draw(results: dict[str, Any], out: Path) -> None:
    """Draw the three panels."""
    figure, row = sheet(1, 3, (8, 1.7))
    panels = (
        ("requests/s, 64 clients", bars(results, 64, batched=True), "{:,.0f}"),
        ("median ms, 1 client", bars(results, 1, batched=True), "{:,.1f}"),
        ("mean batch, 64 clients", batches(results), "{:,.1f}"),
    )
    for axes, (title, found, form) in zip(row, panels, strict=True):
        colours = [OURS if name in {"headrace", "base"} else THEIRS for name in found]
        drawn = axes.barh([TITLES[name] for name in found], list(found.values()), color=colours)
        axes.bar_label(drawn, fmt=form, padding=3)
        axes.set_title(title, loc="left", fontweight="bold")
        axes.invert_yaxis()
        axes.margins(x=0.25)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(bottom=False, labelbottom=False, left=False)
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
