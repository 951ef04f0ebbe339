"""CSV and JSON files are read as Parquet files are; what is wrong is named with its file, line and column."""

import json

import polars as pl
import pytest

from treadle.define.sources import Source
from treadle.records.errors import InvalidInput
from treadle.stages.data.reading import read_folder

COLUMNS = {"at": "time", "item": "string", "price": "float", "count": "int", "sold": "bool"}
ROWS = [
    {"at": "2024-01-01T00:00:00Z", "item": "tea, black", "price": 1.5, "count": 3, "sold": True},
    {
        "at": "2024-01-02T00:00:00+01:00",
        "item": 'the "best"\nof all',
        "price": None,
        "count": None,
        "sold": False,
    },
    {"at": "2024-01-03T00:00:00Z", "item": None, "price": -2e3, "count": -9007199254740993, "sold": None},
]


def make(kind, path):
    return getattr(Source, kind)("sales", path=path, columns=COLUMNS, event_time="at")


def read(folder, kind, path):
    return read_folder([make(kind, path)], folder)["sales"]


def faults(folder, kind, text, *, columns=COLUMNS, encoding="utf-8", **options):
    """Write one file, read it, and return what is said to be wrong with it."""
    path = f"sales.{kind}"
    (folder / path).write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    source = getattr(Source, kind)("sales", path=path, columns=columns, **options)
    with pytest.raises(InvalidInput) as caught:
        read_folder([source], folder)
    return [fault.removeprefix(f"source 'sales' ({path}): ") for fault in caught.value.faults]


CSV = """at,item,price,count,sold,note
2024-01-01T00:00:00Z,"tea, black",1.5,3,True,
2024-01-02T00:00:00+01:00,"the ""best""
of all",,,0,x
2024-01-03T00:00:00Z,, -2e3 ,-9007199254740993,,y
"""


def test_csv_json_lines_json_arrays_and_parquet_of_the_same_rows_are_the_same(tmp_path):
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "b.jsonl").write_text("\n".join(json.dumps(row) for row in ROWS) + "\n")
    (tmp_path / "c.json").write_text(json.dumps(ROWS, indent=2))
    pl.DataFrame(ROWS).write_parquet(tmp_path / "d.parquet")
    expected = read(tmp_path, "parquet", "d.parquet")
    assert expected["item"].to_list() == [ROWS[0]["item"], ROWS[1]["item"], None]
    assert expected.height == 3
    assert read(tmp_path, "csv", "a.csv").equals(expected)
    assert read(tmp_path, "json", "b.jsonl").equals(expected)
    assert read(tmp_path, "json", "c.json").equals(expected)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n\r\n"])
def test_line_endings_and_a_byte_order_mark_are_no_part_of_csv_rows(tmp_path, ending):
    lines = ["\ufeffitem,price", "a,1", "b,2.0"]
    (tmp_path / "x.csv").write_bytes(("\r\n".join(lines) + ending).encode())
    source = Source.csv("sales", path="x.csv", columns={"item": "string", "price": "int"})
    assert read_folder([source], tmp_path)["sales"]["price"].to_list() == [1, 2]


def test_a_value_of_another_type_in_csv_is_named_with_its_line_even_after_a_broken_cell(tmp_path):
    text = 'item,price,count,sold\n"two\nlines",1,1,true\nb,1.0.0,x,maybe\nc,,1.5,\nd,cheap,7,no\n'
    columns = {"item": "string", "price": "float", "count": "int", "sold": "bool"}
    assert faults(tmp_path, "csv", text, columns=columns) == [
        "line 4, column 'price': '1.0.0' is no number (and 1 more such cell)",
        "line 4, column 'count': 'x' is no whole number (and 1 more such cell)",
        "line 4, column 'sold': 'maybe' is no boolean (true, false, 1, 0) (and 1 more such cell)",
    ]


