"""Batching that pays: three models, none told how large its calls should be."""

import json
import math
import os
import struct
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

from harness import digits, machine, venvs
from harness.contenders import BASE, SINGLY, Contender, headrace, source_of
from harness.duels import Effort, Means, Run, Tell, fight
from harness.forest import ONE_THREAD
from harness.load import Load
from harness.questions import JSON, Question
from harness.results import Duel, Look, Meeting, PaysResults, Scene
from harness.serving import HOST, LOGS, Server, Unavailable

PEERS = (SINGLY,)
JPEG = "image/jpeg"
SIDE = 256  # pixels of the photo: what the network takes, and a rim
CALL = struct.Struct("dd")  # items, seconds: as servers/pays_headrace.py writes them
DIMENSIONS = 384


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, and how many clients want it."""

    title: str
    target: str
    clients: int
    question: Callable[[], Question]

    @property
    def scene(self) -> Scene:
        """How it is loaded."""
        return Scene(self.clients, batched=True)

    def enlist(self, name: str, _scene: Scene, base: Path | None) -> Contender:
        """Return how to start it: as it comes, or told to run one request a call.

        Raises CannotInstall.
        """
        target = f"{self.target}{'Singly' if name == SINGLY else ''}"
        source = source_of(name, base if name == BASE else None)
        command, own = headrace(f"pays_headrace.py:{target}", source)
        venvs.ensure("sentences")
        borrowed = os.pathsep.join([own["PYTHONPATH"], str(venvs.packages_of("sentences"))])
        surroundings = {"PYTHONPATH": borrowed, "BENCH_CALLS": str(calls_of(name))}
        return Contender(
            name,
            batched=True,
            command=command,
            environment={**ONE_THREAD, **surroundings},
            question=self.question(),
            bench=f"pays-{self.target.lower()}",
        )


@cache
def photo() -> Question:
    """Return a cup of espresso as a question."""
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable("scikit-image is missing, whose coffee.png is the photo")
    from PIL import Image

    LOGS.mkdir(exist_ok=True)
    path, whole = LOGS / "photo.jpg", BytesIO()
    with Image.open(Path(spec.submodule_search_locations[0]) / "data" / "coffee.png") as image:
        image.convert("RGB").resize((SIDE, SIDE)).save(whole, "JPEG", quality=90)
    path.write_bytes(whole.getvalue())

    def right(answer: bytes) -> bool:
        return bool(json.loads(answer)[0]["label"] == "espresso")

    return Question(whole.getvalue(), right, JPEG, ("photo.lua", str(path)))


@cache
def sentence() -> Question:
    """Return a sentence as a question, and many of them for wrk."""
    who = ("The old fox", "A young farmer", "My sister", "The last train", "Nobody here")
    what = ("slept", "waited", "was seen", "stayed", "came to rest")
    where = ("under the apple tree", "behind the white house", "beside the quiet river")
    when = ("until the rain had stopped", "on the first day of spring", "long after midnight")
    bodies = [f'"{a} {b} {c} {d}."' for a in who for b in what for c in where for d in when]
    LOGS.mkdir(exist_ok=True)
    path = LOGS / "sentences.txt"
    path.write_text("".join(f"{body}\n" for body in bodies))

    def right(answer: bytes) -> bool:
        numbers = json.loads(answer)
        return len(numbers) == DIMENSIONS and math.isclose(math.hypot(*numbers), 1, rel_tol=1e-3)

    return Question(bodies[0].encode(), right, JSON, ("forest.lua", str(path)))


FOREST = Subject("random forest", "Digits", 32, digits.question)
PHOTOS = Subject("EfficientNet", "Photos", 32, photo)
MEANINGS = Subject("MiniLM, target 50 ms", "Meanings", 8, sentence)
SUBJECTS = (FOREST, PHOTOS, MEANINGS)


def measure(names: tuple[str, ...], effort: Effort, tell: Tell) -> PaysResults:
    """Load each model as it comes and told to run one request a call, in turn."""
    found = PaysResults(machine.describe(()), effort.seconds)
    one, *others = names
    for subject in SUBJECTS:
        for other in others:
            tell(f"{subject.title}, {subject.clients} clients: {one} against {other}")
            duel, looks = _watched(subject, one, other, effort, tell)
            found.meetings.append(Meeting(subject.title, duel))
            found.looks.extend(looks)
    return found


def quick(names: tuple[str, ...], effort: Effort, tell: Tell) -> list[tuple[str, Duel]]:
    """Load each model briefly; say in the title how large its calls became."""
    told = []
    for subject in SUBJECTS:
        duel, looks = _watched(subject, names[0], names[1], effort, tell)
        last = [look for look in looks if look.name == names[0]][-1:]
        sizes = [f", calls of up to {look.size}, mean {look.mean_batch:.1f}" for look in last]
        told.append((f"{subject.title}{''.join(sizes)}", duel))
    return told


def calls_of(name: str) -> Path:
    """Return the file in which this contender's model writes down its calls."""
    return LOGS / f"pays-{name}.calls"


def _watched(
    subject: Subject, one: str, other: str, effort: Effort, tell: Tell
) -> tuple[Duel, list[Look]]:
    looks: list[Look] = []

    def watch(server: Server, _scene: Scene, run: Run) -> Load:
        load, look = looked_at(subject, server, run)
        looks.append(look)
        return load

    empty = Duel(subject.scene, one, other)
    return fight(empty, effort, tell, Means(subject.enlist, watch)), looks


def looked_at(subject: Subject, server: Server, run: Run) -> tuple[Load, Look]:
    """Do the run; return what the server said of it, and how long its calls were."""
    calls = calls_of(server.contender.name)
    before, written = said_by(server), calls.stat().st_size
    load = run()
    after = said_by(server)
    times_s = sorted(seconds for _, seconds in CALL.iter_unpack(calls.read_bytes()[written:]))
    batching = after["batching"] or {}
    count = after["calls"] - before["calls"]
    requests = after["requests"] - before["requests"]
    return load, Look(
        model=subject.title,
        name=server.contender.name,
        size=batching.get("size", 1),
        fixed_ms=batching.get("fixed_s", 0.0) * 1e3,
        item_ms=batching.get("per_item_s", 0.0) * 1e3,
        mean_batch=requests / count if count else 0.0,
        call_p50_ms=_at(times_s, 0.5) * 1e3,
        call_p95_ms=_at(times_s, 0.95) * 1e3,
        rate=load.rate,
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
    )


def said_by(server: Server) -> dict[str, Any]:
    """Return what a server says of its one deployment.

    Raises Unavailable.
    """
    url = f"http://{HOST}:{server.port}/-/info"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            (deployment,) = json.load(answer)["deployments"].values()
    except (OSError, KeyError, ValueError) as error:
        raise Unavailable(f"{url} said nothing of use: {error}") from error
    return dict(deployment)


def _at(times_s: list[float], share: float) -> float:
    return times_s[min(int(len(times_s) * share), len(times_s) - 1)] if times_s else 0.0
