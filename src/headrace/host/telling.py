"""How a server is, as a table for people: applications, their deployments, their replicas, why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Told = Mapping[str, Any]
Row = tuple[str, str, str, str, str]
HEAD: Row = ("WHAT", "STATE", "REPLICAS", "REQUESTS", "WHY")


def table(told: Told) -> str:
    """Return what /-/health tells, a line for each thing there is."""
    rows = list(_rows(told))
    lines = [f"server: {told.get('status', 'unknown')}"]
    if rows:
        widths = [max(len(row[at]) for row in (HEAD, *rows)) for at in range(len(HEAD))]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (HEAD, *rows)
        ]
    return "\n".join(lines)


def _rows(told: Told) -> Iterator[Row]:
    deployments: Told = told.get("deployments", {})
    shown = set()
    for name, application in told.get("applications", {}).items():
        place = application.get("route_prefix")
        yield (
            f"{name} at {place}" if place else name,
            application["state"],
            "",
            "",
            _why_application(application),
        )
        for label in application.get("deployments", ()):
            shown.add(label)
            if label in deployments:
                yield from _deployment(label, deployments[label])
    for label, deployment in deployments.items():
        if label not in shown:
            yield from _deployment(label, deployment)


def _why_application(application: Told) -> str:
    words = []
    if coming := application.get("coming"):
        waits = ", ".join(coming["loading"])
        words.append(f"generation {coming['generation']} is coming{waits and f': loads {waits}'}")
    if fault := application.get("last_deploy_failed"):
        words.append(f"the last deploy failed: {_line(fault)}")
    return "; ".join(words)


def _deployment(label: str, told: Told) -> Iterator[Row]:
    replicas: list[Told] = told.get("replicas", [])
    ready = sum(replica["state"] == "ready" for replica in replicas)
    yield (
        f"  {label}",
        told["state"],
        f"{ready} of {told.get('replicas_wanted', len(replicas))}",
        f"{told.get('queued', 0)} wait",
        _line(told.get("why") or ""),
    )
    yield from map(_replica, replicas)
    for other in told.get("beside", ()):
        yield (
            f"  {other['deployment']}", other["state"], "", f"{other['requests']} under way", ""
        )  # fmt: skip
        yield from map(_replica, other["replicas"])


def _replica(told: Told) -> Row:
    loading = told.get("loading")
    far = f"{loading['what']}: {loading['done']:g} of {loading['total']:g}" if loading else ""
    pid = f"pid {told['pid']}" if told.get("pid") else ""
    return (f"    {told['name']}", told["state"], pid, f"{told['running']} run", far.strip(": "))


def _line(words: str) -> str:
    return words.strip().partition("\n")[0]
