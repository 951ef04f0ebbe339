"""`treadle models`: registered models, their versions, who is champion and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import for_people, home_now, open_home, opened_metadata, reading, when
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    AsJson,
    Home,
    Plain,
    at_home,
    emit,
    emit_heading,
    emit_json,
    emit_lines,
    emit_record,
    group_app,
    note,
)
from treadle.records.errors import InvalidInput, NotFound
from treadle.records.instants import SECOND, Instant, iso
from treadle.records.models import (
    CHAMPION,
    AliasChange,
    ModelVersion,
    RegisteredModel,
    VerdictRecord,
    alias_faults,
)

if TYPE_CHECKING:
    from treadle.ports.blobs import Blobs
    from treadle.ports.metadata import Metadata, View
    from treadle.records.evaluation import EvaluationReport

MODELS = ("model", "champion", "versions", "newest", "last_verdict", "updated")
VERSIONS = ("version", "aliases", "created", "trained_until", "rows", "auc", "auc_low", "auc_high", "verdict")
MOVES = ("at", "alias", "version", "previous", "reason")
SLICES = ("column", "value", "n", "positives", "auc", "auc_low", "auc_high", "calibration", "state")
_REFERENCE = re.compile(r"(?P<model>[^/@]+)(?:/(?P<version>\d+)|@(?P<alias>[^/@]+))?")

app = group_app("list")


@app.command("list")
def list_models(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """List registered models; `treadle models` alone does this."""
    with reading(open_home(home)) as view:
        rows = [model_row(view, model) for model in view.models.list_models(limit=10_000)]
    empty = f"no model yet\n  next:  {at_home('treadle run PIPELINE', home)}"
    emit(rows if as_json else [for_people(row) for row in rows], MODELS, as_json=as_json, empty=empty)


@app.command("show")
def show_model(
    reference: Annotated[
        str, typer.Argument(metavar="NAME[/VERSION|@ALIAS]", help="A model, or one version of it.")
    ],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show a model with its versions, aliases and verdicts, or one version with its whole report."""
    opened = open_home(home)
    name, _, _ = parts = parse_reference(reference)
    with reading(opened) as view:
        model = view.models.get_model(name)
        if parts[1:] == (None, None):
            _show_model(view, opened.blobs(), model, as_json)
        else:
            _show_version(view, opened.blobs(), find_version(view, *parts), as_json)


@app.command("promote")
def promote(
    reference: Annotated[str, typer.Argument(metavar="NAME/VERSION", help="The version that is to serve.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the alias's history.")],
    home: Home = DEFAULT_HOME,
    alias: Annotated[str, typer.Option(help="The alias to move.")] = CHAMPION,
    as_json: AsJson = False,
) -> None:
    """Point an alias at a version by hand, past the gates; the move and its reason are recorded."""
    name, number, other = parse_reference(reference)
    faults = alias_faults(alias)
    faults += [] if reason.strip() else ["the reason is empty: say why, for whoever reads the history"]
    faults += (
        []
        if number is not None and other is None
        else [f"{reference!r} names no version: write NAME/VERSION"]
    )
    if faults:
        raise InvalidInput("the version cannot be promoted", faults=faults)
    opened = open_home(home)
    with opened_metadata(opened) as metadata:
        with metadata.read() as view:
            version = find_version(view, name, number, None)
            before = view.models.find_by_alias(name, alias)
        check_package(opened.blobs(), version)
        if before is not None and before.version == version.version:
            note(f"{name}@{alias} is version {version.version} already; nothing was changed")
        else:
            move_alias(metadata, version, alias, before, f"by hand: {reason.strip()}", home_now(opened))
    previous = before.version if before else None
    done: dict[str, Plain] = {"model": name, "alias": alias, "version": version.version, "previous": previous}
    done["changed"] = previous != version.version
    done["undo"] = (
        undo_command(name, alias, previous, home) if done["changed"] and previous is not None else None
    )
    emit_record(done, as_json=as_json)


def parse_reference(reference: str) -> tuple[str, int | None, str | None]:
    """Return model, version and alias of `name`, `name/3` or `name@champion`. Pure.

    Raises:
        InvalidInput: it is none of these.
    """
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise InvalidInput(
            f"{reference!r} names no model",
            fix="write NAME, NAME/VERSION or NAME@ALIAS",
            command="treadle models",
        )
    return found["model"], int(found["version"]) if found["version"] else None, found["alias"]


