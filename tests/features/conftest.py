"""Where lookups are answered: in one piece, in partitions in this process, in partitions on a Dask cluster."""

from __future__ import annotations

import pytest

from treadle.stages.features.partitioned import Partitioning

PARTS = 3


@pytest.fixture(scope="session")
def dask_executor():
    """An executor on a cluster of two Dask workers."""
    from distributed import LocalCluster

    from treadle.adapters.executor_dask import DaskExecutor

    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
        ) as cluster,
        DaskExecutor(cluster.scheduler_address) as executor,
    ):
        yield executor


@pytest.fixture(params=["polars", "partitions", "dask"])
def engine(request):
    """How lookups are divided; a test that asks for it runs once for each."""
    if request.param == "polars":
        return Partitioning()
    if request.param == "partitions":
        return Partitioning(parts=PARTS)
    return Partitioning(parts=PARTS, executor=request.getfixturevalue("dask_executor"))
