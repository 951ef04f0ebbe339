"""`treadle rollback`: the previous champion is one command away, and so is the way back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import for_people, home_now, open_home, opened_metadata, when
from treadle.entry.cli._shared import DEFAULT_HOME, AsJson, Home, Plain, command_app, emit_record, note_record
from treadle.entry.cli.models import check_package, report_of, undo_command
from treadle.records.errors import InvalidInput, TreadleError
from treadle.records.models import CHAMPION

if TYPE_CHECKING:
    from treadle.ports.blobs import Blobs
    from treadle.records.models import ModelVersion
    from treadle.stages.registry.rollback import RollbackPlan

SHOWN = ("auc", "calibration", "log_loss")

app = command_app()


@app.command("rollback")
def rollback(
    model: Annotated[str, typer.Argument(metavar="NAME", help="The model.")],
    home: Home = DEFAULT_HOME,
    alias: Annotated[str, typer.Option(help="The alias to move back.")] = CHAMPION,
    to: Annotated[
        int | None, typer.Option(metavar="VERSION", help="Go to this version, not to the one before.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the alias's history.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let the previous version of a model serve again; shows what will change, and asks."""
    from treadle.stages.registry.rollback import plan_rollback, rollback_reason

    opened = open_home(home)
    with opened_metadata(opened) as metadata:
        with metadata.read() as view:
            view.models.get_model(model)  # a wrong name is told with its neighbours
            plan = plan_rollback(model, alias, view.models.alias_history(model, alias), to)
            present = view.models.get_version(model, plan.version)
            target = view.models.get_version(model, plan.to)
        blobs = opened.blobs()
        check_package(blobs, target)
        record = described(plan, blobs, present, target)
        if not yes:
            confirm(record, plan, as_json=as_json)
        at = home_now(opened)
        with metadata.begin() as unit:
            unit.models.set_alias(
                model, alias, plan.to, at, reason=rollback_reason(plan, reason), expected=plan.version
            )
    done = {**record, "done": True, "undo": undo_command(model, alias, plan.version, home)}
    emit_record(done if as_json else for_people(done), as_json=as_json)


def described(
    plan: RollbackPlan, blobs: Blobs, present: ModelVersion, target: ModelVersion
) -> dict[str, Plain]:
    """Return a plan with what is known of both versions, as a record."""
    return {
        "model": plan.model,
        "alias": plan.alias,
        "from": {"version": plan.version, "serves_since": when(plan.since), "because": plan.moved_because}
        | _measured(blobs, present),
        "to": {"version": plan.to, "last_served": when(plan.last_served)} | _measured(blobs, target),
    }


def confirm(record: dict[str, Plain], plan: RollbackPlan, *, as_json: bool) -> None:
    """Show the plan on stderr and ask on the terminal; a program is not asked.

    Raises:
        InvalidInput: there is no terminal to ask on, or a program reads the answer.
        TreadleError: the answer was no.
    """
    if as_json:
        raise InvalidInput(
            "a program cannot be asked; nothing was changed",
            fix=f"add --yes to let {plan.model}@{plan.alias} go from version {plan.version} to version {plan.to}",
        )
    note_record(for_people(record))
    if not at_a_terminal():
        raise InvalidInput(
            "there is no terminal to ask on; nothing was changed",
            fix="look at the plan above, and add --yes to do it",
        )
    question = f"let {plan.model}@{plan.alias} go from version {plan.version} to version {plan.to}?"
    if not typer.confirm(question, err=True):
        raise TreadleError("nothing was changed")


def at_a_terminal() -> bool:
    """Say whether there is a person to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _measured(blobs: Blobs, version: ModelVersion) -> dict[str, Plain]:
    report = report_of(blobs, version)
    metrics = report.metrics() if report else {}
    return {name: metrics[name] for name in SHOWN if name in metrics}
