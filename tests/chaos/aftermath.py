"""What must hold of a storm when it is over, by what its clients saw and the server counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import httpx2

from tests.chaos.reaper import Reaper
from tests.chaos.telling import WAYS, Way
from tests.chaos.visitors import Leave, Log
from tests.e2e.serving import Program

ATTEMPTS_AFTER_KILLS = 3
LEFT = 499


@dataclass(slots=True)
class Aftermath:
    """What is known of a storm; as text, its figures."""

    log: Log
    reaper: Reaper
    memory_mib: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        log, kills = self.log, self.reaper.kills
        refused = sum(count for (_, status), count in log.statuses.items() if status == 503)
        return "\n".join(
            [
                f"{log.statuses.total() + log.left.total()} requests",
                f"answered in full: { {way.name: log.statuses[way.name, 200] for way in WAYS} }",
                f"refused, and asked again: {refused}",
                f"left: {summed((leave.value, n) for (_, leave), n in log.left.items())}",
                f"streams: {summed((end, n) for (_, end), n in log.streams.items())}",
                f"aborted: {summed((torn.ask.way.name, 1) for torn in log.torn)}",
                f"attempts: {dict(log.attempts)}, lost: {len(log.lost)}",
                f"stops: {self.reaper.stops}, kills: {len(kills)}, of these",
                f"  of stopped replicas: {sum(kill.was_stopped for kill in kills)}",
                f"  of others not ready: {sum(kill.state != 'ready' for kill in kills)}",
                f"the longest wait for an answer, in seconds: {log.longest_s}",
                f"the server's own MiB, by the second: {self.memory_mib}",
            ]
        )


def summed(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Add up the counts under each name."""
    sums: Counter[str] = Counter()
    for name, count in counts:
        sums[name] += count
    return dict(sums)


def check_answers(after: Aftermath) -> None:
    """Each is its client's own, and what failed has failed for a kill."""
    log, reaper = after.log, after.reaper
    assert not log.wrong, (len(log.wrong), log.wrong[:10])
    killed = {kill.pid for kill in reaper.kills}
    for torn in log.torn:
        assert torn.pids, f"{torn} was begun without an item"
        assert torn.pids <= killed, f"{torn}, but its replica was not killed"
    for lost in log.lost:
        deaths = reaper.kills_of(lost.ask.way.name, lost.began, lost.ended)
        assert deaths >= ATTEMPTS_AFTER_KILLS, f"{lost} after {deaths} kills"
    assert set(log.attempts) <= set(range(1, ATTEMPTS_AFTER_KILLS + 1))
    for way in WAYS:
        assert log.statuses[way.name, 200] > 10, f"{way.name} had too little to do"


def check_counts(server: Program, after: Aftermath) -> None:
    """The server has counted each request once: as many endings as requests."""
    ended = endings(server)
    for way in WAYS:
        here = ended[way.name]
        stayed = Counter(
            {code: n for (name, code), n in after.log.statuses.items() if name == way.name}
        )
        sure, unsure = seen(after.log, way)
        told = f"{way.name}: by the server {here}, who stayed {stayed}, who left {sure}, {unsure}"
        for code in (stayed | here).keys() - {LEFT}:
            assert 0 <= here[code] - stayed[code] <= sure + unsure, f"{code} of {told}"
        assert 0 <= here.total() - stayed.total() - sure <= unsure, told


def seen(log: Log, way: Way) -> tuple[int, int]:
    """Count the requests of those who left: which the server had in full; which it may have had."""
    sure = log.left[way.name, Leave.POLITELY] + log.left[way.name, Leave.IN_THE_STREAM]
    unsure = log.left[way.name, Leave.IN_THE_BODY] + log.left[way.name, Leave.BEFORE_THE_ANSWER]
    return sure, unsure


def check_starts(server: Program, after: Aftermath, replicas: int) -> None:
    """No replica has died but those that were killed."""
    starts, kills = figures(server, "replica_starts_total"), after.reaper.by_deployment
    for way in WAYS:
        started = starts[f'{{deployment="{way.name}"}}']
        assert started <= replicas + kills[way.name], f"{way.name}: {started}, {kills}"


def figures(server: Program, name: str) -> dict[str, float]:
    """Return a metric's values by their labels."""
    text = httpx2.get(f"{server.url}/-/metrics").text
    found = re.findall(rf"^headrace_{name}({{.*}}) (\S+)$", text, re.MULTILINE)
    assert found, f"there is no metric headrace_{name}"
    return {labels: float(value) for labels, value in found}


def endings(server: Program) -> dict[str, Counter[int]]:
    """Return how many requests of each deployment ended with each status."""
    ended: dict[str, Counter[int]] = {way.name: Counter() for way in WAYS}
    for labels, count in figures(server, "requests_total").items():
        found = re.fullmatch(r'{deployment="([^"]+)",status="(\d+)"}', labels)
        assert found is not None, labels
        ended[found[1]][int(found[2])] = int(count)
    return ended
