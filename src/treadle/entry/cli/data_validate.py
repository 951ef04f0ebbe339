"""`treadle data validate`: a file or a table of a home held against its schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import now
from treadle.entry.cli._shared import DEFAULT_HOME, AsJson, Home, emit_json, emit_lines, note
from treadle.entry.cli.data_profile import opened
from treadle.records.anomalies import Anomaly, Validation
from treadle.records.errors import InvalidInput
from treadle.records.instants import instant

if TYPE_CHECKING:
    import polars as pl

    from treadle.define.schema_reader import SchemaFile
    from treadle.records.profiles import Profile

Data = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="A table of the home, or a Parquet, CSV or JSON file.")
]
SchemaPath = Annotated[
    Path | None, typer.Option("--schema", help="The schema file; schemas/NAME.toml when left out.")
]
Environment = Annotated[
    str, typer.Option(help="Where the data are used: decides which columns are expected.")
]
Previous = Annotated[str | None, typer.Option(help="The data before these: a table or file to compare with.")]
Training = Annotated[str | None, typer.Option(help="The data trained on: a table or file to compare with.")]
References = Annotated[
    list[str] | None,
    typer.Option("--reference", metavar="NAME=FILE", help="A data set that references point into."),
]
At = Annotated[str | None, typer.Option(help="The instant that freshness is measured from; now.")]
RowId = Annotated[str | None, typer.Option("--row-id", help="The column that example rows are named by.")]


def validate(
    data: Data,
    schema: SchemaPath = None,
    environment: Environment = "training",
    previous: Previous = None,
    training: Training = None,
    reference: References = None,
    at: At = None,
    row_id: RowId = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Hold data against its schema; exit with 1 if an anomaly stops it.

    Every anomaly is listed with rows to look at and the line of the schema that would accept it.
    """
    file, validation = held(data, schema, environment, previous, training, reference, at, row_id, home)
    if as_json:
        from treadle.loop.validation import told

        emit_json(told(validation))
    else:
        for one in validation.anomalies:
            emit_lines("\n".join(lines(one, file)))
        note(verdict(validation))
    if validation.broken:
        raise typer.Exit(1)


def held(
    data: str,
    schema: Path | None,
    environment: str,
    previous: str | None,
    training: str | None,
    reference: list[str] | None,
    at: str | None,
    row_id: str | None,
    home: Path,
) -> tuple[SchemaFile, Validation]:
    """Return the schema file of data and what came of holding them against it.

    Raises:
        NotFound: a file, table or schema is not there.
        InvalidInput: one of them cannot be read.
    """
    from treadle.loop.validation import hold

    name, rows = opened(data, home)
    file = schema_file(name, schema)
    others = {}
    for given in reference or []:
        called, sign, place = given.partition("=")
        if not sign:
            raise InvalidInput(
                f"--reference {given} names no file", fix="write --reference airlines=airlines.csv"
            )
        others[called] = opened(place, home)[1].collect()
    validation = hold(
        rows,
        file.schema,
        environment,
        now=now() if at is None else instant(at),
        others=others,
        previous=_profiled(previous, home),
        training=_profiled(training, home),
        row_id=row_id,
    )
    return file, validation


def schema_file(name: str, schema: Path | None) -> SchemaFile:
    """Read the schema file given, or the usual one of a name.

    Raises:
        NotFound: it is not there.
        InvalidInput: it is no schema.
    """
    from treadle.define.schema_reader import read_schema

    return read_schema(schema or Path("schemas") / f"{name}.toml")


def _profiled(data: str | None, home: Path) -> Profile | None:
    if data is None:
        return None
    from treadle.stages.validation.profile.builder import profile_frame

    name, rows = opened(data, home)
    return profile_frame(plain(rows), name)


def plain(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return rows without treadle's own columns."""
    return rows.select(name for name in rows.collect_schema().names() if not name.startswith("__"))


def lines(one: Anomaly, file: SchemaFile) -> list[str]:
    """Return an anomaly as people read it: what it is, examples, and the lines of the schema that would accept it."""
    from treadle.define.schema_editor import line_of

    said = [f"{one.severity:<5} {one.kind}  {one.where}: {one.what}"]
    if one.values:
        said.append(f"      values  {', '.join(one.values)}")
    if one.examples:
        said.append(f"      rows    {', '.join(map(str, one.examples))}")
    said += [f"      accept  {file.where}:{line_of(file, line)}  {line}" for line in one.accept]
    return said


def verdict(validation: Validation) -> str:
    """Return the verdicts in one line. Pure."""
    counts = [
        f"{sum(one.severity == severity for one in validation.anomalies)} {severity}"
        for severity in ("stop", "warn", "info")
    ]
    word = "broken" if validation.broken else "kept"
    changed = "; values have changed" if validation.changed else ""
    return f"schema {validation.schema!r} {word} by {validation.rows:,} rows: {', '.join(counts)}{changed}"