def find_version(view: View, name: str, version: int | None, alias: str | None) -> ModelVersion:
    """Return a version by number, or by alias.

    Raises:
        NotFound: there is no such model, version or alias.
    """
    if version is not None:
        return view.models.get_version(name, version)
    return view.models.get_by_alias(name, alias or CHAMPION)


def check_package(blobs: Blobs, version: ModelVersion) -> None:
    """Refuse a version whose package is not there, before an alias points at it.

    Raises:
        NotFound: the version has no package, or its bytes are gone.
    """
    if version.package is None or not blobs.has(version.package):
        raise NotFound(
            f"the package of {version.ref} is not there, so it could not serve",
            where=f"blob {version.package}" if version.package else None,
            fix="choose another version, or restore the folder blobs/ from a backup",
            command=f"treadle models show {version.model}",
        )


def move_alias(
    metadata: Metadata,
    version: ModelVersion,
    alias: str,
    before: ModelVersion | None,
    reason: str,
    at: Instant,
) -> None:
    """Point an alias at a version in one transaction, if it still names what was shown to the person.

    Raises:
        Conflict: the alias was moved meanwhile.
    """
    expected = before.version if before else None
    with metadata.begin() as unit:
        unit.models.set_alias(version.model, alias, version.version, at, reason=reason, expected=expected)


def undo_command(name: str, alias: str, version: int, home: Path) -> str:
    """Return the command that moves an alias of a home back to a version. Pure."""
    other = f" --alias {alias}" if alias != CHAMPION else ""
    return at_home(f"treadle rollback {name}{other} --to {version}", home)


def report_of(blobs: Blobs, version: ModelVersion) -> EvaluationReport | None:
    """Return how a version was judged when it was registered; None when that was not kept."""
    from treadle.records.evaluation import EvaluationReport
    from treadle.stages.pipelines.artifacts import decode

    digest = version.tags.get("report")
    report = decode(blobs.get(digest)) if digest and blobs.has(digest) else None
    return report if isinstance(report, EvaluationReport) else None


def model_row(view: View, model: RegisteredModel) -> dict[str, Plain]:
    """Return a model as a row."""
    verdicts = view.models.verdicts(model.name, limit=1)
    return {
        "model": model.name,
        "champion": model.aliases.get(CHAMPION),
        "aliases": dict(model.aliases),
        "versions": len(view.models.list_versions(model.name, limit=10_000)),
        "newest": model.latest or None,
        "last_verdict": f"{verdicts[0].verdict.value} ({verdicts[0].version})" if verdicts else None,
        "created": when(model.created),
        "updated": when(model.updated),
        "description": model.description,
        "tags": dict(model.tags),
    }


def version_row(
    version: ModelVersion, report: EvaluationReport | None, verdict: VerdictRecord | None
) -> dict[str, Plain]:
    """Return a version as a row. Pure."""
    interval = report.auc.interval() if report and report.auc else None
    return {
        "version": version.version,
        "aliases": list(version.aliases),
        "created": when(version.created),
        "run_id": version.run_id,
        "trained_until": when(_number(version, "trained_until")),
        "trained_since": when(_number(version, "trained_since")),
        "rows": _number(version, "training_rows"),
        "auc": report.auc.value if report and report.auc else None,
        "auc_low": interval.low if interval else None,
        "auc_high": interval.high if interval else None,
        "verdict": verdict.verdict.value if verdict else None,
    }


def _show_model(view: View, blobs: Blobs, model: RegisteredModel, as_json: bool) -> None:
    verdicts = view.models.verdicts(model.name)
    newest = {record.version: record for record in reversed(verdicts)}
    versions = [
        version_row(version, report_of(blobs, version), newest.get(version.version))
        for version in view.models.list_versions(model.name, limit=10_000)
    ]
    moves = [
        move_row(move)
        for alias in _every_alias(view, model)
        for move in view.models.alias_history(model.name, alias)
    ]
    judged = [verdict_row(record) for record in verdicts]
    head = model_row(view, model)
    if as_json:
        emit_json({**head, "versions": versions, "alias_history": moves, "verdicts": judged})
        return
    emit_record(for_people(head), as_json=False)
    emit_heading("versions")
    emit([for_people(row) for row in versions], VERSIONS, as_json=False, empty="none")
    emit_heading("aliases, the newest move first")
    emit([for_people(row) for row in moves], MOVES, as_json=False, empty="no alias was ever set")
    _emit_verdicts(verdicts)


