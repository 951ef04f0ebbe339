"""Names and types that definitions may use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias, get_args

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


def type_faults(owner: str, columns: Mapping[str, str]) -> list[str]:
    """Return one fault for each column whose type is not one of `TYPE_NAMES`."""
    return [
        f"{owner}: column {column!r} has type {kind!r}; types are {', '.join(TYPE_NAMES)}"
        for column, kind in columns.items()
        if kind not in TYPE_NAMES
    ]


def duplicates(names: Iterable[str]) -> list[str]:
    """Return the names that stand more than once, in order of their second appearance."""
    seen: set[str] = set()
    again: list[str] = []
    for name in names:
        if name in seen and name not in again:
            again.append(name)
        seen.add(name)
    return again
