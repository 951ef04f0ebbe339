"""For every kind of anomaly: a schema, data that make it, and data that nearly do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from treadle.records.instants import DAY, HOUR, instant

NOW = instant("2026-03-01T00:00:00Z")
BOTH = ("profile", "rows")
ROWS = ("rows",)


@dataclass(frozen=True)
class Case:
    """One kind of anomaly, made and nearly made."""

    schema: str
    bad: pl.DataFrame
    good: pl.DataFrame
    where: str = "x"
    seen: tuple[str, ...] = BOTH
    count: int | None = None
    """How many rows the anomaly says it is about, when rows were given."""
    examples: tuple[Any, ...] | None = None
    environment: str = "training"
    previous: pl.DataFrame | None = None
    training: pl.DataFrame | None = None
    others: dict[str, pl.DataFrame] = field(default_factory=dict)


def column(kind: str, *rules: str) -> str:
    return "\n".join(['name = "data"', "[rows]", "[columns.x]", f'type = "{kind}"', *rules, ""])


def x(*values: Any, dtype: Any = None) -> pl.DataFrame:
    return pl.DataFrame({"x": pl.Series(list(values), dtype=dtype)})


def minutes(*offsets: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"x": pl.Series([NOW + o * 60_000_000 for o in offsets]).cast(pl.Datetime("us", "UTC"))}
    )


def at_hours(*hours: int, each: int = 60) -> pl.DataFrame:
    starts = [NOW - DAY + hour * HOUR + 1_000 * i for i in range(each) for hour in hours]
    return pl.DataFrame({"x": pl.Series(starts).cast(pl.Datetime("us", "UTC"))})


rng = np.random.default_rng(7)
NORMAL = rng.normal(12, 6, 4_000)
LETTERS = np.array(list("abcde"))
EVEN = rng.choice(LETTERS, 4_000)
SKEWED = rng.choice(LETTERS, 4_000, p=[0.6, 0.1, 0.1, 0.1, 0.1])
SPREAD = np.array([f"v{i}" for i in range(40)])
TWO = 'name = "data"\n[rows]\n[columns.x]\ntype = "int"\n[columns.y]\ntype = "int"\n'
TIME = 'name = "data"\n[time]\ncolumn = "x"\n{}\n[columns.x]\ntype = "time"\n'

CASES: dict[str, Case] = {
    "column_missing": Case(column("int"), pl.DataFrame({"xx": [1]}), x(1)),
    "column_new": Case(column("int"), x(1).with_columns(z=1), x(1), where="z"),
    "column_out_of_place": Case(
        column("int", 'not_in_environments = ["serving"]'),
        x(1, 2),
        pl.DataFrame({"y": [1]}),
        environment="serving",
    ),
    "column_empty": Case(column("int", "min_count = 1"), x(None, None, dtype=pl.Int64), x(None, 1), count=2),
    "type_changed": Case(column("int"), x("1", "2"), x(1, 2, dtype=pl.UInt8)),
    "nesting_changed": Case(column("int"), x([1], [2]), x(1, 2)),
    "not_a_bool": Case(
        column("bool", "as_text = true"),
        x("true", "yes", "False"),
        x("true", "TRUE", "0", None),
        count=1,
        examples=(1,),
    ),
    "not_an_int": Case(
        column("int", "as_text = true"), x("1", "2.5", "3"), x("1", "-2", None), count=1, examples=(1,)
    ),
    "not_a_float": Case(
        column("float", "as_text = true"),
        x("1", "2,5", "n/a"),
        x("1", "-2.5e3", None),
        count=2,
        examples=(1, 2),
    ),
    "statistic_missing": Case(
        column("string", 'pattern = "v[0-9]+"'),
        pl.DataFrame({"x": [f"v{i}" for i in range(3_000)]}),
        x("v1", "v2"),
        seen=("profile",),
    ),
    "too_few_present": Case(column("int", "min_fraction = 0.6"), x(1, None), x(1, 2, None), count=1),
    "too_few_values": Case(column("int", "min_count = 2"), x(1, None), x(1, 2, None), count=1),
    "too_few_distinct": Case(column("int", "min_distinct = 3"), x(1, 2, 2, 1), x(1, 2, 3, 1)),
    "too_many_distinct": Case(column("int", "max_distinct = 2"), x(1, 2, 3, 1), x(1, 2, 2, 1)),
    "too_few_items": Case(
        column("list", "min_items = 2"),
        x([1, 2], [1]),
        x([1, 2], [1, 2, 3]),
        seen=ROWS,
        count=1,
        examples=(1,),
    ),
    "too_many_items": Case(
        column("list", "max_items = 2"),
        x([1, 2], [1, 2, 3]),
        x([1, 2], []),
        seen=ROWS,
        count=1,
        examples=(1,),
    ),
    "below_min": Case(
        column("float", "min = 0.0"), x(0.0, -1.0, -2.0, None), x(0.0, 5.0, None), count=2, examples=(2, 1)
    ),
    "above_max": Case(column("int", "max = 9"), x(9, 10, 12), x(9, None), count=2, examples=(2, 1)),
    "nan_found": Case(
        column("float", "nan = false"),
        x(1.0, float("nan")),
        x(1.0, float("inf"), None),
        count=1,
        examples=(1,),
    ),
    "infinity_found": Case(
        column("float", "infinite = false"),
        x(1.0, float("-inf")),
        x(1.0, float("nan"), 1e60),
        count=1,
        examples=(1,),
    ),
    "value_unexpected": Case(
        column("string", 'values = ["a", "b"]'),
        x("a", "c", "c", "d"),
        x("a", "b", None),
        count=3,
        examples=(1, 3),
    ),
    "text_too_short": Case(
        column("string", "min_length = 2"), x("ab", "c"), x("ab", "äö", None), count=1, examples=(1,)
    ),
    "text_too_long": Case(
        column("string", "max_length = 2"), x("ab", "cde"), x("ab", "äö", None), count=1, examples=(1,)
    ),
    "pattern_missed": Case(
        column("string", 'pattern = "[A-Z]{2}|x"'),
        x("AB", "x", "ABC", "xA"),
        x("AB", "x", None),
        count=2,
        examples=(2, 3),
    ),
    "not_utf8": Case(
        column("binary", "utf8 = true"),
        x(b"ok", b"\xff\xfe"),
        x(b"ok", "ä".encode()),
        seen=ROWS,
        count=1,
        examples=(1,),
    ),
    "too_few_rows": Case(
        TWO.replace("[rows]", "[rows]\nmin = 2"),
        x(1).with_columns(y=1),
        x(1, 2).with_columns(y=1),
        where="rows",
    ),
    "too_many_rows": Case(
        TWO.replace("[rows]", "[rows]\nmax = 2"),
        x(1, 2, 3).with_columns(y=1),
        x(1, 2).with_columns(y=1),
        where="rows",
    ),
    "rows_fell": Case(
        column("int").replace("[rows]", "[rows]\nmin_ratio = 0.5"),
        x(1),
        x(1, 2),
        where="rows",
        previous=x(1, 2, 3, 4),
    ),
    "rows_rose": Case(
        column("int").replace("[rows]", "[rows]\nmax_ratio = 1.5"),
        x(1, 2, 3, 4),
        x(1, 2, 3),
        where="rows",
        previous=x(1, 2),
    ),
    "comparison_missing": Case(column("int", "skew = 0.2"), x(1), pl.DataFrame({"y": [1]})),
    "rows_repeated": Case(
        TWO.replace("[rows]", "[rows]\nmax_duplicates = 0.25"),
        pl.DataFrame({"x": [1, 1, 2, 2], "y": [1, 1, 3, 3]}),
        pl.DataFrame({"x": [1, 1, 2, 2], "y": [1, 1, 3, 4]}),
        where="rows",
        seen=ROWS,
        count=2,
    ),
    "key_repeated": Case(
        TWO + '[[keys]]\ncolumns = ["x", "y"]\n',
        pl.DataFrame({"x": [1, 1, 1], "y": [1, 2, 1]}),
        pl.DataFrame({"x": [1, 1, 2], "y": [1, 2, 1]}),
        where="x, y",
        seen=ROWS,
        count=2,
        examples=(0, 2),
    ),
    "key_empty": Case(
        TWO + '[[keys]]\ncolumns = ["x", "y"]\n',
        pl.DataFrame({"x": [1, None, None], "y": [1, 2, 2]}),
        pl.DataFrame({"x": [1, 1, 2], "y": [1, 2, 1]}),
        where="x, y",
        seen=ROWS,
        count=2,
        examples=(1, 2),
    ),
    "reference_missing": Case(
        TWO + '[[references]]\ncolumns = ["x", "y"]\ndataset = "places"\nto = ["a", "b"]\n',
        pl.DataFrame({"x": [1, 1, None], "y": [11, 1, 5]}),
        pl.DataFrame({"x": [1, None], "y": [11, 5]}),
        where="x, y",
        seen=ROWS,
        count=1,
        examples=(1,),
        others={"places": pl.DataFrame({"a": ["1", "11"], "b": ["11", "2"]})},
    ),
    "rule_broken": Case(
        TWO + '[[rules]]\nname = "order"\nrule = "x < y"\n',
        pl.DataFrame({"x": [1, 3, 3], "y": [2, 2, None]}),
        pl.DataFrame({"x": [1, 3], "y": [2, None]}),
        where="order",
        seen=ROWS,
        count=1,
        examples=(1,),
    ),
    "lists_misaligned": Case(
        TWO.replace('"int"', '"list"') + '[[aligned]]\ncolumns = ["x", "y"]\n',
        pl.DataFrame({"x": [[1], [1], [1]], "y": [[1], [1, 2], None]}),
        pl.DataFrame({"x": [[1], [], None], "y": [[2], None, []]}),
        where="x, y",
        seen=ROWS,
        count=2,
        examples=(1, 2),
    ),
    "stale": Case(TIME.format('max_age = "1h"'), minutes(-300, -61), minutes(-300, -60)),
    "late": Case(
        TIME.format('known = "y"\nmax_lateness = "1h"') + '[columns.y]\ntype = "time"\n',
        minutes(-300, -200).with_columns(y=pl.lit(NOW - 3 * HOUR).cast(pl.Datetime("us", "UTC"))),
        minutes(-240, -200).with_columns(y=pl.lit(NOW - 3 * HOUR).cast(pl.Datetime("us", "UTC"))),
        seen=ROWS,
        count=1,
        examples=(0,),
    ),
    "from_the_future": Case(TIME.format(""), minutes(-1, 1), minutes(-1, 0)),
    "zone_shifted": Case(
        column("time", f"hours = {[0.25 if 8 <= hour < 12 else 0.0 for hour in range(24)]}"),
        at_hours(13, 14, 15, 16),
        at_hours(8, 9, 10, 11, 12),
        seen=ROWS,
        count=240,
    ),
    "stuck": Case(
        column("float", "max_run = 3"), x(1.0, 2.0, 2.0, 2.0, 2.0), x(1.0, 2.0, 2.0, 2.0, 1.0, 2.0), count=4
    ),
    "unit_changed": Case(
        column("float"),
        pl.DataFrame({"x": NORMAL * 1.8 + 32}),
        pl.DataFrame({"x": NORMAL * 1.2 + 3}),
        previous=pl.DataFrame({"x": rng.normal(12, 6, 3_000)}),
    ),
    "scale_changed": Case(
        column("float"),
        pl.DataFrame({"x": NORMAL * 2.2046226}),
        pl.DataFrame({"x": NORMAL * 1.3}),
        previous=pl.DataFrame({"x": rng.normal(12, 6, 3_000)}),
    ),
    "category_share_changed": Case(
        column("string", "drift = 0.1"),
        pl.DataFrame({"x": SKEWED}),
        pl.DataFrame({"x": rng.choice(LETTERS, 200)}),
        previous=pl.DataFrame({"x": EVEN}),
    ),
    "categories_changed": Case(
        column("string", "skew = 0.1"),
        pl.DataFrame({"x": rng.choice(SPREAD[:20], 4_000)}),
        pl.DataFrame({"x": rng.choice(SPREAD, 4_000)}),
        training=pl.DataFrame({"x": rng.choice(SPREAD, 4_000)}),
    ),
    "distribution_changed": Case(
        column("float", "drift = 0.1", "unit = false"),
        pl.DataFrame({"x": rng.normal(15, 6, 1_000)}),
        pl.DataFrame({"x": rng.normal(12.6, 6, 1_000)}),
        previous=pl.DataFrame({"x": NORMAL}),
    ),
}
