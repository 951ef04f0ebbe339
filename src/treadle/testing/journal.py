"""The contract of the event journal."""

from __future__ import annotations

import pytest

from treadle.ports.metadata import Metadata
from treadle.records.digests import Json
from treadle.records.errors import Conflict, InvalidInput
from treadle.records.events import Event
from treadle.testing.metadata import AT


class JournalContract:
    """Subclass with a fixture `metadata`: an empty store."""

    @pytest.fixture
    def metadata(self) -> Metadata:
        """Return an empty store."""
        raise NotImplementedError("give the store to be tested as a fixture")

    def test_event_comes_back_as_written(self, metadata: Metadata) -> None:
        data: Json = {"text": "naïve ✓", "list": [1, 2.5, None, True], "nested": {"a": []}}
        with metadata.begin(world="replay") as unit:
            written = unit.journal.append("trigger.fired", "drift", AT, data, key="k")
        assert written == Event(written.cursor, AT, "trigger.fired", "drift", data, "k", "replay")
        with metadata.read() as view:
            assert view.journal.read() == (written,)

    def test_reading_goes_on_after_a_cursor(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            events = [unit.journal.append("trigger.fired", str(n), AT + n) for n in range(10)]
        with metadata.read() as view:
            first = view.journal.read(limit=4)
            rest = view.journal.read(after=first[-1].cursor)
        assert [*first, *rest] == events

    def test_filters_must_all_hold(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.journal.append("alert.raised", "a", AT)
            wanted = unit.journal.append("alert.raised", "b", AT)
            unit.journal.append("alert.raised", "b", AT + 1)
            unit.journal.append("alert.cleared", "b", AT)
        with metadata.begin(world="replay") as unit:
            unit.journal.append("alert.raised", "b", AT)
        with metadata.read() as view:
            found = view.journal.read(kinds=["alert.raised"], subject="b", world="live", until=AT)
            assert view.journal.read(kinds=[]) == ()
        assert found == (wanted,)

    def test_latest_is_the_newest_of_its_kind_subject_and_world(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.journal.append("alert.raised", "a", AT)
            a = unit.journal.append("alert.raised", "a", AT)
            b = unit.journal.append("alert.raised", "b", AT)
        with metadata.begin(world="replay") as unit:
            c = unit.journal.append("alert.raised", "c", AT)
        with metadata.read() as view:
            assert view.journal.latest("alert.raised", subject="a") == a
            assert view.journal.latest("alert.raised", world="live") == b
            assert view.journal.latest("alert.raised") == c
            assert view.journal.latest("alert.cleared") is None

    def test_key_belongs_to_its_kind(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            first = unit.journal.append("alert.raised", "a", AT, key="k")
            other = unit.journal.append("alert.cleared", "a", AT, key="k")
            assert unit.journal.append("alert.raised", "changed", AT + 1, {"x": 1}, key="k") == first
        assert first != other

    @pytest.mark.parametrize(
        "kind", ["", "fired", "Trigger.fired", "trigger fired", ".fired", "trigger.", "a.b\n"]
    )
    def test_kind_that_is_not_noun_and_verb_is_refused(self, metadata: Metadata, kind: str) -> None:
        with metadata.begin() as unit, pytest.raises(InvalidInput):
            unit.journal.append(kind, "it", AT)

    def test_data_that_is_not_json_is_refused(self, metadata: Metadata) -> None:
        with metadata.begin() as unit, pytest.raises(InvalidInput):
            unit.journal.append("alert.raised", "it", AT, {"value": float("nan")})
        with metadata.read() as view:
            assert view.journal.end() == 0

    def test_consumer_begins_at_zero_and_stands_where_it_went(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            assert unit.journal.position("mail") == 0
            unit.journal.advance("mail", 5, since=0)
            unit.journal.advance("mail", 5, since=5)
            unit.journal.advance("mail", 9, since=5)
        with metadata.read() as view:
            assert view.journal.position("mail") == 9
            assert view.journal.position("other") == 0

    def test_consumer_that_lost_its_place_cannot_advance(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.journal.advance("mail", 5, since=0)
        for to, since in ((7, 0), (7, 4), (4, 5)):
            with metadata.begin() as unit, pytest.raises(Conflict):
                unit.journal.advance("mail", to, since=since)
        with metadata.read() as view:
            assert view.journal.position("mail") == 5
