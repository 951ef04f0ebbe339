"""A data folder is read whole, or refused whole with every fault, its file and its fix."""

import random
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.define.sources import Rows, Source, Table, reading_order, table
from treadle.records.errors import InvalidInput
from treadle.stages.data.content import ordered_digest
from treadle.stages.data.reading import read_folder

START = datetime(2025, 1, 1, tzinfo=UTC)
orders = Source.parquet(
    "orders",
    path="orders.parquet",
    columns={"order": "int", "at": "time", "customer": "string", "price": "float"},
    event_time="at",
    unique="order",
)
customers = Source.parquet(
    "customers", path="people", columns={"customer": "string", "since": "time"}, event_time="since"
)


@table(
    columns={"customer": "string", "spent": "float", "at": "time"},
    event_time="at",
    unique=["customer"],
)
def spending(orders):
    """What each customer has spent."""
    return orders.group_by("customer").agg(spent=pl.col("price").sum(), at=pl.col("at").max())


@table(columns={"customer": "string", "spent": "float"}, unique=["customer"])
def best(spending, customers):
    """Reads a table and a source."""
    return spending.join(customers, on="customer", how="semi").sort("spent").tail(1)


EVERYTHING: list[Rows] = [best, spending, orders, customers]


def order_rows(count=6):
    return pl.DataFrame(
        {
            "order": range(count),
            "at": [START + timedelta(hours=i) for i in range(count)],
            "customer": [f"c{i % 2}" for i in range(count)],
            "price": [float(i) for i in range(count)],
            "ignored": ["x"] * count,
        }
    )


def customer_rows():
    return pl.DataFrame({"customer": ["c0", "c1"], "since": [START, START]})


@pytest.fixture
def folder(tmp_path):
    """A folder with what both sources need."""
    order_rows().write_parquet(tmp_path / "orders.parquet")
    (tmp_path / "people").mkdir()
    customer_rows().write_parquet(tmp_path / "people" / "all.parquet")
    return tmp_path


def faults(definitions, folder):
    with pytest.raises(InvalidInput) as caught:
        read_folder(definitions, folder)
    error = caught.value
    assert error.where == str(folder)
    assert "nothing was stored" in str(error.fix)
    assert str(len(error.faults)) in error.what
    return list(error.faults)


def digests(rows):
    return {name: ordered_digest(frame) for name, frame in rows.items()}


def test_sources_and_tables_come_in_the_order_of_their_definitions(folder):
    rows = read_folder(EVERYTHING, folder)
    assert list(rows) == ["best", "spending", "orders", "customers"]
    assert rows["orders"].columns[:4] == ["order", "at", "customer", "price"]
    assert rows["spending"].select("customer", "spent").rows() == [("c0", 6.0), ("c1", 9.0)]
    assert rows["best"].select("customer", "spent").rows() == [("c1", 9.0)]


def test_every_fault_of_every_source_is_listed_at_once(folder):
    rows = order_rows().with_columns(price=pl.lit("dear"), at=pl.col("at").dt.replace_time_zone(None))
    rows.rename({"customer": "customer_id"}).write_parquet(folder / "orders.parquet")
    (folder / "people" / "all.parquet").unlink()
    assert faults(EVERYTHING, folder) == [
        "source 'orders' (orders.parquet): column 'customer' is missing; was it renamed to 'customer_id'?",
        "source 'customers': the folder people has no .parquet file in it",
    ]
    rows.write_parquet(folder / "orders.parquet")
    assert [f.split("; ")[0] for f in faults(EVERYTHING, folder)] == [
        "source 'orders' (orders.parquet): column 'at' holds times without a zone, e.g. 2025-01-01 00:00:00.000000",
        "source 'orders' (orders.parquet): column 'price' holds String, e.g. 'dear', not float",
        "source 'customers': the folder people has no .parquet file in it",
    ]


