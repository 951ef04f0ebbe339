"""Answers of people become rows of the labels' source, by the one write path: each an event of its own, counted once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.define.sources import Source
from treadle.loop.intake import Intake, not_open
from treadle.loop.labelled import PREDICTION_ID
from treadle.loop.labelling import Labelling
from treadle.loop.live_feed import LiveFeed
from treadle.loop.pushed_online import PushedOnline
from treadle.loop.pushed_store import event_sources, refreshed, settle
from treadle.loop.stored import load_store
from treadle.loop.world import World
from treadle.ports.metadata import Metadata
from treadle.ports.tables import Tables
from treadle.records.digests import digest_value
from treadle.records.errors import InvalidInput
from treadle.records.instants import DAY, Duration, Instant, iso
from treadle.records.intake import Accepted
from treadle.records.labelling import ANSWERED, LabelAnswer, LabelAnswers
from treadle.stages.data.intake import Row
from treadle.stages.data.pushed import pushed_reader
from treadle.stages.data.task_files import AnswerFile, refuse
from treadle.stages.serving.prediction_log import table_name

REMEMBERED: Duration = 30 * DAY
"""How long the id of an event is known, as by a server."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a file of answers adds; nothing was written yet."""

    source: str
    rows: tuple[Row, ...]
    """Rows of the labels' source, to be pushed."""
    ids: tuple[str, ...]
    """Their event ids."""
    record: LabelAnswers
    corrections: int
    """Answers that differ from what the same person said before."""
    unchanged: int
    """Answers that say what the same person said before: nothing is written."""


def plan_answers(
    tables: Tables, state: Labelling, endpoint: Endpoint, file: AnswerFile, at: Instant, where: str
) -> Planned:
    """Return what the answers of a file add to what was said before. Reads the prediction table; writes nothing.

    Raises:
        InvalidInput: the labels cannot be pushed, or predictions are unknown; every fault is listed with its line.
    """
    source = label_source(endpoint)
    asked = _asked(tables, endpoint, [one.prediction_id for one in file.answers])
    faults = [
        f"line {one.line}: endpoint {endpoint.name!r} has no prediction {one.prediction_id[:60]!r}"
        for one in file.answers
        if one.prediction_id not in asked
    ]
    if faults:
        refuse(faults, where)
    rows, ids, answers = [], [], []
    corrections = unchanged = 0
    for one in file.answers:
        last, number = state.said.get((one.prediction_id, one.annotator), (None, 0))
        if last is one.answer:
            unchanged += 1
            continue
        corrections += number > 0
        event = digest_value([endpoint.name, one.prediction_id, one.annotator, number, one.answer])[:32]
        given = asked[one.prediction_id]
        rows.append(
            label_row(endpoint, source, one.prediction_id, one.answer, one.annotator, event, at, given)
        )
        ids.append(event)
        answers.append(
            LabelAnswer(
                prediction_id=one.prediction_id, annotator=one.annotator, answer=one.answer, number=number
            )
        )
    record = LabelAnswers(endpoint=endpoint.name, at=at, answers=tuple(answers))
    return Planned(source.name, tuple(rows), tuple(ids), record, corrections, unchanged)


def record_answers(metadata: Metadata, planned: Planned) -> None:
    """Note answers that were pushed. Done again it changes nothing."""
    if not planned.ids:
        return
    with metadata.begin() as unit:
        unit.journal.append(
            ANSWERED,
            planned.record.endpoint,
            planned.record.at,
            planned.record.as_json(),
            key=digest_value(list(planned.ids)),
        )


def offer_alone(world: World, source: str, rows: Sequence[Row], ids: Sequence[str] | None) -> Accepted:
    """Take in rows of a source in a home that no server holds: through the log, to the online store and the tables.

    Raises:
        InvalidInput: a row is faulty; every fault is listed and nothing was taken in.
        NotReady: the home has no data or no event log, or the log cannot be written.
    """
    if world.events is None:
        raise not_open()
    store = load_store(world)
    pushed = PushedOnline(world.project.views, event_sources(world), world.events, remember=REMEMBERED)
    feed = LiveFeed(world.project.views, world.online, pushed, pushed_reader(world.tables))
    feed.use(store, world.clock.now())
    intake = Intake(
        event_sources(world),
        log=world.events,
        online=world.online,
        clock=world.clock,
        frontier=feed.frontier,
        applied=feed.log_position,
        announce=feed.announce,
    )
    accepted = intake.offer(source, rows, ids=ids)
    intake.sync()
    feed.advance(world.clock.now())
    settle(world)
    refreshed(world, store)
    return accepted


