"""`treadle lineage`: what was made of what, as OpenLineage events: shown, written to a file, or sent to a collector."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import home_now, open_home, open_project, opened_metadata
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Plain,
    Project,
    command_app,
    emit,
    note,
)
from treadle.records.errors import NotReady

if TYPE_CHECKING:
    from treadle.ports.lineage import LineageTransport
    from treadle.records.digests import Json

app = command_app()

COLUMNS = ("job", "ended", "state", "inputs", "outputs")


@app.command("lineage")
def lineage(
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    job: Annotated[
        str | None, typer.Option(help="Only jobs whose name begins so, e.g. pipeline or ingest.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the events to this file, one OpenLineage event a line."),
    ] = None,
    send: Annotated[
        bool,
        typer.Option("--send", help="Send what is new to the address in the secret TREADLE_OPENLINEAGE_URL."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what was made of what: data, features, runs, models, predictions."""
    from treadle.loop.lineage import LineageFollower, LineageSender, emitted

    opened = open_home(home)
    defined = open_project(project, opened).project
    with opened_metadata(opened) as metadata:
        LineageFollower(defined, metadata).follow(home_now(opened))
        events = [event for event in emitted(metadata) if isinstance(event, dict) and _of(event, job)]
        if send:
            sent = LineageSender(metadata, collector(), note).send()
            note(f"{sent:,} events sent")
    if out is not None:
        _write(out, events)
        note(f"{len(events):,} events are in {out}")
        return
    emit(
        [_row(event) for event in events if event["eventType"] != "START"],
        COLUMNS,
        as_json=as_json,
        empty="nothing yet",
    )


def collector() -> LineageTransport:
    """Return where lineage is to be sent.

    Raises:
        InvalidInput: the address is none.
        NotReady: no secret says where.
    """
    from treadle.bootstrap import LINEAGE_URL, lineage_transport

    found = lineage_transport()
    if found is None:
        raise NotReady(
            "nobody has said where lineage is to be sent",
            fix=f"set the environment variable {LINEAGE_URL} (and TREADLE_OPENLINEAGE_KEY, if a key is needed), "
            "or write the events to a file",
            command="treadle lineage --out lineage.ndjson",
        )
    return found


def _of(event: dict[str, Json], job: str | None) -> bool:
    about = event["job"]
    return job is None or (isinstance(about, dict) and str(about["name"]).startswith(job))


def _row(event: dict[str, Json]) -> dict[str, Plain]:
    about = event["job"]
    assert isinstance(about, dict)
    return {
        "job": str(about["name"]),
        "ended": str(event["eventTime"])[:19] + "Z",
        "state": str(event["eventType"]).lower(),
        "inputs": _names(event["inputs"]),
        "outputs": _names(event["outputs"]),
    }


def _names(datasets: Json) -> str:
    found = []
    for one in datasets if isinstance(datasets, list) else ():
        assert isinstance(one, dict)
        facets = one.get("facets")
        version = facets.get("version") if isinstance(facets, dict) else None
        number = f"/{version['datasetVersion']}" if isinstance(version, dict) else ""
        found.append(f"{one['name']}{number}")
    return ", ".join(found)


def _write(path: Path, events: Iterable[dict[str, Json]]) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text("".join(json.dumps(event) + "\n" for event in events))
    part.replace(path)
