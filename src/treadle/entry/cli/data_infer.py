"""`treadle data infer`: a schema proposed from data, for a person to read and edit."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Annotated

import typer

from treadle.entry.cli._shared import DEFAULT_HOME, AsJson, Home, emit_json, emit_lines, note
from treadle.entry.cli.data_profile import opened
from treadle.entry.cli.data_validate import Data, plain
from treadle.records.errors import Conflict, InvalidInput

_NAME = re.compile(r"[^a-z0-9_]+")


def infer(
    data: Data,
    out: Annotated[
        Path | None, typer.Option(help="The schema file to write; it is printed when left out.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite a file that says something else.")
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(
            help="The schema's name; that of the file it is written to, or of the data, when left out."
        ),
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN[,COLUMN]", help="Columns that tell rows apart.")
    ] = None,
    event_time: Annotated[
        str | None, typer.Option("--event-time", help="The column that says when a row was true.")
    ] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Propose a schema that the data keep, with room for what tomorrow brings.

    A file that is there already is never overwritten without --force: what would change is shown.
    """
    from treadle.define.schema_faults import schema_faults
    from treadle.define.schema_writer import schema_text
    from treadle.stages.validation.profile.builder import profile_frame
    from treadle.stages.validation.schema.infer import infer_schema

    found, rows = opened(data, home)
    profile = profile_frame(plain(rows), found)
    called = name or _NAME.sub("_", (found if out is None else out.stem).lower()).strip("_") or "data"
    keys = [one.split(",") for one in key or []]
    schema = infer_schema(profile, name=called, keys=keys, event_time=event_time)
    faults = [f"{'.'.join(path)}: {fault}" for path, fault in schema_faults(schema)]
    if event_time is not None and schema.time is None:
        faults.append(f"--event-time {event_time} is no column of times")
    if faults:
        raise InvalidInput("the schema cannot be made", faults=faults, fix="name columns that the data have")
    text = schema_text(schema, [f"Inferred from {profile.rows:,} rows of {found}."])
    if out is not None:
        _write(out, text, force)
    if as_json:
        emit_json({"name": called, "columns": len(profile.columns), "rows": profile.rows, "schema": text})
    elif out is None:
        emit_lines(text)


def _write(out: Path, text: str, force: bool) -> None:
    """Write the file, unless it says something else already.

    Raises:
        Conflict: it does, and nobody forced it; the difference was shown.
    """
    before = out.read_text(encoding="utf-8") if out.is_file() else None
    if before == text:
        note(f"{out} says so already")
        return
    if before is not None:
        emit_lines(diff(before, text, out))
        if not force:
            raise Conflict(
                f"{out} is there already and says something else; it was left alone",
                fix="take what you want of the lines above by hand, or write the new schema over it: --force",
            )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    note(
        f"wrote {out}: read it, edit it, then hold data against it\n  next:  treadle data validate DATA --schema {out}"
    )


def diff(before: str, after: str, path: Path) -> str:
    """Return how two texts of a file differ, as a unified diff. Pure."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{path} (now)", f"{path} (new)", lineterm="", n=1
    )
    return "\n".join(lines)
