"""LitServe's large bodies; `BENCH_ERRAND` is `sum` or `back`.

LitServe parses every body as JSON or as a form, unless `decode_request` is annotated with what
FastAPI shall read instead: here the raw bytes.
"""

# mypy: disable-error-code="import-not-found", allow-subclassing-any

import argparse
import os
from typing import Annotated

import litserve
from fastapi import Body, Response

OCTETS = Body(media_type="application/octet-stream")
Raw = Annotated[bytes, OCTETS]


class Sum(litserve.LitAPI):
    """Sum the first thousand bytes."""

    def setup(self, device: str) -> None:
        """Load nothing."""

    def decode_request(self, request: Raw) -> bytes:
        """Take the body as it is."""
        return request

    def predict(self, x: bytes) -> dict[str, int]:
        """Answer the sum and the length."""
        return {"sum": sum(x[:1000]), "length": len(x)}

    def encode_response(self, output: dict[str, int]) -> dict[str, int]:
        """Answer as it is."""
        return output


class Back(litserve.LitAPI):
    """Send back what came."""

    def setup(self, device: str) -> None:
        """Load nothing."""

    def decode_request(self, request: Raw) -> bytes:
        """Take the body as it is."""
        return request

    def predict(self, x: bytes) -> bytes:
        """Answer the body."""
        return x

    def encode_response(self, output: bytes) -> Response:
        """Send it as it is."""
        return Response(output, media_type="application/octet-stream")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    api = Sum() if os.environ["BENCH_ERRAND"] == "sum" else Back()
    # fast_queue=True (ZeroMQ) was tried: no faster with 10 MB in, half as fast with 10 MB back.
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=asked.port,
        num_api_servers=1,
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
