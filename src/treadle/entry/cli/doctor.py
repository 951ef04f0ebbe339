"""`treadle doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

from treadle.bootstrap import Home as OpenedHome
from treadle.entry.cli._checks import Finding, home_findings, installation_findings
from treadle.entry.cli._dispatch import DONE, FAILED
from treadle.entry.cli._shared import DEFAULT_HOME, AsJson, Home, Plain, command_app, emit, emit_json, note
from treadle.records.errors import TreadleError

COLUMNS = ("state", "check", "found", "fix")

app = command_app()


@app.command("doctor")
def doctor(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> int:
    """Check the installation and a home: layout, metadata, packages, champion, online store, log, disk.

    The exit code is 1 when a check failed. Nothing is changed, and a running server is not disturbed.
    """
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


def _home_findings(folder: Home) -> list[Finding]:
    try:
        opened = OpenedHome.at(folder, create=False)
    except TreadleError as error:
        if folder == DEFAULT_HOME:  # nobody asked for a home, and there is none yet
            return [Finding("home", "ok", "no home here yet", "")]
        return [Finding("home", "fail", error.what, error.fix or "")]
    return list(home_findings(opened))
