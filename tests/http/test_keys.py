"""A route with keys opens to those who bring one, tells nobody else anything, and shows no key."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import validate

import headrace as hr
from headrace.errors import ConfigError, Unauthorized
from headrace.host.settings import settle
from headrace.http.keys import Keys
from headrace.model.deployment import Options, with_options
from headrace.model.served import describe
from headrace.replica.frames import Load, pack
from headrace.service import Service
from tests.http.asking import opened, ready

KEY, OTHER, THIRD = "k" * 20, "o" * 20, "t" * 20
SETTING = "setting `api_keys`"


@hr.deployment(executor="inline", route="/locked", api_keys=[KEY, OTHER])
class Locked(hr.Model):
    def predict(self, value: Any, context: hr.Context) -> Any:
        return {"value": value, "headers": sorted(context.headers.keys())}


@hr.deployment(executor="inline", route="/plain")
class Plain(hr.Model):
    def predict(self, value: Any) -> Any:
        return value


def admitted(keys: Keys, *headers: tuple[str, str]) -> list[str]:
    """Return the names of the headers that go on to the model. Raises Unauthorized."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    scope: dict[str, Any] = {"headers": raw}
    keys.admit(scope, dict(raw))
    return [name.decode() for name, _ in scope["headers"]]


@pytest.mark.parametrize(
    "header",
    [
        ("authorization", f"Bearer {KEY}"),
        ("authorization", f"bearer   {OTHER} "),
        ("authorization", f"BEARER {KEY}"),
        ("x-api-key", OTHER),
        ("x-api-key", f" {KEY} "),
    ],
)
def test_a_key_opens_by_either_header_and_goes_no_further(header: tuple[str, str]) -> None:
    assert admitted(Keys([KEY, OTHER], SETTING), ("host", "x"), header) == ["host"]


def test_a_header_that_carries_no_key_of_ours_stays_for_the_model() -> None:
    theirs = ("authorization", "Bearer a-users-own-token")
    keys = Keys([KEY], SETTING)
    assert admitted(keys, theirs, ("x-api-key", KEY)) == ["authorization"]
    assert admitted(keys, ("authorization", f"Bearer {KEY}"), ("x-api-key", "x")) == ["x-api-key"]


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ([], "Bearer"),
        ([("authorization", "Basic a2V5")], "Bearer"),
        ([("authorization", KEY)], "Bearer"),
        ([("authorization", f"Bearer {KEY}x")], 'Bearer error="invalid_token"'),
        ([("authorization", f"Bearer {KEY[:-1]}")], 'Bearer error="invalid_token"'),
        ([("authorization", "Bearer ")], 'Bearer error="invalid_token"'),
        ([("x-api-key", "")], 'Bearer error="invalid_token"'),
        ([("x-api-key", KEY.upper())], 'Bearer error="invalid_token"'),
        ([("x-api-key", f"{KEY},{OTHER}")], 'Bearer error="invalid_token"'),
    ],
)
def test_what_brings_none_is_asked_for_one_and_what_is_wrong_is_told(
    headers: list[tuple[str, str]], challenge: str
) -> None:
    with pytest.raises(Unauthorized) as caught:
        admitted(Keys([KEY, OTHER], SETTING), *headers)
    assert caught.value.status == 401
    assert caught.value.headers == {"WWW-Authenticate": challenge}
    assert KEY not in str(caught.value)


@given(st.binary(max_size=40))
def test_nothing_but_a_key_opens(guess: bytes) -> None:
    keys, raw = Keys([KEY], SETTING), [(b"x-api-key", guess)]
    if guess.strip() == KEY.encode():
        keys.admit({"headers": raw}, dict(raw))
    else:
        with pytest.raises(Unauthorized):
            keys.admit({"headers": raw}, dict(raw))


