"""`treadle labels import`: take in what people answered, as rows of the labels' source."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.bootstrap import open_world
from treadle.entry.cli._homes import home_now, open_home, open_project, opened_metadata
from treadle.entry.cli._shared import DEFAULT_HOME, DEFAULT_PROJECT, AsJson, Home, Plain, Project, emit_record
from treadle.entry.cli.labels_queue import find_endpoint
from treadle.records.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from treadle.bootstrap import Home as OpenedHome
    from treadle.bootstrap import LoadedProject
    from treadle.define.project import Project as DefinedProject
    from treadle.loop.label_answers import Planned
    from treadle.stages.data.task_files import AnswerFile

DEFAULT_URL = "http://127.0.0.1:8080"


def import_answers(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file that people filled in, .csv or .jsonl.")
    ],
    annotator: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who answered, where the file does not say; else you.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="ENDPOINT", help="Whose predictions, where the file does not say.")
    ] = None,
    url: Annotated[
        str, typer.Option("--url", help="The home's server, if one runs; TREADLE_TOKEN has its token.")
    ] = DEFAULT_URL,
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Take in what people answered; each answer becomes a row of the labels' source, known from now on.

    The file is refused whole if anything is wrong with it, naming each line. Taken in again it changes nothing;
    another answer of the same person corrects the one before. A running server gets the rows pushed.
    """
    from treadle.loop.label_answers import plan_answers, record_answers
    from treadle.loop.labelling import Labelling

    answered = _read(file, annotator or getpass.getuser())
    opened = open_home(home)
    loaded = open_project(project, opened)
    found = find_endpoint(loaded.project, _endpoint(loaded.project, answered, endpoint, file))
    with opened_metadata(opened) as metadata:
        with metadata.read() as view:
            state = Labelling.of(view, found.name)
        planned = plan_answers(opened.tables(), state, found, answered, home_now(opened), str(file))
        if planned.rows:
            _push(opened, loaded, planned, url)
        record_answers(metadata, planned)
    shown: dict[str, Plain] = {
        "endpoint": found.name,
        "source": planned.source,
        "taken": len(planned.rows),
        "corrections": planned.corrections,
        "unchanged": planned.unchanged,
        "open": answered.open,
    }
    emit_record(shown, as_json=as_json)


def _read(file: Path, annotator: str) -> AnswerFile:
    from treadle.stages.data.task_files import read_answers

    if file.suffix not in (".csv", ".jsonl"):
        raise InvalidInput(f"{file} ends neither in .csv nor in .jsonl", fix="name the file so")
    try:
        data = file.read_bytes()
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror or error}") from error
    return read_answers(data, json_lines=file.suffix == ".jsonl", where=str(file), annotator=annotator)


def _endpoint(project: DefinedProject, answered: AnswerFile, named: str | None, file: Path) -> str:
    said = answered.endpoint
    if named is not None and said not in (None, named):
        raise InvalidInput(f"{file} is about endpoint {said!r}, not {named!r}", fix="leave out --endpoint")
    if found := named or said:
        return found
    if len(project.endpoints) == 1:
        return project.endpoints[0].name
    raise InvalidInput(f"{file} does not say which endpoint it is about", fix="name it with --endpoint")


def _push(home: OpenedHome, loaded: LoadedProject, planned: Planned, url: str) -> None:
    """Take in the rows here, or push them to the server that holds the home."""
    if _is_held(home):
        from treadle.entry.client import connect

        with connect(url) as client:
            client.push(planned.source, planned.rows, ids=list(planned.ids))
        return
    from treadle.adapters.clock import ShiftedClock
    from treadle.loop.label_answers import offer_alone

    with open_world(home, loaded, ShiftedClock(home_now(home))) as world:
        offer_alone(world, planned.source, planned.rows, list(planned.ids))


def _is_held(home: OpenedHome) -> bool:
    try:
        with home.held("treadle labels import"):
            return False
    except Conflict:
        return True
