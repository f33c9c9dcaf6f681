"""A streamed answer taken as a whole: for whoever asks a model without a server in between."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from headrace.errors import ImpossibleStep
from headrace.model.checks import Streams
from headrace.model.envelope import Answer, Closed, Envelope, Opened, Reply
from headrace.model.group import Recipe
from headrace.model.outlet import Outlet
from headrace.model.stepping import open_with
from headrace.model.steps import Run, RunAsync

ENDLESS = sys.maxsize


def runners(streams: Streams, recipe: Recipe) -> tuple[Run, RunAsync]:
    """Give what runs a call to its end, and joins the parts of each answer."""

    def run(model: Any, envelopes: Sequence[Envelope]) -> list[Reply]:
        pairs = open_with(streams, recipe, model)(envelopes)
        outlets = [outlet for _, outlet in pairs]
        _let_flow(outlets)
        for group in dict.fromkeys(group for group, _ in pairs):
            while not group.over:
                group.step()
        return [_joined(outlet) for outlet in outlets]

    async def run_async(model: Any, envelopes: Sequence[Envelope]) -> list[Reply]:
        from headrace.model import stepping_async  # noqa: PLC0415 - asyncio, for those who need it

        pairs = stepping_async.open_with(streams, recipe, model)(envelopes)
        outlets = [outlet for _, outlet in pairs]
        _let_flow(outlets)
        await stepping_async.run_all(list(dict.fromkeys(group for group, _ in pairs)))
        return [_joined(outlet) for outlet in outlets]

    return run, run_async


def _let_flow(outlets: Sequence[Outlet]) -> None:
    for outlet in outlets:
        outlet.grant(ENDLESS)


def _joined(outlet: Outlet) -> Reply:
    if outlet.reply is None:
        raise ImpossibleStep(f"{outlet!r} has come to no end")
    if not isinstance(outlet.reply, Closed):
        return outlet.reply
    first, *bodies = outlet.take()
    if not isinstance(first, Opened):
        raise ImpossibleStep(f"{outlet!r} was never opened")
    body = b"".join(part for part in bodies if isinstance(part, bytes))
    return Answer(first.status, first.content_type, body, first.headers)
