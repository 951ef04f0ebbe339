import hashlib
import json
import math
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.datatypes import DataTypeClass

from treadle.records.errors import InvalidInput
from treadle.stages.data.content import content_hash, ordered_digest

DIGESTS = [content_hash, ordered_digest]
Digester = Callable[[pl.DataFrame], str]
each_digest = pytest.mark.parametrize("digest", DIGESTS)

EVERYTHING = pl.DataFrame(
    {
        "truth": [True, None, False],
        "i8": pl.Series([-1, None, 1], dtype=pl.Int8),
        "u8": pl.Series([255, None, 1], dtype=pl.UInt8),
        "u64": pl.Series([2**64 - 1, None, 1], dtype=pl.UInt64),
        "i64": pl.Series([-(2**63), None, 1], dtype=pl.Int64),
        "f32": pl.Series([1.5, None, float("nan")], dtype=pl.Float32),
        "f64": [1.5, None, float("nan")],
        "text": ["naïve ✓", None, ""],
        "long": ["x" * 1_000, None, "x" * 65],
        "category": pl.Series(["b", None, "a"], dtype=pl.Categorical),
        "enum": pl.Series(["b", None, "a"], dtype=pl.Enum(["a", "b"])),
        "bytes": [b"\x00\xff", None, b""],
        "day": [date(1969, 12, 31), None, date(2013, 4, 1)],
        "at": pl.Series([datetime(2013, 4, 1, tzinfo=UTC), None, datetime(1960, 1, 1, tzinfo=UTC)]),
        "took": [timedelta(1), None, timedelta(0)],
        "clock": [time(1), None, time(2)],
        "price": pl.Series([Decimal("1.50"), None, Decimal("-0.01")], dtype=pl.Decimal(10, 2)),
        "many": [[1, None, 2], None, []],
        "texts": [["a", "b"], None, ["ab"]],
        "nested": [[[1], []], None, [[None]]],
        "array": pl.Series([[1, 2], None, [3, 4]], dtype=pl.Array(pl.Int64, 2)),
        "pair": [{"a": 1, "b": "x"}, None, {"a": None, "b": ""}],
        "nothing": pl.Series([None, None, None], dtype=pl.Null),
    }
)

