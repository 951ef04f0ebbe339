"""`treadle data accept`: the lines of a schema that an anomaly names are changed, because the data are right."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle.entry.cli._shared import DEFAULT_HOME, AsJson, Home, emit_json, emit_lines, note
from treadle.entry.cli.data_infer import diff
from treadle.entry.cli.data_validate import (
    At,
    Data,
    Environment,
    Previous,
    References,
    SchemaPath,
    Training,
    held,
)
from treadle.records.errors import NotFound


def accept(
    data: Data,
    kind: Annotated[str, typer.Argument(help="The kind of anomaly, as `data validate` names it.")],
    where: Annotated[
        str | None, typer.Argument(help="Its column or rule; all of that kind when left out.")
    ] = None,
    schema: SchemaPath = None,
    environment: Environment = "training",
    previous: Previous = None,
    training: Training = None,
    reference: References = None,
    at: At = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Change the schema so that it accepts what was found; everything else in the file stays as it is."""
    from pathlib import Path

    from treadle.define.schema_editor import amended

    file, validation = held(data, schema, environment, previous, training, reference, at, None, home)
    chosen = [one for one in validation.anomalies if one.kind == kind and where in (None, one.where)]
    lines = [line for one in chosen for line in one.accept]
    if not lines:
        there = [f"{one.kind} {one.where}" for one in validation.anomalies]
        wanted = kind if where is None else f"{kind} {where}"
        raise NotFound.among("anomaly to accept", wanted, there, where=file.where)
    changed = amended(file, lines)
    Path(file.where).write_text(changed.text, encoding="utf-8")
    if as_json:
        emit_json({"file": file.where, "accepted": len(chosen), "lines": [str(line) for line in lines]})
        return
    emit_lines(diff(file.text, changed.text, Path(file.where)))
    note(f"{file.where} accepts {len(chosen)} {'anomaly' if len(chosen) == 1 else 'anomalies'} from now on")
