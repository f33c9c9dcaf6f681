"""Everything Headrace raises on purpose, as one tree; each error knows its HTTP status.

    HeadraceError
    ├── HTTPError               a hook says how its request ends
    ├── RequestError            what the caller sent cannot be used
    │   ├── BadRequest          400
    │   ├── Unauthorized        401
    │   ├── Forbidden           403
    │   ├── MethodNotAllowed    405
    │   ├── RequestTimeout      408
    │   ├── TooLarge            413
    │   ├── UnsupportedMedia    415
    │   └── Unprocessable       422, with the path of the fault
    ├── Refused                 never started, 503: QueueFull, Draining, StillLoading
    │   ├── CallToAncestor      500: a call through a handle that waits for itself
    │   └── StorageFull         507: a job could not be written down
    ├── JobError                a job is not as what was asked of it needs: NoSuchJob 404,
    │                           WrongStatus 409, StaleAttempt 409, ResultGone 410, KeyReused 422
    ├── Unreachable             no server answers a client of ours
    ├── RemoteError             one answers with a problem, whose status it has
    │   └── JobFailed           the job that was waited for ended otherwise than well
    ├── Expired                 504: the deadline passed first
    ├── ReplicaLost             500: the process that held it died, on its retries too
    ├── HookFailed              500: a hook raised (the traceback is in the log)
    ├── CalleeFailed            500: so did a callee's, with what cannot be pickled
    └── StartError              a server that cannot start; each has an exit code
        ├── ConfigError         2
        ├── SetupFailed         3
        ├── TargetError         4
        └── AddressError        5

Two more stand outside: `Cancelled` is a BaseException, so that `except Exception` in a model cannot
swallow it; `ImpossibleStep` is a bug of ours.
"""

from __future__ import annotations

from collections.abc import Mapping


class HeadraceError(Exception):
    """Catch this to catch everything Headrace raises on purpose."""

    status = 500
    code = "internal_error"
    retry_after_s: float | None = None
    headers: Mapping[str, str] = {}
    members: Mapping[str, object] = {}
    """What its problem document has beyond the usual."""


class HTTPError(HeadraceError):
    """Raise this in a hook to end its request with this status.

    `detail` is told to the client as it is; `headers` are added to the response.
    """

    code = "http_error"

    def __init__(
        self, status: int, detail: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        if not 200 <= status <= 599:  # noqa: PLR2004 - the statuses HTTP lets a server end with
            raise ValueError(f"HTTPError status must be 200 to 599, not {status}")
        super().__init__(status, detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})

    def __str__(self) -> str:
        return f"{self.status} {self.detail}".rstrip()


class RequestError(HeadraceError):
    """What the caller sent cannot be used; `path` names the place inside a JSON body (`$.a[0]`)."""

    status = 400

    def __init__(self, detail: str, *, path: str | None = None) -> None:
        super().__init__(detail)
        self.detail, self.path = detail, path


class BadRequest(RequestError):
    """The body is not what its media type says, such as invalid JSON."""

    status, code = 400, "bad_request"


class Unauthorized(RequestError):
    """The request brings no key, or a wrong one."""

    status, code = 401, "unauthorized"

    def __init__(self, detail: str, *, challenge: str) -> None:
        super().__init__(detail)
        self.headers = {"WWW-Authenticate": challenge}


class Forbidden(RequestError):
    """The request comes from where nobody may ask this."""

    status, code = 403, "forbidden"


class MethodNotAllowed(RequestError):
    """The path is there, and takes other methods."""

    status, code = 405, "method_not_allowed"

    def __init__(self, detail: str, *, allow: str) -> None:
        super().__init__(detail)
        self.headers = {"Allow": allow}


class RequestTimeout(RequestError):
    """The request came too slowly."""

    status, code = 408, "request_timeout"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.headers = {"Connection": "close"}


class TooLarge(RequestError):
    """The body is over the limit."""

    status, code = 413, "too_large"


class UnsupportedMedia(RequestError):
    """The body's media type is not one this model reads."""

    status, code = 415, "unsupported_media_type"


class Unprocessable(RequestError):
    """The body is well formed, and of the wrong type or shape."""

    status, code = 422, "validation_error"


