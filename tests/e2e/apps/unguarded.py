"""A script without a guard, as people write it."""

import headrace as hr


class Unguarded(hr.Model):
    def predict(self, name: str) -> str:
        return f"unguarded {name}"


hr.run(Unguarded, port=0)
