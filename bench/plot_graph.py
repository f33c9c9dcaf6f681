"""Draw bench/results/graph.json: requests a second of 64 connections, the median of one.

Runs in the environment that has matplotlib: `plot_graph.py RESULTS.json OUT.svg`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from plot import OURS, THEIRS, TITLES, bars, sheet

OWN = {"headrace", "handler"}


def draw(results: dict[str, Any], out: Path) -> None:
    """Draw both panels."""
    figure, row = sheet(1, 2, (8, 1.9))
    panels = (
        ("requests/s, 64 connections", bars(results, 64, batched=False), "{:,.0f}"),
        ("median ms, 1 connection", bars(results, 1, batched=False), "{:,.2f}"),
    )
    for axes, (title, found, form) in zip(row, panels, strict=True):
        names = sorted(found, key=list(TITLES).index)
        colours = [OURS if name in OWN else THEIRS for name in names]
        drawn = axes.barh(
            [TITLES[name] for name in names], [found[name] for name in names], color=colours
        )
        axes.bar_label(drawn, fmt=form, padding=3)
        axes.set_title(title, loc="left", fontweight="bold")
        axes.invert_yaxis()
        axes.margins(x=0.25)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(bottom=False, labelbottom=False, left=False)
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
