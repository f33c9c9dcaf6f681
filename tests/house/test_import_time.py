from __future__ import annotations

import json
import subprocess
import sys
from statistics import median
from typing import Any

ROUNDS = 5
AT_MOST_S = 0.150
HEAVY = {"PIL", "numpy", "pydantic", "ray", "starlette", "torch", "uvicorn"}

PROBE = """
import json, sys, time
began = time.perf_counter()
import headrace
took_s = time.perf_counter() - began
print(json.dumps([took_s, sorted(name for name in sys.modules if "." not in name)]))
"""


def probed() -> Any:
    said = subprocess.run([sys.executable, "-c", PROBE], check=True, capture_output=True, text=True)
    return json.loads(said.stdout)


def test_importing_headrace_is_quick() -> None:
    assert median(probed()[0] for _ in range(ROUNDS)) < AT_MOST_S


def test_importing_headrace_loads_no_server_and_no_numbers() -> None:
    assert HEAVY & set(probed()[1]) == set()
