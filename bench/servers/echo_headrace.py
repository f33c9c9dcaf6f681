"""Headrace's echo, one request at a time."""

import headrace as hr


class Echo(hr.Model):
    """Square a number."""

    def predict(self, body: dict[str, float]) -> dict[str, float]:
        """Answer the square of `input`."""
        return {"output": body["input"] ** 2}
