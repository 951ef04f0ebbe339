"""Random typed expressions of the closed set, and random rows full of nulls, zeros and extremes."""

import math
from typing import Any

from hypothesis import strategies as st

from treadle.define.expressions import Call, Constant, Expression, Field, call, constant
from treadle.define.operators import PARTS, TOTALS, ConstantValue
from treadle.records.errors import InvalidInput

INPUTS = {
    "f1": "float", "f2": "float", "i1": "int", "i2": "int", "s1": "string", "s2": "string",
    "b1": "bool", "b2": "bool", "t1": "time", "t2": "time", "d1": "duration",
}  # fmt: skip

MAX, MIN = 2**63 - 1, -(2**63)

# Letters whose case mappings grow, shrink and depend on their place; digits and signs so that some text is a number.
LETTERS = "aBzΣσßİ\u0131ŉǄé😀中 \t\n\x0b\x1c\xa00123456789+-.eE_"

EDGES = [
    0.0,
    0.5,
    1.0,
    1.5,
    2.5,
    2.675,
    0.1,
    1e-17,
    5e-324,
    1e308,
    2.0**52,
    2.0**53,
    9.2e18,
    2.0**63,
    math.pi,
    math.inf,
]
floats = st.one_of(
    st.sampled_from([math.nan, *EDGES, *(-edge for edge in EDGES)]),
    st.floats(-100, 100),
    st.floats(),
)
ints = st.one_of(
    st.sampled_from(
        [0, 1, -1, 2, -2, 3, 7, 60, MAX, MIN, MAX - 1, MIN + 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**32]
    ),
    st.integers(-100, 100),
    st.integers(MIN, MAX),
)
# fmt: off
# Daylight saving changes of New York in 2013, to the microsecond; the edges of the calendar; before 1970; beyond 2100.
times = st.one_of(
    st.sampled_from(
        [
            0, -1, 1_362_898_799_999_999, 1_362_898_800_000_000, 1_383_458_399_999_999, 1_383_458_400_000_000,
            -62_135_596_800_000_001, -62_135_596_800_000_000, 253_402_300_799_999_999, 253_402_300_800_000_000,
            -2_717_650_800_000_001, -2_717_650_800_000_000, 951_782_400_000_000, 4_102_444_800_000_000, MAX, MIN,
        ]
    ),
    st.integers(-5_000_000_000_000_000, 5_000_000_000_000_000),
    st.integers(MIN, MAX),
)
# fmt: on
durations = st.one_of(
    st.sampled_from([0, 1, -1, 86_400_000_000, -86_400_000_000, 59_999_999, -59_999_999, MAX, MIN]),
    st.integers(-(10**12), 10**12),
)
texts = st.one_of(
    st.sampled_from(
        ["", "true", "false", "12", "-7", "+3", "1e3", ".5", "1.", "9223372036854775808", " 1", "1_0", "ΑΣ"]
    ),
    st.text(LETTERS, max_size=6),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "float": floats, "int": ints, "string": texts, "bool": st.booleans(), "time": times, "duration": durations,
}  # fmt: skip

ZONES = [
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Pacific/Apia",
    "UTC",
]


def rows(count: int = 5) -> st.SearchStrategy[list[dict[str, object]]]:
    """Rows with nulls, or (columns without any take other paths in Polars) rows without."""
    some = st.fixed_dictionaries({name: st.none() | VALUES[kind] for name, kind in INPUTS.items()})
    full = st.fixed_dictionaries({name: VALUES[kind] for name, kind in INPUTS.items()})
    return st.lists(some, min_size=count, max_size=count) | st.lists(full, min_size=count, max_size=count)


def fields(kind: str) -> st.SearchStrategy[Expression]:
    return st.sampled_from([Field(name) for name, held in INPUTS.items() if held == kind])


def constants(kind: str) -> st.SearchStrategy[Constant]:
    return VALUES[kind].map(lambda value: constant(kind, value))


@st.composite
def expressions(draw: st.DrawFn, kind: str, depth: int = 3) -> Expression:
    """An expression of a type; an operator whose check refuses the drawn constants falls back to a field."""
    if depth == 0:
        return draw(fields(kind))
    made = draw(st.sampled_from(MAKERS[kind]))
    try:
        found: Expression = made(draw, kind, depth - 1)
    except InvalidInput:  # every argument came out constant, or the tree too large
        return draw(fields(kind))
    return found


def operand(draw: st.DrawFn, kind: str, depth: int) -> Expression:
    if draw(st.integers(0, 3)) == 0:
        return draw(constants(kind))
    return draw(expressions(kind, depth))


def mixed(draw: st.DrawFn, depth: int) -> tuple[Expression, Expression]:
    """Two numbers of which at least one is a float."""
    kinds = draw(st.sampled_from([("float", "float"), ("float", "int"), ("int", "float")]))
    return operand(draw, kinds[0], depth), operand(draw, kinds[1], depth)


def binary(*operators: str, left: str | None = None, right: str | None = None):
    def make(draw, kind, depth):
        operator = draw(st.sampled_from(operators))
        return call(operator, operand(draw, left or kind, depth), operand(draw, right or kind, depth))

    return make


def mixed_binary(*operators: str):
    return lambda draw, _kind, depth: call(draw(st.sampled_from(operators)), *mixed(draw, depth))