def test_a_missing_file_is_told_with_what_is_there(folder):
    (folder / "orders.parquet").rename(folder / "order.parquet")
    (folder / ".hidden").touch()
    assert faults([orders, spending], folder) == [
        "source 'orders': orders.parquet is missing; the folder has order.parquet, people"
    ]


def test_a_missing_folder_is_one_fault(tmp_path):
    with pytest.raises(InvalidInput, match="there is no data folder") as caught:
        read_folder(EVERYTHING, tmp_path / "nowhere")
    assert "--data" in str(caught.value.fix)


def test_an_empty_folder_says_so(tmp_path):
    assert faults([orders], tmp_path) == ["source 'orders': orders.parquet is missing; the folder is empty"]


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"PAR1" + bytes(40) + b"PAR1"], ids=["empty", "CSV", "damaged"]
)
def test_what_is_no_parquet_is_refused(folder, content):
    (folder / "orders.parquet").write_bytes(content)
    (only,) = faults(EVERYTHING, folder)
    assert only.startswith("source 'orders' (orders.parquet): cannot be read as Parquet: ")
    assert only.endswith("; write the file again")


def test_a_truncated_or_damaged_file_is_refused_or_read_never_a_crash(folder, capfd):
    """Parquet has no checksums that are checked, so some damage reads as other values; none may end otherwise."""
    whole = (folder / "orders.parquet").read_bytes()
    draw = random.Random(5)
    refused = 0
    for _ in range(120):
        data = bytearray(whole)
        for _ in range(draw.choice([1, 4])):
            data[draw.randrange(len(data))] ^= draw.randrange(1, 256)
        (folder / "orders.parquet").write_bytes(
            data[: draw.randrange(len(data))] if draw.random() < 0.3 else data
        )
        try:
            read_folder([orders], folder)
        except InvalidInput:
            refused += 1
    assert refused > 60
    capfd.readouterr()  # what Polars says when it panics


def test_rows_without_event_time_and_repeated_rows_are_both_listed(folder):
    rows = pl.concat([order_rows(), order_rows(2)]).with_columns(
        at=pl.when(pl.col("order") != 5).then(pl.col("at"))
    )
    rows.write_parquet(folder / "orders.parquet")
    found = faults([orders, spending], folder)
    assert [f.split(";")[0] for f in found] == [
        "source 'orders' (orders.parquet): 1 of 8 rows have no 'at', their event_time",
        "source 'orders' (orders.parquet): 2 keys stand in several rows, e.g. 2 rows with order=0",
    ]


def test_a_file_without_rows_is_a_table_without_rows(folder):
    order_rows(0).with_columns(pl.col("customer").cast(pl.String)).write_parquet(folder / "orders.parquet")
    rows = read_folder(EVERYTHING, folder)
    assert [frame.height for frame in rows.values()] == [0, 0, 0, 2]
    assert rows["spending"].schema["spent"] == pl.Float64


def test_a_folder_whose_name_is_a_pattern_is_a_folder(tmp_path):
    strange = tmp_path / "data [2025] *?"
    (strange / "people").mkdir(parents=True)
    order_rows().write_parquet(strange / "orders.parquet")
    customer_rows().write_parquet(strange / "people" / "part [1].parquet")
    assert read_folder(EVERYTHING, strange)["customers"].height == 2


