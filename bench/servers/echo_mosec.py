"""mosec's echo; `--batched` makes batches of up to 32 with mosec's own default window (10 ms)."""

# mypy: disable-error-code="import-not-found", allow-subclassing-any

import sys

from mosec import Server, Worker

BATCHED = (
    "--batched" in sys.argv
)  # looked up again in the worker, which is spawned with the same arguments


class Echo(Worker):
    """Square a number."""

    def forward(self, data: dict[str, float]) -> dict[str, float]:
        """Answer one square."""
        return {"output": data["input"] ** 2}


class EchoBatched(Worker):
    """Square many numbers."""

    def forward(self, data: list[dict[str, float]]) -> list[dict[str, float]]:
        """Answer the squares in the order of the inputs."""
        return [{"output": each["input"] ** 2} for each in data]


if __name__ == "__main__":
    server = Server()
    if BATCHED:
        server.append_worker(EchoBatched, max_batch_size=32, route="/predict")
    else:
        server.append_worker(Echo, route="/predict")
    server.run()
