"""The worker's words for a replica's code, each given to who cares for its kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headrace.replica.frames import Word


class Words:
    """Who hears which kind of word: see `frames.Word`."""

    def __init__(self) -> None:
        """Nobody hears anything yet."""
        self._listeners: dict[type, Callable[[Any], None]] = {}

    def give(self, kind: type, to: Callable[[Any], None]) -> None:
        """Let this one hear words of a kind."""
        self._listeners[kind] = to

    def hear(self, word: Word) -> None:
        """Pass a word on; one that nobody cares for is dropped: whom it was for is gone."""
        listener = self._listeners.get(type(word))
        if listener is not None:
            listener(word)
