"""The README's project is whole: with data of its columns it replays, and a champion answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

README = Path(__file__).parents[2] / "README.md"


def write_rides(folder: Path) -> None:
    """Five months of rides; a station where bikes came back late is late again."""
    chooser = np.random.default_rng(5)
    count = 4_000
    asked = np.sort(chooser.uniform(0, 150 * 24 * 60, count)).astype(int)
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    asked_at = [begin + timedelta(minutes=int(m)) for m in asked]
    station = chooser.choice(["Harbour", "Market", "University"], count)
    distance = chooser.gamma(2.0, 2.0, count)
    rush = np.array([at.hour in (7, 8, 17, 18) for at in asked_at])
    late = chooser.uniform(size=count) < 0.03 + 0.6 * rush + 0.1 * (station == "Market")
    ride = np.arange(count)
    pl.DataFrame(
        {"ride": ride, "station": station, "asked_at": asked_at, "distance": distance}
    ).write_parquet(folder / "rides.parquet")
    returned = [at + timedelta(minutes=30 + 10 * int(d)) for at, d in zip(asked_at, distance, strict=True)]
    pl.DataFrame({"ride": ride, "station": station, "returned_at": returned, "late": late}).write_parquet(
        folder / "returns.parquet"
    )


@pytest.mark.slow
def test_readme_project_runs_as_it_stands(tmp_path):
    code = re.search(r"## A project in 30 lines.*?```python no-run\n(.*?)```", README.read_text(), re.DOTALL)
    assert code is not None
    assert len([line for line in code[1].splitlines() if line.strip()]) <= 45
    project, data, found = tmp_path / "rides", tmp_path / "data", tmp_path / "found.json"
    project.mkdir()
    data.mkdir()
    (project / "__init__.py").write_text(code[1])
    write_rides(data)
    command = [sys.executable, "-m", "treadle", "replay", "--project", project, "--data", data]
    command += ["--home", tmp_path / "home", "--json", found]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(found.read_text())
    assert [row["month"] for row in result["months"]] == ["2024-04", "2024-05"]
    assert result["verdicts"][0]["verdict"] == "promoted"
    assert result["months"][0]["auc_loop"] > 0.6
