"""`treadle features lint`: stored columns that look as if they had been fitted on a training set."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle.entry.cli._homes import open_home, open_project
from treadle.entry.cli._shared import DEFAULT_HOME, DEFAULT_PROJECT, AsJson, Home, Plain, Project, emit, note

COLUMNS = ("source", "columns", "looks", "why")


def lint(
    name: Annotated[
        list[str] | None, typer.Argument(metavar="[SOURCE]...", help="Only these sources and tables.")
    ] = None,
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Warn of stored columns that look standardised, scaled to [0, 1], or one-hot encoded.

    Such values belong to one training set: stored as features, they would mean something else after the next one. Fit in
    a step, where the transform is saved with the model.
    """
    from treadle.records.errors import NotFound
    from treadle.stages.validation.fitted_columns import fitted_columns
    from treadle.stages.validation.profile.builder import profile_frame

    opened = open_home(home)
    defined = open_project(project, opened).project
    tables = opened.tables()
    known = [source.name for source in defined.sources]
    for one in name or []:
        if one not in known:
            raise NotFound.among("source", one, known, where=f"project {defined.name!r}")
    rows: list[dict[str, Plain]] = []
    for source in defined.sources:
        wanted = [column for column, kind in source.columns.items() if kind in ("float", "int", "bool")]
        if (name and source.name not in name) or not wanted or not tables.exists(source.name):
            continue
        profile = profile_frame(tables.read(source.name).select(wanted), source.name)
        rows += [
            {"source": source.name, "columns": list(found.columns), "looks": found.kind, "why": found.why}
            for found in fitted_columns(profile)
        ]
    emit(rows, COLUMNS, as_json=as_json, empty="no stored column looks fitted")
    if rows:
        note("a transform that is fitted belongs in an @tr.step: it is then saved and served with the model")