@pytest.mark.parametrize("key", [KEY, OTHER, THIRD, "wrong"])
def test_every_key_is_compared_whichever_it_is(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def counted(one: bytes, two: bytes) -> bool:
        compared.append((len(one), len(two)))
        return compare(one, two)

    keys = Keys([KEY, OTHER, THIRD], SETTING)
    monkeypatch.setattr(hmac, "compare_digest", counted)
    if key == "wrong":
        with pytest.raises(Unauthorized):
            admitted(keys, ("x-api-key", key))
    else:
        admitted(keys, ("x-api-key", key))
    assert compared == [(32, 32)] * 3


# --- where keys are -------------------------------------------------------------------------


def opens(keys: Keys, key: str) -> bool:
    try:
        admitted(keys, ("x-api-key", key))
    except Unauthorized:
        return False
    return True


def test_a_variable_holds_keys_between_commas_and_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEYS", f" {KEY} ,{OTHER}\n\n{THIRD},")
    keys = Keys(["env:MY_KEYS"], SETTING)
    assert [opens(keys, key) for key in (KEY, OTHER, THIRD, "")] == [True, True, True, False]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_file_is_read_again_when_it_changed_but_looked_at_once_a_second(tmp_path: Path) -> None:
    file, clock = tmp_path / "keys", Clock()
    file.write_text(f"# ours\n\n{KEY}\n  {OTHER}  \n#{THIRD}\n")
    keys = Keys([f"file:{file}", "l" * 20], SETTING, clock)
    assert [opens(keys, key) for key in (KEY, OTHER, THIRD, "l" * 20)] == [True, True, False, True]
    fresh = tmp_path / "fresh"
    fresh.write_text(THIRD)
    fresh.replace(file)
    clock.now += 0.9
    assert [opens(keys, key) for key in (KEY, THIRD)] == [True, False]
    clock.now += 0.2
    assert [opens(keys, key) for key in (KEY, THIRD, "l" * 20)] == [False, True, True]


@pytest.mark.parametrize("fault", ["gone", "empty", "a folder", "not text", "a key with spaces"])
def test_a_file_that_goes_bad_leaves_the_keys_and_is_told_once(
    fault: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, clock = tmp_path / "keys", Clock()
    file.write_text(KEY)
    keys = Keys([f"file:{file}"], SETTING, clock)
    file.unlink()
    match fault:
        case "empty":
            file.write_text("# none\n")
        case "a folder":
            file.mkdir()
        case "not text":
            file.write_bytes(b"\xff\xfe\x00")
        case "a key with spaces":
            file.write_text("two words of a secret\n")
        case _:
            assert not file.exists()
    for _ in range(3):
        clock.now += 2
        assert opens(keys, KEY)
        assert not opens(keys, OTHER)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert str(file) in caplog.text
    assert "secret" not in caplog.text
    if file.is_dir():
        file.rmdir()
    file.write_text(OTHER)
    clock.now += 2
    assert [opens(keys, key) for key in (KEY, OTHER)] == [False, True]
    file.unlink()
    clock.now += 2
    assert opens(keys, OTHER)
    assert len(caplog.records) == 2, "a second misfortune is told too"


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([], "is empty"),
        (["env:NO_SUCH_VARIABLE"], "the environment's NO_SUCH_VARIABLE holds no key"),
        (["env:EMPTY"], "the environment's EMPTY holds no key"),
        (["file:/no/such/file"], "/no/such/file cannot be read: No such file"),
        (["file:/"], "no file of keys"),
        (["file:/dev/zero"], "no file of keys"),
        (["a secret with spaces"], "key 1: a key is printable ASCII"),
        ([KEY, "g\N{LATIN SMALL LETTER E WITH ACUTE}heim"], "key 2: a key is printable ASCII"),
    ],
)
def test_keys_that_let_nobody_in_are_an_error_at_the_start(
    entries: Sequence[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPTY", " ,\n")
    with pytest.raises(ConfigError) as caught:
        Keys(entries, SETTING)
    assert SETTING in str(caught.value)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_empty_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("\n# nothing yet\n")
    with pytest.raises(ConfigError, match="holds no key"):
        Keys([f"file:{file}"], SETTING)


def test_a_short_key_is_warned_of_by_its_place(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEYS", "sesame,hunter2")
    Keys(["env:MY_KEYS", KEY], SETTING)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "MY_KEYS" in caplog.text
    assert "sesame" not in caplog.text
    assert "hunter2" not in caplog.text


# --- which keys open what -------------------------------------------------------------------


def asked(*headers: dict[str, str], **settings: Any) -> list[tuple[int, int]]:
    """Ask both models with each of these headers; give the statuses."""

    async def main() -> list[tuple[int, int]]:
        async with ready(Locked, Plain, **settings) as (_, client):
            said = []
            for each in headers:
                replies = [
                    await client.post(p, json=1, headers=each) for p in ("/locked", "/plain")
                ]
                said.append((replies[0].status_code, replies[1].status_code))
            return said

    return asyncio.run(main())


def test_a_deployments_own_keys_stand_in_place_of_the_servers() -> None:
    headers: list[dict[str, str]] = [{}, {"X-API-Key": KEY}, {"X-API-Key": THIRD}]
    assert asked(*headers) == [(401, 200), (200, 200), (401, 200)]
    assert asked(*headers, api_keys=THIRD) == [(401, 401), (200, 401), (401, 200)]


def test_the_environment_gives_the_servers_keys_where_code_says_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    file.write_text(OTHER)
    headers = [{"X-API-Key": key} for key in (KEY, OTHER, THIRD)]
    monkeypatch.setenv("HEADRACE_API_KEYS", THIRD)
    monkeypatch.setenv("HEADRACE_API_KEYS_FILE", str(file))
    assert [plain for _, plain in asked(*headers)] == [401, 200, 200]
    assert [plain for _, plain in asked(*headers, api_keys=[KEY])] == [200, 401, 401]
    assert [plain for _, plain in asked(*headers, api_keys=None)] == [200, 200, 200]


@pytest.mark.parametrize("name", ["HEADRACE_API_KEYS", "HEADRACE_API_KEYS_FILE"])
def test_an_empty_variable_does_not_open_the_server(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "")
    with pytest.raises(ConfigError):
        asked({})


@pytest.mark.parametrize("wrong", ["", [], [""], 17, [None], {"a": 1}])
def test_what_can_be_no_keys_is_an_error_that_shows_none(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"api_keys.*env:NAME"):
        settle({"api_keys": wrong})
    with pytest.raises(ConfigError, match=r"api_keys.*env:NAME"):
        with_options(Options(), {"api_keys": wrong})
    with pytest.raises(ConfigError) as caught:
        with_options(Options(), {"api_keys": [KEY, 17]})
    assert KEY not in str(caught.value)


def test_no_key_is_in_what_is_shown_or_sent_to_a_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Load] = []

    def noted(*words: Any, **more: Any) -> Load:
        loads.append(Load(*words, **more))
        return loads[-1]

    monkeypatch.setattr("headrace.generation.Load", noted)
    settings = settle({"api_keys": [THIRD], "tls_keyfile_password": "swordfish"})
    shown = repr(settings) + repr(describe(Locked))

    async def main() -> str:
        async with ready(Locked, Plain, api_keys=THIRD) as (_, client):
            paths = ("/-/info", "/-/openapi.json", "/-/health", "/-/metrics", "/docs.js")
            return "".join([(await client.get(path)).text for path in paths])

    shown += asyncio.run(main())
    for load in loads:
        shown += pack(load).decode("latin-1") if load.name == "plain" else repr(load.options)
        assert load.options.api_keys is None
    assert {load.name for load in loads} == {"locked", "plain"}
    for secret in (KEY, OTHER, THIRD, "swordfish"):
        assert secret not in shown


# --- what a client sees ---------------------------------------------------------------------


def test_a_refusal_is_a_problem_document_and_counted() -> None:
    async def main() -> None:
        async with ready(Locked) as (_, client):
            said = await client.post("/locked", json=1, headers={"X-Request-Id": "mine"})
            assert said.status_code == 401
            assert said.headers["content-type"] == "application/problem+json"
            assert said.headers["www-authenticate"] == "Bearer"
            assert said.json()["code"] == "unauthorized"
            assert said.json()["request_id"] == said.headers["x-request-id"] == "mine"
            info = (await client.get("/-/info")).json()
            assert info["deployments"]["locked"]["ended"] == {"401": 1}
            assert (await client.get("/locked")).status_code == 401, "not even the methods are told"

    asyncio.run(main())


def test_nothing_of_the_body_is_read_before_the_key_is_seen() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("the body was asked for")

    async def main() -> Service:
        async with opened(Locked) as service:
            await asyncio.wait_for(service.ready, 5)
            scope = {
                "type": "http",
                "method": "POST",
                "path": "/locked",
                "query_string": b"",
                "headers": [(b"x-api-key", b"wrong"), (b"content-length", b"999999999999")],
            }
            await service.app(scope, receive, send)
            return service

    asyncio.run(main())
    assert sent[0]["status"] == 401


def test_a_model_that_reads_headers_gets_all_but_the_key() -> None:
    async def main() -> httpx2.Response:
        async with ready(Locked) as (_, client):
            headers = {"Authorization": f"Bearer {KEY}", "X-Mine": "1"}
            return await client.post("/locked", json=1, headers=headers)

    seen = asyncio.run(main()).json()["headers"]
    assert "x-mine" in seen
    assert "authorization" not in seen


def test_the_document_tells_which_routes_want_a_key() -> None:
    async def main(*models: type[hr.Model]) -> Any:
        async with ready(*models) as (_, client):
            return (await client.get("/-/openapi.json")).json()

    told = asyncio.run(main(Locked, Plain))
    validate(told)
    assert set(told["components"]["securitySchemes"]) == {"Bearer", "ApiKey"}
    locked, plain = (told["paths"][path]["post"] for path in ("/locked", "/plain"))
    assert locked["security"] == [{"Bearer": []}, {"ApiKey": []}]
    assert "401" in locked["responses"]
    assert "security" not in plain
    assert "401" not in plain["responses"]
    assert "401" in told["components"]["responses"]
    without = asyncio.run(main(Plain))
    assert "securitySchemes" not in without["components"]
    assert "401" not in without["components"]["responses"]
