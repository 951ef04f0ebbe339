"""`treadle features similar`: features that compute the same under several names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import existing_home, open_home, open_project
from treadle.entry.cli._shared import DEFAULT_HOME, DEFAULT_PROJECT, AsJson, Home, Plain, Project, emit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from treadle.define.project import Project as DefinedProject

COLUMNS = ("features", "similar", "why")
SAMPLE = 10_000


def similar(
    values: Annotated[
        bool, typer.Option("--values", help="Compare the values of stored columns too, on a sample.")
    ] = False,
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """List features that compute the same, or nearly, under several names.

    Definitions are compared: same column of the same rows for the same key, in the same way; row features up to names and
    the order of operands. With --values also the numbers: columns of one source that are equal, or a straight line of
    each other.
    """
    from treadle.define.similarity import similar_features

    defined = open_project(project, existing_home(home)).project
    rows: list[dict[str, Plain]] = [
        {"features": list(one.refs), "similar": "same" if one.same else "nearly", "why": one.why}
        for one in similar_features(defined)
    ]
    if values:
        rows += _by_values(defined, home)
    emit(rows, COLUMNS, as_json=as_json, empty="no two features are similar")


def _by_values(project: DefinedProject, home: Path) -> Iterator[dict[str, Plain]]:
    from treadle.stages.features.similar_values import similar_columns

    tables = open_home(home).tables()
    for source in project.sources:
        users: dict[str, list[str]] = {}
        for view in project.views:
            if view.source.name == source.name:
                for feature in view.features:
                    if feature.column is not None:
                        users.setdefault(feature.column, []).append(f"feature/{view.name}_{feature.name}")
        if len(users) < 2 or not tables.exists(source.name):
            continue
        sample = tables.read(source.name).select(list(users)).tail(SAMPLE).collect()
        for pair in similar_columns(sample, list(users)):
            told = "are equal" if pair.equal else "lie on a straight line"
            yield {
                "features": [*users[pair.one], *users[pair.other]],
                "similar": "values",
                "why": f"{pair.one} and {pair.other} of {source.name} {told} in {pair.rows:,} rows",
            }
