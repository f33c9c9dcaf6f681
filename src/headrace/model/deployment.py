"""The options of a deployment: what each may be, which class has which."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import FunctionType
from typing import Any, Literal, TypedDict, TypeVar, Unpack, overload

from headrace.errors import ConfigError
from headrace.model.json_value import copied
from headrace.model.names import did_you_mean, kebab
from headrace.model.ranges import CHECKS, SECRET
from headrace.model.replicas import Replicas

Devices = Literal["auto", "cpu", "cuda"] | Sequence[int]
Executor = Literal["process", "inline"]
Load = Literal["eager", "lazy", "background", "scheduled"]
C = TypeVar("C", bound=Callable[..., Any])

_NOTE = "__headrace_options__"


class OptionWords(TypedDict, total=False):
    """The options as keywords, for type checkers; Options says what they mean."""

    name: str | None
    route: str | None
    replicas: Replicas
    target_ongoing_requests: float
    upscale_delay_s: float
    downscale_delay_s: float
    devices: Devices
    threads_per_replica: int | None
    executor: Executor
    max_batch_size: int
    batch_wait_s: float
    batch_latency_target_s: float | None
    max_ongoing_requests: int | None
    max_queued_requests: int
    max_queued_bytes: int
    timeout_s: float | None
    stream_timeout_s: float | None
    cancel_grace_s: float
    interruptible: bool
    retry_on_crash: bool | None
    isolate_batch_errors: bool
    startup_timeout_s: float
    load: Load
    load_at: str | None
    unload_at: str | None
    idle_unload_s: float | None
    memory_needed_bytes: int | None
    health_check_period_s: float
    health_check_timeout_s: float
    user_config: Any
    env: Mapping[str, str]
    max_body_bytes: int | None
    api_keys: str | Sequence[str] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How one deployment is to run; every option has a default. Seconds end in `_s`."""

    name: str | None = None
    """In logs, metrics, and the URL; else the class's name in kebab case."""
    route: str | None = None
    """The path it answers at; else `/predict` for a single model, `/{name}` for several."""
    replicas: Replicas = 1
    """How many copies run: a number, or (least, most) by the load; "auto" is (1, cores)."""
    target_ongoing_requests: float = 2.0
    """Where copies come and go: as many that each has so many requests, those that wait too."""
    upscale_delay_s: float = 3.0
    """How long there must be more requests than that, on average, before copies are added."""
    downscale_delay_s: float = 60.0
    """How long there must be fewer before copies go, and none before the last one goes."""
    devices: Devices = "auto"
    """Where copies run: "auto", "cpu", "cuda", or the numbers of the GPUs to go round."""
    threads_per_replica: int | None = None
    """Threads that numeric libraries use in each copy; else the cores over all the copies."""
    executor: Executor = "process"
    """A process for each copy, or "inline": within the server itself, for tests."""
    max_batch_size: int = 16
    """The most requests one `predict_batch` gets."""
    batch_wait_s: float = 0.0
    """How long an idle copy waits for a batch to fill; 0 takes what is there at once."""
    batch_latency_target_s: float | None = None
    """Keep batches small enough that a request which finds a copy at work is answered in time."""
    max_ongoing_requests: int | None = None
    """How many calls a copy runs at once; else 1 for sync hooks, 16 for async ones and streams."""
    max_queued_requests: int = 1000
    """How many may wait; the next one gets a 503."""
    max_queued_bytes: int = 1 << 30
    """How much the bodies that wait or still come may hold; the next one gets a 503."""
    timeout_s: float | None = 60.0
    """When a request gets a 504, from its arrival; in a stream from item to item. None: never."""
    stream_timeout_s: float | None = None
    """How long a stream may take in all, from the arrival of its request; None for ever."""
    cancel_grace_s: float = 5.0
    """How long a call may go on that nobody waits for, before its process is replaced."""
    interruptible: bool = True
    """Whether sync hooks that nobody waits for are ended: by Cancelled, or with their process."""
    retry_on_crash: bool | None = None
    """Whether a request is run once more when the process that held it died. None: those of a Model
    are, of others only GET, HEAD and OPTIONS over HTTP, for these promise to change nothing."""
    isolate_batch_errors: bool = True
    """Whether a batch that raises is run again in halves, so that only the guilty fail."""
    startup_timeout_s: float = 600.0
    """How long a copy may take from its start to the end of `setup`."""
    load: Load = "eager"
    """When: before the server is ready, when first asked, beside a ready server, by timetable."""
    load_at: str | None = None
    """When to load it by itself, as cron text in local time: `0 6 * * *`."""
    unload_at: str | None = None
    """When to unload it by itself, likewise; requests under way end first."""
    idle_unload_s: float | None = None
    """Unload it when nobody has used it for so long; the next request loads it again."""
    memory_needed_bytes: int | None = None
    """What each copy takes when it is loaded; else the most that was measured of one."""
    health_check_period_s: float = 10.0
    """How often each copy's `health` is asked, where the class has it."""
    health_check_timeout_s: float = 30.0
    """How long the answer may take before the copy is ended and replaced."""
    user_config: Any = field(default=None, hash=False)
    """What `reconfigure` gets after `setup`, and anew when it changes: any JSON value."""
    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Environment variables of the copies."""
    max_body_bytes: int | None = None
    """The longest body; else the server's own limit."""
    api_keys: str | Sequence[str] | None = field(default=None, repr=False)
    """Who may ask: keys, `env:NAME` or `file:/path`; else the server's own."""
    given: frozenset[str] = field(default=frozenset(), repr=False, compare=False)
    """Which of them were set on purpose; filled by `with_options`."""

    def __post_init__(self) -> None:
        for option, check in CHECKS.items():
            value = getattr(self, option)
            wish = check(value)
            if wish is not None:
                found = "" if option in SECRET else f", not {value!r}"
                raise ConfigError(f"deployment option `{option}` must be {wish}{found}")
        if self.load == "scheduled" and self.load_at is None:
            raise ConfigError('deployment option `load="scheduled"` needs `load_at`, as cron text')
        # Copies, so that a caller's list or dict cannot change a frozen value from afar.
        object.__setattr__(self, "env", dict(self.env))
        object.__setattr__(self, "user_config", copied(self.user_config))
        if isinstance(self.replicas, Sequence) and not isinstance(self.replicas, str):
            object.__setattr__(self, "replicas", tuple(self.replicas))
        if not isinstance(self.devices, str):
            object.__setattr__(self, "devices", tuple(self.devices))
        if isinstance(self.api_keys, Sequence):
            object.__setattr__(self, "api_keys", several(self.api_keys))


