"""The page on jobs tells the truth: its programs run, its tables are complete."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

import headrace as hr
from headrace.client.sending import TermWords
from headrace.core.jobs import Cause, Status, Terms
from headrace.http.jobs_prefer import MOST_WAIT_S
from headrace.http.jobs_shown import CODES
from headrace.http.jobs_terms import SUBMITS
from tests.docs.test_examples import EXAMPLES, ROOT
from tests.e2e.serving import PATIENCE_S, served

PAGE = (ROOT / "docs" / "jobs.md").read_text()
PROGRAM, ASKING = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LONG_S = 4 * PATIENCE_S
SENTENCES = 600


@pytest.mark.e2e
def test_the_programs_of_the_page_submit_and_answer(tmp_path: Path) -> None:
    target = tmp_path / "report.py"
    target.write_text(PROGRAM)
    with served(str(target), f"--jobs-file={tmp_path / 'jobs.sqlite3'}") as server:
        pages, later = ["to be or", "not to be"], {"Prefer": "respond-async"}
        answer = httpx2.post(f"{server.url}/predict", json=pages, headers=later, timeout=LONG_S)
        assert answer.status_code == 202
        shown = re.search(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
        assert shown is not None
        assert answer.json().keys() == json.loads(shown[1]).keys()
        asking = tmp_path / "asking.py"
        asking.write_text(ASKING.replace("http://127.0.0.1:8000", server.url))
        done = subprocess.run(
            [sys.executable, str(asking)],
            capture_output=True,
            text=True,
            check=True,
            timeout=LONG_S,
        )
        lines = done.stdout.splitlines()
        assert lines[-1] == str({"to": 2, "be": 2, "or": 1, "not": 1})
        assert lines[0] == "state {'status': 'queued', 'attempt': 0}"


@pytest.mark.e2e
def test_a_long_embedding_is_followed_by_its_events_and_by_the_command(tmp_path: Path) -> None:
    flags = [f"--jobs-file={tmp_path / 'jobs.sqlite3'}"]
    with served(str(EXAMPLES / "embedding_jobs.py"), *flags) as server:
        script = [sys.executable, str(EXAMPLES / "embedding_jobs.py"), server.url, str(SENTENCES)]
        with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as asking:
            assert asking.stdout is not None
            job = asking.stdout.readline().removeprefix("job ").strip()
            command = ["-m", "headrace", "jobs", "wait", job, "--url", server.url]
            waiting = subprocess.run(
                [sys.executable, *command],
                capture_output=True,
                text=True,
                check=True,
                timeout=LONG_S,
            )
            told = asking.stdout.read().splitlines()
        assert f"{SENTENCES} of {SENTENCES} (100%) embedded" in waiting.stderr.splitlines()[-1]
        assert told[-1] == f"{SENTENCES} vectors of 384 numbers"
        assert any(line.startswith("progress {'done': ") for line in told)


def test_every_header_term_status_cause_and_code_is_on_the_page() -> None:
    for header in (*SUBMITS, b"prefer"):
        assert f"`{header.decode().title()}" in PAGE
    for status in Status:
        assert f"| `{status}` |" in PAGE
    for _, code in CODES.values():
        assert f"`{code}`" in PAGE
    for cause in Cause:
        if cause not in (Cause.NONE, Cause.ASKED, Cause.DEADLINE):
            assert f"`{cause}`" in PAGE
    for term in TermWords.__annotations__:
        assert f"`{term}`" in PAGE
    assert f"{MOST_WAIT_S:g} s at most" in PAGE
    assert f"{Terms().max_attempts} where nothing is said" in PAGE


def test_every_method_of_the_client_is_on_the_page() -> None:
    methods = {name for name in vars(hr.JobsClient) if not name.startswith("_")}
    for method in methods - {"close", "page"}:
        assert f"`{method}(" in PAGE
