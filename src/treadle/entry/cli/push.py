"""`treadle push`: send events from a file, or from another program's output, to a running server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Annotated

import typer

from treadle.entry.cli._shared import AsJson, command_app, emit_record
from treadle.entry.client import connect
from treadle.records.errors import InvalidInput, NotFound

DEFAULT_URL = "http://127.0.0.1:8080"

app = command_app()


@app.command("push")
def push(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The source the rows belong to.")],
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="JSON lines, or one JSON array; - reads them from stdin.")
    ],
    url: Annotated[str, typer.Option("--url", help="The server; TREADLE_TOKEN has its token.")] = DEFAULT_URL,
    rows: Annotated[
        int, typer.Option("--rows", min=1, max=10_000, help="So many rows are sent at a time.")
    ] = 1_000,
    as_json: AsJson = False,
) -> None:
    """Push rows to a running server; each is safe in its log when this ends.

    A row is a JSON object with the source's columns. The same rows can be pushed again: an event counts once, by
    the source's event_id column or, without one, by its content. Rows are sent as they are read, so the output of
    a program that goes on writing can be piped in. A faulty row stops it; what was sent before is taken in.
    """
    taken = duplicates = 0
    with connect(url) as client:
        for portion in _portions(_rows(file), rows):
            done = client.push(source, portion)
            taken += done.taken
            duplicates += done.duplicates
    emit_record({"source": source, "taken": taken, "duplicates": duplicates}, as_json=as_json)


def _rows(name: str) -> Iterator[dict[str, object]]:
    if name == "-":
        yield from read_rows(sys.stdin, "stdin")
        return
    path = Path(name)
    if not path.is_file():
        raise NotFound(f"there is no file {name}", fix="name a file of JSON lines, or - for stdin")
    with path.open(encoding="utf-8") as lines:
        yield from read_rows(lines, name)


def read_rows(lines: IO[str] | Iterable[str], where: str) -> Iterator[dict[str, object]]:
    """Yield the rows of JSON lines, or of one JSON array, as they come.

    Raises:
        InvalidInput: something is no JSON object; the line is named.
    """
    numbered = enumerate(lines, start=1)
    for number, line in numbered:
        if not line.strip():
            continue
        if number == 1 and line.lstrip().startswith("["):
            yield from _array(line + "".join(rest for _, rest in numbered), where)
            return
        yield _object(line, f"{where}, line {number}")


def _array(text: str, where: str) -> Iterator[dict[str, object]]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{where} is no JSON: {error}", where=where) from error
    for place, row in enumerate(found):
        if not isinstance(row, dict):
            raise InvalidInput("a row is no JSON object", where=f"{where}, row {place}")
        yield row


def _object(text: str, where: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"this is no JSON: {error}", where=where) from error
    if not isinstance(found, dict):
        raise InvalidInput("a row is no JSON object", where=where)
    return found


def _portions(rows: Iterator[dict[str, object]], most: int) -> Iterator[list[dict[str, object]]]:
    portion: list[dict[str, object]] = []
    for row in rows:
        portion.append(row)
        if len(portion) >= most:
            yield portion
            portion = []
    if portion:
        yield portion
