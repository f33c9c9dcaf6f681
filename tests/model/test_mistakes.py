"""Every mistake in a model class is told at load, with the class, the hook and the mend."""

from __future__ import annotations

import abc
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headrace.errors import ConfigError
from headrace.model.api import Model
from headrace.model.context import Context
from headrace.model.deployment import deployment
from headrace.model.types import Request, Upload
from tests.model.making import plan_of

if TYPE_CHECKING:
    from nowhere import Board  # type: ignore[import-not-found]


class NoModel:
    def predict(self, x: int) -> int:
        return x


class NoPredict(Model): ...


class NotCallable(Model):
    predict = 3


class IsProperty(Model):
    @property
    def predict(self) -> int:
        return 3


class StreamsOut(Model):
    def predict(self, n: int) -> int:
        return n

    def encode_response(self, n: int) -> Iterator[int]:
        yield n


class StreamsIn(Model):
    async def decode_request(self, n: int) -> AsyncIterator[int]:
        yield n

    def predict(self, n: int) -> int:
        return n


class OnlyAdmits(Model):
    def admit(self, n: int) -> int:
        return n


class OnlySteps(Model):
    def step(self, states: list[int]) -> list[int]:
        return states


class StepsOfNothing(OnlyAdmits):
    def step(self) -> list[int]:
        return []


class StepsStreaming(OnlyAdmits):
    def step(self, states: list[int]) -> Iterator[int]:
        yield from states


class StepsWithMore(OnlyAdmits):
    def step(self, states: list[int], temperature: float) -> list[int]:
        return states


class StepsAndBatches(OnlyAdmits, OnlySteps):
    def predict_batch(self, n: list[int]) -> list[int]:
        return n


class StepsBelow(OnlyAdmits, OnlySteps):
    def predict(self, n: int) -> int:
        return n


class LeavesBehind(OnlyAdmits, OnlySteps):
    def leave(self) -> None: ...


@deployment(batch_wait_s=1)
class StepsWaiting(OnlyAdmits, OnlySteps): ...


@deployment(stream_timeout_s=1)
class StreamsNot(Model):
    def predict(self, n: int) -> int:
        return n


class Abstract(Model, abc.ABC):
    @abc.abstractmethod
    def load(self) -> None: ...

    def predict(self, x: int) -> int:
        return x


class NeedsArguments(Model):
    def __init__(self, path: str, size: int = 1, *, mode: str) -> None: ...

    def predict(self, x: int) -> int:
        return x


class Stars(Model):
    def predict(self, *xs: int) -> int:
        return len(xs)


class OnlyStars(Model):
    def predict(*xs: int) -> int:
        return len(xs)


class NoSelf(Model):
    def predict() -> int:  # type: ignore[misc]
        return 1


class KeywordSelf(Model):
    def predict(*, x: int) -> int:  # type: ignore[misc]
        return x


class Slip(Model):
    def setupp(self) -> None: ...

    def predict(self, x: int) -> int:
        return x


class Swapped(Model):
    def predict_bacth(self, xs: list[int]) -> list[int]:
        return xs


class Plural(Model):
    def decode_requests(self, x: int) -> int:
        return x

    def predict(self, x: int) -> int:
        return x


class MixedUp(Model):
    def encode_request(self, x: int) -> int:
        return x

    def predict(self, x: int) -> int:
        return x


class Unresolvable(Model):
    def predict(self, board: Board) -> int:
        return 1


class UnresolvableField(Model):
    def predict(self, board: Board, depth: int = 3) -> int:
        return depth


class Foreign(Model):
    def predict(self, path: Path) -> int:
        return 1


class ForeignWithin(Model):
    def predict(self, paths: dict[str, list[Path]]) -> int:
        return 1


class ForeignUnion(Model):
    def predict(self, path: Path | int) -> int:
        return 1


class ForeignItem(Model):
    def predict_batch(self, paths: list[Path]) -> list[int]:
        return []


class NestedUpload(Model):
    def predict(self, files: dict[str, Upload]) -> int:
        return 1


class RequestAmongFields(Model):
    def predict(self, request: Request, depth: int) -> int:
        return depth


class NotAList(Model):
    def predict_batch(self, texts: str) -> list[str]:
        return [texts]


class NoInputs(Model):
    def predict_batch(self, contexts: list[Context]) -> list[int]:
        return [1 for _ in contexts]


class TwoColumns(Model):
    def predict_batch(self, texts: list[str], sizes: list[int]) -> list[str]:
        return texts


