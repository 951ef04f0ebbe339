"""The skew audit on demand: over the newest predictions of a home, whoever serves it, without a lock and without a trace.

Predictions and pushed events go from their logs to their tables some time later, so both are read, table and log. The
predictions come first: whatever they could have used was in a log or a table before them.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.define.monitors import Skew
from treadle.define.sources import Source
from treadle.loop.skew import AUDITED, audit, feature_digests, inside
from treadle.ports.log import LogReader
from treadle.ports.metadata import View
from treadle.ports.tables import Tables
from treadle.records.errors import NotReady
from treadle.records.estimates import Window
from treadle.records.instants import Duration, Instant
from treadle.records.intake import Event, decode_record
from treadle.records.predictions import decode_prediction
from treadle.records.rows import PUSHED, ROW
from treadle.records.skew import SkewReading
from treadle.stages.data.pushed import event_frame, without_ids
from treadle.stages.features.offline import OfflineFeatures
from treadle.stages.serving.prediction_log import WRITER, table_name, to_frame


def audit_now(
    tables: Tables,
    view: View,
    endpoint: Endpoint,
    sources: Sequence[object],
    rule: Skew,
    *,
    predictions: LogReader,
    events: LogReader,
    last: Duration,
) -> SkewReading:
    """Audit an endpoint's newest predictions and return what was found; nothing is recorded.

    Args:
        tables: the home's tables.
        view: its metadata, for what the features were defined as.
        endpoint: whose predictions.
        sources: the project's sources and tables.
        rule: how they are chosen and judged.
        predictions: the prediction log.
        events: the event log.
        last: how far back from the newest prediction.

    Raises:
        NotReady: the endpoint has never answered.
    """
    served = _served(tables, predictions, endpoint)
    newest = served["at"].to_physical().max()
    if not isinstance(newest, int):
        raise NotReady(
            f"endpoint {endpoint.name!r} has never answered in this home",
            fix="serve it and ask it something",
            command="treadle up",
        )
    window = Window(newest + 1 - last, newest + 1)
    definitions = feature_digests(endpoint.features)
    earlier, since = _other_definitions(view, endpoint, definitions)
    window = Window(min(max(window.start, since), window.end), window.end)
    by_name = {source.name: source for source in sources if isinstance(source, Source)}
    offline = OfflineFeatures(lambda name: _rows(tables, events, name, by_name.get(name)))
    rows = inside(served.lazy(), window)
    return audit(offline, endpoint, rule, rows, window, window.end, definitions=definitions, earlier=earlier)


def _other_definitions(
    view: View, endpoint: Endpoint, present: dict[str, str]
) -> tuple[SkewReading | None, Instant]:
    """Return the newest audit, if it knew other definitions, and from which T on the present ones are known to hold."""
    found = [
        SkewReading.from_json(event.data)
        for event in view.journal.read(kinds=[AUDITED], subject=endpoint.name, limit=100_000)
    ]
    judged = [reading for reading in found if reading.definitions]
    if not judged:
        return None, -(1 << 62)
    if dict(judged[-1].definitions) != present:
        return judged[-1], judged[-1].at
    others = [reading.at for reading in judged if dict(reading.definitions) != present]
    # Between that audit and the next the definitions changed; which predictions came before is not known.
    following = [reading.at for reading in judged if others and reading.at > others[-1]]
    return None, following[0] if following else -(1 << 62)


def _served(tables: Tables, log: LogReader, endpoint: Endpoint) -> pl.DataFrame:
    """Return all predictions of an endpoint, those too that are only in the log."""
    name = table_name(endpoint.name)
    reached = tables.writer_number(name, WRITER) or 0
    stored = tables.read(name).collect() if tables.exists(name) else to_frame([], endpoint.features)
    waiting = []
    if log.end() > reached:
        for _, data in log.read(max(reached, log.start())):
            prediction = decode_prediction(data)
            if prediction.endpoint == endpoint.name:
                waiting.append(prediction)
    if not waiting:
        return stored
    both = pl.concat([stored, to_frame(waiting, endpoint.features)], how="diagonal")
    return both.unique("prediction_id", keep="first", maintain_order=True)


def _rows(tables: Tables, log: LogReader, name: str, source: Source | None) -> pl.DataFrame:
    """Return all rows of a source or table, those too that are only in the event log."""
    stored = without_ids(tables.read(name).collect())
    if source is None or log.end() == 0:
        return stored
    newest = stored[ROW].max()
    reached = newest - PUSHED if isinstance(newest, int) and newest >= PUSHED else 0
    waiting: list[tuple[int, Event]] = []
    if log.end() > reached:
        for position, data in log.read(max(reached, log.start())):
            record = decode_record(data)
            if isinstance(record, Event) and record.source == name:
                waiting.append((position, record))
    if not waiting:
        return stored
    return pl.concat([stored, without_ids(event_frame(source, waiting))], how="diagonal")
