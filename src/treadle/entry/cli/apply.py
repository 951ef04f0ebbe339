"""`treadle apply`: record changed definitions, those that others rely on only when they are accepted."""

from __future__ import annotations

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
    cut,
    emit,
    emit_json,
    note,
)

if TYPE_CHECKING:
    from treadle.loop.definitions import DefinitionPlan

COLUMNS = ("definition", "change", "details", "used_by", "needs")

app = command_app()


@app.command("apply")
def apply(
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            "--accept", metavar="NAME", help="A change that is meant, by name or KIND/NAME; repeatable."
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what would be recorded, and record nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a project's definitions change in a home, and record it.

    What is new or was added, and words for people, are recorded as they are. A source, table, entity, view, row feature or
    label that says something else under its old name is recorded only with --accept: others read its values.
    """
    from treadle.loop.definitions import apply_definitions, plan_definitions

    opened = open_home(home)
    loaded = open_project(project, opened)
    with opened_metadata(opened) as metadata:
        if explain:
            with metadata.read() as view:
                plan = plan_definitions(loaded.project, view)
            plan.unaccepted(accept or [])  # names that are no change are refused here too
        else:
            with opened.held("treadle apply"):
                opened.claim(loaded)
                plan = apply_definitions(loaded.project, metadata, home_now(opened), accept or [])
    _show(plan, set(accept or []), recorded=not explain, as_json=as_json)


def _show(plan: DefinitionPlan, accept: set[str], *, recorded: bool, as_json: bool) -> None:
    waiting = {change.ref for change in plan.unaccepted(accept)}
    rows: list[dict[str, Plain]] = [
        {
            "definition": change.ref,
            "change": change.what,
            "details": list(change.details),
            "used_by": list(change.users) if change.what == "changed" else [],
            "needs": f"--accept {change.ref}" if change.ref in waiting else None,
        }
        for change in plan.changes
    ]
    if as_json:
        emit_json({"recorded": recorded, "changes": rows, "warnings": list(plan.warnings)})
        return
    emit(
        [cut(row, "details", "used_by") for row in rows], COLUMNS, as_json=False, empty="nothing has changed"
    )
    for warning in plan.warnings:
        note(f"warning: {warning}")
