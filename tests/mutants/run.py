"""Break the core by hand, one promise at a time, and show that its tests notice each.

`python -m tests.mutants.run [--jobs N] [--only WORD]` prints a table; it exits with 1 if a mutant
survives, or if its snippet is no longer in the source exactly once.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120  # a mutant may loop for ever: that is noticed too


def verdict(mutant: Mutant) -> str:
    """Return "killed" (and how), "SURVIVED" or "NO SUCH SNIPPET"."""
    with tempfile.TemporaryDirectory(prefix="headrace-mutant-") as folder:
        place = Path(folder)
        shutil.copytree(ROOT / "src", place / "src", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "tests" / "core", place / "tests" / "core")
        shutil.copy(ROOT / "pyproject.toml", place)
        file = place / "src" / "headrace" / "core" / mutant.file
        source = file.read_text()
        if source.count(mutant.snippet) != 1:
            return "NO SUCH SNIPPET"
        file.write_text(source.replace(mutant.snippet, mutant.fault))
        return _outcome_of_tests(place)


def _outcome_of_tests(place: Path) -> str:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "tests/core"]
    environment = {**os.environ, "TESTS_NO_SHRINKING": "1", "PYTHONPATH": str(place / "src")}
    try:
        ran = subprocess.run(
            command,
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"killed: no end in {LIMIT_S} s"
    if ran.returncode == 0:
        return "SURVIVED"
    failed = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if ran.returncode != 1 or not failed:
        return f"NO VERDICT: {ran.stdout[-200:]}{ran.stderr[-200:]}"
    return f"killed by {failed[0].split('::', 1)[-1].split(' - ')[0]}"


def judge(mutants: Iterable[Mutant], *, jobs: int) -> list[tuple[Mutant, str]]:
    """Return every mutant with its verdict, `jobs` at a time."""
    chosen = list(mutants)
    with ThreadPoolExecutor(jobs) as pool:
        return list(zip(chosen, pool.map(verdict, chosen), strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if the suite missed something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="a word of the promise or the file")
    asked = parser.parse_args(arguments)
    chosen = [mutant for mutant in MUTANTS if asked.only in f"{mutant.promise} {mutant.file}"]
    verdicts = judge(chosen, jobs=asked.jobs)
    for mutant, word in verdicts:
        sys.stdout.write(f"{mutant.file:<13} {mutant.promise:<66} {word}\n")
    killed = sum(word.startswith("killed") for _, word in verdicts)
    sys.stdout.write(f"{killed} of {len(verdicts)} noticed\n")
    return 0 if killed == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
