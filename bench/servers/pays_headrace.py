"""Three models that pay for batches each in its own way, with no option that says so.

`BENCH_CALLS` names a file to which each call adds two numbers: its items, its seconds inside.
"""

# mypy: disable-error-code="import-not-found, no-any-return"

import os
import struct
from time import perf_counter

import numpy as np
from forest_model import Forest
from numpy.typing import NDArray

import headrace as hr
from headrace.demo.classify import Classify, Pixels

CALL = struct.Struct("dd")


class Calls:
    """Writes down what each call took."""

    def __init__(self) -> None:
        """Begin the file anew."""
        name = os.environ.get("BENCH_CALLS", os.devnull)
        self._fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def add(self, items: int, began: float) -> None:
        """Add a call that ends now."""
        os.write(self._fd, CALL.pack(items, perf_counter() - began))


class Digits(hr.Model):
    """Tell handwritten digits apart: a call costs much, an item little."""

    def setup(self) -> None:
        """Grow the forest."""
        self.forest, self.calls = Forest(), Calls()

    def predict_batch(self, images: list[list[float]]) -> list[dict[str, float]]:
        """Tell each image's digit."""
        began = perf_counter()
        told = self.forest.tell(images)
        self.calls.add(len(images), began)
        return told


@hr.deployment  # from the defaults again, in place of the demo's
class Photos(Classify):
    """What is in this photo? One item keeps a core as busy as it can be."""

    def setup(self) -> None:
        """Load the network."""
        super().setup()
        self.calls = Calls()

    def predict_batch(self, images: list[Pixels]) -> Pixels:
        """Give the probabilities of every class for every image."""
        began = perf_counter()
        told = super().predict_batch(images)
        self.calls.add(len(images), began)
        return told


@hr.deployment(batch_latency_target_s=0.05)
class Meanings(hr.Model):
    """What does a sentence mean? Batches pay a little, and soon take longer than is wanted."""

    def setup(self) -> None:
        """Load the network."""
        from sentences import Sentences

        self.sentences, self.calls = Sentences(), Calls()

    def predict_batch(self, sentences: list[str]) -> NDArray[np.float32]:
        """Give a row of 384 numbers for each."""
        began = perf_counter()
        told = self.sentences.embed(sentences)
        self.calls.add(len(sentences), began)
        return told


@hr.deployment(max_batch_size=1)
class DigitsSingly(Digits):
    """The same, one request a call."""


@hr.deployment(max_batch_size=1)
class PhotosSingly(Photos):
    """The same, one request a call."""


@hr.deployment(max_batch_size=1)
class MeaningsSingly(Meanings):
    """The same, one request a call."""
