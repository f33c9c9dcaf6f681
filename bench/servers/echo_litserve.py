"""LitServe's echo; `--batched` makes batches of up to 32 with LitServe's own default window (0)."""

# mypy: disable-error-code="import-not-found", allow-subclassing-any

import argparse

import litserve


class Echo(litserve.LitAPI):
    """Square a number."""

    def setup(self, device: str) -> None:
        """Load nothing."""

    def decode_request(self, request: dict[str, float]) -> float:
        """Take the number out of the body."""
        return request["input"]

    def predict(self, x: float) -> float:
        """Answer one square."""
        return x**2

    def encode_response(self, output: float) -> dict[str, float]:
        """Put the number into the answer."""
        return {"output": output}


class EchoBatched(Echo):
    """Square many numbers."""

    def predict(self, x: list[float]) -> list[float]:  # type: ignore[override]
        """Answer the squares in the order of the inputs."""
        return [each**2 for each in x]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--batched", action="store_true")
    asked = parser.parse_args()
    api = EchoBatched(max_batch_size=32) if asked.batched else Echo()
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=asked.port,
        num_api_servers=1,
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
