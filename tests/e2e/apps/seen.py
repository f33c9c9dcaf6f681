"""Models that note in the server's own process what reached them."""

from __future__ import annotations

from typing import Any

import headrace as hr

numbers: list[float] = []


@hr.deployment(executor="inline", route="/predict")
class Seen(hr.Model):
    def predict(self, number: float) -> float:
        numbers.append(number)
        return 2 * number


@hr.deployment(executor="inline", route="/seen")
class Tells(hr.Model):
    """Tells the numbers since it was last asked."""

    def predict(self, value: int) -> list[float]:
        told = numbers.copy()
        numbers.clear()
        return told


@hr.deployment(executor="inline", route="/size")
class Size(hr.Model):
    def predict(self, content: bytes) -> int:
        return len(content)


@hr.deployment(executor="inline", route="/who")
class Who(hr.Model):
    def predict(self, number: float, context: hr.Context) -> dict[str, Any]:
        return {"client": context.client, "host": context.headers["host"]}
