"""Ended at any point while data is brought in, the next start has every row once, and numbers and times as they were."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.sources.source_homes import FIRST, Stores
from treadle.define.sources import Source
from treadle.records.failpoints import VARIABLE, FailpointError, arm
from treadle.records.instants import HOUR

POINTS = [
    "sources.before_table",
    "tables.before_write",
    "tables.after_commit",
    "sources.after_table",
    "sources.before_commit",
    "sources.after_commit",
]
SOURCE = Source.csv(
    "sales", path="sales", columns={"at": "time", "item": "string", "price": "float"}, event_time="at"
)


def write(stores, name, *items):
    stores.write(f"sales/{name}.csv", *[("2025-05-01T00:00:00Z", item, 1) for item in items])


def items(stores):
    return stores.stored("sales")["item"].to_list()


def append(stores):
    write(stores, "b", "new", "rows")


def replace(stores):
    write(stores, "a", "second", "rows", "new")


EXPECTED = {append: ["first", "second", "new", "rows"], replace: ["second", "new", "rows"]}


def prepared(stores):
    write(stores, "a", "first", "second")
    stores.bring(SOURCE)
    return stores


def check(stores, change):
    """After the interruption: what is there counts once, what was there kept its number, and the next change works."""
    stores.bring(SOURCE)
    assert sorted(items(stores)) == sorted(EXPECTED[change])
    rows = stores.stored("sales")
    assert rows["__row"].n_unique() == rows.height
    kept = rows.filter(rows["item"].is_in(["first", "second"]))
    assert dict(zip(kept["item"], kept["__row"], strict=True)).items() <= {"first": 0, "second": 1}.items()
    came = rows.filter(rows["item"].is_in(["new"]))["__known_at"][0]
    assert FIRST + HOUR <= came <= FIRST + 2 * HOUR
    write(stores, "c", "last")
    stores.bring(SOURCE)
    assert sorted(items(stores)) == sorted([*EXPECTED[change], "last"])
    stores.bring(SOURCE)
    assert sorted(items(stores)) == sorted([*EXPECTED[change], "last"])


@pytest.mark.parametrize("change", [append, replace])
@pytest.mark.parametrize("point", POINTS)
def test_after_a_failure_at_any_point_every_row_is_there_once(stores, point, change):
    prepared(stores)
    change(stores)
    arm(f"{point}:raise")
    try:
        with pytest.raises(FailpointError):
            stores.bring(SOURCE)
    finally:
        arm("")
    again = Stores(stores.folder, stores.data, at=FIRST + 2 * HOUR)
    check(again, change)
    again.metadata.close()


def test_a_change_that_is_taken_back_after_a_failure_leaves_what_was_there(stores):
    prepared(stores)
    replace(stores)
    arm("sources.after_table:raise")
    try:
        with pytest.raises(FailpointError):
            stores.bring(SOURCE)
    finally:
        arm("")
    write(stores, "a", "first", "second")
    stores.bring(SOURCE)
    assert items(stores) == ["first", "second"]
    append(stores)
    stores.bring(SOURCE)
    assert items(stores) == ["first", "second", "new", "rows"]
    assert stores.stored("sales")["__row"].to_list() == [0, 1, 2, 3]


@pytest.mark.faults
@pytest.mark.parametrize("change", [append, replace])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_every_row_is_there_once(stores, point, change):
    prepared(stores)
    change(stores)
    code = (
        "import sys; from pathlib import Path; from tests.data.sources.source_homes import FIRST, Stores\n"
        "from tests.data.sources.test_kills import SOURCE\n"
        "Stores(Path(sys.argv[1]), Path(sys.argv[2]), at=FIRST + 3_600_000_000).bring(SOURCE)"
    )
    command = [sys.executable, "-c", code, str(stores.folder), str(stores.data)]
    environment = {**os.environ, VARIABLE: f"{point}:kill"}
    ended = subprocess.run(command, env=environment, cwd=Path.cwd(), timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL
    again = Stores(stores.folder, stores.data, at=FIRST + 2 * HOUR)
    check(again, change)
    again.metadata.close()
