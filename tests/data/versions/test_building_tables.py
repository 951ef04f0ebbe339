"""Tables built by parts are those built whole, whatever arrives; SQL reaches nothing but its inputs."""

from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import narwhals.stable.v2 as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.sources.source_homes import FIRST, Stores
from treadle.adapters.outside import OutsideWorld
from treadle.adapters.secrets import LocalSecrets
from treadle.define.code import source_digest
from treadle.define.sources import Source, table
from treadle.define.tables import sql_table
from treadle.records.errors import InvalidInput, NotReady
from treadle.records.instants import HOUR
from treadle.records.intake import Event
from treadle.records.rows import PUSHED
from treadle.stages.data.incremental import beyond, mark_of
from treadle.stages.data.pushed import WRITER, event_frame, register_pushed, without_ids

COLUMNS = {"at": "time", "item": "string", "price": "float"}
LINE = {"at": "time", "item": "string", "double": "float"}
SUMS = {"item": "string", "total": "float", "count": "int", "label": "string"}
sales = Source.csv("sales", path="sales", columns=COLUMNS, event_time="at")
names = Source.csv("names", path="names.csv", columns={"item_code": "string", "label": "string"})
SEEN = []


def doubled_of(sales):
    return sales.select("at", "item", double=pl.col("price") * 2).filter(pl.col("double") != 0)


def summed_of(sales, names):
    sums = sales.group_by("item").agg(total=pl.col("price").sum(), count=pl.len().cast(pl.Int64))
    return sums.join(names, left_on="item", right_on="item_code", how="left", nulls_equal=True)


@table(columns=LINE, event_time="at", incremental="append")
def doubled(sales):
    SEEN.append(sales.collect().height)
    return doubled_of(sales)


@table(columns=LINE, event_time="at")
def doubled_whole(sales):
    return doubled_of(sales)


@table(columns=LINE, event_time="at", engine="narwhals", incremental="append")
def doubled_anywhere(sales: nw.LazyFrame):
    return sales.select("at", "item", (nw.col("price") * 2).alias("double")).filter(nw.col("double") != 0)


@table(columns=SUMS, unique="item", incremental="partition:item")
def summed(sales, names):
    return summed_of(sales, names)


@table(columns=SUMS, unique="item")
def summed_whole(sales, names):
    return summed_of(sales, names)


summed_sql = sql_table(
    "summed_sql",
    sql="""
        SELECT sales.item, sum(price) AS total, count(*) AS count, any_value(label) AS label
        FROM sales LEFT JOIN names ON sales.item IS NOT DISTINCT FROM names.item_code GROUP BY sales.item
    """,
    inputs=["sales", "names"],
    columns=SUMS,
    unique="item",
    incremental="partition:item",
)

ALL = [sales, names, doubled, doubled_whole, doubled_anywhere, summed, summed_whole, summed_sql]
PAIRS = {
    "doubled": "doubled_whole",
    "doubled_anywhere": "doubled_whole",
    "summed": "summed_whole",
    "summed_sql": "summed_whole",
}


@contextmanager
def opened(folder):
    for name in ("home", "data"):
        (folder / name).mkdir()
    stores = Stores(folder / "home", folder / "data", OutsideWorld(LocalSecrets.of_process()))
    try:
        write_names(stores, ("a", "Apple"), ("b", "Bread"))
        yield stores
    finally:
        stores.metadata.close()


@pytest.fixture
def stores(tmp_path):
    with opened(tmp_path) as stores:
        yield stores


def write_names(stores, *rows):
    stores.write("names.csv", *rows, columns=("item_code", "label"))


def write(stores, name, *rows):
    stores.write(
        f"sales/{name}.csv",
        *[(f"2025-05-01T00:{n:02}:00Z", item, price) for n, (item, price) in enumerate(rows)],
    )


def content(stores, name):
    rows = stores.stored(name).drop("__row")
    return rows.sort(rows.columns)


def check(stores):
    for name, whole in PAIRS.items():
        assert content(stores, name).equals(content(stores, whole)), name


def because(stores, name):
    with stores.metadata.read() as view:
        return view.datasets.get(name).tags["because"]


ROW = st.tuples(st.sampled_from(["a", "b", "c", ""]), st.sampled_from([0, 1, 2.5]))
STEP = st.one_of(
    st.lists(ROW, min_size=1, max_size=4),
    st.sampled_from(["names", "rewritten", "nothing"]),
)


