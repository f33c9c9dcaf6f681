"""A model for each user, of whom there are many: a replica holds the few that are in use.

    python examples/model_multiplexer.py
    python -c 'from sklearn.datasets import load_digits as d; print(d().data[7].tolist())' |
      curl --json @- -H 'X-Headrace-Model-Id: ada' http://127.0.0.1:8000/predict

Requests of one user go to a replica that holds that user's model already; the model that was used
least recently makes room for another. Needs scikit-learn.
"""

import zlib

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import headrace as hr

HELD, LESSONS = 3, 600


class Reader:
    """Reads one user's handwriting: learnt from samples that are theirs."""

    def __init__(self, user: str) -> None:
        self.user = user
        images, digits = load_digits(return_X_y=True)
        theirs = np.random.default_rng(zlib.crc32(user.encode())).permutation(len(images))[:LESSONS]
        self.model = LogisticRegression(max_iter=300).fit(images[theirs], digits[theirs])

    def read(self, pixels: list[float]) -> int:
        """Say which digit this is."""
        return int(self.model.predict([pixels])[0])

    def close(self) -> None:
        """Make room: nobody uses it any more."""
        print(f"{self.user}'s reader is forgotten", flush=True)


@hr.deployment(replicas=2)
class Readers(hr.Model):
    """Reads a digit as its user writes it: 8 x 8 pixels, each from 0 (white) to 16 (black)."""

    @hr.multiplexed(max_models=HELD)
    def reader(self, user: str) -> Reader:
        """Learn a user's handwriting: where no replica can do so already."""
        print(f"{user}'s reader is learnt", flush=True)
        return Reader(user)

    def predict(self, pixels: list[float]) -> int:
        """Read it with the model that the request names."""
        return self.reader().read(pixels)


if __name__ == "__main__":
    hr.run(Readers)
