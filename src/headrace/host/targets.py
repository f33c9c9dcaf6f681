"""Find what a command line's TARGET names: `module:attr`, `file.py`, `file.py:attr`."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from headrace.errors import ConfigError, HeadraceError, StartError, TargetError
from headrace.host.applications import Kind, is_factory, kind_of, made, split_call
from headrace.host.origin import Origin
from headrace.model.api import Model
from headrace.model.application import Application
from headrace.model.binding import Bound, is_deployable, roots
from headrace.model.deployment import options_of, with_options
from headrace.model.gathering import Wish, gathered
from headrace.model.ingress import is_before
from headrace.model.job import functions_here, note_of
from headrace.model.job_served import job_again, with_jobs
from headrace.model.names import did_you_mean
from headrace.model.recording import recording
from headrace.model.served import Served, describe
from headrace.model.source import import_file

USUAL = ("server", "app", "application")
"""Where a module that is not asked for one name has what it serves."""


class Found(Struct, frozen=True):
    """A target, described: what to serve, and the settings its code asked for."""

    applications: list[Application]
    settings: dict[str, Any] = {}
    app: Kind | None = None
    """What kind of application it is, where it is no model; `applications` are then its jobs."""
    origins: list[Origin] = []
    """Where its applications come from, for whoever reads them again."""
    files: list[str] = []
    """Where its code came from."""

    @property
    def deployments(self) -> list[Served]:
        """Every deployment of its applications."""
        return [served for each in self.applications for served in each.deployments]


def find(target: str) -> Found:
    """Import a target and describe it. Raises TargetError, ConfigError."""
    return _described(*_chosen(target))


def find_app(target: str) -> Any:
    """Import a target that is an application, and return it. Raises TargetError."""
    chosen = [each for one in _chosen(target)[0] for each in _unwrapped(one)]
    if len(chosen) != 1 or kind_of(chosen[0]) is None:
        raise TargetError(f"{target} is no application any more; it was one when it was described")
    return chosen[0]


def _chosen(target: str) -> tuple[list[Any], dict[str, Any]]:
    """Import a target; return what of it is to be served, and the settings asked for."""
    place, _, attribute = target.partition(":")
    if not place:
        raise TargetError(f"{target!r} names no module: write module:Class, or file.py")
    with recording() as notes:
        module = _import(place)
        if attribute:
            return [_named(module, attribute, place)], {}
    if notes.targets:
        return notes.targets, notes.settings
    return _found_in(module, place), {}


def _named(module: ModuleType, attribute: str, place: str) -> Any:
    """Return what the target names, or what the factory that it calls has made."""
    call = split_call(attribute)
    if call is not None:
        name, positional, named = call
        return made(_attribute(module, name, place), name, positional, named)
    found = _attribute(module, attribute, place)
    if kind_of(found) is None and not _is_model(found) and is_factory(found):
        raise TargetError(
            f"{place}:{attribute} is called with no arguments; if it makes the application, "
            f"write {place}:{attribute}()"
        )
    return found


def _described(targets: list[Any], settings: Mapping[str, Any]) -> Found:
    wishes: list[Wish] = []
    merged = dict(settings)
    for target in targets:
        if _is_server(target):
            wishes += target.wishes
            merged = {**target.settings, **merged}
        else:
            wishes.append(Wish([target]))
    alone = [each for target in targets for each in _unwrapped(target)]
    if len(alone) == 1 and (kind := kind_of(alone[0])) is not None:
        return Found(with_jobs([]), merged, kind)
    return Found(gathered(wishes), merged)


def _is_server(target: Any) -> bool:
    return hasattr(target, "wishes") and hasattr(target, "settings")


def _unwrapped(target: Any) -> list[Any]:
    """Return what is to be served; of a Server with one nameless application, what that is."""
    if not _is_server(target):
        return [target]
    plain = [wish for wish in target.wishes if wish == Wish(wish.targets)]
    return [each for wish in plain for each in wish.targets] + [
        wish for wish in target.wishes if wish not in plain
    ]


def described_again(served: Served) -> Served:
    """Describe a deployment as its code is by now; what it was bound to stays.

    Raises TargetError, ConfigError.
    """
    if served.functions:
        for place in dict.fromkeys(
            each.source.path or each.source.module for each in served.functions
        ):
            _import_again(place)
        return job_again(served, functions_here())
    place = served.source.path or served.source.module
    target = _attribute(_import_again(place), served.source.qualname, place)
    options = with_options(options_of(target), served.changes)
    new = describe(target, options, is_made_with=bool(served.arguments))
    is_alone = served.is_root and not served.arguments
    return replace(
        new,
        name=new.name if is_alone else served.name,  # others call it by its name
        arguments=served.arguments,
        is_root=served.is_root,
        changes=served.changes,
    )


def _import_again(place: str) -> ModuleType:
    with recording():
        return _import(place)


def _import(place: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    is_file = place.endswith(".py")
    if is_file and not Path(place).is_file():
        raise TargetError(f"there is no file {place} in {here}")
    try:
        if is_file:
            return import_file(str(Path(place).resolve()))
        return importlib.import_module(place)
    except HeadraceError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and (place == error.name or place.startswith(f"{error.name}.")):
            raise TargetError(_no_module(place, here)) from error
        raise _broken(place, error) from error
    except (Exception, SystemExit) as error:
        raise _broken(place, error) from error


def _no_module(place: str, here: str) -> str:
    hint = f"; did you mean {place}.py?" if Path(f"{place}.py").is_file() else ""
    return f"there is no module {place}; looked in {here} and the installed packages{hint}"


def _broken(place: str, error: BaseException) -> TargetError:
    frames = traceback.TracebackException.from_exception(error)
    ours = (os.path.dirname(__file__), "<frozen importlib")  # noqa: PTH120 - compared as text
    frames.stack = traceback.StackSummary.from_list(
        [frame for frame in frames.stack if not _is_machinery(frame.filename, ours)]
    )
    words = f"{type(error).__name__}: {error}"
    return TargetError(f"importing {place} failed: {words}", traceback="".join(frames.format()))


def _is_machinery(filename: str, ours: tuple[str, ...]) -> bool:
    return filename.startswith(ours) or os.sep + "headrace" + os.sep + "model" in filename


def _attribute(module: ModuleType, attribute: str, place: str) -> Any:
    found: Any = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            known = [name for name in vars(module) if not name.startswith("_")]
            raise TargetError(f"{place} has no {attribute}{did_you_mean(attribute, known)}")
        found = getattr(found, name)
    return found


def _found_in(module: ModuleType, place: str) -> list[Any]:
    """Return what a module that names nothing else would have served."""
    inside = vars(module)
    found = next((inside[name] for name in USUAL if _is_served(inside.get(name))), None)
    if found is not None and (isinstance(found, Bound) or kind_of(found) is None):
        return [found]
    graphs = roots(inside.values())
    if graphs:  # what it binds, it means to serve as it bound it
        return list(graphs)
    models = [
        value
        for value in inside.values()
        if _is_model(value) and value.__module__ == module.__name__
    ]
    if found is not None and not any(is_before(found, model) for model in models):
        if models and kind_of(found) == "wsgi":
            raise ConfigError(
                f"{place} has a WSGI application beside models: name the one to be served, "
                f"{place}:NAME, or put the models behind an ASGI application"
            )
        return [found, *models]
    if not models and not any(note_of(value) for value in vars(module).values()):
        raise TargetError(
            f"{place} defines no class derived from headrace.Model, no @hr.job, and no application "
            f"named {' or '.join(USUAL[1:])}; name what is to be served: {place}:NAME"
        )
    return models


def _is_served(found: object) -> bool:
    return _is_model(found) or hasattr(found, "wishes") or kind_of(found) is not None


def _is_model(found: object) -> bool:
    return is_deployable(found) and found is not Model


def failure_of(error: StartError) -> dict[str, Any]:
    """Return an error as data, to be raised again by whoever asked."""
    return {
        "kind": type(error).__name__,
        "message": str(error),
        "traceback": getattr(error, "traceback", ""),
    }
