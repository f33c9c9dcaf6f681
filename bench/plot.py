"""Draw bench/results/echo.json as bars: requests a second, median latency alone.

Runs in the environment that has matplotlib: `plot.py RESULTS.json OUT.svg`.
"""

# mypy: disable-error-code="import-not-found"

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

TITLES = {
    "headrace": "Headrace",
    "handler": "Headrace,\na handler in front",
    "base": "Headrace (base)",
    "mosec": "mosec",
    "litserve": "LitServe",
    "ray": "Ray Serve",
    "ray-tuned": "Ray Serve,\nthroughput mode",
    "fastapi": "FastAPI\n(in-process)",
    "uvicorn": "bare uvicorn\n(no model process)",
}
OURS, THEIRS, REFERENCE = "#0b6e99", "#9aa5ad", "#d5dadd"
PANELS = (
    ("requests/s, 64 connections", 64, False),
    ("requests/s, 64 connections, batched", 64, True),
    ("median ms, 1 connection", 1, False),
    ("median ms, 1 connection, batched", 1, True),
)


def bars(results: dict[str, Any], connections: int, *, batched: bool) -> dict[str, float]:
    """Return each server's median over all its valid runs in this scene."""
    runs: dict[str, list[float]] = {}
    for duel in results["duels"]:
        if duel["scene"] != {"connections": connections, "batched": batched}:
            continue
        for pair in duel["pairs"]:
            for name, load in zip((duel["one"], duel["other"]), pair, strict=True):
                if load["requests"] and not load["refused"] + load["broken"]:
                    figure = (
                        load["p50_ms"] if connections == 1 else load["requests"] / load["seconds"]
                    )
                    runs.setdefault(name, []).append(figure)
    return {name: median(figures) for name, figures in runs.items()}


def colour(name: str) -> str:
    """Return ours, a peer's, or that of a server without a model process."""
    if name in {"headrace", "base"}:
        return OURS
    return REFERENCE if name in {"fastapi", "uvicorn"} else THEIRS


def sheet(rows: int, columns: int, size: tuple[float, float], **more: Any) -> Any:
    """Return an empty figure with its panels, in the house's type; the same every time."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "headrace", "font.size": 8})
    return plt.subplots(rows, columns, figsize=size, layout="constrained", **more)


def draw(results: dict[str, Any], out: Path) -> None:
    """Draw the four panels."""
    figure, grid = sheet(2, 2, (8, 4.6), height_ratios=(5, 5))
    for axes, (title, connections, batched) in zip(grid.flat, PANELS, strict=True):
        found = bars(results, connections, batched=batched)
        names = list(found)
        drawn = axes.barh(
            [TITLES[name] for name in names], list(found.values()), color=[*map(colour, names)]
        )
        axes.bar_label(drawn, fmt="{:,.2f}" if connections == 1 else "{:,.0f}", padding=3)
        axes.set_title(title, loc="left", fontweight="bold")
        axes.invert_yaxis()
        axes.margins(x=0.18)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(bottom=False, labelbottom=False, left=False)
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
