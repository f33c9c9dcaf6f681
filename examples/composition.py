"""Three models as a graph: one that is asked from outside, and two that it asks at once.

    python examples/composition.py
    curl --json 5 http://127.0.0.1:8000/predict

Each is in a process of its own, with as many replicas as it is given.
"""

import asyncio

import headrace as hr


class Double(hr.Model):
    """Two times a number."""

    def predict(self, x: float) -> float:
        return 2 * x


@hr.deployment(replicas=2)
class Square(hr.Model):
    """A number times itself."""

    def predict(self, x: float) -> float:
        return x * x


class Both(hr.Model):
    """Asks the two side by side."""

    def __init__(self, double: hr.Handle, square: hr.Handle) -> None:
        self.double, self.square = double, square

    async def predict(self, x: float) -> dict[str, float]:
        doubled, squared = await asyncio.gather(self.double(x), self.square(x))
        return {"doubled": doubled, "squared": squared}


app = hr.bind(Both, hr.bind(Double), hr.bind(Square))

if __name__ == "__main__":
    hr.run(app)
