"""A process killed at any moment leaves whole units only, and everything it acknowledged."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.adapters.sql.workers import EVENTS_OF_ONE_UNIT, Workers, one_unit, open_only, units_until_killed
from treadle.adapters.sql import open_metadata
from treadle.testing.metadata import AT


@pytest.mark.parametrize(
    ("point", "events"),
    [
        ("metadata.after_event:kill@1", 0),
        (f"metadata.after_event:kill@{EVENTS_OF_ONE_UNIT}", 0),
        ("metadata.before_commit:kill", 0),
        ("metadata.after_commit:kill", EVENTS_OF_ONE_UNIT),
    ],
)
def test_killed_unit_is_there_whole_or_not_at_all(
    url: str, workers: Workers, point: str, events: int
) -> None:
    assert workers.run(one_unit, url, point) == -signal.SIGKILL
    metadata = open_metadata(url)
    with metadata.read() as view:
        assert view.journal.end() == events
        assert len(view.runs.search_runs().items) == bool(events)
        assert len(view.models.list_models()) == bool(events)
        assert (view.checkpoints.get("progress") is not None) == bool(events)
    assert metadata.check() == []
    with metadata.begin() as unit:  # nobody is kept waiting by the dead
        unit.runs.create_run(AT)
    metadata.close()


def test_what_was_acknowledged_survives_a_kill(url: str, workers: Workers, tmp_path: Path) -> None:
    told = tmp_path / "acknowledged"
    told.touch()
    worker = workers.start(units_until_killed, url, path=str(told))
    deadline = time.monotonic() + 30
    while len(told.read_text().splitlines()) < 25 and time.monotonic() < deadline:
        pass
    os.kill(worker, signal.SIGKILL)
    assert workers.wait(worker) == -signal.SIGKILL
    acknowledged = {f"run {line}" for line in told.read_text().splitlines()}
    assert len(acknowledged) >= 25
    metadata = open_metadata(url)
    with metadata.read() as view:
        runs = view.runs.search_runs(limit=50_000).items
        events = view.journal.read(limit=50_000)
    metadata.close()
    assert {run.run_id for run in runs} >= acknowledged
    assert len(runs) - len(acknowledged) in (0, 1)  # one may have been committed and not yet told
    assert all(run.tags == {"n": run.run_id.removeprefix("run ")} for run in runs)
    assert sorted(event.subject for event in events) == sorted(run.run_id for run in runs)


def test_killed_migration_leaves_an_empty_store_that_the_next_one_migrates(
    tmp_path: Path, workers: Workers
) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    assert workers.run(open_only, url, "metadata.before_migrated:kill") == -signal.SIGKILL
    metadata = open_metadata(url)
    with metadata.begin() as unit:
        assert unit.runs.create_run(AT).experiment_id == "0"
    metadata.close()