def label_source(endpoint: Endpoint) -> Source:
    """Return the source that labels of an endpoint's predictions can be pushed to.

    Raises:
        InvalidInput: there is none.
    """
    labels = endpoint.labels
    faults = []
    if not isinstance(labels.source, Source):
        faults.append(
            f"they come from the table {labels.source.name!r}, which is computed: nothing can be pushed to it"
        )
    if labels.prediction_id is None and labels.maturity is not None:
        faults.append(
            "they have a maturity and name no prediction: an answer given later would belong to another request"
        )
    if faults or not isinstance(labels.source, Source):
        raise InvalidInput(
            f"labels {labels.name!r} cannot take answers of people",
            faults=faults,
            fix="give the endpoint labels from a source with a column for the prediction's id: "
            "tr.Labels(..., source=tr.Source.push(...), prediction_id=COLUMN)",
        )
    return labels.source


def _asked(tables: Tables, endpoint: Endpoint, ids: Sequence[str]) -> dict[str, Mapping[str, object]]:
    """Return the label's key of each prediction that the table has."""
    name = table_name(endpoint.name)
    if not ids or not tables.exists(name):
        return {}
    rows = tables.read(name).select(PREDICTION_ID, *endpoint.labels.key)
    found = rows.filter(pl.col(PREDICTION_ID).is_in(list(ids))).collect()
    return {str(row[PREDICTION_ID]): row for row in found.iter_rows(named=True)}


def label_row(
    endpoint: Endpoint,
    source: Source,
    prediction_id: str,
    answer: bool | None,
    annotator: str,
    event: str,
    at: Instant,
    asked: Mapping[str, object],
) -> Row:
    """Return what somebody said as a row of the labels' source; columns that nothing is known of are null. Pure.

    Args:
        endpoint: whose prediction.
        source: the labels' source.
        prediction_id: which prediction.
        answer: the label; None takes back what was said before.
        annotator: who said it; empty where nobody is named.
        event: the event id.
        at: when it was said.
        asked: the label's key, as far as it is known.
    """
    labels, timing = endpoint.labels, source.timing
    row: dict[str, object] = dict.fromkeys(source.columns)
    row |= {name: asked.get(name) for name in labels.key}
    row |= {name: iso(at) for name in (timing.event_time, timing.created_time, timing.known_at) if name}
    if timing.tombstone is not None:
        row[timing.tombstone] = answer is None
    if labels.annotator is not None:
        row[labels.annotator] = annotator or None
    if labels.prediction_id is not None:
        row[labels.prediction_id] = prediction_id
    if answer is not None:
        kind = source.columns[labels.value]
        row[labels.value] = answer if kind == "bool" else int(answer) if kind == "int" else float(answer)
    if source.event_id is not None:
        whole = source.columns[source.event_id] == "int"
        row[source.event_id] = int(digest_value(event)[:15], 16) if whole else event
    return row


def said_rows(
    endpoint: Endpoint, said: Mapping[str, bool | None], annotator: str, ids: Sequence[str], at: Instant
) -> tuple[str, list[Row]]:
    """Return labels that name predictions as rows of the labels' source, and its name. Pure.

    Raises:
        InvalidInput: the labels cannot be pushed, name no predictions, or cannot be taken back.
    """
    source = label_source(endpoint)
    faults = []
    if endpoint.labels.prediction_id is None:
        faults.append(
            f"labels {endpoint.labels.name!r} have no column for the prediction's id: push rows of {source.name!r}"
        )
    if source.timing.tombstone is None and None in said.values():
        faults.append(f"source {source.name!r} has no tombstone column: a label cannot be taken back")
    if len(ids) != len(said):
        faults.append(f"{len(said)} labels came with {len(ids)} ids")
    if faults:
        raise InvalidInput("the labels cannot be taken in; nothing was", faults=faults)
    pairs = zip(said.items(), ids, strict=True)
    rows = [
        label_row(endpoint, source, one, value, annotator, event, at, {}) for (one, value), event in pairs
    ]
    return source.name, rows
