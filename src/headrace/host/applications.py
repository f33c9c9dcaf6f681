"""What is an application: ASGI takes (scope, receive, send), WSGI takes (environ, start_response).

it is called with                       it is
three arguments, or it is async         asgi
two arguments                           wsgi
none                                    a factory: write module:make() to have it called
"""

from __future__ import annotations

import ast
import inspect
import traceback
from typing import Any, Literal

from headrace.errors import TargetError
from headrace.model.api import Model
from headrace.model.binding import is_deployable

Kind = Literal["asgi", "wsgi"]
ASGI_ARGUMENTS, WSGI_ARGUMENTS, ANY_NUMBER = 3, 2, 50


def kind_of(found: object) -> Kind | None:
    """Tell which of the two it is; None if it is no application, or if nobody can tell."""
    if not callable(found) or _is_ours(found):
        return None
    if isinstance(found, type):
        return _kind_of_class(found)
    if _takes(found, 0) and not _takes(found, ANY_NUMBER):
        return None  # a factory, whatever it could be told
    if _takes(found, ASGI_ARGUMENTS) and (_is_async(found) or not _takes(found, WSGI_ARGUMENTS)):
        return "asgi"
    return "wsgi" if _takes(found, WSGI_ARGUMENTS) and not _is_async(found) else None


def is_factory(found: object) -> bool:
    """Tell whether it wants to be called, with nothing, before it could serve."""
    return callable(found) and not _is_ours(found) and _takes(found, 0)


def _is_ours(found: object) -> bool:
    """Tell whether it is a deployment, a model, or a Server."""
    return is_deployable(found) or isinstance(found, Model) or hasattr(found, "wishes")


def _kind_of_class(found: type) -> Kind | None:
    """See to a class of which each request makes one: ASGI awaits it, WSGI iterates over it."""
    if hasattr(found, "__await__") and _takes(found, ASGI_ARGUMENTS):
        return "asgi"
    return "wsgi" if hasattr(found, "__iter__") and _takes(found, WSGI_ARGUMENTS) else None


def _is_async(found: Any) -> bool:
    return inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(
        getattr(found, "__call__", None)  # noqa: B004 - the method itself is looked at
    )


def _takes(found: Any, number: int) -> bool:
    try:
        inspect.signature(found).bind(*[None] * number)
    except (TypeError, ValueError):  # another number; or C code, which does not tell
        return False
    return True


def split_call(attribute: str) -> tuple[str, list[Any], dict[str, Any]] | None:
    """Read `make("x", y=1)`: the name and its arguments; None if nothing is called.

    Raises TargetError.
    """
    if "(" not in attribute:
        return None
    try:
        call: Any = ast.parse(attribute, mode="eval").body
        positional = [ast.literal_eval(argument) for argument in call.args]
        named = {word.arg or "**": ast.literal_eval(word.value) for word in call.keywords}
    except (SyntaxError, ValueError, AttributeError) as error:  # the last one of what is no call
        raise TargetError(
            f"cannot call {attribute!r}: write a factory's name and plain values, "
            'such as module:make() or module:make("production", debug=False)'
        ) from error
    return ast.unparse(call.func), positional, named


def made(factory: Any, name: str, positional: list[Any], named: dict[str, Any]) -> Any:
    """Call a factory. Raises TargetError with what it raised."""
    try:
        return factory(*positional, **named)
    except (Exception, SystemExit) as error:
        frames = traceback.TracebackException.from_exception(error)
        frames.stack = traceback.StackSummary.from_list(
            [frame for frame in frames.stack if frame.filename != __file__]
        )
        words = f"{type(error).__name__}: {error}"
        raise TargetError(
            f"{name}() failed: {words}", traceback="".join(frames.format())
        ) from error
