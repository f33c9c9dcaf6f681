"""Which of an object's models goes for which, and when: any order of events keeps the promises."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from headrace.model.shelf import Held, Load, Shelf, State, Step, TearDown

MODELS = st.sampled_from("abcd")


class AnyOrder(RuleBasedStateMachine):
    """Calls begin, ask for models and end; loads and teardowns take their time."""

    shelf: Shelf

    @initialize(most=st.integers(1, 3))
    def begin(self, most: int) -> None:
        self.shelf = Shelf(most)
        self.most = most
        self.serial = 0
        self.uses: dict[int, list[Held]] = {}
        self.loading: list[Held] = []
        self.going: list[Held] = []
        self.hurried = False

    def do(self) -> None:
        steps: Sequence[Step] = self.shelf.steps()
        for step in steps:
            if isinstance(step, Load):
                self.loading.append(step.held)
            else:
                assert not step.held.users, "it is in use"
                assert not any(step.held in used for used in self.uses.values())
                self.going.append(step.held)

    @rule(model=MODELS)
    def call(self, model: str) -> None:
        self.serial += 1
        self.shelf.under_way.add(self.serial)
        self.uses[self.serial] = []
        self.ask(self.serial, model)

    @precondition(lambda self: self.uses)
    @rule(data=st.data(), model=MODELS)
    def call_for_another(self, data: st.DataObject, model: str) -> None:
        self.ask(data.draw(st.sampled_from(sorted(self.uses))), model)

    @rule(model=MODELS)
    def ask_for_no_call(self, model: str) -> None:
        held = self.shelf.asked(model, [self.serial + 1], waits=True)
        self.do()
        self.shelf.released(held)
        self.do()

    def ask(self, call: int, model: str) -> None:
        there = [each for each in self.uses[call] if each.state is not State.GONE]
        others = [each for each in there if each.id != model]
        held = self.shelf.asked(model, [call], waits=True)
        mine = [each for each in self.uses[call] if each.id == model]
        assert not mine or held is mine[0] or mine[0].state is State.GONE, "it has that one"
        self.uses[call].append(held)
        self.do()
        self.shelf.released(held)
        self.do()
        self.hurried = self.hurried or bool(others)
        assert not others or held.state is not State.WAITING, "it has one already"

    @precondition(lambda self: self.uses)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(sorted(self.uses)))
        del self.uses[call]
        self.shelf.under_way.discard(call)
        self.shelf.ended(call)
        self.do()

    @precondition(lambda self: self.loading)
    @rule(data=st.data(), works=st.booleans())
    def load(self, data: st.DataObject, *, works: bool) -> None:
        held = self.loading.pop(data.draw(st.integers(0, len(self.loading) - 1)))
        if works:
            self.shelf.loaded(held, f"model {held.id}")
        else:
            self.shelf.failed(held, ValueError(held.id))
        self.do()

    @precondition(lambda self: self.going)
    @rule(data=st.data())
    def tear_down(self, data: st.DataObject) -> None:
        self.shelf.torn_down(self.going.pop(data.draw(st.integers(0, len(self.going) - 1))))
        self.do()

    @invariant()
    def there_are_not_too_many(self) -> None:
        if hasattr(self, "shelf") and not self.hurried:
            assert self.shelf.used <= self.most

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        """Whoever waits for a place waits for a load, a teardown or the end of a call."""
        if hasattr(self, "shelf") and self.shelf.waiting:
            assert self.shelf.used >= self.most
            assert self.loading or self.going or self.uses

    def teardown(self) -> None:
        if not hasattr(self, "shelf"):
            return
        calls, self.uses = self.uses, {}
        for call in calls:
            self.shelf.under_way.discard(call)
            self.shelf.ended(call)
        self.do()
        while self.loading or self.going:
            for held in list(self.loading):
                self.loading.remove(held)
                self.shelf.loaded(held, "model")
            for held in list(self.going):
                self.going.remove(held)
                self.shelf.torn_down(held)
            self.do()
        assert not self.shelf.waiting
        assert not self.shelf.leases
        assert not self.shelf.leaving
        assert len(self.shelf.known) <= self.most
        assert not any(held.users for held in self.shelf.known.values())


AnyOrder.TestCase.settings = settings(
    phases=[phase for phase in Phase if phase is not Phase.explain],  # a tracer, minutes long
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
)
TestAnyOrder = AnyOrder.TestCase


def loaded(most: int, models: str) -> Shelf:
    shelf = Shelf(most)
    for model in models:
        held = shelf.asked(model, [], waits=True)
        assert shelf.steps() == [Load(held)]
        shelf.loaded(held, model)
        shelf.released(held)
    return shelf


@pytest.mark.parametrize(
    ("asked_again", "in_use", "goes"),
    [("", "", "a"), ("a", "", "b"), ("", "a", "b"), ("b", "b", "a")],
)
def test_the_least_recently_used_goes_and_one_that_nobody_uses_first(
    asked_again: str, in_use: str, goes: str
) -> None:
    shelf = loaded(3, "abc")
    for model in asked_again:
        shelf.released(shelf.asked(model, [], waits=True))
    for model in in_use:
        shelf.asked(model, [], waits=True)
    shelf.asked("d", [], waits=True)
    (step,) = shelf.steps()
    assert isinstance(step, TearDown)
    assert step.held.id == goes


def test_whoever_uses_one_that_is_to_go_keeps_it_and_others_wait_for_a_new_one() -> None:
    shelf = loaded(1, "a")
    shelf.under_way |= {1, 2, 3}
    mine = shelf.asked("a", [1], waits=True)
    shelf.asked("b", [2], waits=True)
    assert shelf.steps() == []
    assert shelf.asked("a", [1], waits=True) is mine
    assert shelf.asked("a", [3], waits=True) is not mine
