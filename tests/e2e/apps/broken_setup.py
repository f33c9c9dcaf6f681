"""A model whose weights are missing."""

import headrace as hr


class BrokenSetup(hr.Model):
    def setup(self) -> None:
        raise FileNotFoundError("weights.bin is missing")

    def predict(self, name: str) -> str:
        return name