def several(keys: str | Sequence[str]) -> tuple[str, ...]:
    """Return one key or more as a tuple."""
    return (keys,) if isinstance(keys, str) else tuple(keys)


NAMES = tuple(option.name for option in fields(Options) if option.name != "given")


def with_options(base: Options, changes: Mapping[str, object]) -> Options:
    """Change some options by name, and remember which; raises ConfigError for a name unknown."""
    for option in changes:
        if option not in NAMES:
            hint = did_you_mean(option, NAMES) or f"; there are: {', '.join(NAMES)}"
            raise ConfigError(f"there is no deployment option `{option}`{hint}")
    return replace(base, **changes, given=base.given | changes.keys())  # type: ignore[arg-type]


@overload
def deployment(target: C, /) -> C: ...
@overload
def deployment(**options: Unpack[OptionWords]) -> Callable[[C], C]: ...
def deployment(target: C | None = None, /, **options: Unpack[OptionWords]) -> C | Callable[[C], C]:
    """Note options on a class or function: `@deployment` or `@deployment(replicas=2)`.

    The class or function itself comes back, so that types, pickling and unit tests stay as they
    are.
    """
    noted = with_options(Options(), dict(options))

    def note(target: C) -> C:
        if not (isinstance(target, type) or inspect.isfunction(target)):
            raise ConfigError(f"@deployment goes onto a class or a function, not onto {target!r}")
        setattr(target, _NOTE, noted)
        return target

    return note if target is None else note(target)


def is_noted(target: object) -> bool:
    """Tell whether a class or function was made a deployment by `@deployment`."""
    # Asked of its type: a proxy that stands in a module, such as Flask's `request`, may raise.
    return issubclass(type(target), (type, FunctionType)) and _NOTE in vars(target)


def options_of(target: Callable[..., Any]) -> Options:
    """Tell the options of a class or function, the name always filled in.

    A subclass has those of its nearest decorated base, except `name` and `route`, which two
    deployments cannot share; decorating it anew starts from the defaults.
    """
    name = kebab(getattr(target, "__name__", type(target).__name__))
    for base in target.__mro__ if isinstance(target, type) else (target,):
        noted: Options | None = getattr(base, "__dict__", {}).get(_NOTE)
        if noted is None:
            continue
        if base is not target:
            noted = replace(noted, name=None, route=None, given=noted.given - {"name", "route"})
        return noted if noted.name else replace(noted, name=name)
    return Options(name=name)