@pytest.mark.slow
@settings(max_examples=4, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=4))
def test_building_by_parts_gives_the_rows_of_building_whole(steps):
    with TemporaryDirectory() as folder, opened(Path(folder)) as stores:
        write(stores, "first", ("a", 1))
        stores.bring(*ALL)
        for number, step in enumerate(steps):
            if step == "names":
                write_names(stores, ("a", f"Apple {number}"), ("c", "Cheese"))
            elif step == "rewritten":
                write(stores, "first", ("b", number))
            elif step != "nothing":
                write(stores, f"more{number}", *step)
            stores.bring(*ALL)
            check(stores)


def test_only_new_rows_and_touched_partitions_are_built(stores):
    write(stores, "a", ("a", 1), ("b", 2), ("b", 3))
    stores.bring(*ALL)
    assert because(stores, "doubled") == "first build"
    SEEN.clear()
    write(stores, "b", ("b", 5))
    stores.bring(*ALL)
    assert SEEN == [1]
    assert because(stores, "doubled") == "sales has new rows"
    assert because(stores, "summed") == "sales has new rows, in 1 values of item"
    rows = stores.stored("summed")
    known = dict(zip(rows["item"], rows["__known_at"], strict=True))
    numbers = dict(zip(rows["item"], rows["__row"], strict=True))
    assert numbers["a"] < numbers["b"]
    assert len(known) == 2
    check(stores)
    stores.bring(*ALL)
    assert SEEN == [1]


def test_rows_that_arrive_later_are_known_from_when_they_came(stores):
    write(stores, "a", ("a", 1))
    stores.bring(*ALL)
    write(stores, "b", ("b", 2))
    stores.bring(*ALL)
    assert stores.stored("doubled")["__known_at"].to_list()[1] == FIRST + HOUR


def test_replaced_rows_and_changed_lookups_build_it_whole_and_say_so(stores):
    write(stores, "a", ("a", 1), ("b", 2))
    stores.bring(*ALL)
    write(stores, "a", ("a", 7))
    stores.bring(*ALL)
    assert "table 'doubled' rebuilt whole because rows of sales were replaced" in stores.said
    check(stores)
    write_names(stores, ("a", "Apple"), ("b", "Bread"), ("c", "Cheese"))
    stores.bring(*ALL)
    assert any("summed' rebuilt whole because names" in said for said in stores.said)
    check(stores)


def push(stores, position, item, price):
    at = FIRST + position
    event = Event("sales", f"e{position}", at, at, at, at, False, {"at": at, "item": item, "price": price})
    version = stores.tables.append(
        "sales", event_frame(sales, [(position, event)]), writer=(WRITER, position), evolve=True
    )
    rows = without_ids(stores.tables.read("sales", version=version).collect())
    register_pushed("sales", rows, version, stores.metadata, stores.at)


def test_pushed_rows_are_built_once_beside_loaded_ones(stores):
    write(stores, "a", ("a", 1), ("b", 2))
    stores.bring(*ALL)
    push(stores, 7, "a", 3.0)
    SEEN.clear()
    stores.bring(*ALL)
    assert SEEN == [1]
    push(stores, 8, "c", 4.0)
    write(stores, "b", ("c", 5))
    stores.bring(*ALL)
    assert SEEN == [1, 2]
    check(stores)
    assert sorted(stores.stored("doubled")["double"]) == [2, 4, 6, 8, 10]


def all_chosen():
    @table(columns={"item": "string"}, incremental="append")
    def chosen(sales):
        return sales.select("item")

    return chosen


def some_chosen():
    @table(columns={"item": "string"}, incremental="append")
    def chosen(sales):
        return sales.filter(pl.col("item") == "a").select("item")

    return chosen


def test_changed_code_builds_it_anew_and_is_told(stores):
    first, chosen = all_chosen(), some_chosen()
    write(stores, "a", ("a", 1), ("b", 2))
    stores.bring(sales, first)
    brought = stores.bring(sales, chosen)
    assert stores.said == ["table 'chosen' rebuilt because its code changed"]
    assert because(stores, "chosen") == "its code changed"
    manifest = brought.manifests["chosen"]
    assert manifest.code_digest == source_digest(chosen.build) != source_digest(first.build)
    assert [str(parent) for parent in manifest.parents] == ["sales/1"]
    assert stores.stored("chosen")["item"].to_list() == ["a"]
    stores.bring(sales, chosen)
    assert stores.said == []


