"""Where a server's applications come from: targets, read again at a reload, added, taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from headrace.errors import ConfigError
from headrace.host.origin import Origin
from headrace.host.redescribing import describe_anew
from headrace.host.targets import Found
from headrace.model.application import Application, renamed


def shaped(origin: Origin, found: Found, *, is_beside: bool = False) -> list[Application]:
    """Return the applications of an origin, as it is said that they are to be.

    A plain application has none, but for its jobs, which are those of a worker that `is_beside`.
    Raises ConfigError.
    """
    if found.app is not None and not is_beside:
        raise ConfigError(
            f"{origin.target} is a plain application, which runs in workers of its own: "
            f"headrace serve {origin.target}; put it behind a class to run it in replicas: "
            "@hr.ingress(app)"
        )
    applications = found.applications
    if origin.name is not None or origin.route_prefix is not None:
        if len(applications) != 1:
            there = ", ".join(each.name for each in applications)
            raise ConfigError(
                f"{origin.target} has {len(applications)} applications ({there}): a name or a "
                "prefix from outside is for one"
            )
        applications = [renamed(applications[0], origin.name, origin.route_prefix)]
    return [each for each in applications if each.name not in origin.without]


class Origins:
    """What a worker knows of them; a worker that comes after it is told the same."""

    def __init__(
        self,
        origins: Iterable[Origin],
        heard: Callable[[Sequence[str]], None],
        *,
        is_beside: bool = False,
    ) -> None:
        """Whenever files were read, `heard` is told which. See `shaped` for `is_beside`."""
        self.present, self._heard, self._is_beside = list(origins), heard, is_beside

    async def read(self) -> list[Application]:
        """Return what all of them are by now. Raises StartError."""
        found = [await self.described(each) for each in self.present]
        self.present = [
            msgspec.structs.replace(
                origin, names=[*origin.without, *(each.name for each in applications)]
            )
            for origin, applications in zip(self.present, found, strict=True)
        ]
        return [each for applications in found for each in applications]

    async def described(self, origin: Origin) -> list[Application]:
        """Return what an origin is by now. Raises StartError."""
        found = await describe_anew(origin.target, origin.options, origin.sys_path)
        self._heard(found.files)
        return shaped(origin, found, is_beside=self._is_beside)

    def add(self, origin: Origin, names: Iterable[str]) -> None:
        """Remember where applications of these names come from now."""
        names = list(names)
        self.leave(names)
        self.present.append(msgspec.structs.replace(origin, names=names, without=[]))

    def leave(self, names: Iterable[str]) -> None:
        """Forget where applications of these names came from."""
        gone = set(names)
        left = [
            msgspec.structs.replace(
                each, without=sorted({*each.without, *(gone & set(each.names))})
            )
            for each in self.present
        ]
        self.present = [each for each in left if set(each.names) - set(each.without)]
