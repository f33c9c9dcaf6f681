"""Applications for a server that has several: each tells which of them answered, and who."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import headrace as hr

VERSION = Path(os.environ["VERSION"]).read_text() if "VERSION" in os.environ else "v1"
if VERSION == "broken":
    raise ValueError("this version is broken")


class Embed(hr.Model):
    def __init__(self, word: str = "embed") -> None:
        self.word = word

    def setup(self) -> None:
        if self.word == "unfit" or VERSION == "unfit":
            raise OSError("weights.bin is missing")

    def predict(self, asked: dict[str, str]) -> dict[str, Any]:
        nonce = asked["nonce"]
        told = {"predicted": nonce, "decoded": nonce, "encoded": nonce}
        return {**told, "word": self.word, "version": VERSION, "pid": os.getpid()}


class Front(hr.Model):
    def __init__(self, embed: hr.Handle, word: str = "front") -> None:
        self.embed, self.word = embed, word

    async def predict(self, asked: dict[str, str]) -> dict[str, Any]:
        told: dict[str, Any] = await self.embed(asked)
        return {**told, "front": self.word, "pid": os.getpid(), "embed_pid": told["pid"]}


text = hr.bind(Embed, "text")
better = hr.bind(Embed, "better")
unfit = hr.bind(Embed, "unfit")
graph = hr.bind(Front, hr.bind(Embed).options(route="/embed"))
retrained = hr.bind(Front, hr.bind(Embed, "retrained").options(route="/embed"))
server = hr.Server(Embed).add(text, name="text").add(graph, name="graph", route_prefix="/g")
