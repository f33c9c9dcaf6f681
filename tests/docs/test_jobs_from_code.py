"""The page on jobs from code tells the truth: its program runs, and its tables are complete."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

from headrace.model.job import TERMS
from headrace.model.job_served import NAMES
from tests.docs.test_examples import EXAMPLES, ROOT
from tests.e2e.job_asking import result
from tests.e2e.serving import PATIENCE_S, served, wait_for

PAGE = (ROOT / "docs" / "jobs_from_code.md").read_text()


@pytest.mark.e2e
def test_the_program_of_the_page_schedules_a_task(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n# tasks\.py\n(.*?)```", PAGE, re.DOTALL)
    target = tmp_path / "tasks.py"
    target.write_text(code)
    flags = (f"--jobs-file={tmp_path / 'jobs.sqlite3'}", "--workers=2", "--threads=2")
    with served(str(target), *flags) as server:
        asked = httpx2.post(f"{server.url}/schedule?a1=3&a2=4", timeout=4 * PATIENCE_S)
        assert asked.status_code == 202, asked.text
        assert asked.json()["status"] == "Task Scheduled"
        assert asked.json()["job"].startswith("/-/jobs/")
        assert result(server, asked.json()["job"].rpartition("/")[2]) == 12.0


@pytest.mark.e2e
def test_the_example_keeps_its_results_in_a_database_of_its_own(tmp_path: Path) -> None:
    flags = (f"--jobs-file={tmp_path / 'jobs.sqlite3'}", "--workers=2", "--threads=2")
    env = {"RESULTS": str(tmp_path / "results.sqlite3")}
    with served(str(EXAMPLES / "task_scheduled.py"), *flags, env=env) as server:
        asked = httpx2.post(f"{server.url}/schedule?a1=3&a2=4", timeout=4 * PATIENCE_S)
        assert (asked.status_code, asked.json()["status"]) == (202, "Task Scheduled")
        assert asked.headers["location"] == asked.json()["job"]
        url = f"{server.url}/results/{asked.json()['id']}"
        wait_for(lambda: httpx2.get(url, timeout=PATIENCE_S).json()["value"] == 12, "its result")


@pytest.mark.parametrize("option", [*TERMS, "cron", "overlaps"])
def test_every_option_of_a_job_is_on_the_page(option: str) -> None:
    assert re.search(rf"^\|[^|]*`{option}`", PAGE, re.MULTILINE)


def test_every_deployment_of_functions_is_named_on_the_page() -> None:
    for name in NAMES.values():
        assert f"`{name}`" in PAGE
