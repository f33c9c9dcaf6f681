"""The applications that a file names: what is wrong with one is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.errors import ConfigError, StartError
from headrace.host.configuring import Configured, Words, configure
from headrace.host.filed import origin_of_target, origins_of_file
from headrace.settings.printing import printed

APPS = Path(__file__).parent.parent / "e2e" / "apps"
TOML = """
[applications.text]
import_path = "deployed:text"

[applications.vision]
import_path = "deployed:graph"
route_prefix = "/see"

[applications.vision.deployments.embed]
replicas = 2
user_config = { a = [1, 2] }
"""


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(APPS)


def configured(folder: Path, text: str, *sets: str, target: str | None = None) -> Configured:
    (folder / "headrace.toml").write_text(text)
    return configure(target, Words(sets=sets, config=str(folder / "headrace.toml")))


def replicas(found: Configured) -> dict[str, object]:
    return {
        application.label(served.name): served.options.replicas
        for application in found.found.applications
        for served in application.deployments
    }


def test_applications_have_the_names_prefixes_and_options_of_the_file(tmp_path: Path) -> None:
    text = TOML.replace("user_config = { a = [1, 2] }\n", "")
    found = configured(tmp_path, text, "text.Embed.replicas=3", "Front.replicas=4")
    assert [(each.name, each.route_prefix) for each in found.found.applications] == [
        ("text", "/text"),
        ("vision", "/see"),
    ]
    assert replicas(found) == {"text.embed": 3, "vision.front": 4, "vision.embed": 2}
    told = [(each.target, each.name, each.route_prefix) for each in found.found.origins]
    assert told == [("deployed:text", "text", None), ("deployed:graph", "vision", "/see")]
    lines = printed(found.settled, found.options, 100, found.applications)
    for line in ('import_path = "deployed:graph"', "[applications.vision.deployments.embed]"):
        assert line in lines


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nothing to serve: name a TARGET"),
        ("[applications.a]", r"headrace\.toml:1: \[applications\.a\] needs an import_path"),
        (
            '[applications.a]\nimport_pth = "x"',
            r"headrace\.toml:2: there is no key `import_pth`; did you mean `import_path`\?",
        ),
        ("[applications]\na = 1", r"headrace\.toml:2: `applications\.a` must be a table"),
        (
            '[applications.a]\nimport_path = "x"\nroute_prefix = 3',
            r"headrace\.toml:3: `route_prefix` must be the path that it answers below, not 3",
        ),
        (
            '[applications.a]\nimport_path = "deployed:text"\nroute_prefix = "/-/a"',
            r"headrace\.toml:3: application a: the route_prefix /-/a is below /-/",
        ),
        (
            '[applications."a b"]\nimport_path = "deployed:text"',
            r"headrace\.toml:2: an application's name has letters",
        ),
        (
            (
                '[applications.a]\nimport_path = "deployed:text"\n'
                "[applications.a.deployments.embed]\nreplcas = 2"
            ),
            r"headrace\.toml:4: there is no deployment option `replcas`; did you mean `replicas`\?",
        ),
        (
            (
                '[applications.a]\nimport_path = "deployed:text"\n'
                "[applications.a.deployments.embde]\nreplicas = 2"
            ),
            r"headrace\.toml:4: there is no deployment `embde`; did you mean `embed`\?",
        ),
        (
            TOML.replace('"/see"', '"/text"').replace("user_config = { a = [1, 2] }", ""),
            "applications text and vision both want the route /text",
        ),
        (
            TOML.replace("user_config = { a = [1, 2] }", "[deployments.embed]\nreplicas = 3"),
            "2 deployments are called `embed`; name one of them in full: text.embed, vision.embed",
        ),
        (TOML, r"headrace\.toml:10.*: class Embed has a `user_config` and no `reconfigure`"),
        (
            '[applications.a]\nimport_path = "versioned:app"',
            r"headrace\.toml:2: versioned:app is a plain application",
        ),
        ('[applications.a]\nimport_path = "deployed:server"', "has 3 applications"),
        ('[applications.a]\nimport_path = "deployed:nothing"', "deployed has no nothing"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = tmp_path / "version"
    version.write_text("one")
    monkeypatch.setenv("VERSION", str(version))
    with pytest.raises(StartError, match=words):
        configured(tmp_path, text)


def test_beside_a_target_the_file_s_applications_are_left_out_loudly(tmp_path: Path) -> None:
    found = configured(tmp_path, TOML, target="deployed:text")
    assert [each.name for each in found.found.applications] == ["default"]
    assert "application text is not served, for a TARGET was named" in found.notes[0]
    assert len(found.notes) == 2


def test_a_command_s_target_means_the_same_in_another_folder(tmp_path: Path) -> None:
    origin = origin_of_target("deployed.py:text", "a", "/b", ["Embed.replicas=2"])
    assert origin.target == f"{APPS / 'deployed.py'}:text"
    assert (origin.name, origin.route_prefix, origin.sys_path) == ("a", "/b", [str(APPS)])
    assert origin.options["embed"]["replicas"].value == 2
    (tmp_path / "some.toml").write_text(TOML)
    text, vision = origins_of_file(str(tmp_path / "some.toml"))
    assert (text.target, text.name, vision.route_prefix) == ("deployed:text", "text", "/see")
    assert vision.options["embed"]["replicas"].source.endswith("some.toml:10")
    (tmp_path / "none.toml").write_text("[server]\nport = 1")
    with pytest.raises(ConfigError, match="names no application"):
        origins_of_file(str(tmp_path / "none.toml"))
