"""LitServe's streams: as many words as are asked for, each as soon as it is there."""

# mypy: disable-error-code="import-not-found", allow-subclassing-any

import argparse
from collections.abc import Iterator
from typing import Any

import litserve


class Words(litserve.LitAPI):
    """Tell words."""

    def setup(self, device: str) -> None:
        """Load nothing."""

    # Annotations would choose the reader and the writer: without them they are JSON and text.
    def decode_request(self, request) -> Any:  # type: ignore[no-untyped-def]  # noqa: ANN001
        """Read how many."""
        return request

    def predict(self, x: int) -> Iterator[str]:
        """Tell so many."""
        for number in range(x):
            yield f"word {number}\n"

    def encode_response(self, output):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """Send each as it is."""
        yield from output


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    api = Words(stream=True)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=asked.port,
        num_api_servers=1,
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
