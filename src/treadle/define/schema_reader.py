"""Reading schemas: TOML text becomes a schema, or is refused whole with every fault and its line.

Keys are the fields of `treadle.records.schemas`. Three are written more shortly there: instants and durations as TOML
times and text (`"6h"`), `mostly` and `severity` as one value for all rules of a table, and `drift` and `skew` as a
distance alone.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path as FilePath
from typing import TypeVar, get_type_hints

import msgspec

from treadle.define.names import duplicates
from treadle.define.schema_faults import Fault, schema_faults
from treadle.define.schema_lines import Layout, Path
from treadle.records.errors import InvalidInput, NotFound
from treadle.records.instants import duration, instant
from treadle.records.record import Record
from treadle.records.schemas import (
    EVERY_RULE,
    AlignedSchema,
    ColumnSchema,
    Comparison,
    DatasetSchema,
    KeySchema,
    ReferenceSchema,
    RowRule,
    RowsSchema,
    TimeSchema,
)

LARGEST = 4_000_000
"""Most characters of a schema file."""

_Table = TypeVar("_Table", bound=Record)


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """A schema as it was read, and where its parts stand."""

    schema: DatasetSchema
    text: str
    layout: Layout
    where: str = ""

    def line(self, path: Path) -> int:
        """Return the line of a part."""
        return self.layout.line(path)


def read_schema(path: FilePath) -> SchemaFile:
    """Read a schema file.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it is no schema; every fault is listed with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError):
        raise NotFound(
            f"there is no schema file {path}",
            fix="infer one from the data, then read and edit it",
            command=f"treadle data infer FILE --out {path}",
        ) from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text: {error}", where=str(path)) from None
    return parse_schema(text, where=str(path))


def read_schemas(folder: FilePath | str) -> tuple[DatasetSchema, ...]:
    """Read every `.toml` file of a folder as a schema, in order of their names: what `Project(schemas=...)` takes.

    Raises:
        NotFound: there is no such folder.
        InvalidInput: a file is no schema, or two have one name; every fault of every file is listed.
    """
    place = FilePath(folder)
    if not place.is_dir():
        raise NotFound(f"there is no folder of schemas {place}", fix="make it, or leave schemas out")
    schemas: list[DatasetSchema] = []
    faults: list[str] = []
    for path in sorted(place.glob("*.toml")):
        try:
            schemas.append(read_schema(path).schema)
        except InvalidInput as error:
            faults += [f"{path.name}: {fault}" for fault in error.faults or (error.what,)]
    faults += [f"two files say that they are {name!r}" for name in duplicates([one.name for one in schemas])]
    if faults:
        raise InvalidInput("the schemas cannot be read", where=str(place), faults=faults)
    return tuple(schemas)


def parse_schema(text: str, *, where: str = "") -> SchemaFile:
    """Return the schema that a text says. Pure.

    Raises:
        InvalidInput: it is no schema; every fault is listed with its line.
    """
    if len(text) > LARGEST:
        raise InvalidInput(
            f"the schema has {len(text):,} characters; {LARGEST:,} are allowed", where=where or None
        )
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise InvalidInput(
            "the schema is not TOML",
            where=where or None,
            faults=[str(error) or "it is nested too deeply"],
            fix="mend the line; texts stand in quotes, lists in brackets",
        ) from None
    layout = Layout.of(text)
    reader = _Reader()
    schema = reader.schema(raw)
    # What could not be read is left out of the schema; where a whole table is missing, what refers to it is not at fault.
    faults = reader.faults + ([] if reader.lost else schema_faults(schema))
    if faults:
        raise InvalidInput(
            f"the schema cannot be used: {len(faults)} fault{'s' if len(faults) > 1 else ''}",
            where=where or None,
            faults=[f"line {layout.line(path)}: {_place(path)}{fault}" for path, fault in faults],
            fix="mend the lines; docs/reference/schemas.md explains every key",
        )
    return SchemaFile(schema, text, layout, where)


def _place(path: Path) -> str:
    return f"{'.'.join(path)}: " if path else ""


