"""Editing a schema file line by line: what a person wrote around a line, comments included, stays as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from treadle.define.schema_lines import Layout, Path
from treadle.define.schema_reader import SchemaFile, parse_schema
from treadle.define.schema_writer import key_text
from treadle.records.anomalies import Amendment
from treadle.records.errors import InvalidInput

_HEADING = re.compile(r"([a-z]+)\[([0-9]+)\]")


def amended(file: SchemaFile, amendments: Sequence[Amendment]) -> SchemaFile:
    """Return the file with lines changed or added; a comment behind a changed value stays. Pure.

    Raises:
        InvalidInput: the result would be no schema, or an amendment is about a table that is not there.
    """
    text = file.text
    for amendment in amendments:
        text = _with(text, amendment)
    return parse_schema(text, where=file.where)


def line_of(file: SchemaFile, amendment: Amendment) -> int:
    """Return the line that an amendment changes, or below which it adds one."""
    path = _path(amendment.table)
    return file.layout.line((*path, amendment.key))


def _path(table: str) -> Path:
    """Return the path of a heading: `columns."a b"` is `("columns", "a b")`, `keys[0]` is `("keys", "0")`."""
    numbered = _HEADING.fullmatch(table)
    if numbered:
        return numbered[1], numbered[2]
    if not table:
        return ()
    return Layout.of(f"[{table}]\n").statements[0].path


def _with(text: str, amendment: Amendment) -> str:
    layout, path = Layout.of(text), _path(amendment.table)
    lines = text.split("\n")
    written = f"{key_text(amendment.key)} = {amendment.value}"
    existing = next(
        (s for s in layout.statements if s.path == (*path, amendment.key) and not s.heading), None
    )
    if existing is not None:
        comment = _comment(lines[existing.last - 1], existing.first == existing.last)
        lines[existing.first - 1 : existing.last] = [written + comment]
        return "\n".join(lines)
    inside = [s for s in layout.statements if s.path[: len(path)] == path and (path or not s.heading)]
    heading = next((s for s in inside if s.heading and s.path == path), None)
    if heading is None and path:
        if _HEADING.fullmatch(amendment.table):
            raise InvalidInput(f"the schema has no [{amendment.table}]")
        body = text.rstrip("\n")
        return f"{body}\n\n[{amendment.table}]\n{written}\n"
    own = [s.last for s in inside if len(s.path) == len(path) + 1 and not s.heading]
    after = max([*own, heading.last if heading else 0])
    lines.insert(after, written)
    return "\n".join(lines)


def _comment(line: str, whole: bool) -> str:
    """Return the comment behind a value, with the blanks before it.

    A `#` inside a text is told from a comment by the layout of what stands before it.
    """
    if not whole:
        return ""
    for at, char in enumerate(line):
        if char == "#" and _ends(line[:at]):
            return "  " + line[at:].rstrip()
    return ""


def _ends(start: str) -> bool:
    """Return whether a statement is over: its texts and brackets are closed."""
    import tomllib

    try:
        tomllib.loads(start)
    except tomllib.TOMLDecodeError:
        return False
    return True
