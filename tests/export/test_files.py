"""Each exported file says what it must, in the language of whoever reads it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.draining import KILL_AFTER_S
from headrace.errors import ConfigError
from headrace.export.cluster import kubernetes
from headrace.export.containers import compose, dockerfile
from headrace.export.facts import Facts, name_of
from headrace.export.units import quoted, unit
from headrace.export.writing import WRITERS, write
from headrace.host.farewell import WITHIN_S as FAREWELL_S
from headrace.settings.table import Settings
from tests.export.reading import (
    command_in,
    documents,
    facts_of,
    health_in,
    step,
    unit_of,
)

HERE = Path("/srv/shop")
SLOW = Settings(port=9000, graceful_timeout_s=120, drain_delay_s=7.5, drain_linger_s=2)


def there(tool: str) -> str:
    """Find a program that few machines have, CI's neither; the other tests read the same files."""
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"{tool} is not installed")
    return path


def pod_of(facts: Facts) -> dict[str, Any]:
    """The pod of an exported Deployment."""
    pod: dict[str, Any] = documents(kubernetes(facts))[0]["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize("settings", [Settings(), SLOW], ids=["usual", "slow"])
def test_nobody_kills_it_before_its_stop_is_over(settings: Settings) -> None:
    facts = facts_of(HERE, settings=settings)
    least_s = settings.drain_delay_s + settings.graceful_timeout_s + KILL_AFTER_S
    service = documents(compose(facts))[0]["services"]["shop"]
    assert int(service["stop_grace_period"].removesuffix("s")) > least_s
    assert float(unit_of(unit(facts))["Service"]["TimeoutStopSec"][0]) > least_s
    pod = pod_of(facts)
    (variable,) = pod["containers"][0]["env"]
    delay_s = float(variable["value"])
    assert variable["name"] == "HEADRACE_DRAIN_DELAY_S"
    assert delay_s == (settings.drain_delay_s or 5)
    within_s = pod["terminationGracePeriodSeconds"]
    assert within_s > settings.graceful_timeout_s + delay_s + KILL_AFTER_S


def test_what_is_called_at_the_end_has_its_time_too() -> None:
    usual, longer = (
        facts_of(HERE, settings=Settings(on_shutdown=called)).stop_s
        for called in (None, lambda _report: None)
    )
    assert longer >= usual + FAREWELL_S


def test_a_container_runs_without_rights_and_opens_its_port() -> None:
    text = dockerfile(facts_of(HERE, settings=SLOW))
    assert command_in(text) == ["headrace", "serve", "shop:app", *_opened(9000)]
    assert health_in(text) == ["headrace", "status", "--ready", "http://127.0.0.1:9000"]
    assert step(text, "STOPSIGNAL") == "SIGTERM"
    assert step(text, "EXPOSE") == "9000"
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", step(text, "USER"))
    (service,) = documents(compose(facts_of(HERE, settings=SLOW)))[0]["services"].values()
    assert service["ports"] == ["9000:9000"]
    assert service["healthcheck"]["test"] == ["CMD", *health_in(text)]
    assert service["cap_drop"] == ["ALL"]


def _opened(port: int) -> list[str]:
    return ["--host", "0.0.0.0", "--port", str(port)]  # noqa: S104 - a container's own address


@pytest.mark.parametrize(
    ("probe", "path"), [("startup", "startup"), ("readiness", "ready"), ("liveness", "live")]
)
def test_each_probe_asks_what_it_is_for(probe: str, path: str) -> None:
    (container,) = pod_of(facts_of(HERE))["containers"]
    asked = container[f"{probe}Probe"]["httpGet"]
    assert (asked["path"], asked["port"]) == (f"/-/health/{path}", "http")
    assert container["ports"] == [{"name": "http", "containerPort": 8000}]


def test_probes_have_the_patience_that_the_server_has() -> None:
    facts = facts_of(HERE, settings=Settings(worker_timeout_s=95), is_app=True, startup_s=1000)
    (container,) = pod_of(facts)["containers"]
    startup, live = container["startupProbe"], container["livenessProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] > 1000
    assert live["periodSeconds"] * live["failureThreshold"] > 95


def test_a_pod_has_no_rights_and_a_service_finds_it() -> None:
    deployment, service = documents(kubernetes(facts_of(HERE)))
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"{pod['securityContext']['runAsUser']}" in step(dockerfile(facts_of(HERE)), "USER")
    assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels == service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    assert service["spec"]["ports"][0]["targetPort"] == "http"


def test_a_server_with_a_certificate_is_asked_by_https(tmp_path: Path) -> None:
    facts = facts_of(HERE, settings=Settings(tls_certfile="cert.pem"))
    assert health_in(dockerfile(facts))[-1] == "https://127.0.0.1:8000"
    (container,) = pod_of(facts)["containers"]
    assert container["livenessProbe"]["httpGet"]["scheme"] == "HTTPS"


def test_gpus_are_asked_for_where_the_models_name_them() -> None:
    (container,) = pod_of(facts_of(HERE, gpus=2, cpus=3))["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 2}
    assert container["resources"]["requests"]["cpu"] == "3"
    (container,) = pod_of(facts_of(HERE))["containers"]
    assert "limits" not in container["resources"]


def test_a_container_without_a_port_is_refused() -> None:
    for settings, words in (
        (Settings(bind=("unix:/run/shop.sock",)), "a container is reached by a port"),
        (Settings(port=0), "port 0 takes any free one"),
    ):
        with pytest.raises(ConfigError, match=words):
            dockerfile(facts_of(HERE, settings=settings))


def test_systemd_hears_that_it_is_ready_and_ends_all_of_it() -> None:
    command = ("serve", "shop:app", "--set", "Embed.replicas=4")
    read = unit_of(unit(facts_of(HERE, command=command, startup_s=900)))
    service = read["Service"]
    assert service["Type"] == ["notify"]
    assert service["KillMode"] == ["mixed"]
    assert float(service["WatchdogSec"][0]) > 2
    assert float(service["TimeoutStartSec"][0]) > 900
    assert service["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert service["User"] == ["shop"]
    assert service["WorkingDirectory"] == ["/srv/shop"]
    program, *words = shlex.split(service["ExecStart"][0])
    assert Path(program).is_absolute()
    assert words[-4:] == list(command)
    assert "AmbientCapabilities" not in service


def test_systemd_keeps_user_group_and_low_ports() -> None:
    settings = Settings(user="www-data", group="web", bind=("0.0.0.0:80",))
    service = unit_of(unit(facts_of(HERE, settings=settings)))["Service"]
    assert (service["User"], service["Group"]) == (["www-data"], ["web"])
    assert service["AmbientCapabilities"] == ["CAP_NET_BIND_SERVICE"]


def test_what_is_overridden_stands_in_the_file() -> None:
    facts = facts_of(HERE, overrides={"HEADRACE_DAEMON": "false", "HEADRACE_USER": ""})
    assert 'ENV HEADRACE_DAEMON="false" HEADRACE_USER=""' in dockerfile(facts)
    assert "HEADRACE_DAEMON=false" in unit_of(unit(facts))["Service"]["Environment"]


def test_systemd_itself_finds_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "shop.service"
    words = ("serve", "shop:app", '--env=A=100% "$HOME"')
    settings = Settings(user="root", port=80)
    path.write_text(unit(facts_of(tmp_path, command=words, settings=settings)))
    said = _verified(path)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")
    path.write_text(path.read_text().replace("KillMode=mixed", "KillMode=gently"))
    assert "kill mode" in _verified(path).stderr  # it does look


def _verified(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [there("systemd-analyze"), "verify", str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_kubernetes_knows_every_field(tmp_path: Path) -> None:
    path = tmp_path / "deployment.yaml"
    deployment, _ = documents(kubernetes(facts_of(HERE, gpus=1)))
    path.write_text(yaml.safe_dump(deployment))
    assert _missing(deployment, _typed(path)) == []
    path.write_text(path.read_text().replace("failureThreshold", "failureTreshold"))
    assert _missing(documents(path.read_text())[0], _typed(path)) != []  # it does look


def _typed(path: Path) -> Any:
    """Return a Deployment as kubectl understands it; what it does not know is left out."""
    command = [there("kubectl"), "set", "image", "--local", "-f", str(path), "server=shop:2"]
    said = subprocess.run(
        [*command, "-o", "yaml"], capture_output=True, text=True, timeout=30, check=True
    )
    return yaml.safe_load(said.stdout)


def _missing(wanted: Any, known: Any, place: str = "") -> list[str]:
    """Name what is in the one and not in the other."""
    if isinstance(wanted, dict):
        lost = [f"{place}.{key}" for key in wanted if key not in known]
        kept = (key for key in wanted if key in known)
        return lost + [one for k in kept for one in _missing(wanted[k], known[k], f"{place}.{k}")]
    if isinstance(wanted, list):
        pairs = enumerate(zip(wanted, known, strict=True))
        return [one for n, (w, k) in pairs for one in _missing(w, k, f"{place}[{n}]")]
    return []


@given(st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1))
def test_a_word_reaches_the_program_as_it_was(word: str) -> None:
    read = quoted(word).replace("%%", "%").replace("$$", "$")
    if read.startswith('"') and read.endswith('"') and read != '"':
        read = re.sub(r"\\(.)", r"\1", read[1:-1])
    assert read == word


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("examples/flask_app.py", "flask-app"),
        ("shop.web:app", "web"),
        ("2nd_try.py:Model", "nd-try"),
        ("_.py", "server"),
        (f"{'x' * 80}:app", "x" * 63),
    ],
)
def test_a_target_gives_its_name(target: str, name: str) -> None:
    assert name_of(target, None) == name


def test_a_name_must_be_one() -> None:
    assert name_of("shop:app", "web-2") == "web-2"
    with pytest.raises(ConfigError, match="small letters"):
        name_of("shop:app", "Web_2")


def test_nothing_is_written_over_unasked(tmp_path: Path) -> None:
    facts = facts_of(tmp_path)
    (tmp_path / ".dockerignore").write_text("mine\n")
    assert [path.name for path in write("compose", facts, force=False)] == [
        "compose.yaml",
        "Dockerfile",
    ]
    (tmp_path / "Dockerfile").write_text("FROM mine\n")
    with pytest.raises(ConfigError, match=r"compose\.yaml is there already.*--force"):
        write("compose", facts, force=False)
    write("compose", facts, force=True)
    assert (tmp_path / "Dockerfile").read_text() == "FROM mine\n"
    assert (tmp_path / ".dockerignore").read_text() == "mine\n"


def test_files_in_another_folder_are_built_from_the_programs_own(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, output=tmp_path / "deploy")
    written = write("compose", facts, force=False)
    assert sorted(path.name for path in written) == [
        "Dockerfile",
        "Dockerfile.dockerignore",
        "compose.yaml",
    ]
    built = documents((tmp_path / "deploy" / "compose.yaml").read_text())[0]["services"]["shop"]
    assert built["build"] == {"context": "..", "dockerfile": "deploy/Dockerfile"}
    context = tmp_path / "deploy" / built["build"]["context"]
    assert (context / built["build"]["dockerfile"]).samefile(tmp_path / "deploy" / "Dockerfile")


@pytest.mark.parametrize("word", WRITERS)
def test_no_file_names_where_packages_come_from(word: str) -> None:
    assert not re.search(
        r"https?://(?!127\.0\.0\.1)|\.(org|com|io)\b", WRITERS[word](facts_of(HERE))
    )