class TestFolderOfFiles:
    """Each file conforms for itself."""

    def test_files_may_differ_in_types_zones_and_order_of_columns(self, folder):
        parts = folder / "people"
        rows = [
            customer_rows().with_columns(pl.col("since").dt.cast_time_unit("ns"), extra=1),
            pl.DataFrame({"since": ["2025-01-01T05:30:00+05:30"], "customer": ["c2"]}),
            pl.DataFrame({"customer": pl.Series(["c3"], dtype=pl.Categorical), "since": [START]}),
        ]
        for number, part in enumerate(rows):
            (parts / f"month={number}").mkdir()
            part.write_parquet(parts / f"month={number}" / "part.parquet")
        (parts / "all.parquet").unlink()
        read = read_folder([customers], folder)["customers"]
        assert read["customer"].to_list() == ["c0", "c1", "c2", "c3"]
        assert set(read["since"]) == {START}

    def test_hidden_files_and_logs_are_no_data(self, folder):
        (folder / "people" / "_delta_log").mkdir()
        for name in (".part.parquet", "_delta_log/checkpoint.parquet", "notes.txt"):
            (folder / "people" / name).write_text("no data")
        assert read_folder([customers], folder)["customers"].height == 2

    def test_a_fault_names_its_file_and_a_common_one_how_many(self, folder):
        for number in range(3):
            pl.DataFrame({"customer": [number]}).write_parquet(folder / "people" / f"bad{number}.parquet")
        (folder / "people" / "worse.parquet").write_bytes(b"")
        found = faults([customers], folder)
        assert found[0] == (
            "source 'customers' (3 files, e.g. people/bad0.parquet): column 'since' is missing; there are customer"
        )
        assert found[1].startswith("source 'customers' (people/worse.parquet): cannot be read as Parquet")

    def test_keys_must_be_unique_across_files(self, folder):
        (folder / "many").mkdir()
        for name in "ab":
            order_rows(1).write_parquet(folder / "many" / f"{name}.parquet")
        many = Source.parquet("orders", path="many", columns=orders.columns, unique=["order"])
        (only,) = faults([many], folder)
        assert only.startswith(
            "source 'orders' (many): 1 key stands in several rows, e.g. 2 rows with order=0"
        )


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), files=st.integers(1, 4))
def test_shuffled_rows_and_files_give_the_same_stored_rows(tmp_path_factory, seed, files):
    draw = random.Random(seed)
    rows = order_rows(40).with_columns(
        at=pl.lit(START), price=pl.Series([draw.choice([1.0, 2.0]) for _ in range(40)])
    )
    definitions: list[Rows] = [
        Source.parquet("orders", path="orders", columns=orders.columns, event_time="at"),
        spending,
    ]
    found = []
    for order in (range(40), draw.sample(range(40), 40)):
        folder = tmp_path_factory.mktemp("shuffled")
        (folder / "orders").mkdir()
        cuts = sorted(draw.choices(range(41), k=files - 1))
        for number, (first, last) in enumerate(zip([0, *cuts], [*cuts, 40], strict=True)):
            part = rows[list(order[first:last])]
            part.write_parquet(folder / "orders" / f"{draw.random()}-{number}.parquet", row_group_size=7)
        found.append(digests(read_folder(definitions, folder)))
    assert found[0] == found[1]


def test_what_pandas_writes_reads_like_what_polars_writes(folder):
    """A pandas column of integers with gaps is one of floats with NaN; its times are nanoseconds."""
    plain = read_folder([orders], folder)["orders"]
    rows = order_rows().with_columns(
        pl.col("order").cast(pl.Float64),
        pl.col("at").dt.cast_time_unit("ns").dt.convert_time_zone("America/New_York"),
        pl.col("customer").cast(pl.Categorical),
        pl.col("price").cast(pl.Float32),
    )
    rows.write_parquet(folder / "orders.parquet")
    assert ordered_digest(read_folder([orders], folder)["orders"]) == ordered_digest(plain)


