import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from treadle.adapters.tables import DeltaTables
from treadle.ports.tables import Tables
from treadle.records.errors import Corrupt
from treadle.testing.tables import TablesContract, held, numbers

DEADLINE = 60.0


class TestDeltaTables(TablesContract):
    @pytest.fixture
    def tables(self, tmp_path: Path) -> Tables:
        return DeltaTables(tmp_path / "tables", durable=False)

    @pytest.fixture
    def other(self, tables: Tables, tmp_path: Path) -> Tables:
        return DeltaTables(tmp_path / "tables", durable=False)


def python(code: str, *arguments: object, failpoints: str = "") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TREADLE_FAILPOINTS": failpoints},
    )


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.0005)


APPEND = """
import sys
import polars as pl
from treadle.adapters.tables import DeltaTables
root, first, last, writer = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
tables = DeltaTables(root)
print("ready", flush=True)
sys.stdin.readline()
for n in range(first, last):
    tables.append("a", pl.DataFrame({"n": [n]}), writer=(writer, n) if writer else None)
"""


def test_appends_of_two_processes_all_land(tmp_path: Path) -> None:
    processes = [python(APPEND, tmp_path, first, first + 15, "") for first in (0, 100)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    outputs = [process.communicate("go\n", timeout=DEADLINE) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert held(DeltaTables(tmp_path), "a") == [*range(15), *range(100, 115)]


def test_same_transactions_of_two_processes_land_once(tmp_path: Path) -> None:
    processes = [python(APPEND, tmp_path, 0, 15, "w") for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    outputs = [process.communicate("go\n", timeout=DEADLINE) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert held(DeltaTables(tmp_path), "a") == list(range(15))


LARGE = """
import sys
import polars as pl
from treadle.adapters.tables import DeltaTables
frame = pl.select(n=pl.int_range(6_000_000).shuffle(seed=1))
print("ready", flush=True)
DeltaTables(sys.argv[1]).append("a", frame, writer=("w", 1))
"""


def test_kill_in_the_middle_of_an_append_leaves_the_old_version_and_the_retry_lands(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    tables.append("a", numbers(1))
    folder = tmp_path / "a"
    process = python(LARGE, tmp_path)
    # The data file grows and the commit is not there: this is the middle.
    wait_until(lambda: len(list(folder.iterdir())) > 2 or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=DEADLINE)
    assert not (folder / "_delta_log" / f"{1:020}.json").exists(), "the append was done before it was killed"

    assert held(tables, "a") == [1]
    assert tables.version("a") == 0
    assert tables.append("a", numbers(2), writer=("w", 1)) == 1
    assert held(DeltaTables(tmp_path), "a") == [1, 2]


ONCE = """
import sys
import polars as pl
from treadle.adapters.tables import DeltaTables
DeltaTables(sys.argv[1]).append("a", pl.DataFrame({"n": [2]}), writer=("w", 1))
"""


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("point", ["tables.before_write", "tables.after_commit"])
def test_killed_append_repeated_lands_once(tmp_path: Path, point: str, existing: bool) -> None:
    tables = DeltaTables(tmp_path)
    before = [1] if existing else []
    if existing:
        tables.append("a", numbers(1))
    process = python(ONCE, tmp_path, failpoints=f"{point}:kill")
    process.communicate(timeout=DEADLINE)
    assert process.returncode == -signal.SIGKILL
    landed = point == "tables.after_commit"
    assert (held(tables, "a") if tables.exists("a") else []) == ([*before, 2] if landed else before)
    version = tables.append("a", numbers(2), writer=("w", 1))
    assert version == (1 if existing else 0)
    assert held(tables, "a") == [*before, 2]


def test_log_folder_without_a_commit_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a" / "_delta_log").mkdir(parents=True)
    tables = DeltaTables(tmp_path)
    assert tables.names() == []
    assert not tables.exists("a")
    assert tables.append("a", numbers(1)) == 0


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    tables.append("a", numbers(1))
    with tables._lease("a"):  # as a writer in another process would hold it
        answers: list[list[int]] = []
        reader = threading.Thread(target=lambda: answers.append(held(tables, "a")), daemon=True)
        reader.start()
        reader.join(DEADLINE)
        assert answers == [[1]]


def test_tables_are_plain_delta_without_deletion_vectors_or_log_expiry(tmp_path: Path) -> None:
    DeltaTables(tmp_path).append("a", numbers(1))
    log = (tmp_path / "a" / "_delta_log" / f"{0:020}.json").read_text().splitlines()
    actions = {key: value for line in log for key, value in json.loads(line).items()}
    assert actions["protocol"] == {"minReaderVersion": 1, "minWriterVersion": 2}
    configuration = actions["metaData"]["configuration"]
    assert configuration["delta.enableDeletionVectors"] == "false"
    assert configuration["delta.enableExpiredLogCleanup"] == "false"


def test_damaged_log_is_told_as_such(tmp_path: Path) -> None:
    DeltaTables(tmp_path).append("a", numbers(1))
    (tmp_path / "a" / "_delta_log" / f"{0:020}.json").write_text("{not json")
    with pytest.raises(Corrupt) as caught:
        DeltaTables(tmp_path).version("a")
    assert "_delta_log" in str(caught.value)


BLOCKED = """
import sys
for name in ("pyarrow", "pandas"):
    sys.modules[name] = None
import datetime
import polars as pl
from treadle.adapters.tables import DeltaTables
tables = DeltaTables(sys.argv[1])
at = datetime.datetime(2013, 1, 1, tzinfo=datetime.timezone.utc)
tables.append("a", pl.DataFrame({"n": [1], "s": ["x"], "at": [at]}))
tables.append("a", pl.DataFrame({"n": [2], "s": ["y"], "at": [at]}))
tables.compact("a")
found = tables.read("a").filter(pl.col("n") > 1).collect()
print(tables.rows("a"), found["s"].item(), tables.schema("a")["at"])
"""


def test_neither_pyarrow_nor_pandas_is_needed(tmp_path: Path) -> None:
    process = python(BLOCKED, tmp_path)
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert output == "2 y Datetime(time_unit='us', time_zone='UTC')\n"


def test_many_versions_stay_quick_to_open_and_to_read_at_any(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path, durable=False)
    for n in range(45):
        tables.append("a", numbers(n))
    assert len(list((tmp_path / "a" / "_delta_log").glob("*.checkpoint.parquet"))) >= 2
    fresh = DeltaTables(tmp_path)
    assert [fresh.rows("a", version) for version in (0, 19, 20, 21, 44)] == [1, 20, 21, 22, 45]
    assert len(fresh.history("a")) == 45
    assert isinstance(fresh.read("a", version=21), pl.LazyFrame)
    assert held(fresh, "a", 21) == list(range(22))
