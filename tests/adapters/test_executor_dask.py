"""A Dask cluster keeps the executor's contract, and a task whose Dask worker dies is not run again."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import LocalCluster

from treadle.adapters.executor_dask import DaskExecutor
from treadle.ports.executor import Executor, Task, WorkerDied
from treadle.records.errors import InvalidInput, NotReady
from treadle.testing.executor import WAIT, ExecutorContract, task, wait_for


def dask(workers: int) -> LocalCluster:
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    )


@pytest.fixture(scope="module")
def two_workers() -> Iterator[LocalCluster]:
    with dask(2) as cluster:
        yield cluster


class TestDask(ExecutorContract):
    workers = 2

    @pytest.fixture
    def executor(self, two_workers: LocalCluster) -> Iterator[Executor]:
        with DaskExecutor(two_workers.scheduler_address) as executor:
            yield executor


def test_what_a_running_task_wrote_can_be_read(two_workers: LocalCluster, tmp_path: Path) -> None:
    with DaskExecutor(two_workers.scheduler_address) as executor:
        handle = executor.submit(task("write_and_meet", f"{tmp_path / 'here'}\n{tmp_path / 'go'}".encode()))
        wait_for(tmp_path / "here")
        assert handle.logs == "waiting"
        (tmp_path / "go").touch()
        handle.result(WAIT)
        assert handle.logs == "waiting"


def test_a_task_whose_dask_worker_dies_is_not_run_again(tmp_path: Path) -> None:
    with dask(1) as cluster, DaskExecutor(cluster.scheduler_address) as executor:
        here = tmp_path / "here"
        handle = executor.submit(task("meet", f"{here}\n{tmp_path / 'never'}".encode()))
        wait_for(here)
        here.unlink()
        os.kill(cluster.workers[0].pid, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="not run again"):
            handle.result(WAIT)
        assert not here.exists()
        assert executor.submit(task("echo", b"well")).result(WAIT) == b"well"


def test_without_a_scheduler_it_says_so() -> None:
    with pytest.raises(NotReady, match="no Dask scheduler answers"):
        DaskExecutor("tcp://127.0.0.1:1", timeout=0.2)
    with pytest.raises(InvalidInput, match="not the address"):
        DaskExecutor("nonsense://x", timeout=0.2)


def test_without_the_package_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(NotReady) as caught:
        DaskExecutor("tcp://127.0.0.1:1")
    assert "treadle[dask]" in (caught.value.fix or "")


def test_the_modules_of_a_project_are_found(two_workers: LocalCluster, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def say(_):\n    return b'mine'\n", encoding="utf-8")
    with DaskExecutor(two_workers.scheduler_address) as executor:
        say = Task("mine:say", b"", name="say", paths=(str(tmp_path),))
        assert executor.submit(say).result(WAIT) == b"mine"
