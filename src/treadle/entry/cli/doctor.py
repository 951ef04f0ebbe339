"""`treadle doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from treadle.bootstrap import Home as OpenedHome
from treadle.entry.cli._checks import Finding, home_findings, installation_findings
from treadle.entry.cli._dispatch import DONE, FAILED
from treadle.entry.cli._log import mend as mend_home
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Plain,
    Project,
    command_app,
    emit,
    emit_json,
    note,
)
from treadle.records.errors import TreadleError

COLUMNS = ("state", "check", "found", "fix")

app = command_app()


@app.command("doctor")
def doctor(
    home: Home = DEFAULT_HOME,
    project: Project = DEFAULT_PROJECT,
    mend: Annotated[
        bool,
        typer.Option("--mend", help="Mend a prediction log that lost something: go on without what is lost."),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Check the installation and a home: layout, metadata, packages, champion, online store, log, disk.

    The exit code is 1 when a check failed. Nothing is changed without --mend, and a running server is not disturbed.
    With it, damaged places of the prediction log are kept in files beside it and passed over from then on, and
    predictions that the tables lack are written to them.
    """
    if mend:
        _mend(home, project)
    findings = [*installation_findings(), *_home_findings(home)]
    failed = [finding for finding in findings if finding.state == "fail"]
    warned = [finding for finding in findings if finding.state == "warn"]
    rows: list[dict[str, Plain]] = [
        {"check": one.check, "state": one.state, "found": one.found, "fix": one.fix or None}
        for one in findings
    ]
    if as_json:
        emit_json({"ok": not failed, "failed": len(failed), "warned": len(warned), "checks": rows})
    else:
        emit(rows, COLUMNS, as_json=False)
        note(f"{len(findings)} checks: {len(failed)} failed, {len(warned)} worth a look")
    return FAILED if failed else DONE


def _mend(folder: Path, project: Path) -> None:
    from treadle.entry.cli._homes import open_home, open_project

    opened = open_home(folder)
    loaded = open_project(project, opened)
    with opened.held("treadle doctor"):
        for sentence in mend_home(opened, loaded.project) or [
            "there is nothing to mend in the prediction log"
        ]:
            note(sentence)


def _home_findings(folder: Home) -> list[Finding]:
    try:
        opened = OpenedHome.at(folder, create=False)
    except TreadleError as error:
        if folder == DEFAULT_HOME:  # nobody asked for a home, and there is none yet
            return [Finding("home", "ok", "no home here yet", "")]
        return [Finding("home", "fail", error.what, error.fix or "")]
    return list(home_findings(opened))
