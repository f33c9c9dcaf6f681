"""A server with a tenth of the usual patience, so that a test need not wait a minute."""

from __future__ import annotations

import headrace as hr


class Doubles(hr.Model):
    def predict(self, number: float) -> float:
        return 2 * number


if __name__ == "__main__":
    hr.run(
        Doubles,
        port=0,
        header_timeout_s=2,
        body_idle_timeout_s=2,
        write_timeout_s=2,
        keep_alive_timeout_s=3,
        min_body_bytes_per_s=2048,
    )
