"""The contract of checkpoints."""

from __future__ import annotations

import pytest

from treadle.ports.metadata import Metadata
from treadle.records.definitions import Checkpoint
from treadle.records.errors import Conflict, InvalidInput
from treadle.testing.metadata import AT


class CheckpointsContract:
    """Subclass with a fixture `metadata`: an empty store."""

    @pytest.fixture
    def metadata(self) -> Metadata:
        """Return an empty store."""
        raise NotImplementedError("give the store to be tested as a fixture")

    def test_last_value_stays(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.checkpoints.put("replay", {"month": 3}, AT)
            unit.checkpoints.put("replay", {"month": 4, "list": [1.5, None]}, AT + 1)
        with metadata.read() as view:
            assert view.checkpoints.get("replay") == Checkpoint(
                "replay", {"month": 4, "list": [1.5, None]}, AT + 1
            )
            assert view.checkpoints.get("other") is None

    def test_names_start_with_the_prefix_literally(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            for name in ("a/1", "a/2", "A/3", "a_x", "b"):
                unit.checkpoints.put(name, None, AT)
            assert unit.checkpoints.names("a/") == ("a/1", "a/2")
            assert unit.checkpoints.names("a_") == ("a_x",)
            assert unit.checkpoints.names("%") == ()
            assert unit.checkpoints.names() == ("A/3", "a/1", "a/2", "a_x", "b")

    def test_writer_of_an_older_epoch_is_refused(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.checkpoints.put("job", 1, AT, epoch=2)
        with metadata.begin() as unit, pytest.raises(Conflict):
            unit.checkpoints.put("job", 2, AT, epoch=1)
        with metadata.begin() as unit:
            unit.checkpoints.put("job", 3, AT, epoch=2)
            unit.checkpoints.put("job", 4, AT, epoch=3)
            assert unit.checkpoints.get("job") == Checkpoint("job", 4, AT, 3)

    def test_forgotten_checkpoint_is_gone(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.checkpoints.put("job", 1, AT)
            unit.checkpoints.delete("job")
            unit.checkpoints.delete("job")
            assert unit.checkpoints.get("job") is None

    def test_value_that_is_not_json_is_refused(self, metadata: Metadata) -> None:
        with metadata.begin() as unit, pytest.raises(InvalidInput):
            unit.checkpoints.put("job", float("inf"), AT)
