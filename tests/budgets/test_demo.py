"""The demo's budget: a year through the whole loop in under four minutes, at most 2.5 times its model fits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from examples.flights.data import write_tables

ROOT = Path(__file__).parents[2]


@pytest.mark.bench
def test_a_year_of_flights_within_its_budget(tmp_path):
    data, found = tmp_path / "data", tmp_path / "found.json"
    write_tables(data)
    command = [sys.executable, "-m", "treadle", "replay", "--project", ROOT / "examples" / "flights"]
    command += ["--data", data, "--home", tmp_path / "home", "--json", found]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=580, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(found.read_text())
    assert sum(month["n"] for month in result["months"]) > 250_000
    assert result["seconds"] < 240
    assert result["seconds"] <= 2.5 * result["fit_seconds"]