def test_a_time_without_a_zone_or_an_infinite_number_in_csv_is_named_with_its_line(tmp_path):
    text = "at,price\n2024-01-01T00:00:00Z,1\n2024-01-02T00:00:00,2\n2024-01-03T00:00:00Z,inf\n"
    found = faults(tmp_path, "csv", text, columns={"at": "time", "price": "float"})
    assert "column 'at' holds times without a zone" in found[0]
    assert found[0].endswith("(line 3)")
    assert "column 'price' holds 1 infinite value" in found[1]
    assert found[1].endswith("(line 4)")
    assert len(found) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n3\n", "line 3 has 1 cell, the header has 2"),
        ("a,b\n1,2,3\n", "line 2 has 3 cells, the header has 2"),
        ('a,b\n"1\n1",2\n3,4,5\n', "line 4 has 3 cells, the header has 2"),
        ("a,b\n1,2\n\n3,4\n", "line 3 has 0 cells, the header has 2"),
        (b"a,b\n1,2\n\xff,4\n", "line 3 is not UTF-8 text (byte 0xff); write the file as UTF-8"),
        ("", "is empty: a CSV file begins with a line that names its columns"),
        ("a,a\n1,2\n", "column 'a' stands 2 times in the header"),
        ("A,b\n1,2\n", "column 'a' is missing; was it renamed to 'A'?"),
    ],
)
def test_csv_that_is_not_well_formed_is_refused(tmp_path, text, said):
    assert faults(tmp_path, "csv", text, columns={"a": "int"}) == [said]


def test_csv_without_rows_is_a_source_without_rows(tmp_path):
    (tmp_path / "x.csv").write_text("item,price\n")
    source = Source.csv("sales", path="x.csv", columns={"item": "string", "price": "float"})
    assert read_folder([source], tmp_path)["sales"].height == 0


def test_each_kind_of_fault_in_json_is_named_once_with_its_first_line(tmp_path):
    lines = [
        '{"item": "a", "price": 1, "count": 1}',
        "",
        '{"item": 5, "price": 1, "count": 1}',
        '{"item": "c", "price": "1", "count": 1}',
        '{"item": "d", "price": "2", "count": 99999999999999999999}',
        '{"item": "e", "price": 2',
        "[1]",
    ]
    columns = {"item": "string", "price": "float", "count": "int"}
    found = faults(tmp_path, "json", "\n".join(lines), columns=columns)
    assert found[0] == "line 3: column 'item' holds int, not text"
    assert found[1] == "line 4: column 'price' holds str, not number (and 1 more line)"
    assert [fault.split(":")[0] for fault in found[2:]] == ["line 6", "line 7"]


def test_a_number_that_is_not_whole_or_too_large_in_json_is_named_with_its_line(tmp_path):
    assert faults(tmp_path, "json", '{"n": 1}\n{"n": 2.0}\n{"n": 2.5}', columns={"n": "int"}) == [
        "line 3: column 'n' holds 2.5, not a whole number"
    ]
    (found,) = faults(tmp_path, "json", '{"n": 1}\n{"n": 99999999999999999999}', columns={"n": "int"})
    assert found.startswith("line 2: column 'n'")


def test_lines_of_a_json_array_are_those_of_its_objects(tmp_path):
    text = json.dumps([{"n": 1}, {"n": 1}, {"n": "x"}], indent=1)
    line = text.split("\n").index('  "n": "x"')  # the object begins a line before, and lines count from 1
    assert faults(tmp_path, "json", text, columns={"n": "int"}) == [
        f"line {line}: column 'n' holds str, not whole number"
    ]


def test_a_column_that_no_json_object_has_is_missing_and_one_that_some_lack_is_null_there(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n{"a": 2, "b": 3}')
    source = Source.json("sales", path="x.jsonl", columns={"a": "int", "b": "int"})
    assert read_folder([source], tmp_path)["sales"]["b"].to_list() == [None, 3]
    assert faults(tmp_path, "json", '{"a": 1, "prices": 2}', columns={"a": "int", "price": "int"}) == [
        "column 'price' is missing; was it renamed to 'prices'?"
    ]


def test_text_that_is_no_json_is_refused(tmp_path):
    assert faults(tmp_path, "json", "[1, 2", columns={"a": "int"})[0].startswith("is not JSON")
    (found,) = faults(tmp_path, "json", b'{"a": "\xff"}', columns={"a": "string"})
    assert found == "line 1 is not UTF-8 text (byte 0xff); write the file as UTF-8"


def test_a_folder_gives_the_files_of_its_format_and_a_glob_those_that_fit(tmp_path):
    folder = tmp_path / "sales" / "2024"
    folder.mkdir(parents=True)
    for name, price in {"a.csv": 1, "b.csv": 2, ".hidden.csv": 3, "c.txt": 4}.items():
        (folder / name).write_text(f"price\n{price}\n")

    def prices(path):
        source = Source.csv("sales", path=path, columns={"price": "int"})
        return read_folder([source], tmp_path)["sales"]["price"].to_list()

    assert prices("sales") == [1, 2]
    assert prices("sales/*/a*") == [1]
    assert prices("**/*.csv") == [1, 2]
    with pytest.raises(InvalidInput, match=r"sales/\*\.csv fits no file"):
        prices("sales/*.csv")
