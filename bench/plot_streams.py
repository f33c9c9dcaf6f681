"""Draw bench/results/streams.json: items a second, milliseconds to the first item.

Runs in the environment that has matplotlib: `plot_streams.py RESULTS.json OUT.svg`.
"""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

from plot import OURS, THEIRS, TITLES, bars, sheet

ITEMS = 200


def firsts(results: dict[str, Any]) -> dict[str, float]:
    """Return each server's median to the first item."""
    return {
        each["name"]: median(each["firsts_ms"]) for each in results["firsts"] if each["firsts_ms"]
    }


def draw(results: dict[str, Any], out: Path) -> None:
    """Draw both panels."""
    rates = {name: rate * ITEMS for name, rate in bars(results, 64, batched=False).items()}
    figure, row = sheet(1, 2, (8, 1.3))
    panels = (
        ("items/s, 64 streams at a time", rates, "{:,.0f}"),
        ("ms to the first item, 1 client", firsts(results), "{:,.2f}"),
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
