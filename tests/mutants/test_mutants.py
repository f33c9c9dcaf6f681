"""The tests of the core notice every fault that was put into it by hand."""

from __future__ import annotations

import pytest

from tests.mutants.mutants import MUTANTS, Mutant
from tests.mutants.run import ROOT, judge


def test_every_fault_still_has_its_place() -> None:
    core = ROOT / "src" / "headrace" / "core"
    lost = [m.promise for m in MUTANTS if (core / m.file).read_text().count(m.snippet) != 1]
    assert not lost


@pytest.mark.timeout(300)
def test_the_dearest_promises_are_watched() -> None:
    dearest = [mutant for mutant in MUTANTS if mutant.dear]
    assert not _unnoticed(judge(dearest, jobs=2))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_every_promise_is_watched() -> None:
    assert not _unnoticed(judge(MUTANTS, jobs=2))


def _unnoticed(verdicts: list[tuple[Mutant, str]]) -> list[str]:
    return [f"{mutant.promise}: {word}" for mutant, word in verdicts if word[:6] != "killed"]
