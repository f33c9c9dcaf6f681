"""Each place that says a setting: how it is read there, and how a mistake is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from headrace.errors import ConfigError
from headrace.model.replicas import WISH
from headrace.settings.environment import environment
from headrace.settings.flags import said_by_flags
from headrace.settings.options import merged, read_set_variable, read_sets
from headrace.settings.toml import read_toml


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("PORT", "9000", 9000),
        ("MAX_BODY_BYTES", "8 MiB", 8 << 20),
        ("MAX_BODY_BYTES", "1.5k", 1536),
        ("GRACEFUL_TIMEOUT_S", "2m", 120),
        ("GRACEFUL_TIMEOUT_S", "250ms", 0.25),
        ("GZIP", "Yes", True),
        ("GZIP", "0", False),
        ("UMASK", "027", 0o27),
        ("UMASK", "0o27", 0o27),
        ("CORS_ORIGINS", "https://a.example, *", ("https://a.example", "*")),
        ("ENV", "A=1,B=x=y", {"A": "1", "B": "x=y"}),
        ("PIDFILE", "", None),
    ],
)  # fmt: skip
def test_a_variable_is_read_by_the_settings_type(name: str, text: str, value: object) -> None:
    said, notes = environment({f"HEADRACE_{name}": text, "PATH": "/bin"})
    assert [one.value for one in said.values()] == [value]
    assert notes == []


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("HEADRACE_PORT", "many", "HEADRACE_PORT: setting `port` must be a whole number, not"),
        ("HEADRACE_PORT", "70000", "must be 0 to 65535"),
        ("HEADRACE_GZIP", "maybe", "must be true or false"),
        ("HEADRACE_PROT", "1", "HEADRACE_PROT: there is no such variable; did you mean `HEADRACE"),
        ("HEADRACE_MAX_BODY_BYTES", "inf", "a whole number of bytes"),
        ("HEADRACE_GRACEFUL_TIMEOUT_S", "nan", "a number of seconds"),
        ("HEADRACE_MIDDLEWARE", "x", ""),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_told_by_name(name: str, text: str, words: str) -> None:
    if words:
        with pytest.raises(ConfigError, match=re.escape(words)):
            environment({name: text})
    else:
        assert environment({name: text})[1] == [f"{name}: no setting, ignored"]


def test_what_kubernetes_sets_for_a_service_of_our_name_is_no_setting() -> None:
    links = {
        "HEADRACE_PORT": "tcp://10.0.0.1:80",
        "HEADRACE_PORT_80_TCP": "tcp://10.0.0.1:80",
        "HEADRACE_SERVICE_HOST": "10.0.0.1",
    }
    said, notes = environment(links)
    assert said == {}
    assert [note.partition(":")[0] for note in notes] == ["HEADRACE_PORT"]


def toml(folder: Path, text: str) -> str:
    file = folder / "headrace.toml"
    file.write_text(text)
    return str(file)


def test_a_file_is_cited_by_line(tmp_path: Path) -> None:
    path = toml(
        tmp_path, '[server]\nport = 9\n\n[deployments."embed"]\nmax_queued_bytes = "1 MiB"\n'
    )
    read = read_toml(path)
    assert (read.settings["port"].value, read.settings["port"].source) == (9, f"{path}:2")
    option = read.options["embed"]["max_queued_bytes"]
    assert (option.value, option.source) == (1 << 20, f"{path}:5")


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    path = toml(
        tmp_path,
        '[server]\nprot = 9\ngzip = 3\non_shutdown = "f"\n'
        "[deployments.embed]\nreplicas = 0\nreplica = 2\n[servre]\nport = 1\n",
    )
    with pytest.raises(ConfigError) as error:
        read_toml(path)
    assert sorted(line.removeprefix(f"{path}:") for line in str(error.value).splitlines()) == [
        "2: there is no setting `prot`; did you mean `port`?",
        "3: setting `gzip` must be true or false, not 3",
        "4: setting `on_shutdown` can be given in code only",
        f"6: deployment option `replicas` must be {WISH}, not 0",
        "7: there is no deployment option `replica`; did you mean `replicas`?",
        "8: there is no table `servre`; did you mean `server`?",
    ]


@pytest.mark.parametrize("text", ["port = \n", "[server\n", "\0"])
def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"headrace\.toml is no TOML: .*line 1"):
        read_toml(toml(tmp_path, text))


def test_a_repeated_flag_says_all_of_it() -> None:
    given: dict[str, Any] = {"cors_origins": ("https://a.example", "*"), "env": ("A=1", "B=2")}
    said = said_by_flags({**given, "gzip": None, "bind": (), "port": "9"})
    assert {name: one.value for name, one in said.items()} == {
        "cors_origins": ("https://a.example", "*"),
        "env": {"A": "1", "B": "2"},
        "port": 9,
    }
    assert said["cors_origins"].source == "--cors-origin"


def test_a_missing_colon_is_told_with_the_address_meant() -> None:
    with pytest.raises(ConfigError, match=r"--bind: .*colon.* 0\.0\.0\.0:5000"):
        said_by_flags({"bind": ("0.0.0.05000",)})


def test_options_of_deployments_are_merged_by_name() -> None:
    low = read_set_variable("Embed.replicas=2 embed.timeout_s=1m", "HEADRACE_SET")
    high = read_sets(["Embed.replicas=4", "embed.devices=[0, 1]", "embed.timeout_s=none"], "--set")
    said = merged(low, high)
    assert {name: one.value for name, one in said["embed"].items()} == {
        "replicas": 4,
        "timeout_s": None,
        "devices": [0, 1],
    }
    assert said["embed"]["replicas"].source == "--set Embed.replicas"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("replicas=4", "write DEPLOYMENT.OPTION=VALUE"),
        ("Embed.replicas", "write DEPLOYMENT.OPTION=VALUE"),
        ("Embed.replica=4", "did you mean `replicas`"),
        ("Embed.replicas=many", "or \"auto\", not 'many'"),
    ],
)
def test_a_wrong_option_is_told(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        read_sets([text], "--set")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Embed.replicas=1,4", (1, 4)),
        ("Embed.replicas=[0, 2]", [0, 2]),
        ("Embed.replicas=auto", "auto"),
        ("Embed.replicas='3'", 3),
        ("Embed.upscale_delay_s=2m", 120.0),
        ("Embed.user_config={a = [1, 2.5], b = 'c'}", {"a": [1, 2.5], "b": "c"}),
    ],
)
def test_ranges_and_configs_are_said_as_anything_else(text: str, value: object) -> None:
    assert read_sets([text], "--set")["Embed"][text[6:].partition("=")[0]].value == value
