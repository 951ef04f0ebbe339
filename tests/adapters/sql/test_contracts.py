"""Both databases keep every contract of the metadata store."""

from __future__ import annotations

import pytest

from treadle.ports.metadata import Metadata
from treadle.testing.checkpoints import CheckpointsContract
from treadle.testing.datasets import DatasetsContract
from treadle.testing.definitions import DefinitionsContract
from treadle.testing.jobs import JobsContract
from treadle.testing.journal import JournalContract
from treadle.testing.metadata import MetadataContract
from treadle.testing.models import ModelsContract
from treadle.testing.runs import RunsContract


class OnSql:
    @pytest.fixture
    def metadata(self, store: Metadata) -> Metadata:
        return store


class TestMetadata(OnSql, MetadataContract): ...


class TestRuns(OnSql, RunsContract): ...


class TestModels(OnSql, ModelsContract): ...


class TestDatasets(OnSql, DatasetsContract): ...


class TestDefinitions(OnSql, DefinitionsContract): ...


class TestJournal(OnSql, JournalContract): ...


class TestJobs(OnSql, JobsContract): ...


class TestCheckpoints(OnSql, CheckpointsContract): ...