class _Reader:
    """Builds the records of one schema and collects what does not fit."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.lost = False
        """Whether a table could not be made at all."""

    def schema(self, raw: Mapping[str, object]) -> DatasetSchema:
        known = {
            "name": str,
            "description": str,
            "environments": tuple[str, ...],
        }
        tables = ("rows", "time", "keys", "references", "aligned", "rules", "columns")
        values: dict[str, object] = {}
        for key, value in raw.items():
            if key in known:
                self._put(values, (key,), value, known[key])
            elif key not in tables:
                self._unknown((key,), key, (*known, *tables))
        if "name" not in raw:
            self.faults.append((("name",), 'the schema has no name; write name = "..." at the top'))
            values["name"] = ""
        values["rows"] = self._table(("rows",), raw.get("rows", {}), RowsSchema) or RowsSchema()
        if "time" in raw:
            values["time"] = self._table(("time",), raw["time"], TimeSchema)
        for key, kind in (
            ("keys", KeySchema),
            ("references", ReferenceSchema),
            ("aligned", AlignedSchema),
            ("rules", RowRule),
        ):
            values[key] = self._tables(key, raw.get(key, []), kind)
        values["columns"] = self._columns(raw.get("columns", {}))
        return DatasetSchema(**values)  # type: ignore[arg-type]  # each was converted to its field's type

    def _columns(self, raw: object) -> dict[str, ColumnSchema]:
        if not isinstance(raw, Mapping):
            self.faults.append((("columns",), "columns are tables: [columns.NAME]"))
            return {}
        found = {}
        for name, table in raw.items():
            column = self._table(("columns", name), table, ColumnSchema)
            if column is not None:
                found[name] = column
        return found

    def _tables(self, key: str, raw: object, kind: type[_Table]) -> tuple[_Table, ...]:
        if not isinstance(raw, list):
            self.faults.append(((key,), f"{key} are tables of a list: write [[{key}]]"))
            return ()
        found = [self._table((key, str(place)), table, kind) for place, table in enumerate(raw)]
        return tuple(item for item in found if item is not None)

    def _table(self, path: Path, raw: object, kind: type[_Table]) -> _Table | None:
        """Return the record of a table, or None after noting what is wrong with it."""
        if not isinstance(raw, Mapping):
            self.faults.append((path, "it is a table of keys and values"))
            return None
        hints = _hints(kind)
        names = [field.name for field in msgspec.structs.fields(kind)]
        values: dict[str, object] = {}
        for key, value in raw.items():
            if key not in names:
                self._unknown((*path, key), key, names)
            else:
                plain = self._plain((*path, key), key, value, str(raw.get("type", "")))
                self._put(values, (*path, key), plain, hints[key])
        for field in msgspec.structs.fields(kind):
            if field.required and field.name not in raw:
                self.faults.append((path, f"it has no {field.name}; write {field.name} = ..."))
            if field.required and field.name not in values:
                self.lost = True
                return None
        return kind(**values)

    def _plain(self, path: Path, key: str, value: object, kind: str) -> object:
        """Return a value in the form of its field: short forms written out, times as instants."""
        try:
            if key in ("mostly", "severity") and not isinstance(value, Mapping):
                return {EVERY_RULE: value}
            if key in ("drift", "skew") and isinstance(value, bool):
                return Comparison() if value else None
            if key in ("drift", "skew") and isinstance(value, int | float):
                return Comparison(distance=float(value))
            if key in ("max_age", "max_lateness") and isinstance(value, str):
                return duration(value)
            if key in ("min", "max") and kind in ("time", "duration", "float"):
                return _bound(value, kind)
        except InvalidInput as error:
            self.faults.append((path, error.what))
            return None
        return value

    def _put(self, values: dict[str, object], path: Path, value: object, kind: object) -> None:
        try:
            # Strictly: a text that looks like a number is no number.
            values[path[-1]] = value if isinstance(value, Comparison) else msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            self.faults.append((path, str(error)))

    def _unknown(self, path: Path, key: str, names: tuple[str, ...] | list[str]) -> None:
        near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
        self.faults.append((path, f"there is no key {key!r}; {hint}"))


@cache
def _hints(kind: type[Record]) -> dict[str, object]:
    return get_type_hints(kind)


def _bound(value: object, kind: str) -> object:
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind == "time" and isinstance(value, datetime | date | str):
        return instant(value)
    if kind == "duration" and isinstance(value, str):
        return -duration(value[1:]) if value.startswith("-") else duration(value)
    if kind != "float" and not isinstance(value, int):
        raise InvalidInput(f"{value!r} is no {kind}")
    return value
