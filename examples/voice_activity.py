"""Who speaks when, told while they speak: a WebSocket that takes sound and sends moments.

    pip install --no-deps silero-vad==6.2.3    # its model alone, and not PyTorch
    python examples/voice_activity.py

Send 16-bit samples at 16 kHz as binary messages of any length, to ws://127.0.0.1:8000/listen:

    {"voice": "begins", "at_s": 1.024}
    {"voice": "ends", "at_s": 3.04}

Each session keeps its own memory of what it has heard, in the replica that it is connected to;
another session may be in another one. Needs FastAPI, numpy and onnxruntime too.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from numpy.typing import NDArray

import headrace as hr

RATE, STEP, BEFORE = 16_000, 512, 64  # samples: a second, a step of the network, what it sees again
BEGINS, ENDS = 0.5, 0.35  # chances of a voice: two, so that a word is not chopped
SILENCE_STEPS = 6  # some 0.2 s without a voice, and it has ended

app = FastAPI()


class Session:
    """One voice: what the network remembers of it, and what is not yet a whole step."""

    def __init__(self, network: onnxruntime.InferenceSession) -> None:
        self.network = network
        self.state = np.zeros((2, 1, 128), np.float32)
        self.seen = np.zeros((1, BEFORE), np.float32)
        self.rest = b""
        self.steps = self.silent = 0
        self.speaks = False

    def hear(self, sound: bytes) -> Iterator[dict[str, str | float]]:
        """Take some sound; tell each moment at which a voice begins or ends."""
        sound = self.rest + sound
        whole = len(sound) // (2 * STEP) * 2 * STEP
        self.rest = sound[whole:]
        for step in np.frombuffer(sound[:whole], "<i2").reshape(-1, 1, STEP):
            self.steps += 1
            chance = self.chance(step.astype(np.float32) / 32768)
            self.silent = 0 if chance >= ENDS else self.silent + 1
            if self.speaks and self.silent == SILENCE_STEPS:
                yield self.moment("ends", steps_ago=self.silent)
            elif not self.speaks and chance >= BEGINS:
                yield self.moment("begins", steps_ago=1)

    def moment(self, what: str, *, steps_ago: int) -> dict[str, str | float]:
        """Note that a voice began or ended, and say when."""
        self.speaks = what == "begins"
        return {"voice": what, "at_s": round((self.steps - steps_ago) * STEP / RATE, 3)}

    def chance(self, step: NDArray[np.float32]) -> float:
        """Tell how likely there is a voice in these samples."""
        heard = np.concatenate([self.seen, step], axis=1)
        told, self.state = self.network.run(
            None, {"input": heard, "state": self.state, "sr": np.array(RATE, np.int64)}
        )
        self.seen = heard[:, -BEFORE:]
        return float(told[0, 0])


@hr.deployment(replicas=2)
@hr.ingress(app)
class Voices:
    """Listens to many at once: a step of 32 ms of sound takes 0.2 ms."""

    def __init__(self) -> None:
        found = find_spec("silero_vad")  # found, and not imported: that would need PyTorch
        if found is None or not found.submodule_search_locations:
            raise RuntimeError("pip install --no-deps silero-vad==6.2.3")
        path = Path(found.submodule_search_locations[0]) / "data" / "silero_vad.onnx"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.network = onnxruntime.InferenceSession(str(path), options)

    @app.websocket("/listen")
    async def listen(self, socket: WebSocket) -> None:
        """Listen until the client leaves."""
        await socket.accept()
        session = Session(self.network)
        try:
            while True:
                for moment in session.hear(await socket.receive_bytes()):
                    await socket.send_json(moment)
        except WebSocketDisconnect:
            print(f"heard {session.steps * STEP / RATE:.1f} s", flush=True)


server = hr.Server(Voices)

if __name__ == "__main__":
    server.run()
