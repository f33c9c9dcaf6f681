"""The pages on batches anywhere and on many models tell the truth: their programs run."""

from __future__ import annotations

import asyncio
import re
import runpy
from pathlib import Path

import httpx2
import pytest

from tests.docs.test_examples import ROOT
from tests.e2e.serving import PATIENCE_S, program

DOCS = ROOT / "docs"


def programs(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def written(folder: Path, text: str) -> str:
    file = folder / "page.py"
    file.write_text(text)
    return str(file)


def test_a_batch_is_awaited_in_a_unit_test_as_it_is(tmp_path: Path) -> None:
    first, second = programs("batch.md")
    search = runpy.run_path(written(tmp_path, first))["Search"]()
    assert asyncio.run(search.predict("four")) == [4.0]
    assert asyncio.run(runpy.run_path(written(tmp_path, second))["read"]()) == [3, 2, 1]


@pytest.mark.e2e
def test_the_page_on_many_models_serves_them_by_their_ids(tmp_path: Path) -> None:
    (text,) = programs("multiplexing.md")
    with program("-m", "headrace", "serve", written(tmp_path, text), "--port=0") as server:
        server.wait_for_line(" at http", within_s=4 * PATIENCE_S)

        def greet(**headers: str) -> httpx2.Response:
            url = f"{server.url}/predict"
            return httpx2.post(url, json="Ada", headers=headers, timeout=PATIENCE_S)

        assert greet(**{"X-Headrace-Model-Id": "de"}).json() == "Hallo, Ada!"
        assert greet(**{"X-Headrace-Model-Id": "fr"}).json() == "Bonjour, Ada!"
        assert greet().json()["code"] == "no_model_id"
        told = httpx2.get(f"{server.url}/-/info", timeout=PATIENCE_S).json()
        replicas = told["deployments"]["greet"]["replicas"]
        assert sorted(name for each in replicas for name in each["models"]) == ["de", "fr"]
        text = httpx2.get(f"{server.url}/-/metrics", timeout=PATIENCE_S).text
        assert 'headrace_model_loads_total{deployment="greet"} 2' in text
