"""Names and types that definitions may use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from treadle.records.errors import InvalidInput
from treadle.records.instants import Duration, duration

TypeName: TypeAlias = Literal["float", "int", "string", "bool", "time"]
"""Column types of a definition: 64-bit float and integer, text, boolean, and instant (UTC microseconds)."""

TYPE_NAMES: tuple[str, ...] = get_args(TypeName)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def name_fault(kind: str, name: object) -> str | None:
    """Return what is wrong with a definition's name, or None.

    A name is lower-case letters, digits and underscores, starts with a letter and has at most 63 characters, so that it
    can be a table, a column, a URL part and a Python identifier without quoting.
    """
    if isinstance(name, str) and _NAME.fullmatch(name):
        return None
    return f"{kind} name {name!r}: use lower-case letters, digits and _, starting with a letter, at most 63"


def type_faults(owner: str, columns: object, what: str = "column") -> list[str]:
    """Return what is wrong with the names and types of columns (or request fields, as `what` says).

    Columns are a mapping of name → one of `TYPE_NAMES`; names starting with `__` are kept for treadle's own columns.
    """
    if not isinstance(columns, Mapping):
        return [f"{owner}: give every {what} its type, like {{'price': 'float', 'ordered_at': 'time'}}"]
    if not columns:
        return [f"{owner} has no {what}s"]
    faults = []
    for column, kind in columns.items():
        if not text(column):
            faults.append(f"{owner}: {what} name {column!r} is not text")
        elif column.startswith("__"):
            faults.append(
                f"{owner}: {what} name {column!r} is reserved; names starting with __ are treadle's own"
            )
        if kind not in TYPE_NAMES:
            faults.append(f"{owner}: {what} {column!r} has type {kind!r}; types are {', '.join(TYPE_NAMES)}")
    return faults


def text(value: object) -> bool:
    """Say whether a value is text that is not empty."""
    return isinstance(value, str) and value != ""


def listed(names: Sequence[str] | str) -> tuple[str, ...]:
    """Return names as a tuple; one name may stand alone, as text."""
    return (names,) if isinstance(names, str) else tuple(names)


def words_faults(whose: str, owner: object, tags: object, deprecated: object) -> list[str]:
    """Return what is wrong with the words for people: owner and deprecation are text, tags a list of text."""
    faults = [
        f"{whose}: {role}={value!r} is not text"
        for role, value in (("owner", owner), ("deprecated", deprecated))
        if not isinstance(value, str)
    ]
    if not isinstance(tags, str | list | tuple) or not all(map(text, tags)):
        faults.append(f"{whose}: tags={tags!r}; give a list of words, such as ['pii']")
    return faults


def duration_or_fault(owner: str, role: str, value: object) -> tuple[Duration, list[str]]:
    """Return a duration, or 0 and what is wrong with it, so that it can be listed with other faults."""
    try:
        return duration(value), []  # type: ignore[arg-type]  # other types are refused like other text
    except InvalidInput as error:
        return 0, [f"{owner}: {role}={value!r}: {error.what}; {error.fix}"]


def kind_fault(
    owner: str, role: str, value: object, kind: type | tuple[type, ...], wanted: str
) -> str | None:
    """Return that a part of a definition is of another kind than wanted, or None.

    Args:
        owner: whose part, e.g. `view 'weather'`.
        role: which part, e.g. `entity`.
        value: the part.
        kind: what it must be an instance of.
        wanted: how that is written, e.g. `tr.Entity(...)`.
    """
    if isinstance(value, kind):
        return None
    if isinstance(value, str | int | float | bool | None):
        shown = repr(value)
    else:
        made = type(value).__name__
        shown = f"{'an' if made[0] in 'AEIOU' else 'a'} {made}"
    return f"{owner}: {role} is {shown}; give {wanted}"


def duplicates(names: Iterable[str]) -> list[str]:
    """Return the names that stand more than once, in order of their second appearance."""
    seen: set[str] = set()
    again: list[str] = []
    for name in names:
        if name in seen and name not in again:
            again.append(name)
        seen.add(name)
    return again


def zone_known(zone: object) -> bool:
    """Say whether a text names a zone of the IANA database, such as `America/New_York`."""
    try:
        return isinstance(zone, str) and ZoneInfo(zone) is not None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, such as America
        return False