def test_changed_sql_is_changed_code(stores):
    def cheap(limit):
        return sql_table(
            "cheap",
            sql=f"SELECT item FROM sales WHERE price < {limit}",
            inputs="sales",
            columns={"item": "string"},
        )

    write(stores, "a", ("a", 1), ("b", 2))
    stores.bring(sales, cheap(9))
    stores.bring(sales, cheap(2))
    assert stores.said == ["table 'cheap' rebuilt because its code changed"]
    assert stores.stored("cheap")["item"].to_list() == ["a"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT column0 AS item FROM read_csv('/etc/passwd', header=false)",
        "SELECT content AS item FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "COPY sales TO '/tmp/stolen.csv'",
        "ATTACH '/tmp/other.db'",
        "INSTALL httpfs",
        "SELECT 1 AS item; SELECT 2 AS item",
        "SET enable_external_access = true",
        "SELECT item FROM names",
        "SELECT item FROM frames",
        "SELECT",
    ],
)
def test_sql_reaches_nothing_but_its_inputs(stores, sql):
    frames = pl.DataFrame({"item": ["a variable of Python"]})
    write(stores, "a", ("a", 1))
    stolen = sql_table("stolen", sql=sql, inputs="sales", columns={"item": "string"})
    with pytest.raises(InvalidInput) as refused:
        stores.bring(sales, stolen)
    assert refused.value.faults[0].startswith("table 'stolen' (SQL) could not be built")
    assert not stores.tables.exists("stolen")
    assert frames.height == 1
    assert not Path("/tmp/stolen.csv").exists()


def test_sql_gives_whole_numbers_and_times_as_they_are(stores):
    counted = sql_table(
        "counted",
        sql='SELECT max("at") AS "at", sum(CAST(price AS INT)) AS n, count(*) > 1 AS many FROM sales',
        inputs="sales",
        columns={"at": "time", "n": "int", "many": "bool"},
        event_time="at",
    )
    write(stores, "a", ("a", 1), ("b", 2))
    stores.bring(sales, counted)
    row = stores.stored("counted").row(0, named=True)
    assert (row["n"], row["many"]) == (3, True)
    assert row["at"] == datetime.fromisoformat("2025-05-01T00:01:00+00:00")


def test_sql_without_an_engine_is_not_ready(stores):
    stores.outside = None
    write(stores, "a", ("a", 1))
    with pytest.raises(NotReady):
        stores.bring(sales, names, summed_sql)


def test_a_partition_that_returns_rows_of_another_is_refused(stores):
    @table(columns={"item": "string"}, incremental="partition:item")
    def wrong(sales):
        return sales.select(item=pl.lit("z"))

    write(stores, "a", ("a", 1))
    stores.bring(sales, wrong)
    write(stores, "b", ("b", 1))
    with pytest.raises(InvalidInput) as refused:
        stores.bring(sales, wrong)
    assert "rows of other values of 'item'" in refused.value.faults[0]


def test_definitions_that_contradict_themselves_are_refused_with_every_fault():
    with pytest.raises(InvalidInput) as refused:
        sql_table("t", sql=" ", inputs=[], columns={"a": "int"}, incremental="partition:b")
    assert len(refused.value.faults) == 3
    with pytest.raises(InvalidInput) as refused:
        table(columns={"a": "int"}, engine="pandas", incremental="sometimes")(lambda sales: sales)
    assert [fault.split("=")[0].rsplit(" ", 1)[1] for fault in refused.value.faults[-2:]] == [
        "incremental",
        "engine",
    ]


def test_what_lies_beyond_a_mark_is_what_came_after_it_loaded_or_pushed():
    rows = pl.DataFrame({"__row": [0, 1, 5, PUSHED + 3]})
    mark = mark_of(rows, 2)
    assert mark == (2, 6, PUSHED + 4)
    more = pl.DataFrame({"__row": [0, 1, 5, 6, 9, PUSHED + 3, PUSHED + 4]})
    assert beyond(more, mark)["__row"].to_list() == [6, 9, PUSHED + 4]
    assert mark_of(rows.clear(), 0) == (0, 0, PUSHED)
