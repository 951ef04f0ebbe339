"""A database's rows are read from the greatest watermark on: ties and late commits get in, and nothing twice."""

import sqlite3

import psycopg
import pytest
import sqlalchemy as sa

from tests.adapters.sql.conftest import server  # noqa: F401 - a fixture
from treadle.adapters.outside import OutsideWorld
from treadle.adapters.secrets import LocalSecrets
from treadle.define.sources import Source
from treadle.records.errors import InvalidInput, NotReady
from treadle.records.instants import MINUTE, instant
from treadle.records.secrets import secret

COLUMNS = {"id": "int", "changed": "time", "item": "string", "price": "float", "sold": "bool"}
TABLE = sa.Table(
    "orders",
    sa.MetaData(),
    sa.Column("id", sa.Integer),
    sa.Column("changed", sa.DateTime(timezone=True)),
    sa.Column("item", sa.Text),
    sa.Column("price", sa.Numeric(10, 2)),
    sa.Column("sold", sa.Boolean),
)


class Orders:
    """A table of orders in a database, written as a program would."""

    def __init__(self, url):
        self.url = url
        self.engine = sa.create_engine(
            url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.NullPool
        )
        with self.engine.begin() as connection:
            TABLE.drop(connection, checkfirst=True)
            TABLE.create(connection)

    def write(self, *rows):
        with self.engine.begin() as connection:
            for number, changed, item in rows:
                values = {"id": number, "item": item, "price": 1.25, "sold": True}
                connection.execute(TABLE.insert().values(changed=_moment(changed), **values))


def _moment(text):
    from datetime import datetime

    return datetime.fromisoformat(text)