class Refused(HeadraceError):
    """The request was never started; `retry_after_s` says when to come back."""

    status, code = 503, "refused"

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class QueueFull(Refused):
    """As many requests wait as may wait."""

    code = "queue_full"


class Draining(Refused):
    """The server is stopping and takes no new requests."""

    code = "draining"


class StillLoading(Refused):
    """No replica of the deployment is ready yet."""

    code = "loading"


class CallToAncestor(Refused):
    """A call through a handle could never run: those it is made for hold every place it needs."""

    status, code = 500, "call_to_ancestor"


class StorageFull(Refused):
    """The job store has no room; nothing was accepted, and nothing that was before is lost."""

    status, code = 507, "storage_full"


class JobError(HeadraceError):
    """A job is not as what was asked of it needs."""

    status, code = 409, "job_error"


class NoSuchJob(JobError):
    """No job of this name is known to whoever asks."""

    status, code = 404, "no_such_job"


class WrongStatus(JobError):
    """What was asked cannot be done to a job that is where this one is."""

    code = "wrong_status"


class StaleAttempt(JobError):
    """A worker reports an attempt that counts no more: its job is another's by now, or over."""

    code = "stale_attempt"


class ResultGone(JobError):
    """The job's result was kept as long as it was to be."""

    status, code = 410, "result_gone"


class KeyReused(JobError):
    """The same Idempotency-Key, or id of a job, came before with another request."""

    status, code = 422, "idempotency_key_reused"


class Unreachable(HeadraceError):
    """No server answers a client of ours, as often as it asked."""

    status, code = 503, "unreachable"


class RemoteError(HeadraceError):
    """A server answered a client of ours with a problem; `status`, `code` and `members` are its."""

    def __init__(self, status: int, members: Mapping[str, object]) -> None:
        super().__init__(status, members)
        self.status, self.members = status, members
        self.code = str(members.get("code", "http_error"))

    def __str__(self) -> str:
        return str(self.members.get("detail") or f"the server answered with {self.status}")


class JobFailed(RemoteError):
    """The job that was waited for failed, was canceled or has expired: `members` is its problem."""


class Expired(HeadraceError):
    """The deadline passed before an answer was ready."""

    status, code = 504, "deadline_exceeded"


class ReplicaLost(HeadraceError):
    """The replica process died while it held the request, on its retries too."""

    status, code = 500, "replica_lost"
    is_blamed = False
    """Whether that was a crash, and the process ran nothing else."""


class HookFailed(HeadraceError):
    """A hook raised; the traceback is in the server's log under the request id."""

    status, code = 500, "hook_failed"


class CalleeFailed(HeadraceError):
    """What a handle called raised something that cannot travel; this is its type and its words."""

    code = "callee_failed"

    def __init__(self, type_name: str, words: str) -> None:
        super().__init__(type_name, words)
        self.type_name, self.words = type_name, words

    def __str__(self) -> str:
        return f"{self.type_name}: {self.words}".rstrip(": ")


class StartError(HeadraceError):
    """The server cannot start; the message is all a user needs, `exit_code` tells a script why."""

    exit_code = 1


class ConfigError(StartError):
    """An option, a setting or a model class is not as it must be."""

    exit_code = 2


class SetupFailed(StartError):
    """A replica could not start: `setup` raised, or its process ended; `traceback` says it all."""

    exit_code = 3

    def __init__(self, message: str, *, traceback: str = "") -> None:
        super().__init__(message)
        self.traceback = traceback


class ReconfigureFailed(StartError):
    """Some replicas did not take a new `user_config`: the one before holds for them."""


class TargetError(StartError):
    """What to serve could not be found or imported; `traceback` holds an import error's words."""

    exit_code = 4

    def __init__(self, message: str, *, traceback: str = "") -> None:
        super().__init__(message)
        self.traceback = traceback


class AddressError(StartError):
    """The address cannot be bound."""

    exit_code = 5


class Cancelled(BaseException):
    """Raised in a hook whose callers have all left; clean up in `finally` and let it pass."""


class ImpossibleStep(HeadraceError):
    """A bug in Headrace: something was asked to make a step its table does not have."""
