"""The smallest server."""

import headrace as hr


class Hello(hr.Model):
    def predict(self, name: str) -> str:
        return f"Hello, {name}!"