@pytest.fixture(params=["sqlite", "postgresql"])
def orders(request, tmp_path):
    if request.param == "sqlite":
        return Orders(f"sqlite:///{tmp_path / 'orders.db'}")
    address = request.getfixturevalue("server")
    with psycopg.connect(address.format("postgres"), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'shop'").fetchone():
            connection.execute("CREATE DATABASE shop")
    return Orders(address.format("shop"))


@pytest.fixture
def outside(stores):
    stores.outside = OutsideWorld(LocalSecrets({}, None))
    return stores.outside


def make(orders, **options):
    options = {"table": "orders", "watermark": "changed"} | options
    return Source.sql(
        "orders",
        url=orders.url,
        columns=COLUMNS,
        event_time="changed",
        created_time="changed",
        zone="UTC",
        **options,
    )


def ids(stores):
    return stores.stored("orders")["id"].to_list()


@pytest.mark.usefixtures("outside")
def test_rows_are_conforming_rows_as_those_of_files_are(stores, orders):
    orders.write((1, "2025-01-01T00:00:00+00:00", "tea"), (2, "2025-01-01T00:00:01.5+00:00", None))
    stores.bring(make(orders))
    rows = stores.stored("orders").select(*COLUMNS, "__known_at")
    late = instant("2025-01-01T00:00:01.5Z")
    assert rows.drop("changed").rows() == [
        (1, "tea", 1.25, True, instant("2025-01-01")), (2, None, 1.25, True, late),
    ]  # fmt: skip


@pytest.mark.usefixtures("outside")
def test_later_readings_take_what_is_at_or_after_the_watermark_once(stores, orders):
    orders.write((1, "2025-01-01T00:00:00+00:00", "a"), (2, "2025-01-02T00:00:00+00:00", "b"))
    stores.bring(make(orders))
    stores.bring(make(orders))
    assert stores.versions("orders") == 1
    # A tie with the watermark, of a transaction that committed later; and an equal row is a row of its own.
    orders.write((3, "2025-01-02T00:00:00+00:00", "tie"), (2, "2025-01-02T00:00:00+00:00", "b"))
    orders.write((4, "2025-01-03T00:00:00+00:00", "new"))
    stores.bring(make(orders))
    assert sorted(ids(stores)) == [1, 2, 2, 3, 4]
    stores.bring(make(orders))
    assert stores.versions("orders") == 2


@pytest.mark.usefixtures("outside")
def test_a_lookback_finds_rows_whose_transaction_committed_late(stores, orders):
    orders.write((1, "2025-01-01T10:00:00+00:00", "a"), (2, "2025-01-01T10:10:00+00:00", "b"))
    stores.bring(make(orders, lookback="15m"))
    orders.write((3, "2025-01-01T09:56:00+00:00", "late"), (4, "2025-01-01T09:54:00+00:00", "too late"))
    stores.bring(make(orders, lookback="15m"))
    assert sorted(ids(stores)) == [1, 2, 3]


@pytest.mark.usefixtures("outside")
def test_a_row_that_was_changed_is_a_further_version_of_it(stores, orders):
    orders.write((1, "2025-01-01T00:00:00+00:00", "a"))
    stores.bring(make(orders))
    with orders.engine.begin() as connection:
        connection.execute(TABLE.update().values(item="b", changed=_moment("2025-01-02T00:00:00+00:00")))
    stores.bring(make(orders))
    assert stores.stored("orders").select("id", "item").rows() == [(1, "a"), (1, "b")]


@pytest.mark.usefixtures("outside")
def test_without_a_watermark_everything_is_read_and_compared(stores, orders):
    orders.write((1, "2025-01-01T00:00:00+00:00", "a"), (2, "2025-01-02T00:00:00+00:00", "b"))
    source = make(orders, watermark=None)
    stores.bring(source)
    with orders.engine.begin() as connection:
        connection.execute(TABLE.delete().where(TABLE.c.id == 1))
    orders.write((3, "2024-01-01T00:00:00+00:00", "c"))
    stores.bring(source)
    assert ids(stores) == [2, 3]


@pytest.mark.usefixtures("outside")
def test_a_query_is_a_source_of_its_own(stores, orders):
    orders.write((1, "2025-01-01T00:00:00+00:00", "a:b"), (2, "2025-01-02T00:00:00+00:00", "b%"))
    query = "SELECT id, changed, item, price * 2 AS price, sold FROM orders WHERE item <> ':none' AND item NOT LIKE 'x%';"
    stores.bring(make(orders, table=None, query=query))
    orders.write((3, "2025-01-02T00:00:00+00:00", "c"))
    stores.bring(make(orders, table=None, query=query))
    assert stores.stored("orders").select("id", "price").rows() == [(1, 2.5), (2, 2.5), (3, 2.5)]


@pytest.mark.usefixtures("outside")
def test_every_fault_of_a_database_is_listed_and_nothing_is_stored(stores, orders):
    columns = {"id": "int", "items": "string", "pric": "float"}
    missing = Source.sql("orders", url=orders.url, table="orders", columns=columns)
    refused = Source.sql(
        "others", url=orders.url, query="SELECT nothing FROM nowhere", columns={"nothing": "int"}
    )
    mistyped = Source.sql("typed", url=orders.url, table="orders", columns={"item": "float"})
    orders.write((1, "2025-01-01T00:00:00+00:00", "a"))
    with pytest.raises(InvalidInput) as caught:
        stores.bring(missing, refused, mistyped)
    said = "\n".join(caught.value.faults)
    assert "column 'items' is missing; was it renamed to 'item'?" in said
    assert "column 'pric' is missing; was it renamed to 'price'?" in said
    assert "source 'others' (a query in" in said
    assert "the database refused" in said
    assert "source 'typed' (table orders in" in said
    assert "holds String, e.g. 'a', not float" in said
    assert stores.tables.names() == []


@pytest.mark.usefixtures("outside")
def test_rows_without_a_watermark_value_are_refused(stores, orders):
    orders.write((1, "2025-01-01T00:00:00+00:00", "a"))
    with orders.engine.begin() as connection:
        connection.execute(TABLE.insert().values(id=2))
    source = Source.sql(
        "orders",
        url=orders.url,
        table="orders",
        columns={"id": "int", "changed": "time"},
        watermark="changed",
        zone="UTC",
    )
    with pytest.raises(InvalidInput, match="1 of 2 rows have no 'changed', their watermark"):
        stores.bring(source)


def test_a_number_is_a_watermark_too(stores, outside, tmp_path):
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE t (n)")
        connection.execute("INSERT INTO t VALUES (5), (3)")
    source = Source.sql(
        "t", url=f"sqlite:///{tmp_path / 'x.db'}", table="t", columns={"n": "int"}, watermark="n"
    )
    stores.bring(source)
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("INSERT INTO t VALUES (4), (5), (6)")
    connection.close()
    stores.bring(source)
    assert sorted(stores.stored("t")["n"]) == [3, 5, 5, 6]
    assert outside.newest_mark(source.origin.url, table="t", query=None, watermark="n") == 6


@pytest.mark.parametrize(
    "written", ["2025-01-01T00:00:00Z", "2025-01-01 00:00:00+00:00", "2025-01-01T00:00:00.250000Z"]
)
def test_a_lookback_keeps_to_the_way_that_times_are_written_as_text(stores, outside, tmp_path, written):
    later, between = written.replace("00:00:00", "00:10:00"), written.replace("00:00:00", "00:05:00")
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE t (at TEXT)")
        connection.executemany("INSERT INTO t VALUES (?)", [(written,), (later,)])
    connection.close()
    url = f"sqlite:///{tmp_path / 'x.db'}"
    source = Source.sql("t", url=url, table="t", columns={"at": "time"}, watermark="at", lookback="10m")
    stores.bring(source)
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("INSERT INTO t VALUES (?)", (between,))
    connection.close()
    stores.bring(source)
    first = stores.stored("t")["at"].dt.epoch("us").min()
    assert sorted(t - first for t in stores.stored("t")["at"].dt.epoch("us")) == [0, 5 * MINUTE, 10 * MINUTE]


def test_an_address_with_a_password_comes_from_a_secret(stores, orders):
    orders.write((1, "2025-01-01T00:00:00+00:00", "a"))
    stores.outside = OutsideWorld(LocalSecrets({"ORDERS": orders.url}, None))
    source = Source.sql("orders", url=secret("ORDERS"), table="orders", columns={"id": "int"})
    stores.bring(source)
    assert ids(stores) == [1]
    assert orders.url not in repr(source)
    stores.outside = OutsideWorld(LocalSecrets({}, None))
    with pytest.raises(NotReady, match="the secret ORDERS is not set"):
        stores.bring(source)


def test_what_cannot_be_reached_is_said_without_its_password(outside, tmp_path):
    for url in (
        "postgresql://user:hidden@127.0.0.1:1/db", f"sqlite:///{tmp_path}/none.db", "hidden", "nothing://hidden@x/y",
    ):  # fmt: skip
        with pytest.raises(NotReady) as caught:
            outside.query(url, [("a", "int")], table="t", query=None)
        assert "hidden" not in str(caught.value)
    assert not (tmp_path / "none.db").exists()
