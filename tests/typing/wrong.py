"""What a user may get wrong: every type checker finds each line marked `expect`, and no other."""

from __future__ import annotations

import headrace as hr
from headrace.testing import Client, check_isolation


@hr.deployment(replicas="two")  # expect
class Two(hr.Model):
    def predict(self, value: int) -> int:
        return value


@hr.deployment(replica=2)  # expect
class Misspelt(hr.Model):
    def predict(self, value: int) -> int:
        return value


@hr.deployment(executor="thread")  # expect
class Thread(hr.Model):
    def predict(self, value: int) -> int:
        return value


def wrong_settings() -> None:
    hr.start(Two, prot=0)  # expect
    hr.start(Two, port="0")  # expect
    hr.run(Two())  # expect
    hr.Server("module:Two")  # expect


def wrong_hooks(model: Two, context: hr.Context) -> None:
    model.predict("a")  # expect
    model.predikt(1)  # expect
    context.request_id = "other"  # expect
    context.status = "teapot"  # expect
    hr.HTTPError("404")  # expect


def wrong_tests() -> None:
    client = Client(Two, prot=0)  # expect
    client.post("/predict", jsn=1)  # expect
    check_isolation(Two(), [1, 2])  # expect