class DecodesNothing(Model):
    def decode_request(self, context: Context) -> int:
        return 1

    def predict(self, x: int) -> int:
        return x


class PredictsNothing(Model):
    def decode_request(self, request: int) -> int:
        return 1

    def predict(self, context: Context) -> int:
        return 1


class PredictsTwo(Model):
    def decode_request(self, request: int) -> int:
        return 1

    def predict(self, x: int, y: int) -> int:
        return x + y


class EncodesNothing(Model):
    def predict(self, x: int) -> int:
        return x

    def encode_response(self) -> int:
        return 1


class TwoContexts(Model):
    def predict(self, x: int, context: Context, mine: Context) -> int:
        return x


class PositionalContext(Model):
    def predict(self, x: int, context: Context, /) -> int:
        return x


class ContextField(Model):
    def predict(self, question: str, context: str) -> str:
        return question + context


class ListOfContexts(Model):
    def predict(self, x: int, mine: list[Context]) -> int:
        return x


class OneContext(Model):
    def predict_batch(self, xs: list[int], mine: Context) -> list[int]:
        return xs


class GreedySetup(Model):
    def setup(self, device: str, path: str) -> None: ...

    def predict(self, x: int) -> int:
        return x


class ContextualSetup(Model):
    def setup(self, context: Context) -> None: ...

    def predict(self, x: int) -> int:
        return x


class GreedyTeardown(Model):
    def teardown(self, reason: str) -> None: ...

    def predict(self, x: int) -> int:
        return x


class StreamingSetup(Model):
    def setup(self) -> Iterator[None]:
        yield

    def predict(self, x: int) -> int:
        return x


@deployment(max_batch_size=4)
class SizeWithoutBatch(Model):
    def predict(self, x: int) -> int:
        return x


@deployment(batch_wait_s=0.1)
class WaitWithoutBatch(Model):
    def predict(self, x: int) -> int:
        return x


class Batches(Model):
    def predict_batch(self, xs: list[int]) -> list[int]:
        return xs


class Shadowed(Batches):
    def predict(self, x: int) -> int:
        return x


