"""`treadle features skew`: whether what an endpoint served is what the stored rows say for the same moments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from treadle.entry.cli._homes import open_home, open_project, opened_metadata
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Plain,
    Project,
    emit,
    emit_heading,
    emit_json,
    note,
)
from treadle.records.errors import NotFound
from treadle.records.instants import duration, iso

if TYPE_CHECKING:
    from treadle.records.skew import FeatureSkew, SkewReading

FEATURES = ("feature", "state", "compared", "mismatched", "rate", "at_least", "at_most")
EXAMPLES = ("feature", "prediction_id", "at", "served", "recomputed")


def skew(
    endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="The endpoint.")],
    last: Annotated[
        str, typer.Option("--last", metavar="DURATION", help="How far back from the newest prediction.")
    ] = "1d",
    most: Annotated[int, typer.Option(min=1, help="Recompute at most so many predictions.")] = 2_000,
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Recompute served features from the stored rows at their T, and show what differs, with examples.

    The server may go on meanwhile; nothing is recorded. It does the same with a sample at every tick.
    """
    from treadle.adapters.log import FileLogReader
    from treadle.loop.skew import rule_of
    from treadle.loop.skew_now import audit_now

    opened = open_home(home)
    defined = open_project(project, opened).project
    endpoints = {one.name: one for one in defined.endpoints}
    if endpoint not in endpoints:
        raise NotFound.among("endpoint", endpoint, endpoints, where=f"project {defined.name!r}")
    asked = msgspec.structs.replace(rule_of(defined, endpoint), sample=1.0, least=most, most=most)
    with opened_metadata(opened) as metadata, metadata.read() as view:
        reading = audit_now(
            opened.tables(),
            view,
            endpoints[endpoint],
            defined.sources,
            asked,
            predictions=FileLogReader(opened.folder / "predictions"),
            events=FileLogReader(opened.folder / "events"),
            last=duration(last),
        )
    if as_json:
        emit_json(_plain(reading))
        return
    note(f"{reading.state}: {reading.sentence}")
    note(f"predictions from {iso(reading.window.start)} to {iso(reading.window.end)}")
    rows = [_row(one) for one in reading.features]
    emit(rows, FEATURES, as_json=False, empty="nothing was compared")
    examples: list[dict[str, Plain]] = [
        {"feature": one.feature, "prediction_id": e.prediction_id, "at": iso(e.at), "served": _shown(e.served),
         "recomputed": _shown(e.recomputed)}
        for one in reading.features
        for e in one.examples
    ]  # fmt: skip
    if examples:
        emit_heading("examples")
        emit(examples, EXAMPLES, as_json=False)
    for name, why in reading.not_comparable.items():
        note(f"{name} was not compared: {why}")


def _plain(reading: SkewReading) -> dict[str, Plain]:
    return {
        "endpoint": reading.endpoint,
        "state": reading.state,
        "sentence": reading.sentence,
        "from": iso(reading.window.start),
        "to": iso(reading.window.end),
        "served": reading.served,
        "audited": reading.audited,
        "features": [
            {
                "feature": one.feature,
                "state": one.state,
                "compared": one.compared,
                "mismatched": one.mismatched,
                "rate": one.rate,
                "interval": [one.interval.low, one.interval.high],
                "examples": [
                    {
                        "prediction_id": example.prediction_id,
                        "at": iso(example.at),
                        "served": example.served,
                        "recomputed": example.recomputed,
                    }
                    for example in one.examples
                ],
            }
            for one in reading.features
        ],
        "not_comparable": dict(reading.not_comparable),
    }


def _row(one: FeatureSkew) -> dict[str, Plain]:
    return {
        "feature": one.feature,
        "state": one.state,
        "compared": one.compared,
        "mismatched": one.mismatched,
        "rate": one.rate,
        "at_least": one.interval.low,
        "at_most": one.interval.high,
    }


def _shown(value: float | str | None) -> str:
    """Return a value with all its digits: a difference may lie in the last one."""
    return "(none)" if value is None else repr(value) if isinstance(value, float) else value
