"""A model that is in memory only while it is used: loaded for the first request, unloaded after.

    python examples/loading.py
    python -c 'from sklearn.datasets import load_digits as d; print(d().data[7].tolist())' |
      curl --json @- http://127.0.0.1:8000/predict
    curl http://127.0.0.1:8000/-/health

Needs scikit-learn. Without `while_loading="wait"` the first request is refused, and told how far
the loading has come.
"""

from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

import headrace as hr

PARTS = 2


@hr.deployment(load="lazy", idle_unload_s=600)
class Digits(hr.Model):
    """Reads a handwritten digit: 8 x 8 pixels, row by row, each from 0 (white) to 16 (black)."""

    def setup(self) -> None:
        images, digits = load_digits(return_X_y=True)
        self.loading(1, PARTS, "indexing")
        self.nearest = KNeighborsClassifier(1).fit(images, digits)

    def predict(self, pixels: list[float]) -> int:
        return int(self.nearest.predict([pixels])[0])

    def teardown(self) -> None:
        print("the digits are forgotten")


server = hr.Server(Digits, while_loading="wait")

if __name__ == "__main__":
    server.run()
