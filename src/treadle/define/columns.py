"""Columns that record what is done with them: how a row feature's Python becomes an expression.

A row feature's function is called once, at its definition, with one `Column` per parameter. Operators and
methods of columns make new columns; everything else that Python could do with a value is refused, with the
form to write instead.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NoReturn, TypeAlias

from treadle.define import expressions
from treadle.define.expressions import Constant, Expression, Field, constant_of
from treadle.define.operators import OPERATORS
from treadle.define.trace_sites import ELSEWHERE, OTHERWISE, misused, untraceable
from treadle.records.errors import InvalidInput
from treadle.records.instants import duration

Plain: TypeAlias = bool | int | float | str | datetime | timedelta | None
"""A constant as a person writes it; datetimes are aware."""

Text: TypeAlias = str  # inside Column, `str` is the namespace


class Column:
    """A value of each row while a row feature is traced."""

    __slots__ = ("_expression",)
    __array_priority__ = (
        1_000.0  # numpy scalars on the left hand over to us, and are refused there with a reason
    )

    def __init__(self, expression: Expression) -> None:
        self._expression = expression

    @property
    def dt(self) -> Times:
        """Parts of instants, totals of durations, shifts in time."""
        return Times(self._expression)

    @property
    def str(self) -> Texts:
        """Operators on text."""
        return Texts(self._expression)

    def __add__(self, other: Column | Plain) -> Column:
        return apply("add", self, other)

    def __radd__(self, other: Plain) -> Column:
        return apply("add", other, self)

    def __sub__(self, other: Column | Plain) -> Column:
        return apply("sub", self, other)

    def __rsub__(self, other: Plain) -> Column:
        return apply("sub", other, self)

    def __mul__(self, other: Column | Plain) -> Column:
        return apply("mul", self, other)

    def __rmul__(self, other: Plain) -> Column:
        return apply("mul", other, self)

    def __truediv__(self, other: Column | Plain) -> Column:
        return apply("div", self, other)

    def __rtruediv__(self, other: Plain) -> Column:
        return apply("div", other, self)

    def __floordiv__(self, other: Column | Plain) -> Column:
        return apply("floordiv", self, other)

    def __rfloordiv__(self, other: Plain) -> Column:
        return apply("floordiv", other, self)

    def __mod__(self, other: Column | Plain) -> Column:
        return apply("mod", self, other)

    def __rmod__(self, other: Plain) -> Column:
        return apply("mod", other, self)

    def __pow__(self, exponent: Plain) -> Column:
        if isinstance(exponent, Column):
            raise misused("the exponent of ** is a constant", "write (y * x.log()).exp()")
        return apply("power", self, exponent)

    def __rpow__(self, _base: Plain) -> NoReturn:
        raise misused("the exponent of ** is a constant", "write (x * math.log(base)).exp()")

    def __neg__(self) -> Column:
        return apply("neg", self)

    def __pos__(self) -> Column:
        return self

    def __abs__(self) -> Column:
        return apply("abs", self)

    def __eq__(self, other: object) -> Column:  # type: ignore[override]  # comparing columns makes a column
        return apply("eq", self, other)

    def __ne__(self, other: object) -> Column:  # type: ignore[override]  # the same
        return apply("ne", self, other)

    def __lt__(self, other: Column | Plain) -> Column:
        return apply("lt", self, other)

    def __le__(self, other: Column | Plain) -> Column:
        return apply("le", self, other)

    def __gt__(self, other: Column | Plain) -> Column:
        return apply("gt", self, other)

    def __ge__(self, other: Column | Plain) -> Column:
        return apply("ge", self, other)

    def __and__(self, other: Column | bool) -> Column:
        return apply("and", self, other)

    def __rand__(self, other: bool) -> Column:
        return apply("and", other, self)

    def __or__(self, other: Column | bool) -> Column:
        return apply("or", self, other)

    def __ror__(self, other: bool) -> Column:
        return apply("or", other, self)

    def __invert__(self) -> Column:
        return apply("not", self)

    def abs(self) -> Column:
        """The value without its sign."""
        return apply("abs", self)

    def is_null(self) -> Column:
        """True where there is no value."""
        return apply("is_null", self)

    def is_not_null(self) -> Column:
        """True where there is a value."""
        return ~self.is_null()

    def fill_null(self, value: Column | Plain) -> Column:
        """The value, or the given one where there is none."""
        return apply("coalesce", self, value)

    def is_in(self, values: Iterable[Plain]) -> Column:
        """True where the value is one of the given constants."""
        return apply("is_in", self, *_listed(values))

    def clip(self, lower: Column | Plain = None, upper: Column | Plain = None) -> Column:
        """The value, moved to the nearer bound where it lies outside; None leaves a side open."""
        if isinstance(lower, int | float) and isinstance(upper, int | float) and not lower <= upper:
            raise misused(
                f".clip({lower}, {upper}) has no values between its bounds", "write .clip(smaller, larger)"
            )
        clipped = self if lower is None else apply("maximum", self, lower)
        return clipped if upper is None else apply("minimum", clipped, upper)

    def between(self, lower: Column | Plain, upper: Column | Plain) -> Column:
        """True where the value lies between two bounds, or on one; null where one of the three is null."""
        above, below = apply("ge", self, lower), apply("le", self, upper)
        # Not `above & below` alone: where a bound is null and the other one excludes the value, that is false.
        return apply("when", above.is_null() | below.is_null(), None, above & below)

    def round(self, places: int = 0) -> Column:
        """The nearest number with so many decimal places; halves go to the even neighbour."""
        return apply("round", self, places)

    def floor(self) -> Column:
        """The greatest whole number not above the value."""
        return apply("floor", self)

    def ceil(self) -> Column:
        """The least whole number not below the value."""
        return apply("ceil", self)

    def sqrt(self) -> Column:
        """Square root; NaN below zero."""
        return apply("sqrt", self)

    def log(self) -> Column:
        """Natural logarithm; minus infinity at zero, NaN below."""
        return apply("log", self)

    def log1p(self) -> Column:
        """Natural logarithm of one plus the value."""
        return apply("log1p", self)

    def exp(self) -> Column:
        """Euler's number to the power of the value."""
        return apply("exp", self)

    def sin(self) -> Column:
        """Sine of an angle in radians."""
        return apply("sin", self)

    def cos(self) -> Column:
        """Cosine of an angle in radians."""
        return apply("cos", self)

    def cast(self, kind: Text) -> Column:
        """The value as "float", "int", "string" or "bool"; null where it has no counterpart there."""
        return apply("cast", self, kind)

    def lookup(self, table: Mapping[Plain, Plain], default: Plain = None) -> Column:
        """The value's entry in a table of constants, `default` where it has none; null stays null."""
        if not isinstance(table, Mapping):
            raise misused("lookup takes a dict of constants", 'write x.lookup({"AA": 1, "UA": 2}, default=0)')
        pairs = [item for pair in table.items() for item in pair]
        return apply("lookup", self, default, *pairs)

    def __getattr__(self, name: Text) -> NoReturn:
        raise _unknown(name)

    def __bool__(self) -> bool:
        raise untraceable("the truth of a column", "write tr.when(condition).then(a).otherwise(b)")

    def __hash__(self) -> int:
        raise untraceable(
            "a column as a key of a dict or a member of a set", "write x.lookup({...}, default=...)"
        )

    def __iter__(self) -> NoReturn:
        raise untraceable(
            "a loop over a column", "a row feature sees one value a row; aggregates are window views"
        )

    def __len__(self) -> int:
        raise untraceable("`len(...)`", "write x.str.length()")

    def __contains__(self, _item: object) -> NoReturn:
        raise untraceable("`in`", 'write x.str.contains("...") or x.is_in([...])')

    def __getitem__(self, _item: object) -> NoReturn:
        raise misused("a column cannot be indexed", "write x.str.slice(offset, length)")

    def __float__(self) -> float:
        raise untraceable(
            "a column as a plain float", 'use the methods of columns: x.sqrt(), x.log(), x.cast("float")'
        )

    def __int__(self) -> int:
        raise untraceable("a column as a plain integer", 'write x.cast("int")')

    def __index__(self) -> int:
        raise untraceable("a column as a plain integer", "a row feature has no loops and no indexing")

    def __round__(self, _places: int | None = None) -> NoReturn:
        raise untraceable("`round(...)`", "write x.round(n)")

    def __floor__(self) -> NoReturn:
        raise untraceable("`math.floor(...)`", "write x.floor()")

    def __ceil__(self) -> NoReturn:
        raise untraceable("`math.ceil(...)`", "write x.ceil()")

    def __trunc__(self) -> NoReturn:
        raise untraceable("`math.trunc(...)`", 'write x.cast("int")')

    def __divmod__(self, _other: object) -> NoReturn:
        raise untraceable("`divmod(...)`", "write x // y and x % y")

    def __format__(self, _spec: object) -> NoReturn:
        raise misused(
            "a column in an f-string cannot be traced", 'join text with +: x.cast("string") + "-" + y'
        )

    def __str__(self) -> Text:
        raise untraceable("`str(...)` of a column", 'write x.cast("string")')

    def __call__(self, *_args: object, **_kwargs: object) -> NoReturn:
        """Refuse: a parameter is a value."""
        raise misused(
            "a column cannot be called", "remove the parentheses: a parameter is a value, not a function"
        )

    def __array_ufunc__(self, ufunc: object, *_args: object, **_kwargs: object) -> NoReturn:
        name = getattr(ufunc, "__name__", "a function")
        fix = f"write x.{name}()" if name in OPERATORS else "use the operators and methods of columns"
        raise untraceable(f"numpy's `{name}`", fix)

    def __array__(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise untraceable("a column as a numpy array", "use the operators and methods of columns")


class _Space:
    """A named group of methods; anything else asked of it is refused with the nearest name."""

    __slots__ = ("_expression",)

    def __init__(self, expression: Expression) -> None:
        self._expression = expression

    def __getattr__(self, name: Text) -> NoReturn:
        raise _unknown(name)


class Times(_Space):
    """What can be asked of an instant or a duration: `x.dt`."""

    __slots__ = ()

    def convert_time_zone(self, zone: Text) -> Column:
        """The same instant, whose parts are read on the clocks of a zone such as "America/New_York"."""
        return apply("convert_time_zone", self, zone)

    def year(self) -> Column:
        """The calendar year."""
        return apply("year", self)

    def month(self) -> Column:
        """The month, 1 to 12."""
        return apply("month", self)

    def day(self) -> Column:
        """The day of the month, 1 to 31."""
        return apply("day", self)

    def hour(self) -> Column:
        """The hour, 0 to 23."""
        return apply("hour", self)

    def minute(self) -> Column:
        """The minute, 0 to 59."""
        return apply("minute", self)

    def second(self) -> Column:
        """The second, 0 to 59."""
        return apply("second", self)

    def weekday(self) -> Column:
        """The day of the ISO week: Monday is 1, Sunday is 7."""
        return apply("weekday", self)

    def ordinal_day(self) -> Column:
        """The day of the year, 1 to 366."""
        return apply("ordinal_day", self)

    def total_days(self) -> Column:
        """A duration in whole days of 24 hours, towards zero."""
        return apply("total_days", self)

    def total_hours(self) -> Column:
        """A duration in whole hours, towards zero."""
        return apply("total_hours", self)

    def total_minutes(self) -> Column:
        """A duration in whole minutes, towards zero."""
        return apply("total_minutes", self)

    def total_seconds(self) -> Column:
        """A duration in whole seconds, towards zero."""
        return apply("total_seconds", self)

    def offset_by(self, span: Text | timedelta) -> Column:
        """The instant moved by a fixed span such as "90m" or "-1d"; a day is 24 hours."""
        if not isinstance(span, timedelta):
            back = str(span).strip().startswith("-")
            try:
                size = duration(str(span).strip().removeprefix("-"))
            except InvalidInput as error:
                raise misused(
                    error.what, "write a span such as 90m, -1d or 1d12h; months have no fixed length"
                ) from None
            return apply("add", self, timedelta(microseconds=-size if back else size))
        return apply("add", self, span)


class Texts(_Space):
    """What can be asked of text: `x.str`."""

    __slots__ = ()

    def lower(self) -> Column:
        """In lower case."""
        return apply("lower", self)

    def upper(self) -> Column:
        """In upper case."""
        return apply("upper", self)

    def strip(self) -> Column:
        """Without blanks, tabs and line ends on both sides."""
        return apply("strip", self)

    def length(self) -> Column:
        """The number of characters."""
        return apply("length", self)

    def slice(self, offset: int, length: int | None = None) -> Column:
        """So many characters from an offset; a negative offset counts from the end."""
        return apply("slice", self, offset, length)

    def starts_with(self, prefix: Text) -> Column:
        """True where the text begins with the given one."""
        return apply("starts_with", self, prefix)

    def ends_with(self, suffix: Text) -> Column:
        """True where the text ends with the given one."""
        return apply("ends_with", self, suffix)

    def contains(self, part: Text) -> Column:
        """True where the given text occurs, letter by letter: it is not a pattern."""
        return apply("contains", self, part)


def traced(value: object) -> Expression | None:
    """Return the expression behind a column, or None when the value is not a column."""
    return value._expression if isinstance(value, Column) else None


def parameter(name: Text) -> Column:
    """Return the column that stands for a parameter."""
    return Column(Field(name))


def apply(operator: Text, *arguments: object) -> Column:
    """Return the column that an operator makes of columns and constants, or refuse the person's line."""
    lifted = [_lift(argument) for argument in arguments]
    if operator == "lookup" and len(lifted) == 2:
        raise misused("lookup needs at least one entry", 'write x.lookup({"AA": 1, "UA": 2}, default=0)')
    if operator in _COMPARED and any(isinstance(a, Constant) and a.value != a.value for a in lifted):
        raise misused("NaN equals nothing and is neither less nor greater", "write x != x to find NaN")
    if operator in _OPERANDS and any(isinstance(a, Constant) and a.type == "null" for a in lifted):
        raise misused(f"None in `{OPERATORS[operator].form}`", "use x.is_null() and x.fill_null(value)")
    try:
        return Column(expressions.call(operator, *lifted))
    except InvalidInput as error:
        raise misused(error.what, error.fix) from None


_COMPARED = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})

