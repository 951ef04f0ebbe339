"""Request values: from what a client sent to the Python value of a declared type, or a fault."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

from treadle.records.errors import InvalidInput
from treadle.records.instants import duration, instant

Value: TypeAlias = bool | int | float | str | None

_LOW, _HIGH = -(2**63), 2**63 - 1


def coerce(value: object, kind: str) -> tuple[Value, str | None]:
    """Return a value as a type's own Python value, and what is wrong with it (the value is then None).

    None is null in every type. Nothing is guessed: a boolean is no number, "12" is no integer, 12.0 is no integer, and
    a time without an offset is no instant.

    Args:
        value: decoded JSON, or an aware datetime.
        kind: float, int, string, bool, time (ISO 8601 with an offset → microseconds) or duration ("90m" → microseconds).
    """
    if value is None:
        return None, None
    match kind:
        case "float":
            return _float(value)
        case "int":
            return _int(value)
        case "bool":
            return (
                (value, None) if isinstance(value, bool) else (None, f"{_quoted(value)} is not true or false")
            )
        case "string":
            return _string(value)
        case "time":
            return _time(value)
        case "duration":
            return _duration(value)
    return None, f"there is no type {kind!r}"


def coerce_fields(
    request: Mapping[str, object], types: Mapping[str, str]
) -> tuple[dict[str, Value], list[str]]:
    """Return a request's fields as values of their types, absent ones as None, and every fault found.

    Fields that are not declared are faults too: a misspelt name would otherwise be a silent null.
    """
    values: dict[str, Value] = {}
    faults = []
    for name, kind in types.items():
        values[name], fault = coerce(request.get(name), kind)
        if fault:
            faults.append(f"field {name!r}: {fault}")
    faults += [
        f"field {name!r} is unknown; fields are {', '.join(types)}" for name in request if name not in types
    ]
    return values, faults


def _float(value: object) -> tuple[Value, str | None]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, f"{_quoted(value)} is not a number"
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    return (number, None) if math.isfinite(number) else (None, f"{_quoted(value)} is not finite; send null")


def _int(value: object) -> tuple[Value, str | None]:
    if isinstance(value, bool) or not isinstance(value, int):
        hint = "; send it without a fraction" if isinstance(value, float) and value.is_integer() else ""
        return None, f"{_quoted(value)} is not an integer{hint}"
    return (value, None) if _LOW <= value <= _HIGH else (None, f"{_quoted(value)} does not fit in 64 bits")


def _string(value: object) -> tuple[Value, str | None]:
    if not isinstance(value, str):
        return None, f"{_quoted(value)} is not text"
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        return None, f"{_quoted(value)} is not text that UTF-8 can hold"
    return value, None


def _time(value: object) -> tuple[Value, str | None]:
    if not isinstance(value, str | datetime):
        return None, f"{_quoted(value)} is not a time; send ISO 8601 text such as 2013-04-01T00:00:00Z"
    if isinstance(value, str) and "T" not in value and " " not in value.strip():
        return (
            None,
            f"{_quoted(value)} is not an instant; send a time of day and an offset: 2013-04-01T00:00:00Z",
        )
    try:
        return instant(value), None
    except InvalidInput as error:
        return None, f"{_trimmed(error.what)}; {error.fix}"
    except OverflowError:
        return None, f"{_quoted(value)} is outside the years 1 to 9999"


def _duration(value: object) -> tuple[Value, str | None]:
    if not isinstance(value, str):
        return None, f'{_quoted(value)} is not a duration; send text such as "90m"'
    back = value.strip().startswith("-")
    try:
        size = duration(value.strip().removeprefix("-"))
    except InvalidInput as error:
        return None, f"{_trimmed(error.what)}; {error.fix}"
    return (
        (-size if back else size, None)
        if size <= _HIGH
        else (None, f"{_quoted(value)} does not fit in 64 bits")
    )


def _quoted(value: object) -> str:
    return _trimmed(repr(value) if not isinstance(value, int) or abs(value) < 10**40 else "a huge number")


def _trimmed(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}…"
