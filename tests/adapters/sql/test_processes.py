"""Several processes use one store at once."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.adapters.sql.workers import Workers, open_only, open_then_fork, thirty_versions
from treadle.adapters.sql import open_metadata
from treadle.testing.metadata import AT


def test_units_of_two_processes_follow_one_another(url: str, workers: Workers) -> None:
    metadata = open_metadata(url)
    with metadata.begin() as unit:
        unit.models.create_model("delay", AT)
        for number in range(60):
            unit.jobs.enqueue("train", number, AT)
        before = unit.journal.end()
    started = [workers.start(thirty_versions, url) for _ in range(2)]
    assert [workers.wait(process) for process in started] == [0, 0]
    with metadata.read() as view:
        versions = view.models.list_versions("delay")
        history = view.models.alias_history("delay", "champion")
        jobs = view.jobs.list(limit=100)
        events = view.journal.read(after=before)
    metadata.close()
    assert [made.version for made in versions] == list(range(60, 0, -1))
    assert {made.source for made in versions} == {str(process) for process in started}
    assert [(move.version, move.previous) for move in history] == [
        (n, n - 1 or None) for n in range(60, 0, -1)
    ]
    assert [job.epoch for job in jobs] == [1] * 60
    assert [event.kind for event in events] == ["version.created", "alias.set", "job.claimed"] * 60


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_processes_that_start_at_once_migrate_once(
    database: str, tmp_path: Path, workers: Workers, request: pytest.FixtureRequest
) -> None:
    if database == "sqlite":
        url = f"sqlite:///{tmp_path}/new.db"
    else:
        server = request.getfixturevalue("server")
        with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE started_at_once")
        url = server.format("started_at_once")
    started = [workers.start(open_only, url) for _ in range(4)]
    assert [workers.wait(process) for process in started] == [0] * 4
    metadata = open_metadata(url)
    with metadata.read() as view:
        assert [found.name for found in view.runs.experiments()] == ["Default"]
    metadata.close()


def test_forked_child_opens_connections_of_its_own(url: str, workers: Workers) -> None:
    assert workers.run(open_then_fork, url) == 0
    metadata = open_metadata(url)
    with metadata.read() as view:
        assert [run.run_id for run in view.runs.search_runs().items] == ["child", "parent", "parent again"]
    assert metadata.check() == []
    metadata.close()
