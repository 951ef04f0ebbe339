"""Whether the prediction log can go on: whole where it is still to be read, and the one its tables were filled from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from treadle.ports.log import LogReader
from treadle.ports.tables import Tables
from treadle.records.errors import Corrupt, NotFound
from treadle.records.predictions import Prediction, decode_prediction
from treadle.stages.serving.prediction_log import WRITER, table_name


@dataclass(frozen=True, slots=True)
class LogFindings:
    """What a look at the whole log found."""

    records: int
    """Readable records, up to the first damage."""
    waiting: int
    """Bytes that are not in the tables yet."""
    faults: tuple[str, ...]
    """Why predictions have not reached, or would not reach, their tables; empty when all is well."""


def positions(tables: Tables, endpoints: Sequence[str]) -> dict[str, int]:
    """Return up to which position of the log each endpoint's table was filled; 0 for one that has no table yet."""
    return {name: tables.writer_number(table_name(name), WRITER) or 0 for name in endpoints}


def start_faults(log: LogReader, reached: Mapping[str, int]) -> list[str]:
    """Return why new predictions would not reach their tables; reads what the tables don't have yet, 1 µs a record.

    Args:
        log: the prediction log.
        reached: endpoint → position up to which its table was filled.
    """
    end = log.end()
    faults = [
        f"the table of {name!r} was filled up to position {position:,} of the log, but the log ends at {end:,}: "
        "what was lost from it, and what is predicted now, would never be told apart"
        for name, position in reached.items()
        if position > end
    ]
    since = [position for position in reached.values() if position <= end]
    return faults + [fault for position in sorted({*since}) for fault in _unreadable(log, position)][:1]


def examine(log: LogReader, tables: Tables) -> LogFindings:
    """Read the whole log and hold it against the tables of all endpoints; about 10 µs a record."""
    reached = positions(tables, _endpoints_with_tables(tables))
    newest: dict[str, Prediction] = {}
    records, end, faults, behind = 0, log.start(), [], dict(reached)
    try:
        for position, record in log.read():
            records, end = records + 1, position
            prediction = decode_prediction(record)
            if position <= behind.setdefault(prediction.endpoint, 0):
                newest[prediction.endpoint] = prediction
    except Corrupt as error:
        faults.append(error.what)
    faults = start_faults(log, behind) or faults
    faults += [
        f"the table of {name!r} lacks the last prediction that the log has before position {behind[name]:,}, up to which "
        "it was filled: it was filled from another log"
        for name, prediction in newest.items()
        if not _has(tables, name, prediction)
    ]
    waiting = max((end - position for position in behind.values()), default=0)
    return LogFindings(records, max(waiting, 0), tuple(faults))


def _endpoints_with_tables(tables: Tables) -> list[str]:
    above = table_name("")
    return [name.removeprefix(above) for name in tables.names() if name.startswith(above)]


def _unreadable(log: LogReader, since: int) -> list[str]:
    try:
        for _ in log.read(max(since, log.start())):
            pass
    except (Corrupt, NotFound) as error:
        return [error.what + (f" ({error.where})" if error.where else "")]
    return []


def _has(tables: Tables, endpoint: str, prediction: Prediction) -> bool:
    rows = tables.read(table_name(endpoint))
    if "prediction_id" not in rows.collect_schema().names():
        return True
    return rows.filter(pl.col("prediction_id") == prediction.prediction_id).head(1).collect().height > 0
