"""Headrace's streams: as many words as are asked for, each as soon as it is there."""

from collections.abc import Iterator

import headrace as hr


class Words(hr.Model):
    """Tell words."""

    def predict(self, count: int) -> Iterator[str]:
        """Tell so many."""
        for number in range(count):
            yield f"word {number}\n"