def _show_version(view: View, blobs: Blobs, version: ModelVersion, as_json: bool) -> None:
    report = report_of(blobs, version)
    verdicts = view.models.verdicts(version.model, version.version)
    judged = [verdict_row(record) for record in verdicts]
    head: dict[str, Plain] = {
        "model": version.model,
        **version_row(version, report, verdicts[0] if verdicts else None),
        "status": version.status.value,
        "package": version.package,
        "training_data": version.tags.get("training_data"),
        "description": version.description,
        "tags": dict(version.tags),
    }
    metrics = dict(report.metrics()) if report else {}
    intervals = _intervals(report) if report else {}
    slices = slice_rows(report) if report else []
    if as_json:
        window = str(report.window) if report and report.window else None
        judged_on: dict[str, Plain] = {"rows": report.n, "positives": report.positives} if report else {}
        measured = {
            **judged_on,
            "window": window,
            "metrics": metrics,
            "intervals": intervals,
            "slices": slices,
        }
        emit_json({**head, "report": measured if report else None, "verdicts": judged})
        return
    emit_record(for_people({key: value for key, value in head.items() if key != "tags"}), as_json=False)
    emit_heading("report, on the newest rows it was not trained on")
    if report is None:
        note("no report was kept")
    else:
        rows: list[dict[str, Plain]] = [
            {
                "metric": name,
                "value": value,
                **dict(zip(("low", "high"), intervals.get(name, ()), strict=False)),
            }
            for name, value in metrics.items()
        ]
        emit(rows, ("metric", "value", "low", "high"), as_json=False)
        if slices:
            emit_heading("slices")
            emit(slices, SLICES, as_json=False)
    _emit_verdicts(verdicts)


def _emit_verdicts(verdicts: Sequence[VerdictRecord]) -> None:
    for record in verdicts:
        at = iso(record.at // SECOND * SECOND)
        emit_heading(f"verdict on version {record.version}: {record.verdict.value}, {at}")
        emit_lines("\n".join(f"- {reason}" for reason in record.reasons))
    if not verdicts:
        note("no verdict yet: nothing was held against the gates")


def move_row(move: AliasChange) -> dict[str, Plain]:
    """Return a move of an alias as a row. Pure."""
    return {
        "at": when(move.at),
        "alias": move.alias,
        "version": move.version,
        "previous": move.previous,
        "reason": move.reason,
    }


def verdict_row(record: VerdictRecord) -> dict[str, Plain]:
    """Return a verdict as a row. Pure."""
    return {
        "at": when(record.at),
        "version": record.version,
        "verdict": record.verdict.value,
        "reasons": list(record.reasons),
    }


def slice_rows(report: EvaluationReport) -> list[dict[str, Plain]]:
    """Return a report's slices as rows. Pure."""
    rows: list[dict[str, Plain]] = []
    for part in report.slices:
        interval = part.auc.interval() if part.auc else None
        rows.append(
            {
                "column": part.column,
                "value": part.value,
                "n": part.n,
                "positives": part.positives,
                "auc": part.auc.value if part.auc else None,
                "auc_low": interval.low if interval else None,
                "auc_high": interval.high if interval else None,
                "calibration": part.calibration.ratio if part.calibration else None,
                "state": part.state,
            }
        )
    return rows


def _intervals(report: EvaluationReport) -> dict[str, list[float]]:
    found = {"auc": report.auc, "calibration": report.calibration}
    spans = {name: estimate.interval() for name, estimate in found.items() if estimate is not None}
    return {name: [span.low, span.high] for name, span in spans.items()}


def _every_alias(view: View, model: RegisteredModel) -> list[str]:
    """Return the aliases a model has, and the champion's even when it was deleted."""
    return list(dict.fromkeys([CHAMPION, *(alias.alias for alias in view.models.aliases(model.name))]))


def _number(version: ModelVersion, tag: str) -> int | None:
    text = version.tags.get(tag, "")
    return int(text) if text.lstrip("-").isdigit() else None
