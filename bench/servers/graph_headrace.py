"""Headrace's graph: a number plus one, in one replica, times two, in another, behind a third.

`model` has a model in front, as one would write it here; `handler` a class that takes the request
itself, as one would write it for Ray Serve.
"""

import headrace as hr


class Plus(hr.Model):
    """Add one."""

    def predict(self, x: int) -> int:
        """Answer the next number."""
        return x + 1


class Times(hr.Model):
    """Double."""

    def predict(self, x: int) -> int:
        """Answer twice the number."""
        return x * 2


@hr.deployment(max_ongoing_requests=100)
class Front(hr.Model):
    """Ask the two."""

    def __init__(self, plus: hr.Handle, times: hr.Handle) -> None:
        self.plus, self.times = plus, times

    async def predict(self, body: dict[str, int]) -> dict[str, int]:
        """Answer with what comes of it."""
        return {"y": await self.times(await self.plus(body["x"]))}


@hr.deployment(max_ongoing_requests=100)
class Handler:
    """Take the request, and ask the two."""

    def __init__(self, plus: hr.Handle, times: hr.Handle) -> None:
        self.plus, self.times = plus, times

    async def __call__(self, request: hr.Request) -> dict[str, int]:
        """Answer with what comes of it."""
        body = await request.json()
        return {"y": await self.times(await self.plus(body["x"]))}


model = hr.bind(Front, hr.bind(Plus), hr.bind(Times))
handler = hr.bind(Handler, hr.bind(Plus), hr.bind(Times))
