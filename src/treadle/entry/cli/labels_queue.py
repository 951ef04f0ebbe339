"""`treadle labels queue`: choose predictions for people to label, and write them to a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

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
    emit_record,
    note,
)
from treadle.records.errors import Conflict, InvalidInput, NotFound, NotReady
from treadle.records.instants import duration
from treadle.records.labelling import STRATEGIES, Strategy

if TYPE_CHECKING:
    from treadle.define.endpoints import Endpoint
    from treadle.define.project import Project as DefinedProject

SUFFIXES = (".csv", ".jsonl")
GUIDELINES = "answer: what turned out to be true, yes or no; leave it empty if you cannot tell"

assert get_args(Strategy) == STRATEGIES


def queue(
    endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="Whose predictions.")],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help="A new file: .csv for spreadsheets, or .jsonl."),
    ],
    strategy: Annotated[
        str, typer.Option(help="random, uncertain, drifted, or mixed: a third of each.")
    ] = "mixed",
    n: Annotated[int, typer.Option("-n", help="How many at most.")] = 100,
    only: Annotated[
        str | None,
        typer.Option("--slice", metavar="COLUMN=VALUE", help="Take this for the drifted slice."),
    ] = None,
    window: Annotated[str, typer.Option(help="Predictions so old at most.")] = "30d",
    expires: Annotated[str, typer.Option(help="So long people have to answer.")] = "14d",
    threshold: Annotated[float, typer.Option(help="The score at which the decision turns.")] = 0.5,
    seed: Annotated[int, typer.Option(help="Another number draws others.")] = 0,
    blind: Annotated[bool, typer.Option("--blind", help="Do not show people what the model said.")] = False,
    guidelines: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What people should heed; stands in each row.")
    ] = None,
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Choose predictions without a label for people, and write them to a file with an empty answer column.

    What was chosen is not chosen again before it expires. The chance of each to be chosen is kept, so that
    estimates from the answers can be weighed: all but `uncertain` and `drifted` alone can speak for all predictions.
    """
    from treadle.loop.labelling import Choice, Labelling, choose_tasks, record_batch, task_rows
    from treadle.stages.data.task_files import write_csv, write_json_lines

    choice = Choice(
        strategy=_strategy(strategy),
        n=n,
        seed=seed,
        span=duration(window),
        expires=duration(expires),
        threshold=threshold,
        slice=None if only is None else _slice(only),
    )
    _check_file(out)
    opened = open_home(home)
    found = find_endpoint(open_project(project, opened).project, endpoint)
    at = home_now(opened)
    with opened_metadata(opened) as metadata:
        with metadata.read() as view:
            state = Labelling.of(view, endpoint)
        queued = choose_tasks(opened.tables(), state, found, choice, at)
        heed = guidelines or "; ".join(filter(None, [found.labels.description, GUIDELINES]))
        rows = task_rows(queued, found, guidelines=heed, blind=blind)
        text = write_csv(rows) if out.suffix == ".csv" else write_json_lines(rows)
        # The file is whole before the tasks are said to be with people, and has its name only then.
        part = out.with_name(f".{out.name}.part")
        _write(part, text)
        try:
            record_batch(metadata, state, queued.batch)
        except Conflict:
            part.unlink()
            raise
        part.replace(out)
    shown: dict[str, Plain] = {
        "batch": queued.batch.batch,
        "file": str(out),
        "tasks": len(queued.batch.tasks),
        "strategy": strategy,
        "strata": [one.as_json() for one in queued.batch.strata] if as_json else _strata(queued.batch.strata),
        "expires": when(queued.batch.expires_at),
    }
    if queued.shift is not None:
        moved = queued.shift
        shown["drifted_slice"] = (
            f"{moved.column}={moved.value}: mean score {moved.before:.3f} → {moved.now:.3f}"
        )
    emit_record(shown, as_json=as_json)
    if not as_json:
        note(f"when it is filled in:  {at_home(f'treadle labels import {out}', home)}")


def find_endpoint(project: DefinedProject, name: str) -> Endpoint:
    """Return a project's endpoint by its name.

    Raises:
        NotFound: there is none; near names are offered.
    """
    known = {one.name: one for one in project.endpoints}
    if name not in known:
        raise NotFound.among("endpoint", name, known, where=f"project {project.name!r}")
    return known[name]


def _strategy(name: str) -> Strategy:
    for one in STRATEGIES:
        if one == name:
            return one
    raise NotFound.among("strategy", name, STRATEGIES)


def _slice(words: str) -> tuple[str, str]:
    column, equals, value = words.partition("=")
    if not column or not equals:
        raise InvalidInput(f"--slice {words!r} is not written COLUMN=VALUE")
    return column, value


def _check_file(out: Path) -> None:
    if out.suffix not in SUFFIXES:
        raise InvalidInput(f"{out} ends neither in {' nor in '.join(SUFFIXES)}", fix="name the file so")
    if out.exists():
        raise Conflict(
            f"{out} is there already; people may be working on it", fix="name another file with --out"
        )
    if not out.parent.is_dir():
        raise NotFound(f"there is no folder {out.parent}", fix="make it, or name another file with --out")


def _write(part: Path, text: str) -> None:
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise NotReady(
            f"the tasks cannot be written: {error.strerror or error}",
            where=str(part),
            fix="nothing was chosen",
        ) from error


def _strata(strata: object) -> list[Plain]:
    from treadle.records.labelling import Stratum

    assert isinstance(strata, tuple)
    return [f"{one.name} {one.chosen:,} of {one.rows:,}" for one in strata if isinstance(one, Stratum)]
