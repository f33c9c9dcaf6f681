"""mosec's forest, in batches of up to 64; JSON by msgspec, which is faster than mosec's own."""

# mypy: disable-error-code="import-not-found, no-any-return", allow-subclassing-any

from typing import Any

import msgspec
from forest_model import MAX_BATCH, WINDOW_MS, Forest
from mosec import Server, Worker
from mosec.errors import DecodingError

decode = msgspec.json.Decoder(list[float]).decode
encode = msgspec.json.Encoder().encode


class Digits(Worker):
    """Tell handwritten digits apart."""

    def __init__(self) -> None:
        super().__init__()
        self.forest = Forest()

    def deserialize(self, data: bytes) -> list[float]:
        """Read one image."""
        try:
            return decode(data)
        except msgspec.MsgspecError as error:
            raise DecodingError from error

    def forward(self, data: list[list[float]]) -> list[dict[str, float]]:
        """Tell each image's digit."""
        return self.forest.tell(data)

    def serialize(self, data: Any) -> bytes:
        """Write one answer."""
        return encode(data)


if __name__ == "__main__":
    server = Server()
    server.append_worker(
        Digits, max_batch_size=MAX_BATCH, max_wait_time=int(WINDOW_MS), route="/predict"
    )
    server.run()