def unary(*operators: str, of: str | None = None):
    return lambda draw, kind, depth: call(
        draw(st.sampled_from(operators)), draw(expressions(of or kind, depth))
    )


def with_constants(operator: str, *held: st.SearchStrategy[ConstantValue], of: str, kinds: tuple[str, ...]):
    def make(draw, _kind, depth):
        values = [draw(strategy) for strategy in held]
        lifted = [constant("null" if v is None else k, v) for k, v in zip(kinds, values, strict=True)]
        return call(operator, draw(expressions(of, depth)), *lifted)

    return make


def choose(draw, kind, depth):
    null = constant("null", None)
    a = null if draw(st.integers(0, 9)) == 0 else operand(draw, kind, depth)
    return call(
        "when", draw(expressions("bool", depth)), a, draw(expressions("bool", depth)), operand(draw, kind, depth),
        operand(draw, kind, depth),
    )  # fmt: skip


def is_in(draw, _kind, depth):
    of = draw(st.sampled_from(["float", "int", "string", "bool"]))
    members = draw(st.lists(VALUES[of].filter(lambda v: v == v), min_size=1, max_size=4))
    return call("is_in", draw(expressions(of, depth)), *(constant(of, value) for value in members))


def lookup(draw, kind, depth):
    of = draw(st.sampled_from(["string", "int", "bool"]))
    keys = draw(st.lists(VALUES[of], min_size=1, max_size=4, unique=True))
    default = draw(st.none() | VALUES[kind])
    pairs = [item for key in keys for item in (constant(of, key), constant(kind, draw(VALUES[kind])))]
    column = draw(expressions(of, depth))
    return call("lookup", column, constant("null" if default is None else kind, default), *pairs)


def cast(of: str, to: str):
    return lambda draw, _kind, depth: call("cast", draw(expressions(of, depth)), constant("string", to))


def in_zone(draw, _kind, depth):
    zone = constant("string", draw(st.sampled_from(ZONES)))
    return call("convert_time_zone", draw(expressions("time", depth)), zone)


def part(draw, _kind, depth):
    return call(draw(st.sampled_from(PARTS)), in_zone(draw, "time", depth))


def is_null(draw, _kind, depth):
    return call("is_null", draw(expressions(draw(st.sampled_from(list(VALUES))), depth)))


def compare(draw, _kind, depth):
    kind = draw(st.sampled_from(["float", "int", "string", "time", "duration", "mixed"]))
    operator = draw(st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]))
    if kind == "mixed":
        return call(operator, *mixed(draw, depth))
    return call(operator, operand(draw, kind, depth), operand(draw, kind, depth))


whole = st.integers(-16, 16)
COMMON = [choose, binary("coalesce"), binary("coalesce")]
ORDERED = [binary("minimum", "maximum")]
MAKERS = {
    "float": [
        *COMMON, *ORDERED, lookup, mixed_binary("add", "sub", "mul", "div", "floordiv", "mod"),
        mixed_binary("add", "sub", "mul", "div", "floordiv", "mod"), mixed_binary("minimum", "maximum"),
        binary("div", left="int", right="int"), unary("neg", "abs", "floor", "ceil", "sqrt"),
        unary("log", "log1p", "exp", "sin", "cos"), unary("log", "exp", "sqrt", of="int"),
        with_constants("round", st.integers(0, 15), of="float", kinds=("int",)),
        with_constants("power", whole, of="float", kinds=("int",)),
        with_constants("power", st.floats(-3, 3).filter(lambda v: v != int(v)), of="float", kinds=("float",)),
        cast("int", "float"), cast("bool", "float"), cast("string", "float"),
    ],
    "int": [
        *COMMON, *ORDERED, lookup, binary("add", "sub", "mul", "floordiv", "mod"),
        binary("add", "sub", "mul", "floordiv", "mod"), unary("neg", "abs"), unary("floor", "ceil"), part, part,
        with_constants("power", st.integers(0, 16), of="int", kinds=("int",)), unary(*TOTALS, of="duration"),
        unary("length", of="string"), *(cast(of, "int") for of in ("float", "bool", "string", "time", "duration")),
    ],
    "string": [
        *COMMON, lookup, binary("add"), unary("lower", "upper", "strip"), cast("int", "string"), cast("bool", "string"),
        with_constants("slice", st.integers(-8, 8), st.none() | st.integers(0, 8), of="string", kinds=("int", "int")),
    ],
    "bool": [
        *COMMON, compare, compare, binary("and", "or"), binary("eq", "ne"), unary("not"), is_null, is_in, lookup,
        with_constants("starts_with", st.text(LETTERS, max_size=2), of="string", kinds=("string",)),
        with_constants("ends_with", st.text(LETTERS, max_size=2), of="string", kinds=("string",)),
        with_constants("contains", st.text(LETTERS, max_size=2), of="string", kinds=("string",)),
        cast("int", "bool"), cast("float", "bool"), cast("string", "bool"),
    ],
    "time": [*COMMON, *ORDERED, binary("add", "sub", right="duration"), binary("add", left="duration", right="time")],
    "duration": [
        *COMMON, *ORDERED, binary("sub", left="time", right="time"), binary("add", "sub"), unary("neg", "abs"),
        binary("mul", right="int"),
    ],
}  # fmt: skip

__all__ = ["INPUTS", "Call", "expressions", "rows"]