DIFFERENT = {
    "value": (pl.Series([1.0, 2.0]), pl.Series([1.0, math.nextafter(2.0, 3.0)])),
    "null and zero": (pl.Series([None, 1]), pl.Series([0, 1])),
    "null and NaN": (pl.Series([None, 1.0]), pl.Series([math.nan, 1.0])),
    "null and empty": (pl.Series([None, "a"]), pl.Series(["", "a"])),
    "null and empty list": (pl.Series([None, [1]]), pl.Series([[], [1]])),
    "null and empty bytes": (pl.Series([None, b"a"]), pl.Series([b"", b"a"])),
    "null and struct of nulls": (
        pl.Series([None, {"a": 1}]),
        pl.Series([{"a": None}, {"a": 1}]),
    ),
    "signs of zero": (pl.Series([0.0, 1.0]), pl.Series([-0.0, 1.0])),
    "type": (pl.Series([1, 2], dtype=pl.Int32), pl.Series([1, 2], dtype=pl.Int64)),
    "unit": (
        pl.Series([0], dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
        pl.Series([0], dtype=pl.Int64).cast(pl.Datetime("ms", "UTC")),
    ),
    "zone": (
        pl.Series([0], dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
        pl.Series([0], dtype=pl.Int64).cast(pl.Datetime("us", "Asia/Tokyo")),
    ),
    "where one text ends": (pl.Series(["ab", "c"]), pl.Series(["a", "bc"])),
    "trailing zero byte": (pl.Series(["a\x00", "b"]), pl.Series(["a", "b"])),
    "ninth byte": (pl.Series(["x" * 8 + "a"]), pl.Series(["x" * 8 + "b"])),
    "last of many bytes": (pl.Series(["x" * 99 + "a"]), pl.Series(["x" * 99 + "b"])),
    "where one list ends": (pl.Series([[1, 2], [3]]), pl.Series([[1], [2, 3]])),
    "order in a list": (pl.Series([[1, 2]]), pl.Series([[2, 1]])),
    "null in a list": (pl.Series([[1, None]]), pl.Series([[1, 0]])),
    "inner nesting": (pl.Series([[[1], [2]]]), pl.Series([[[1, 2], []]])),
    "fields changed places": (
        pl.Series([{"a": 1, "b": 2}]),
        pl.Series([{"a": 2, "b": 1}]),
    ),
    "field name": (pl.Series([{"a": 1}]), pl.Series([{"b": 1}])),
    "one more equal row": (pl.Series([1, 1]), pl.Series([1, 1, 1])),
    "an equal row for another": (pl.Series([1, 1, 2]), pl.Series([1, 2, 2])),
}


@each_digest
@pytest.mark.parametrize("kind", DIFFERENT)
def test_different_contents_have_different_digests(digest: Digester, kind: str) -> None:
    left, right = DIFFERENT[kind]
    assert digest(left.to_frame("x")) != digest(right.to_frame("x"))


@each_digest
def test_names_and_order_of_columns_count(digest: Digester) -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": [1, 3]})
    others = [
        frame.rename({"a": "c"}),
        frame.select("b", "a"),
        frame.select("a"),
        frame.rename({"a": "b", "b": "a"}),
    ]
    assert len({digest(other) for other in [frame, *others]}) == 5


@each_digest
def test_values_that_changed_columns_count(digest: Digester) -> None:
    assert digest(pl.DataFrame({"a": [1], "b": [2]})) != digest(pl.DataFrame({"a": [2], "b": [1]}))


@each_digest
def test_values_that_changed_rows_count(digest: Digester) -> None:
    """Each column alone has the same values; the rows differ."""
    assert digest(pl.DataFrame({"a": [1, 2], "b": [1, 2]})) != digest(
        pl.DataFrame({"a": [1, 2], "b": [2, 1]})
    )


@each_digest
def test_every_type_has_a_digest_and_any_chunking_the_same(digest: Digester) -> None:
    pieces = [EVERYTHING.slice(row, 1) for row in range(3)]
    chunked = pl.concat(pieces, rechunk=False)
    assert chunked.n_chunks() == 3
    assert digest(chunked) == digest(EVERYTHING) == digest(EVERYTHING.clone().rechunk())
    assert digest(pl.concat([EVERYTHING, EVERYTHING]).slice(3, 3)) == digest(EVERYTHING)


@each_digest
def test_each_column_takes_part(digest: Digester) -> None:
    reversed_ = EVERYTHING.reverse()
    for name in EVERYTHING.columns:
        if name != "nothing":
            changed = EVERYTHING.with_columns(reversed_[name])
            assert digest(changed) != digest(EVERYTHING), name


@each_digest
def test_file_in_between_changes_nothing(digest: Digester, tmp_path: object) -> None:
    frame = EVERYTHING.drop("nothing", "category", "enum")
    path = f"{tmp_path}/frame.parquet"
    frame.write_parquet(path, row_group_size=2)
    assert digest(pl.read_parquet(path)) == digest(frame)


@each_digest
def test_encodings_of_text_do_not_count(digest: Digester) -> None:
    texts = pl.Series("x", ["b", "a", None, "b"])
    kinds: list[pl.DataType | DataTypeClass] = [
        pl.String,
        pl.Categorical,
        pl.Enum(["a", "b"]),
        pl.Enum(["b", "c", "a"]),
    ]
    assert len({digest(texts.cast(kind).to_frame()) for kind in kinds}) == 1


@each_digest
def test_all_NaNs_are_one(digest: Digester) -> None:
    patterns = [0x7FF8000000000000, 0xFFF8000000000000, 0x7FF0000000000001, 0x7FF8DEADBEEF0000]
    values = [np.array([pattern], dtype=np.uint64).view(np.float64) for pattern in patterns]
    assert len({digest(pl.DataFrame({"x": value})) for value in values}) == 1


@each_digest
def test_what_lies_beneath_a_null_does_not_count(digest: Digester) -> None:
    masked = pl.DataFrame({"x": [1.0, 2.0], "s": ["a", "b"]}).select(
        pl.when(pl.col("x") < 2).then(pl.col("x")).alias("x"),
        pl.when(pl.col("x") < 2).then(pl.col("s")).alias("s"),
    )
    assert digest(masked) == digest(pl.DataFrame({"x": [1.0, None], "s": ["a", None]}))


@each_digest
def test_empty_frames_have_digests_of_their_own(digest: Digester) -> None:
    frames = [pl.DataFrame(), pl.DataFrame({"a": []}, schema={"a": pl.Int64}), EVERYTHING.clear(), EVERYTHING]
    assert len({digest(frame) for frame in frames}) == 4


@each_digest
def test_objects_are_refused(digest: Digester) -> None:
    with pytest.raises(InvalidInput):
        digest(pl.DataFrame({"x": pl.Series([object()], dtype=pl.Object)}))


def test_the_two_digests_are_not_mistaken_for_each_other() -> None:
    assert content_hash(EVERYTHING) != ordered_digest(EVERYTHING)


def test_order_of_rows_counts_in_one_and_not_in_the_other() -> None:
    reversed_ = EVERYTHING.reverse()
    assert content_hash(reversed_) == content_hash(EVERYTHING)
    assert ordered_digest(reversed_) != ordered_digest(EVERYTHING)


_ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.floats(width=64),
        st.none() | st.text(max_size=20),
        st.none() | st.lists(st.none() | st.integers(-3, 3), max_size=3),
    ),
    max_size=8,
)
_SCHEMA: dict[str, DataTypeClass | pl.DataType] = {
    "i": pl.Int64,
    "f": pl.Float64,
    "s": pl.String,
    "l": pl.List(pl.Int64),
}


