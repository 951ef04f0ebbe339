"""The contract of dataset manifests."""

from __future__ import annotations

import pytest

from treadle.ports.metadata import Metadata
from treadle.records.datasets import DatasetManifest, DatasetRef
from treadle.records.errors import InvalidInput, NotFound
from treadle.testing.metadata import AT, DIGEST, OTHER


class DatasetsContract:
    """Subclass with a fixture `metadata`: an empty store."""

    @pytest.fixture
    def metadata(self) -> Metadata:
        """Return an empty store."""
        raise NotImplementedError("give the store to be tested as a fixture")

    def test_manifest_comes_back_whole(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            for name in ("weather", "flights"):
                unit.datasets.register(name, AT, schema_hash=DIGEST, content_hash=DIGEST, rows=10)
            parents = (DatasetRef("weather", 1), DatasetRef("flights", 1))
            made = unit.datasets.register(
                "training",
                AT + 1,
                schema_hash=DIGEST,
                content_hash=OTHER,
                rows=0,
                parents=parents,
                code_digest=OTHER,
                tags={"until": "2013-04-01"},
            )
        assert made == DatasetManifest(
            name="training",
            version=1,
            schema_hash=DIGEST,
            content_hash=OTHER,
            rows=0,
            parents=parents,
            code_digest=OTHER,
            created=AT + 1,
            tags={"until": "2013-04-01"},
        )
        with metadata.read() as view:
            assert view.datasets.get("training") == made
            assert view.datasets.names() == ("flights", "training", "weather")
            assert view.datasets.children(parents[0]) == (made.ref,)
            assert view.datasets.children(made.ref) == ()

    def test_versions_count_up_by_name(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            for content in (DIGEST, OTHER, DIGEST):
                unit.datasets.register("flights", AT, schema_hash=DIGEST, content_hash=content, rows=1)
            other = unit.datasets.register("weather", AT, schema_hash=DIGEST, content_hash=DIGEST, rows=1)
            unit.datasets.set_tag("flights", 2, "quality", "good", AT)
            unit.datasets.set_tag("flights", 2, "quality", "bad", AT)
        assert other.version == 1
        with metadata.read() as view:
            assert [found.version for found in view.datasets.versions("flights")] == [3, 2, 1]
            assert [dict(found.tags) for found in view.datasets.versions("flights")] == [
                {},
                {"quality": "bad"},
                {},
            ]
            assert view.datasets.get("flights", 1).version == 1
            same = view.datasets.find("flights", DIGEST)
            assert same is not None
            assert same.version == 3
            assert view.datasets.find("flights", "00" * 32) is None

    def test_removed_tag_is_gone_and_removing_it_again_changes_nothing(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            for _ in range(2):
                unit.datasets.register("flights", AT, schema_hash=DIGEST, content_hash=DIGEST, rows=1)
            for version in (1, 2):
                unit.datasets.set_tag("flights", version, "quality", "good", AT)
            unit.datasets.delete_tag("flights", 1, "quality", AT)
        with metadata.begin() as unit:
            before = unit.journal.end()
            unit.datasets.delete_tag("flights", 1, "quality", AT)
            assert unit.journal.end() == before
            with pytest.raises(NotFound):
                unit.datasets.delete_tag("flights", 3, "quality", AT)
        with metadata.read() as view:
            assert [dict(found.tags) for found in view.datasets.versions("flights")] == [
                {"quality": "good"},
                {},
            ]

    def test_unknown_dataset_or_parent_is_not_found(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.datasets.register("flights", AT, schema_hash=DIGEST, content_hash=DIGEST, rows=1)
            for name, version in (("flihgts", None), ("flights", 2)):
                with pytest.raises(NotFound):
                    unit.datasets.get(name, version)
            with pytest.raises(NotFound):
                unit.datasets.register(
                    "training",
                    AT,
                    schema_hash=DIGEST,
                    content_hash=DIGEST,
                    rows=1,
                    parents=[DatasetRef("flights", 2)],
                )
            assert unit.datasets.versions("training") == ()

    def test_bad_manifest_is_refused_with_all_its_faults(self, metadata: Metadata) -> None:
        with metadata.begin() as unit, pytest.raises(InvalidInput) as error:
            unit.datasets.register(" ", AT, schema_hash=DIGEST, content_hash=DIGEST, rows=-1)
        assert len(error.value.faults) == 2
