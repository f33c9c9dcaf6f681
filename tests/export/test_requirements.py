"""What a program asks for is found where it says it, and installed in an order that can be kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from headrace.errors import ConfigError
from headrace.export.containers import dockerfile
from headrace.export.requirements import Requirements, read_requirements
from tests.export.reading import facts_of, steps_of

PROJECT = '[project]\nname = "shop"\ndependencies = ["Flask>=3", "headrace[demo]>=0.1"]\n'
BUILD = '[build-system]\nrequires = ["hatchling"]\n'


def steps(folder: Path) -> list[str]:
    """The steps that bring packages and program in."""
    text = dockerfile(facts_of(folder, requirements=read_requirements(folder)))
    return [
        f"{word} {rest}" for word, rest in steps_of(text) if word == "COPY" or "pip install" in rest
    ]


def test_nothing_is_asked_for_where_nothing_says_so(tmp_path: Path) -> None:
    assert read_requirements(tmp_path) == Requirements()
    server, copied = steps(tmp_path)
    assert server.startswith("RUN pip install --no-cache-dir headrace==")
    assert copied == "COPY . ."


def test_a_list_is_installed_before_the_program_comes(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("# ours\nheadrace >= 0.1  # the server\nflask\n")
    assert read_requirements(tmp_path).names == {"headrace", "flask"}
    assert steps(tmp_path) == [
        "COPY requirements.txt ./",
        "RUN pip install --no-cache-dir -r requirements.txt",
        "COPY . .",
    ]


def test_lists_within_lists_come_along_and_constraints_ask_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "requirements.txt").write_text("-r more/base.txt\n-c limits.txt\n")
    (tmp_path / "more" / "base.txt").write_text("flask\n-r ../requirements.txt\n")
    (tmp_path / "limits.txt").write_text("headrace==0.1.0\n")
    found = read_requirements(tmp_path)
    assert found.names == {"flask"}
    server, *rest = steps(tmp_path)
    assert "headrace==" in server
    assert rest == [
        "COPY requirements.txt ./",
        "COPY more/base.txt more/",
        "COPY limits.txt ./",
        "RUN pip install --no-cache-dir -r requirements.txt",
        "COPY . .",
    ]


def test_a_list_that_names_the_program_itself_waits_for_it(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("headrace\n-e .\n")
    assert steps(tmp_path) == ["COPY . .", "RUN pip install --no-cache-dir -r requirements.txt"]


def test_a_project_is_asked_each_time_the_image_is_built(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    assert read_requirements(tmp_path).names == {"flask", "headrace"}
    copied, listed, source = steps(tmp_path)
    assert (copied, source) == ("COPY pyproject.toml ./", "COPY . .")
    assert "tomllib" in listed
    assert "Flask" not in listed  # it would be a second list, and grow old


def test_the_step_that_reads_a_project_writes_its_list(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    text = dockerfile(facts_of(tmp_path, requirements=read_requirements(tmp_path)))
    (step,) = (rest for word, rest in steps_of(text) if word == "RUN" and "tomllib" in rest)
    reading = step.partition(" > ")[0].replace("python ", f"{sys.executable} ", 1)
    said = subprocess.run(
        ["/bin/sh", "-c", reading], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines() == ["Flask>=3", "headrace[demo]>=0.1"]


def test_a_project_that_is_a_package_is_installed_as_one(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT + BUILD)
    assert steps(tmp_path)[-2:] == ["COPY . .", "RUN pip install --no-cache-dir --no-deps ."]


def test_a_project_whose_build_finds_its_dependencies_is_built_first(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "shop"\ndynamic = ["dependencies"]\n' + BUILD
    )
    assert steps(tmp_path)[-2:] == ["COPY . .", "RUN pip install --no-cache-dir ."]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("pyproject.toml", "[project\n", "pyproject.toml: "),
        ("requirements.txt", "-r gone.txt\n", "gone.txt: No such file"),
    ],
)
def test_a_broken_list_is_named(name: str, text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_requirements(tmp_path)
