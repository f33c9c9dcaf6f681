"""A model that answers fifty requests a second, beside another one of its kind."""

import time
from typing import Any

import headrace as hr


@hr.deployment(name="flooded", max_queued_requests=25)
class Flooded(hr.Model):
    def predict(self, value: Any) -> Any:
        time.sleep(0.02)
        return value


@hr.deployment(name="calm")
class Calm(Flooded):
    pass