class TestTables:
    """A table's function is a person's: whatever it does wrong is said, with its place."""

    @staticmethod
    def made(function, **columns):
        return table(columns=columns or {"order": "int"})(function)

    def test_a_function_that_raises_is_named_with_its_line(self, folder):
        def broken(orders):
            return {"one": 1}["nothing"]

        line = broken.__code__.co_firstlineno
        (only,) = faults([orders, self.made(broken)], folder)
        assert only == (
            f"table 'broken' ({__file__}:{line}) could not be built: KeyError: 'nothing', at test_reading.py:{line + 1}"
        )

    def test_a_column_that_polars_does_not_find_is_named(self, folder):
        def broken(orders):
            return orders.select("prize")

        (only,) = faults([orders, self.made(broken)], folder)
        assert "could not be built: ColumnNotFoundError: " in only
        assert "prize" in only

    def test_a_function_that_returns_nothing_is_asked_for_its_return(self, folder):
        def forgetful(orders):
            orders.select("order")

        def wrong(orders):
            return 7

        assert [
            f.split(") ", 1)[1] for f in faults([orders, self.made(forgetful), self.made(wrong)], folder)
        ] == [
            "returned nothing (is a `return` missing?); return a polars LazyFrame",
            "returned int; return a polars LazyFrame",
        ]

    def test_a_data_frame_serves_as_well(self, folder):
        def eager(orders):
            return orders.select("order").collect()

        assert read_folder([orders, self.made(eager)], folder)["eager"].height == 6

    def test_other_columns_are_faults_like_those_of_files(self, folder):
        def other(orders):
            return orders.select(order_id="order", price=pl.col("price").cast(pl.String))

        def naive(orders):
            return orders.select(at=pl.col("at").dt.replace_time_zone(None))

        found = faults(
            [orders, self.made(other, order="int", price="float"), self.made(naive, at="time")], folder
        )
        assert [f.split("): ")[1] for f in found] == [
            "column 'order' is missing; was it renamed to 'order_id'?",
            "column 'at' holds times without a zone, e.g. 2025-01-01 00:00:00.000000; "
            "say which zone they are in: .dt.replace_time_zone('UTC')",
        ]

    def test_repeated_keys_are_mended_in_the_function(self, folder):
        twice = table(columns={"customer": "string"}, unique=["customer"])(spending_twice)
        (only,) = faults([orders, twice], folder)
        assert "remove the repeated rows in the table's function" in only

    def test_tables_of_sound_sources_are_judged_beside_broken_sources(self, folder):
        def broken(orders):
            raise ValueError

        (folder / "people" / "all.parquet").unlink()
        found = faults([orders, customers, best, spending, self.made(broken)], folder)
        assert [f.split("(")[0].split(":")[0].strip() for f in found] == [
            "source 'customers'",
            "table 'broken'",
        ]
        assert "could not be built: ValueError: ValueError, at test_reading.py" in found[1]

    def test_tables_that_read_one_another_in_a_circle_are_refused(self, folder):
        def one(two):
            return two

        def two(orders, three):
            return three

        def three(one):
            return one

        def outside(three):
            return three

        with pytest.raises(InvalidInput) as caught:
            read_folder([orders, *map(self.made, (outside, one, two, three))], folder)
        assert caught.value.faults == (
            "tables read one another in a circle: 'three' reads 'one' reads 'two' reads 'three'",
        )

    def test_a_table_that_reads_itself_is_a_circle(self):
        def me(me):
            return me

        with pytest.raises(InvalidInput) as caught:
            reading_order([self.made(me)])
        assert caught.value.faults == ("tables read one another in a circle: 'me' reads 'me'",)

    def test_unknown_inputs_and_circles_are_told_apart(self):
        def lost(ordes):
            return ordes

        def waits(lost):
            return lost

        with pytest.raises(InvalidInput) as caught:
            reading_order([orders, self.made(lost), self.made(waits)])
        assert caught.value.faults == ("table 'lost' reads 'ordes', which is not among the sources",)

    @settings(max_examples=60)
    @given(st.data())
    def test_every_order_of_definitions_is_put_right(self, data):
        names = "abcdef"
        tables = [
            Table(
                name=name,
                build=spending.build,
                inputs=tuple(data.draw(st.sets(st.sampled_from(["orders", *names[:place]]), min_size=1))),
                columns={"order": "int"},
            )
            for place, name in enumerate(names)
        ]
        ordered = reading_order(data.draw(st.permutations([orders, *tables])))
        for place, found in enumerate(ordered):
            assert isinstance(found, Source) or {d.name for d in ordered[:place]}.issuperset(found.inputs)
        assert len(ordered) == 7


def spending_twice(orders):
    return pl.concat([orders, orders]).select("customer")
