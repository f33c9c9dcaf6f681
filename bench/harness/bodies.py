"""Large bodies: how many a second, and whether the memory stays where it is."""

from harness import machine
from harness.duels import Effort, Means, Tell, fight
from harness.errands import BACK, ERRANDS, LARGE
from harness.results import BodiesResults, Duel, Meeting, Scene
from harness.weighing import REQUESTS, curve

PEERS = ("mosec", "litserve")
FEW, LONE = Scene(4, batched=False), Scene(1, batched=False)
SCENES = (FEW, LONE)
QUICK_ERRANDS = (LARGE, BACK)


def measure(
    names: tuple[str, ...], effort: Effort, tell: Tell, requests: int = REQUESTS
) -> BodiesResults:
    """Fight the duels of every errand, then watch everybody's memory."""
    found = BodiesResults(machine.describe(PEERS), effort.seconds)
    one, *others = names
    for errand in ERRANDS:
        for duel in [Duel(scene, one, other) for scene in SCENES for other in others]:
            tell(f"{errand.title}, {duel.scene.connections} at a time: {one} against {duel.other}")
            fought = fight(duel, effort, tell, Means(errand.enlist))
            found.meetings.append(Meeting(errand.title, fought))
    tell(f"memory over {requests:,} bodies of 10 MB, in and out")
    found.curves.extend(curve(name, effort, tell, requests) for name in names)
    return found


def quick(names: tuple[str, ...], effort: Effort, tell: Tell) -> list[tuple[str, Duel]]:
    """Fight the first rival over the large errands, 4 at a time."""
    one, other = names[:2]
    duels = []
    for errand in QUICK_ERRANDS:
        duel = fight(Duel(FEW, one, other), effort, tell, Means(errand.enlist))
        duels.append((errand.title, duel))
    return duels
