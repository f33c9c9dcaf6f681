"""Which files each export is made of, and where they go: never over a file that is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from headrace.errors import ConfigError
from headrace.export.cluster import kubernetes
from headrace.export.containers import compose, dockerfile, dockerignore
from headrace.export.facts import Facts
from headrace.export.units import unit

Write = Callable[[Facts], str]
WRITERS: Mapping[str, Write] = {
    "dockerfile": dockerfile,
    "systemd": unit,
    "compose": compose,
    "k8s": kubernetes,
}
"""What each word of the command line writes."""
BUILT: tuple[str, ...] = ("compose", "k8s")
"""They need an image, so a Dockerfile comes with them where there is none."""


def paths(word: str, facts: Facts) -> dict[Path, Write]:
    """Return the files of an export."""
    own = {
        "dockerfile": "Dockerfile",
        "systemd": f"{facts.name}.service",
        "compose": "compose.yaml",
        "k8s": "kubernetes.yaml",
    }
    return {facts.output / own[word]: WRITERS[word]}


def beside(word: str, facts: Facts) -> dict[Path, Write]:
    """Return the files that come along where there are none yet."""
    if word == "systemd":
        return {}
    at_root = facts.output.resolve() == facts.root.resolve()
    ignored = ".dockerignore" if at_root else "Dockerfile.dockerignore"
    files: dict[Path, Write] = {facts.output / ignored: dockerignore}
    if word in BUILT:
        files[facts.output / "Dockerfile"] = dockerfile
    return files


def write(word: str, facts: Facts, *, force: bool) -> list[Path]:
    """Write the files of an export; return those that were written. Raises ConfigError."""
    wanted = paths(word, facts)
    for path in wanted:
        if path.exists() and not force:
            raise ConfigError(
                f"{path} is there already, and may be yours: write over it with --force, or "
                "elsewhere with --output"
            )
    missing = {path: made for path, made in beside(word, facts).items() if not path.exists()}
    texts = {path: made(facts) for path, made in {**wanted, **missing}.items()}
    try:
        facts.output.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write into {facts.output}: {error.strerror}") from error
    return list(texts)
