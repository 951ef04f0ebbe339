"""Whatever happens to the files, what is stored is what they hold, and nothing is known before it was first there."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.sources.source_homes import FIRST, Stores
from treadle.define.sources import Source
from treadle.ports.tables import Tables
from treadle.records.instants import HOUR, instant
from treadle.records.intake import Event
from treadle.stages.data.content import content_hash
from treadle.stages.data.pushed import WRITER, event_frame

SOURCE = Source.csv("x", path="x", columns={"at": "time", "item": "string"}, event_time="at")
AT = "2025-05-01T00:00:00Z"


def pushed(tables: Tables, source: Source, position: int, item: str, event_id: str) -> None:
    """Put a pushed event into a source's table, as the event log's flusher does."""
    at = instant(AT)
    event = Event(source.name, event_id, FIRST, at, FIRST, FIRST, False, {"at": at, "item": item})
    tables.append(
        source.name, event_frame(source, [(position, event)]), writer=(WRITER, position), evolve=True
    )


files = st.dictionaries(st.sampled_from("abc"), st.lists(st.sampled_from("pqrs"), max_size=4), min_size=1)


@settings(max_examples=10)
@given(st.lists(files, min_size=2, max_size=5))
def test_what_is_stored_is_what_the_files_hold_and_known_since_it_was_there(states):
    with TemporaryDirectory() as folder:
        for name in ("home", "data"):
            Path(folder, name).mkdir()
        stores = Stores(Path(folder, "home"), Path(folder, "data"))
        copies: dict[
            tuple[str, int], int
        ] = {}  # the n-th copy of an item → the instant since which it has been there
        for number, state in enumerate(states):
            for old in (stores.data / "x").glob("*.csv"):
                if old.stem not in state:
                    old.unlink()
            for name, items in state.items():
                stores.write(f"x/{name}.csv", *[(AT, item) for item in items], columns=("at", "item"))
            at = stores.at
            manifest = stores.bring(SOURCE).manifests["x"]
            there = Counter(item for items in state.values() for item in items)
            since = instant(AT) if number == 0 else at
            copies = {
                (item, copy): copies.get((item, copy), since)
                for item, count in there.items()
                for copy in range(count)
            }
            rows = stores.stored("x")
            assert Counter(rows["item"]) == there
            expected = sorted((item, known) for (item, _), known in copies.items())
            assert sorted(rows.select("item", "__known_at").rows()) == expected
            assert rows["__row"].n_unique() == rows.height
            assert manifest.content_hash == content_hash(rows)
        stores.metadata.close()


def test_pushed_rows_stay_beside_loaded_ones_whatever_happens_to_the_files(stores):
    stores.write("x/a.csv", (AT, "a"), columns=("at", "item"))
    stores.bring(SOURCE)
    pushed(stores.tables, SOURCE, 5, "pushed", "e1")
    stores.write("x/b.csv", (AT, "b"), columns=("at", "item"))
    first = stores.bring(SOURCE)
    assert first.rows["x"]["item"].to_list() == ["a", "b"]
    assert stores.stored("x")["item"].to_list() == ["a", "b", "pushed"]
    assert first.manifests["x"].rows == 3
    stores.write("x/a.csv", (AT, "c"), columns=("at", "item"))
    stores.bring(SOURCE)
    assert stores.stored("x")["item"].to_list() == ["b", "c", "pushed"]
    assert stores.tables.writer_number("x", WRITER) == 5


def test_an_event_that_was_pushed_is_not_loaded_again(stores):
    source = Source.csv(
        "x", path="x", columns={"at": "time", "item": "string"}, event_time="at", event_id="item"
    )
    stores.write("x/a.csv", (AT, "e1"), columns=("at", "item"))
    stores.bring(source)
    pushed(stores.tables, source, 5, "e2", "e2")
    stores.write("x/b.csv", (AT, "e2"), (AT, "e3"), columns=("at", "item"))
    stores.bring(source)
    assert stores.stored("x")["item"].to_list() == ["e1", "e3", "e2"]
    stores.write("x/a.csv", (AT, "e2"), (AT, "e4"), columns=("at", "item"))
    stores.bring(source)
    assert sorted(stores.stored("x")["item"]) == ["e2", "e3", "e4"]


def test_loaded_rows_that_become_a_stream_stay(stores):
    stores.write("x/a.csv", (AT, "a"), columns=("at", "item"))
    before = stores.bring(SOURCE).rows["x"]
    stream = Source.push("x", columns={"at": "time", "item": "string"}, event_time="at")
    after = stores.bring(stream).rows["x"]
    assert after.equals(before)
    assert stores.at == FIRST + 2 * HOUR


def test_a_stream_without_events_is_a_source_without_rows(stores):
    rows = stores.bring(Source.push("x", columns={"at": "time", "n": "float"}, event_time="at")).rows["x"]
    assert rows.height == 0
    assert rows.schema["at"] == pl.Datetime("us", "UTC")
    assert rows.schema["n"] == pl.Float64
