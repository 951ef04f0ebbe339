"""The contract of definitions."""

from __future__ import annotations

import hashlib

import pytest

from treadle.ports.metadata import Metadata
from treadle.records.errors import Conflict, InvalidInput, NotFound
from treadle.testing.metadata import AT


class DefinitionsContract:
    """Subclass with a fixture `metadata`: an empty store."""

    @pytest.fixture
    def metadata(self) -> Metadata:
        """Return an empty store."""
        raise NotImplementedError("give the store to be tested as a fixture")

    def test_same_content_again_is_the_same_version(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            first = unit.definitions.record("gate", "champion", {"a": 1, "b": [True]}, AT)
            end = unit.journal.end()
            assert unit.definitions.record("gate", "champion", {"b": [True], "a": 1}, AT + 1) == first
            assert unit.journal.end() == end
        assert first.version == 1
        assert first.digest == hashlib.sha256(b'{"a":1,"b":[true]}').hexdigest()

    def test_other_content_under_the_same_name_needs_to_be_allowed(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            first = unit.definitions.record("gate", "champion", {"a": 1}, AT)
            with pytest.raises(Conflict):
                unit.definitions.record("gate", "champion", {"a": 2}, AT)
            assert unit.definitions.get("gate", "champion") == first
            second = unit.definitions.record("gate", "champion", {"a": 2}, AT, allow_change=True)
            third = unit.definitions.record("gate", "champion", {"a": 1}, AT, allow_change=True)
            assert unit.definitions.history("gate", "champion") == (third, second, first)
            assert unit.definitions.get("gate", "champion") == third
            assert unit.definitions.get("gate", "champion", 2) == second
        assert [third.version, third.digest] == [3, first.digest]

    def test_names_of_two_kinds_do_not_meet(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            gate = unit.definitions.record("gate", "delay", 1, AT)
            monitor = unit.definitions.record("monitor", "delay", 2, AT)
            unit.definitions.record("monitor", "delay", 3, AT, allow_change=True)
            assert unit.definitions.current("gate") == (gate,)
            assert [found.body for found in unit.definitions.current()] == [1, 3]
            assert unit.definitions.get("monitor", "delay", 1) == monitor

    def test_unknown_definition_is_not_found_with_its_neighbours(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.definitions.record("gate", "champion", 1, AT)
            with pytest.raises(NotFound) as error:
                unit.definitions.get("gate", "champoin")
            assert "champion" in str(error.value)
            with pytest.raises(NotFound):
                unit.definitions.get("gate", "champion", 2)
            assert unit.definitions.find("gate", "other") is None
            assert unit.definitions.history("gate", "other") == ()

    def test_body_that_is_not_json_or_a_name_that_is_empty_is_refused(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            with pytest.raises(InvalidInput):
                unit.definitions.record("gate", "champion", {"threshold": float("nan")}, AT)
            with pytest.raises(InvalidInput) as error:
                unit.definitions.record("", " ", {}, AT)
        assert len(error.value.faults) == 2
