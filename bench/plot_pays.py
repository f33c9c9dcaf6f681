"""Draw bench/results/pays.json: what batches gain for each model, and how large they were.

Runs in the environment that has matplotlib: `plot_pays.py RESULTS.json OUT.svg`.
"""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

from plot import OURS, THEIRS, sheet

OWN = "headrace"


def figures(results: dict[str, Any], name: str, figure: str) -> dict[str, float]:
    """Return a figure of each model in one server, the median of its runs."""
    runs: dict[str, list[float]] = {}
    for look in results["looks"]:
        if look["name"] == name:
            runs.setdefault(look["model"], []).append(look[figure])
    return {model: median(each) for model, each in runs.items()}


def gains(results: dict[str, Any]) -> dict[str, float]:
    """Return what each model gains by its batches: its rate against one request a call."""
    singly = figures(results, "singly", "rate")
    return {model: rate / singly[model] for model, rate in figures(results, OWN, "rate").items()}


def draw(results: dict[str, Any], out: Path) -> None:
    """Draw the three panels."""
    figure, row = sheet(1, 3, (8, 1.5), sharey=True)
    panels = (
        ("requests/s, against one a call", gains(results), "{:,.2f}x"),
        ("requests in a call, mean", figures(results, OWN, "mean_batch"), "{:,.1f}"),
        ("ms a call, p95", figures(results, OWN, "call_p95_ms"), "{:,.1f}"),
    )
    for axes, (title, found, form) in zip(row, panels, strict=True):
        drawn = axes.barh(list(found), list(found.values()), color=OURS)
        axes.bar_label(drawn, fmt=form, padding=3)
        axes.set_title(title, loc="left", fontweight="bold")
        axes.margins(x=0.3)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(bottom=False, labelbottom=False, left=False)
    row[0].axvline(1, color=THEIRS, linewidth=0.8)
    row[0].invert_yaxis()
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
