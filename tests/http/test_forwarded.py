"""A client behind trusted proxies is known; nobody else can pass for one."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.forwarded import Proxies
from tests.http.plainly import served, wsgi

CASES = [
    (("10.0.0.1",), "10.0.0.1", "1.2.3.4", "1.2.3.4"),
    (("10.0.0.0/8",), "10.9.9.9", "1.2.3.4, 10.0.0.3", "1.2.3.4"),
    (("10.0.0.0/8",), "10.9.9.9", "6.6.6.6, 1.2.3.4, 10.0.0.3", "1.2.3.4"),
    (("10.0.0.1",), "9.9.9.9", "1.2.3.4", "9.9.9.9"),
    ((), "10.0.0.1", "1.2.3.4", "10.0.0.1"),
    (("*",), "9.9.9.9", "1.2.3.4, 5.6.7.8", "1.2.3.4"),
    (("10.0.0.1",), "10.0.0.1", "1.2.3.4, nonsense", "10.0.0.1"),
    (("10.0.0.1",), "10.0.0.1", "1.2.3.4:5000", "1.2.3.4"),
    (("10.0.0.1",), "10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
    (("10.0.0.1",), "::ffff:10.0.0.1", "1.2.3.4", "1.2.3.4"),
]


def asked(peer: str | None, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    client = None if peer is None else (peer, 5000)
    return {"client": client, "scheme": "http", "headers": list(headers)}


@pytest.mark.parametrize(("trusted", "peer", "chain", "client"), CASES)
def test_the_client_is_the_first_from_the_right_that_is_no_proxy_of_ours(
    trusted: tuple[str, ...], peer: str, chain: str, client: str
) -> None:
    scope = asked(peer, (b"x-forwarded-for", chain.encode()))
    Proxies(trusted).amend(scope)
    assert scope["client"][0] == client


@given(st.lists(st.ip_addresses(v=4).map(str)), st.ip_addresses(v=4).map(str))
def test_what_a_client_makes_up_changes_nothing(made_up: list[str], client: str) -> None:
    chain = ", ".join([*made_up, client]).encode()
    scope = asked("192.0.2.1", (b"x-forwarded-for", chain))
    proxies = Proxies(("192.0.2.1",))
    proxies.amend(scope)
    assert scope["client"][0] == client or client == "192.0.2.1"


@pytest.mark.parametrize(
    ("peer", "proto", "scheme"),
    [
        ("10.0.0.1", b"https", "https"),
        ("10.0.0.1", b"gopher", "http"),
        ("1.1.1.1", b"https", "http"),
    ],
)
def test_the_scheme_is_believed_to_a_proxy_only(peer: str, proto: bytes, scheme: str) -> None:
    scope = asked(peer, (b"x-forwarded-proto", proto))
    Proxies(("10.0.0.1",)).amend(scope)
    assert scope["scheme"] == scheme


def test_a_unix_socket_is_trusted_by_its_own_word() -> None:
    for trusted, client in ((("unix",), ("1.2.3.4", 0)), (("10.0.0.1",), None)):
        scope = asked(None, (b"x-forwarded-for", b"1.2.3.4"))
        Proxies(trusted).amend(scope)
        assert scope["client"] == client


@pytest.mark.parametrize("size", [0, 100_000], ids=["express", "asgi"])
@pytest.mark.parametrize("trusted", [(), ("127.0.0.1",)], ids=["untrusted", "trusted"])
def test_an_application_sees_who_is_behind_the_proxy(size: int, trusted: tuple[str, ...]) -> None:
    app = wsgi(lambda environ, _: f"{environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']}")
    headers = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https"}
    with served(app, trusted_proxies=trusted) as server:
        told = httpx2.post(server.url, content=b"x" * size, headers=headers).text
    assert told == ("1.2.3.4 https" if trusted else "127.0.0.1 http")
