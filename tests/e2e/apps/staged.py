"""A graph in a row: what is asked goes through the front, a middle that can be killed, a batch."""

from __future__ import annotations

import os
from typing import Any

import headrace as hr


class Last(hr.Model):
    """Answers in batches."""

    def predict_batch(self, nonces: list[str]) -> list[dict[str, Any]]:
        return [{"predicted": nonce, "last": os.getpid()} for nonce in nonces]


@hr.deployment(replicas=2, name="middle")
class Awaits(hr.Model):
    """Asks the last one, many at once."""

    def __init__(self, last: hr.Handle) -> None:
        self.last = last

    async def predict(self, nonce: str) -> dict[str, Any]:
        return {**await self.last(nonce), "pid": os.getpid()}


@hr.deployment(replicas=2, name="middle")
class Waits(hr.Model):
    """Asks the last one, one after the other."""

    def __init__(self, last: hr.Handle) -> None:
        self.last = last

    def predict(self, nonce: str) -> dict[str, Any]:
        return {**self.last(nonce).result(), "pid": os.getpid()}


@hr.deployment(max_ongoing_requests=100)
class Front(hr.Model):
    """Is asked from outside."""

    def __init__(self, middle: hr.Handle) -> None:
        self.middle = middle

    async def predict(self, body: dict[str, str], context: hr.Context) -> dict[str, Any]:
        context["nonce"] = body["nonce"]
        told: dict[str, Any] = await self.middle(body["nonce"])
        return {**told, "decoded": context["nonce"]}

    def encode_response(self, output: dict[str, Any], context: hr.Context) -> dict[str, Any]:
        return {**output, "encoded": context["nonce"]}


awaits = hr.bind(Front, hr.bind(Awaits, hr.bind(Last)))
waits = hr.bind(Front, hr.bind(Waits, hr.bind(Last)))
