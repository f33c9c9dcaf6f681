"""LitServe's forest, in batches of up to 64, stacked and unstacked as its documentation does."""

# mypy: disable-error-code="import-not-found, no-any-return", allow-subclassing-any

import argparse
from typing import Any

import litserve
import numpy as np
from forest_model import MAX_BATCH, WINDOW_MS, Forest


class Digits(litserve.LitAPI):
    """Tell handwritten digits apart."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - its signature
        """Grow the forest."""
        self.forest = Forest()

    # The annotation of `request` would choose the reader: without one it is the parsed JSON.
    def decode_request(self, request) -> Any:  # type: ignore[no-untyped-def]  # noqa: ANN001
        """Read one image."""
        return np.array(request)

    def batch(self, inputs: list[Any]) -> Any:
        """Stack the images."""
        return np.stack(inputs)

    def predict(self, x: Any) -> list[dict[str, float]]:
        """Tell each image's digit."""
        return self.forest.tell(x)

    def unbatch(self, output: list[dict[str, float]]) -> list[dict[str, float]]:
        """Hand the answers out one by one."""
        return output

    def encode_response(self, output: dict[str, float]) -> dict[str, float]:
        """Answer as it is."""
        return output


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    api = Digits(max_batch_size=MAX_BATCH, batch_timeout=WINDOW_MS / 1e3)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=asked.port,
        num_api_servers=1,
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