def _identity(row: tuple[object, ...]) -> str:
    """A row as text that is equal for equal values; NaN is one, zeros are two."""
    return repr(tuple("nan" if isinstance(cell, float) and math.isnan(cell) else cell for cell in row))


@settings(max_examples=150)
@given(left=_ROWS, right=_ROWS, seed=st.integers(0, 9))
def test_content_hash_is_equal_exactly_for_equal_rows_in_any_order(
    left: list[tuple[object, ...]], right: list[tuple[object, ...]], seed: int
) -> None:
    def digest(rows: list[tuple[object, ...]]) -> str:
        return content_hash(pl.DataFrame(rows, schema=_SCHEMA, orient="row"))

    shuffled = random.Random(seed).sample(left, len(left))
    assert digest(shuffled) == digest(left)
    same = sorted(map(_identity, left)) == sorted(map(_identity, right))
    assert (digest(left) == digest(right)) == same


def test_small_numbers_in_many_rows_do_not_collide() -> None:
    """Row hashes of all pairs of small integers and of small floats, one row each: all different."""
    grid = pl.DataFrame({"a": range(25)}).join(pl.DataFrame({"b": range(25)}), how="cross")
    for frame in (grid, grid.cast(pl.Float64), grid.cast(pl.String)):
        digests = {content_hash(frame.slice(row, 1)) for row in range(frame.height)}
        assert len(digests) == frame.height


def test_ordered_digest_is_what_the_definition_says() -> None:
    """Written out by hand, so that a new version of a library cannot move it unseen."""
    frame = pl.DataFrame(
        {"n": [1, None, -1], "f": [1.5, math.nan, 0.0], "s": ["é", None, ""], "b": [True, False, True]}
    )
    header = json.dumps(
        ["ordered", 1, 3, [["n", "int64"], ["f", "float64"], ["s", "string"], ["b", "boolean"]]],
        separators=(",", ":"),
    )
    parts = [
        header.encode() + b"\n",
        b"\x01" + bytes([0b01000000]) + struct.pack("<3q", 1, 0, -1),
        b"\x00" + struct.pack("<d", 1.5) + bytes.fromhex("000000000000f87f") + struct.pack("<d", 0.0),
        b"\x01" + bytes([0b01000000]) + struct.pack("<3I", 2, 0, 0) + "é".encode(),
        b"\x00" + bytes([0b10100000]),
    ]
    assert ordered_digest(frame) == hashlib.sha256(b"".join(parts)).hexdigest()


def _splitmix(word: int) -> int:
    word ^= word >> 30
    word = word * 0xBF58476D1CE4E5B9 % 2**64
    word ^= word >> 27
    word = word * 0x94D049BB133111EB % 2**64
    return word ^ word >> 31


def test_content_hash_is_what_the_definition_says() -> None:
    """Plain integers of Python against the vectors."""
    frame = pl.DataFrame({"n": [1, None, -1], "f": [1.5, math.nan, 0.0]})
    null = 0x6A09E667F3BCC909
    ns = [_splitmix(1), null, _splitmix(2**64 - 1)]
    fs = [_splitmix(int.from_bytes(struct.pack("<d", value), "little")) for value in (1.5, math.nan, 0.0)]
    header = json.dumps(["content", 1, 3, [["n", "int64"], ["f", "float64"]]], separators=(",", ":"))
    hasher = hashlib.sha256(header.encode() + b"\n")
    for multiplier in (0x9FB21C651E98DF25, 0xD6E8FEB86659FD93):
        total = sum(_splitmix((n * multiplier + f) % 2**64) for n, f in zip(ns, fs, strict=True)) % 2**64
        hasher.update(total.to_bytes(8, "little"))
    assert content_hash(frame) == hasher.hexdigest()


def test_digests_are_the_same_in_every_process() -> None:
    code = (
        "import polars as pl; from treadle.stages.data.content import content_hash, ordered_digest;"
        "f = pl.DataFrame({'s': ['a', 'naïve', None], 'l': [[1], [], None]}); print(content_hash(f), ordered_digest(f))"
    )
    frame = pl.DataFrame({"s": ["a", "naïve", None], "l": [[1], [], None]})
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [content_hash(frame), ordered_digest(frame)]