MISTAKES: list[tuple[type, list[str]]] = [
    (NoModel, ["class NoModel is no model", "class NoModel(hr.Model)"]),
    (NoPredict, ["class NoPredict has no `predict`", "predict_batch"]),
    (Model, ["class Model has no `predict`"]),
    (NotCallable, ["NotCallable.predict is a int", "`def`"]),
    (IsProperty, ["IsProperty.predict is a property", "make it a method"]),
    (StreamsOut, ["StreamsOut.encode_response is a generator", "whole result"]),
    (StreamsIn, ["StreamsIn.decode_request is a generator", "only `predict` and `predict_batch`"]),
    (OnlyAdmits, ["class OnlyAdmits has no `predict`", "`admit` alone", "`step` beside it"]),
    (OnlySteps, ["class OnlySteps has no `predict`", "`step` alone", "`admit` beside it"]),
    (StepsOfNothing, ["StepsOfNothing.step has no parameter for its input", "`states`"]),
    (StepsStreaming, ["StepsStreaming.step is a generator", "whole result"]),
    (StepsWithMore, ["StepsWithMore.step needs `temperature`"]),
    (StepsAndBatches, ["StepsAndBatches.predict_batch would never be called", "`admit = None`"]),
    (StepsBelow, ["StepsBelow.predict would never be called", "`admit = None`"]),
    (LeavesBehind, ["LeavesBehind.leave has no parameter for its input", "`state`"]),
    (StepsWaiting, ["class StepsWaiting sets `batch_wait_s`", "predict_batch"]),
    (StreamsNot, ["class StreamsNot sets `stream_timeout_s` and does not stream", "`yield`"]),
    (StreamingSetup, ["StreamingSetup.setup is a generator"]),
    (Abstract, ["class Abstract is abstract", "load"]),
    (NeedsArguments, ["NeedsArguments.__init__ needs `path`, `mode`", "`setup`"]),
    (Stars, ["Stars.predict takes `*xs`", "name its parameters"]),
    (OnlyStars, ["OnlyStars.predict takes `*xs`"]),
    (NoSelf, ["NoSelf.predict has no `self`"]),
    (KeywordSelf, ["KeywordSelf.predict has no `self`"]),
    (Slip, ["Slip.setupp is no hook; did you mean `setup`?", "underscore"]),
    (Plural, ["Plural.decode_requests is no hook; did you mean `decode_request`?"]),
    (Swapped, ["Swapped.predict_bacth is no hook; did you mean `predict_batch`?"]),
    (MixedUp, ["MixedUp.encode_request is no hook; did you mean `decode_request`?"]),
    (Unresolvable, ["Unresolvable.predict has `board: Board`", "'Board' is not defined"]),
    (UnresolvableField, ["UnresolvableField.predict has `board: Board`", "TYPE_CHECKING"]),
    (Foreign, ["Foreign.predict has `path: Path`", "pathlib.Path", "TypedDict"]),
    (ForeignWithin, ["ForeignWithin.predict has `paths: dict[str, list[pathlib.Path]]`"]),
    (ForeignUnion, ["ForeignUnion.predict has `path:", "cannot read"]),
    (ForeignItem, ["ForeignItem.predict_batch has `paths: Path`", "cannot read"]),
    (NestedUpload, ["NestedUpload.predict has `files:", "stand alone"]),
    (RequestAmongFields, ["RequestAmongFields.predict takes a Request beside", "alone"]),
    (NotAList, ["NotAList.predict_batch has `texts` annotated", "`list[T]`"]),
    (NoInputs, ["NoInputs.predict_batch has no parameter for its input", "`inputs`"]),
    (TwoColumns, ["TwoColumns.predict_batch needs `sizes`", "one dataclass"]),
    (DecodesNothing, ["DecodesNothing.decode_request has no parameter for the request"]),
    (PredictsNothing, ["PredictsNothing.predict has no parameter for its input", "`decoded`"]),
    (PredictsTwo, ["PredictsTwo.predict needs `y`"]),
    (EncodesNothing, ["EncodesNothing.encode_response has no parameter", "`output`"]),
    (TwoContexts, ["TwoContexts.predict has two contexts, `context` and `mine`"]),
    (PositionalContext, ["PositionalContext.predict takes `context` by position only", "`/`"]),
    (ContextField, ["ContextField.predict has `context: str`", "another name"]),
    (ListOfContexts, ["ListOfContexts.predict has `mine` of a wrong kind", "one request's"]),
    (OneContext, ["OneContext.predict_batch has `mine` of a wrong kind", "list[Context]"]),
    (GreedySetup, ["GreedySetup.setup needs `path`", "`device`, nothing else"]),
    (ContextualSetup, ["ContextualSetup.setup needs `context`"]),
    (GreedyTeardown, ["GreedyTeardown.teardown needs `reason`", "takes nothing"]),
    (SizeWithoutBatch, ["SizeWithoutBatch sets `max_batch_size` and has no `predict_batch`"]),
    (WaitWithoutBatch, ["WaitWithoutBatch sets `batch_wait_s` and has no `predict_batch`"]),
    (Shadowed, ["Shadowed.predict would never be called", "`predict_batch = None`"]),
]


@pytest.mark.parametrize(("cls", "words"), MISTAKES, ids=lambda case: getattr(case, "__name__", ""))
def test_a_mistake_is_told_with_class_hook_and_mend(cls: type, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_of(cls)
    for word in words:
        assert word in str(caught.value)


def test_an_object_in_place_of_a_class_is_told() -> None:
    from headrace.model.deployment import Options
    from headrace.model.hooks import compile_plan

    wrong: Any = NoPredict()
    with pytest.raises(ConfigError, match="give the model class itself"):
        compile_plan(wrong, Options())


def noisy(hook: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(hook)
    def heard(*args: Any, **kwargs: Any) -> Any:
        return hook(*args, **kwargs)

    return heard


class Helpers(Model):
    healthy = True  # no method: no slip

    def _predictt(self) -> None: ...

    def predictor(self) -> None: ...

    def batch_predict(self) -> None: ...

    @noisy
    def predict(self, x: int) -> int:
        return x


class Unneeded(Model):
    """What no request needs may stay unresolved: the result, the context, a decoded value."""

    def decode_request(self, request: int, context: Board) -> Board:
        return request

    def predict(self, board: Board) -> Board:
        return board


class Both(Model):
    def predict(self, x: int) -> int:
        return self.predict_batch([x])[0]

    def predict_batch(self, xs: list[int]) -> list[int]:
        return [x + 1 for x in xs]


class Unbatched(Batches):
    predict_batch = None  # type: ignore[assignment]

    def predict(self, x: int) -> int:
        return x


@pytest.mark.parametrize("cls", [Helpers, Unneeded, Both, Unbatched])
def test_what_only_looks_like_a_mistake_is_let_be(cls: type) -> None:
    assert plan_of(cls).batched == (cls is Both)