# Null is an answer (of then, otherwise, fill_null, lookup), never an operand.
_OPERANDS = frozenset(
    {"add", "sub", "mul", "div", "floordiv", "mod", "eq", "ne", "lt", "le", "gt", "ge", "and", "or"}
    | {"minimum", "maximum", "starts_with", "ends_with", "contains"}
)


def _lift(value: object) -> Expression:
    if isinstance(value, Column | _Space):
        return value._expression
    try:
        return constant_of(value)
    except InvalidInput as error:
        raise misused(error.what, error.fix) from None


def _listed(values: Iterable[Plain]) -> list[Plain]:
    if isinstance(values, str | Column) or not isinstance(values, Iterable):
        raise misused("is_in takes a list of constants", 'write x.is_in(["AA", "UA"])')
    found = list(values)
    if not found:
        raise misused("is_in has no values: it would never be true", 'write x.is_in(["AA", "UA"])')
    # A set has no order: sorted, so that the same feature always has the same digest.
    return sorted(found, key=repr) if isinstance(values, set | frozenset) else found


def _public(kind: type) -> list[str]:
    return [name for name in vars(kind) if not name.startswith("_")]


def _unknown(name: Text) -> Exception:
    if name.startswith("__") and name.endswith("__"):
        return AttributeError(name)  # Python and libraries ask for protocols this way, and go on without
    forms = {known: f"x.{known}(...)" for known in _public(Column) if known not in ("dt", "str")}
    forms |= {known: f"x.dt.{known}(...)" for known in _public(Times)}
    forms |= {known: f"x.str.{known}(...)" for known in _public(Texts)}
    forms |= ELSEWHERE
    near = difflib.get_close_matches(name, forms, n=1, cutoff=0.6)
    fix = f"write {forms[near[0]]}" if near else f"methods are {', '.join(_public(Column))}; {OTHERWISE}"
    return misused(f"a column has no `.{name}`", fix)
