"""Schemas as readable text: TOML with a word of explanation, which `schema_reader` reads back to the same schema."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence

from treadle.records.instants import iso, short
from treadle.records.schemas import EVERY_RULE, ColumnSchema, Comparison, DatasetSchema

HEAD = """\
# What is expected of {name!r}. Edit it: `treadle data validate` and pipelines hold data against this file.
# A rule's tolerance and severity stand beside it, e.g. mostly = {{ max = 0.999 }} and severity = {{ max = "warn" }};
# severities are "stop" (the data are refused), "warn" and "info". docs/reference/schemas.md explains every key.
"""

_WIDTH = 100
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_TIMES = ("max_age", "max_lateness")


def schema_text(schema: DatasetSchema, notes: Sequence[str] = ()) -> str:
    """Return the file of a schema. Keys that say what is meant anyway are left out.

    Args:
        schema: what to write.
        notes: lines of comment below the heading, such as what the schema was inferred from.
    """
    parts = [HEAD.format(name=schema.name) + "".join(f"# {_one_line(note)}\n" for note in notes)]
    top = [("name", written(schema.name))]
    top += [("description", written(schema.description))] if schema.description else []
    top.append(("environments", written(schema.environments)))
    parts.append(_lines(top))
    tables: list[tuple[str, Mapping[str, object], object]] = [("[rows]", _fields(schema.rows), None)]
    if schema.time is not None:
        tables.append(("[time]", _fields(schema.time), None))
    for name, items in (
        ("keys", schema.keys),
        ("references", schema.references),
        ("aligned", schema.aligned),
        ("rules", schema.rules),
    ):
        tables += [(f"[[{name}]]", _fields(item), None) for item in items]
    for heading, fields, _ in tables:
        if fields or heading == "[rows]":
            parts.append(heading + "\n" + _lines((key, _text(key, value)) for key, value in fields.items()))
    parts += [column_text(name, column) for name, column in schema.columns.items()]
    return "\n".join(parts)


def column_text(name: str, column: ColumnSchema) -> str:
    """Return the table of one column."""
    fields = {"type": column.type, **_fields(column)}
    return f"[columns.{key_text(name)}]\n" + _lines(
        (key, _text(key, value, column.type)) for key, value in fields.items()
    )


def key_text(name: str) -> str:
    """Return a key as TOML writes it: bare where it can be."""
    return name if _BARE.fullmatch(name) else written(name)


def bound_text(value: float, kind: str) -> str:
    """Return a smallest or largest value as a column of a type writes it."""
    if kind == "time":
        return iso(int(value))
    if kind == "duration":
        return written(short(int(value)))
    return written(float(value) if kind == "float" else value)


def written(value: object) -> str:
    """Return a plain value as TOML: text, number, boolean, list or mapping.

    Raises:
        TypeError: TOML has no form for it.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "".join(map(_visible, json.dumps(value, ensure_ascii=False)))
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "nan" if math.isnan(value) else f"{value}"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return (
            "{ " + ", ".join(f"{key_text(key)} = {written(item)}" for key, item in value.items()) + " }"
            if value
            else "{}"
        )
    if isinstance(value, Sequence):
        return _list([written(item) for item in value])
    raise TypeError(f"TOML has no form for {value!r}")


def _visible(char: str) -> str:
    """Return a character of a JSON text, escaped if it would not be seen: what is not seen cannot be edited."""
    return (
        char
        if char.isprintable()
        else f"\\u{ord(char):04x}"
        if ord(char) < 0x10000
        else f"\\U{ord(char):08x}"
    )


def _list(items: Sequence[str]) -> str:
    if sum(map(len, items)) + 2 * len(items) < _WIDTH:
        return f"[{', '.join(items)}]"
    lines, line = [], ""
    for item in items:
        if line and len(line) + len(item) + 2 > _WIDTH:
            lines.append(line.rstrip())
            line = ""
        line += f"{item}, "
    return "[\n  " + "\n  ".join([*lines, line.rstrip()]) + "\n]"


def _fields(record: object) -> dict[str, object]:
    """Return the fields of a record that differ from what is meant when they are not said."""
    import msgspec

    said: dict[str, object] = {}
    for info in msgspec.structs.fields(type(record)):  # type: ignore[arg-type]  # every caller gives a Record
        value = getattr(record, info.name)
        usual = info.default if info.default_factory is msgspec.NODEFAULT else info.default_factory()
        if value != usual and not (info.name == "type" and isinstance(record, ColumnSchema)):
            said[info.name] = value
    # What a rule is comes before how strictly it is held.
    return {key: said[key] for key in sorted(said, key=lambda key: key in ("mostly", "severity"))}


def _text(key: str, value: object, kind: str = "") -> str:
    if key in _TIMES and isinstance(value, int):
        return written(short(value))
    if key in ("min", "max") and isinstance(value, int | float) and kind:
        return bound_text(value, kind)
    if isinstance(value, Comparison):
        plain = {"distance": value.distance, "chance": value.chance}
        usual = Comparison()
        return written(plain if value.chance != usual.chance else value.distance)
    if key in ("mostly", "severity") and isinstance(value, Mapping):
        return rules_text(value)
    return written(value)


def rules_text(value: Mapping[str, object]) -> str:
    """Return tolerances or severities by rule; one for all rules stands alone."""
    plain = {rule: str(item) if isinstance(item, str) else item for rule, item in value.items()}
    return written(plain[EVERY_RULE] if set(plain) == {EVERY_RULE} else plain)


def _lines(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{key_text(key)} = {text}\n" for key, text in pairs)


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
