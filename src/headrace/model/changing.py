"""What a new version of an application changes: which of its deployments stay as they are.

Two descriptions are compared, and what the files held that the code came from. Where the files
differ nobody knows what that means to whom, so all of it is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum, auto

import msgspec

from headrace.model.application import Application
from headrace.model.deployment import Options
from headrace.model.served import Served


class Change(Enum):
    """What becomes of one deployment."""

    KEPT = auto()  # its replicas go on
    TOLD = auto()  # its replicas go on, and hear of a new user_config
    REPLACED = auto()  # new replicas are ready before the old ones go
    ADDED = auto()
    REMOVED = auto()


STAYS = (Change.KEPT, Change.TOLD)
OUTSIDE = (
    *("route", "api_keys", "max_body_bytes"),
    *("timeout_s", "stream_timeout_s"),
    *("replicas", "target_ongoing_requests", "upscale_delay_s", "downscale_delay_s"),
)
"""Options that no replica knows of: the front door and the engine obey the new ones at once."""


def changes(old: Application | None, new: Application) -> dict[str, Change]:
    """Return what becomes of every deployment of either, by its plain name."""
    before: Mapping[str, Served] = {} if old is None else old.served
    after = new.served
    same_code = old is not None and old.code == new.code
    found = {
        name: _change(before[name], served, same_code=same_code) if name in before else Change.ADDED
        for name, served in after.items()
    }
    return found | {name: Change.REMOVED for name in before if name not in after}


def _change(old: Served, new: Served, *, same_code: bool) -> Change:
    if not same_code or _bare(old) != _bare(new):
        return Change.REPLACED
    is_told = old.options.user_config != new.options.user_config
    return Change.TOLD if is_told else Change.KEPT


def _bare(served: Served) -> Served:
    """Return what a replica is made from, for a comparison: no more."""
    dull = {name: getattr(_DULL, name) for name in (*OUTSIDE, "user_config")}
    options = replace(served.options, **dull, given=frozenset())
    source = msgspec.structs.replace(served.source, sys_path=[])
    return msgspec.structs.replace(served, options=options, source=source, is_root=True, changes={})


_DULL = Options()
