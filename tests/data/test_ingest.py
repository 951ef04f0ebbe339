"""What was read becomes a table version and a manifest: once for a content, however often it is offered."""

from datetime import UTC, datetime

import polars as pl
import pytest

from treadle.adapters.sql.metadata import open_metadata
from treadle.adapters.tables import DeltaTables
from treadle.define.sources import Rows, Source, table
from treadle.records.instants import instant
from treadle.stages.data.canonical import add_canonical
from treadle.stages.data.ingest import schema_hash, store_rows

NOW = instant("2025-01-01")
prices = Source.parquet("prices", path="p", columns={"item": "string", "price": "float"}, unique=["item"])


@table(columns={"item": "string"})
def items(prices):
    return prices.select("item")


@table(columns={"item": "string"})
def more(items, prices):
    return items


DEFINITIONS: list[Rows] = [more, items, prices]


def canonical(*values):
    frame = pl.DataFrame({"item": [f"i{n}" for n in range(len(values))], "price": values})
    names = frame.select("item")
    return {
        "prices": add_canonical(frame, prices.timing, prices.unique),
        "items": add_canonical(names, items.timing, ()),
        "more": add_canonical(names, more.timing, ()),
    }


class Stores:
    def __init__(self, folder):
        self.tables = DeltaTables(folder / "tables")
        self.metadata = open_metadata(f"sqlite:///{folder / 'metadata.db'}")

    def store(self, *values, tables=None):
        return store_rows(DEFINITIONS, canonical(*values), tables or self.tables, self.metadata, NOW)

    def newest(self, name):
        with self.metadata.read() as view:
            manifest = view.datasets.get(name)
        return manifest, self.tables.read(name, version=int(manifest.tags["table_version"])).collect()


@pytest.fixture
def stores(tmp_path):
    opened = Stores(tmp_path)
    yield opened
    opened.metadata.close()


def test_each_definition_gets_a_table_and_a_manifest(stores):
    manifests = stores.store(1.0, 2.0)
    assert {name: (m.version, m.rows) for name, m in manifests.items()} == {
        "prices": (1, 2), "items": (1, 2), "more": (1, 2),
    }  # fmt: skip
    manifest, rows = stores.newest("prices")
    assert manifest == manifests["prices"]
    assert rows.sort("__row").equals(canonical(1.0, 2.0)["prices"])


def test_a_tables_manifest_names_those_of_what_it_reads_in_any_order_of_definitions(stores):
    manifests = stores.store(1.0)
    assert manifests["prices"].parents == ()
    assert manifests["items"].parents == (manifests["prices"].ref,)
    assert set(manifests["more"].parents) == {manifests["prices"].ref, manifests["items"].ref}


def test_the_same_content_is_stored_once(stores):
    first = stores.store(1.0)
    assert stores.store(1.0) == first
    assert stores.tables.version("prices") == 0


def test_only_what_changed_gets_a_version(stores):
    stores.store(1.0)
    second = stores.store(2.0)
    assert {name: m.version for name, m in second.items()} == {"prices": 2, "items": 1, "more": 1}


def test_content_that_comes_back_is_the_newest_again(stores):
    stores.store(1.0)
    stores.store(2.0)
    manifests = stores.store(1.0)
    manifest, rows = stores.newest("prices")
    assert manifest == manifests["prices"]
    assert manifest.version == 3
    assert rows["price"].to_list() == [1.0]


class Dying:
    """Tables whose process dies after a write, before the manifest is registered."""

    def __init__(self, tables):
        self._tables = tables

    def exists(self, name):
        return self._tables.exists(name)

    def writer_number(self, name, writer_id):
        return self._tables.writer_number(name, writer_id)

    def overwrite(self, name, frame):
        self._tables.overwrite(name, frame)
        raise KeyboardInterrupt


def test_after_a_crash_between_table_and_manifest_storing_again_finishes(stores):
    stores.store(1.0)
    with pytest.raises(KeyboardInterrupt):
        stores.store(2.0, tables=Dying(stores.tables))
    manifest, rows = stores.newest("prices")
    assert (manifest.version, rows["price"].to_list()) == (1, [1.0])  # what is registered is what is read
    manifests = stores.store(2.0)
    manifest, rows = stores.newest("prices")
    assert manifest == manifests["prices"]
    assert (manifest.version, rows["price"].to_list()) == (2, [2.0])


def test_schema_hashes_tell_names_types_and_order_apart():
    at = datetime(2025, 1, 1, tzinfo=UTC)
    frames = [
        pl.DataFrame({"a": [1], "b": [1]}),
        pl.DataFrame({"b": [1], "a": [1]}),
        pl.DataFrame({"a": [1], "b": [1.0]}),
        pl.DataFrame({"a": [1], "b": [at]}),
        pl.DataFrame({"a": [1]}),
    ]
    assert len({schema_hash(frame) for frame in frames}) == 5
    assert schema_hash(frames[0]) == schema_hash(pl.DataFrame({"a": [7], "b": [8]}))
