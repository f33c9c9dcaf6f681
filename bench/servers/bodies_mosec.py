"""mosec's large bodies, read and written raw; `BENCH_ERRAND` is `sum` or `back`."""

# mypy: disable-error-code="import-not-found", allow-subclassing-any

import os
from typing import Any

from mosec import Server, Worker


class Sum(Worker):
    """Sum the first thousand bytes."""

    def deserialize(self, data: bytes) -> bytes:
        """Take the body as it is."""
        return data

    def forward(self, data: bytes) -> dict[str, int]:
        """Answer the sum and the length."""
        return {"sum": sum(data[:1000]), "length": len(data)}


class Back(Worker):
    """Send back what came."""

    resp_mime_type = "application/octet-stream"

    def deserialize(self, data: bytes) -> bytes:
        """Take the body as it is."""
        return data

    def forward(self, data: bytes) -> bytes:
        """Answer the body."""
        return data

    def serialize(self, data: Any) -> bytes:
        """Send it as it is."""
        return bytes(data)


if __name__ == "__main__":
    server = Server()
    server.append_worker(Sum if os.environ["BENCH_ERRAND"] == "sum" else Back, route="/predict")
    server.run()
