"""The highest layer that says something wins, and printing what won can be read again."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import ConfigError
from headrace.settings.layers import settle, settle_layers, stacked
from headrace.settings.printing import printed, toml_value
from headrace.settings.said import Said
from headrace.settings.table import TABLE, Settings
from headrace.settings.toml import read_toml
from tests.settings.told import LAYER, TEXTS


def said(values: dict[str, Any], source: str) -> dict[str, Said]:
    return {name: Said(value, source) for name, value in values.items()}


@given(st.lists(LAYER, max_size=5))
def test_the_highest_layer_that_says_it_wins(layers: list[dict[str, Any]]) -> None:
    settled = settle_layers(*(said(one, f"layer {n}") for n, one in enumerate(layers)))
    for name, setting in TABLE.items():
        highest = max((n for n, one in enumerate(layers) if name in one), default=None)
        if highest is None:
            assert getattr(settled.settings, name) == setting.default
            assert settled.source(name) == "default"
        else:
            assert getattr(settled.settings, name) == layers[highest][name]
            assert settled.source(name) == f"layer {highest}"


@given(LAYER, st.integers(20, 200))
def test_what_is_printed_says_the_same_again(layer: dict[str, Any], width: int) -> None:
    layer["env"] = {}  # variables that look like secrets are left out, see below
    settled = settle_layers(said(layer, "here"))
    again = tomllib.loads(printed(settled, {}, width))["server"]
    for name in ("on_shutdown", "middleware"):
        again.pop(name, None)
    assert Settings(**again) == settled.settings


@given(TEXTS, st.integers(20, 100))
def test_a_text_of_any_length_fits_the_terminal(text: str, width: int) -> None:
    settled = settle_layers(said({"access_log_format": text}, "here"))
    whole = printed(settled, {}, max(width, 40))
    at = whole.index("access_log_format")
    for line in whole[at : whole.index("error_log")].split("\n"):
        assert len(line) <= max(width, 40)


@given(st.dictionaries(TEXTS, TEXTS, max_size=4))
def test_a_mapping_is_written_as_toml_reads_it(pairs: dict[str, str]) -> None:
    assert tomllib.loads(f"x = {toml_value(pairs)}") == {"x": pairs}


def test_what_is_printed_is_a_file_that_is_read(tmp_path: Path) -> None:
    layer = {"port": 9000, "umask": 0o27, "env": {"A": "1"}, "cors_origins": ("*",)}
    file = tmp_path / "headrace.toml"
    options = {"embed": {"replicas": Said(4, "--set")}}
    file.write_text(printed(settle_layers(said(layer, "here")), options, 80))
    read = read_toml(str(file))
    assert settle_layers(read.settings).settings == Settings(**layer)  # type: ignore[arg-type]
    assert read.options["embed"]["replicas"].value == 4


@pytest.mark.parametrize(
    ("layer", "secret"),
    [
        ({"api_keys": ["swordfish"]}, "swordfish"),
        ({"tls_keyfile_password": "swordfish"}, "swordfish"),
        ({"env": {"DB_PASSWORD": "swordfish", "A": "1"}}, "swordfish"),
    ],
)
def test_no_secret_is_printed(layer: dict[str, Any], secret: str) -> None:
    text = printed(settle_layers(said(layer, "here")), {}, 80)
    assert secret not in text
    assert "is set, and not shown" in text


def test_no_key_of_a_deployment_is_printed() -> None:
    options = {"embed": {"api_keys": Said("swordfish", "headrace.toml:3")}}
    assert "swordfish" not in printed(settle_layers(), options, 80)


@pytest.mark.parametrize("word", ["host", "port"])
def test_a_higher_address_puts_a_bind_out_of_force(word: str) -> None:
    higher = said({word: {"host": "::1", "port": 9}[word]}, "--it")
    bind = said({"bind": ("127.0.0.1:80",)}, "file")
    assert "bind" not in stacked(bind, higher)
    assert stacked(higher, bind)["bind"].source == "file"


def test_the_environment_wins_over_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_KEEP_ALIVE_TIMEOUT_S", "90")
    assert settle({"keep_alive_timeout_s": 5}).keep_alive_timeout_s == 90


def test_port_of_a_platform_loses_to_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "5000")
    assert (settle().host, settle().port) == ("0.0.0.0", 5000)  # noqa: S104 - what $PORT asks for
    assert settle({"port": 9}).port == 9


def test_an_unknown_keyword_is_told_with_what_was_meant() -> None:
    with pytest.raises(ConfigError, match="no setting `prot`; did you mean `port`"):
        settle({"prot": 1})
