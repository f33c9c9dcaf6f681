"""Embed ten thousand sentences: one request, whose work goes on when its connection has ended.

    headrace serve examples/embedding_jobs.py
    python examples/embedding_jobs.py http://127.0.0.1:8000 10000 &   # submits, and follows
    headrace jobs list
    headrace jobs wait JOB                                            # a bar that moves

The sentences are embedded by MiniLM where bench/servers/sentences.py and its packages can be
imported, else by hashed words and a random projection, which needs numpy alone.
"""

from __future__ import annotations

import io
import itertools
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

import headrace as hr

Vectors = NDArray[np.float32]
SIZE, AT_ONCE, BUCKETS = 384, 32, 1 << 12
WHO = ("The baker", "A sailor", "My neighbour", "The night train", "An old clock", "The committee")
DOES = ("finds", "remembers", "repairs", "describes", "avoids", "photographs", "buys", "waits for")
WHAT = (
    "a red kite",
    "the harbour",
    "two violins",
    "last winter",
    "the missing page",
    "fresh bread",
)


def by_hashed_words() -> Callable[[list[str]], Vectors]:
    """Return an embedding that needs no training: near are those that share words."""
    projection = np.random.default_rng(7).normal(size=(BUCKETS, SIZE)).astype(np.float32)

    def embed_one(sentence: str) -> Vectors:
        words = sentence.lower().split()
        parts = [*words, *map(" ".join, itertools.pairwise(words))]
        buckets = np.array([zlib.crc32(part.encode()) % BUCKETS for part in parts], np.intp)
        vector: Vectors = projection[buckets].sum(axis=0)
        return vector / max(np.float32(np.linalg.norm(vector)), np.float32(1e-9))

    def embed(sentences: list[str]) -> Vectors:
        return np.stack([embed_one(sentence) for sentence in sentences])

    return embed


@hr.deployment(route="/embed")
class Embed(hr.Model):
    """Embeds as many sentences as one likes, and tells how far it is."""

    def setup(self) -> None:
        try:
            from sentences import Sentences  # noqa: PLC0415 - where it is there
        except ImportError:
            self.embed = by_hashed_words()
        else:
            self.embed = Sentences().embed

    def predict(
        self, sentences: list[str], context: hr.Context
    ) -> Annotated[Vectors, hr.Encode(..., "application/x-npy")]:
        vectors = np.empty((len(sentences), SIZE), np.float32)
        for begin in range(0, len(sentences), AT_ONCE):
            context.progress(begin, len(sentences), "embedding")
            some = sentences[begin : begin + AT_ONCE]
            vectors[begin : begin + len(some)] = self.embed(some)
        context.progress(len(sentences), len(sentences), "embedded")
        return vectors


def sentences(count: int) -> Iterator[str]:
    """Make so many sentences, no two of them the same."""
    for number in itertools.count(1):
        for who, does, what in itertools.product(WHO, DOES, WHAT):
            if count <= 0:
                return
            count -= 1
            yield f"{who} {does} {what} for the {number}. time."


def main(url: str, count: int) -> None:
    """Submit them, follow the job by its events, and fetch what it made."""
    with hr.JobsClient(url) as client:
        job = client.submit("/embed", list(sentences(count)))
        print(f"job {job.id}", flush=True)
        for event in client.events(job.id):  # over restarts of the server, too
            print(event.kind, event.data, flush=True)
        vectors: Vectors = np.load(io.BytesIO(client.response(job.id).content))
        print(f"{vectors.shape[0]} vectors of {vectors.shape[1]} numbers")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
