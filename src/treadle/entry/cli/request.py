"""`treadle request PIPELINE`: ask the loop that turns in a home to run a pipeline at its next tick."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import home_now, open_home, open_project, opened_metadata, when
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Plain,
    Project,
    at_home,
    command_app,
    emit_record,
)
from treadle.entry.cli.run import find_pipeline
from treadle.records.digests import digest_bytes
from treadle.records.errors import InvalidInput

if TYPE_CHECKING:
    from treadle.define.triggers import Trigger

app = command_app()


@app.command("request")
def request(
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help="The pipeline's name.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the request and the run.")],
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Ask for a run of a pipeline, which a trigger with tr.manual() then starts at the controller's next tick.

    It waits for no cooldown, and for a run under way only. The server of the home goes on serving meanwhile.
    """
    from treadle.loop.requests import listens, record_request

    opened = open_home(home)
    defined = open_project(project, opened).project
    find_pipeline(defined, pipeline)
    heard: list[Trigger] = [
        one for one in defined.triggers if one.pipeline == pipeline and listens(one.condition)
    ]
    faults = [] if reason.strip() else ["the reason is empty: say why, for whoever reads the history"]
    if not heard:
        faults.append(f"no trigger of {pipeline!r} listens to a person: write tr.on(… | tr.manual(), run=…)")
    if faults:
        raise InvalidInput(
            "the run cannot be asked for",
            faults=faults,
            fix="or run the pipeline yourself while nothing holds the home",
            command=at_home(f"treadle run {pipeline}", home),
        )
    at, by = home_now(opened), getpass.getuser()
    with opened_metadata(opened) as metadata, metadata.begin() as unit:
        record_request(unit, pipeline, by=by, reason=reason.strip(), at=at, key=digest_bytes(os.urandom(16)))
    shown: dict[str, Plain] = {
        "pipeline": pipeline,
        "by": by,
        "reason": reason.strip(),
        "at": when(at),
        "heard_by": [one.name for one in heard],
    }
    emit_record(shown, as_json=as_json)
