"""However oddly a request fails, it fails alone: its mates are answered, its replica lives on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.e2e.apps.odd import WISHES
from tests.e2e.serving import PATIENCE_S, Program, ask, served, status

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

MIB = 1 << 20
MATES = 2


@pytest.fixture(scope="module")
def odd() -> Iterator[Program]:
    with served("odd.py") as server:
        yield server


def pids(server: Program) -> dict[str, list[int]]:
    told = status(server)["deployments"]
    return {name: [copy["pid"] for copy in told[name]["replicas"]] for name in told}


@pytest.mark.parametrize("path", ["/one", "/batch", "/async"])
@pytest.mark.parametrize("wish", WISHES)
def test_it_fails_alone_and_the_log_knows_it(odd: Program, path: str, wish: str) -> None:
    before, label = pids(odd), f"odd{path}/{wish}"
    with ThreadPoolExecutor(MATES + 1) as pool:
        mates = [pool.submit(ask, odd, path, f"mate {n}") for n in range(MATES // 2)]
        failing = pool.submit(ask, odd, path, wish, headers={"X-Request-Id": label})
        mates += [pool.submit(ask, odd, path, f"mate {n}") for n in range(MATES // 2, MATES)]
    failed = failing.result()
    assert failed.status_code == 500, failed.text
    assert failed.headers["content-type"] == "application/problem+json"
    assert (failed.json()["code"], failed.json()["request_id"]) == ("hook_failed", label)
    assert len(failed.content) < 1000
    for n, mate in enumerate(mates):
        assert mate.result().status_code == 200, mate.result().text
        assert mate.result().json()[0] == f"mate {n}"
    line = odd.wait_for_line(f"request {label}: ")
    assert len(line) < 100_000
    assert pids(odd) == before


SIZES = {
    "one-gigabyte": "1,000,000,000 bytes",
    "more-than-a-frame": "4,294,967,297 bytes",
    "just-too-large": "536,870,913 bytes",
    "huge-header": "1,000,003 characters",
}


@pytest.mark.parametrize("wish", SIZES)
def test_the_log_names_the_size_of_what_is_too_large(odd: Program, wish: str) -> None:
    label = f"size-of-{wish}"
    ask(odd, "/one", wish, headers={"X-Request-Id": label})
    assert SIZES[wish] in odd.wait_for_line(f"request {label}: ")


def test_a_huge_text_is_logged_shortened(odd: Program) -> None:
    before = sum(map(len, odd.lines))
    label = "shortened"
    ask(odd, "/one", "huge-text", headers={"X-Request-Id": label})
    odd.wait_for_line("characters ...]")
    ask(odd, "/one", "after it")
    assert sum(map(len, odd.lines)) - before < 1_000_000


def test_an_answer_as_large_as_may_be_is_sent_and_its_memory_given_back(odd: Program) -> None:
    worker = odd.worker
    before, read = worker.memory_full_info().uss, 0
    size = 1 << 29
    with httpx2.stream("POST", f"{odd.url}/limit", json=size, timeout=PATIENCE_S * 3) as answer:
        assert answer.status_code == 200
        for chunk in answer.iter_raw():
            read += len(chunk)
    assert read == size
    assert ask(odd, "/one", "after it").status_code == 200
    rise = worker.memory_full_info().uss - before
    assert rise < 64 * MIB, f"the worker kept {rise / MIB:.0f} MiB"
