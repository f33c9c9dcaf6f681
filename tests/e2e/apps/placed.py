"""A model for two GPUs; which ones a machine shows is told by the environment."""

import os
import time
from typing import Any

import headrace as hr


@hr.deployment(name="placed", replicas=2, devices=[0, 1])
class Placed(hr.Model):
    """Tells which GPU its replica was given."""

    def predict(self, value: Any) -> dict[str, Any]:
        time.sleep(0.05)  # so that two clients meet both replicas
        return {"gpu": os.environ["CUDA_VISIBLE_DEVICES"], "pid": os.getpid()}
