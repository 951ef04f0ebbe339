"""Pushed events on their way from the log to the tables: each source's rows beside its loaded ones, dead letters in their own.

A table commit carries the log position it reaches, so after a crash the same events are offered again and land once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import polars as pl

from treadle.define.sources import Source
from treadle.ports.log import AppendLog
from treadle.ports.tables import Tables
from treadle.records.errors import Corrupt
from treadle.records.failpoints import failpoint
from treadle.records.instants import Duration, Instant
from treadle.records.intake import DeadLetter, Event, decode_record
from treadle.stages.data.pushed import WRITER, event_frame

DEAD_LETTERS = "dead_letters"
"""The table of what could not be taken in."""
PORTION = 20_000
"""At most this many records go into one round of table commits, to bound memory."""

_INSTANT = pl.Datetime("us", "UTC")
_LETTERS = {
    "source": pl.String(),
    "event_id": pl.String(),
    "received_at": _INSTANT,
    "raw": pl.Binary(),
    "reasons": pl.List(pl.String()),
    "partition": pl.String(),
    "offset": pl.String(),
    "position": pl.Int64(),
}
"""The columns of the table of dead letters; `position` is that in the event log, unique."""


class EventFlusher:
    """Moves events from the log to their tables, once each, by one thread at a time.

    Args:
        sources: the sources that take in events.
        log: the event log.
        tables: where the rows go.
        keep: for how long records stay in the log after both the tables and the online store have got them.
    """

    def __init__(
        self, sources: Sequence[Source], log: AppendLog, tables: Tables, *, keep: Duration = 0
    ) -> None:
        self.position = log.start()
        """Everything in the log up to here is in the tables."""
        self.rows = 0
        self._sources = {source.name: source for source in sources}
        self._log = log
        self._tables = tables
        self._keep = keep
        self._marks: deque[tuple[Instant, int]] = deque()
        # What each table has got; of the log's first records some may be in some tables already.
        self._done = {
            name: tables.writer_number(name, WRITER) or 0 for name in (*self._sources, DEAD_LETTERS)
        }
        ahead = {name: number for name, number in self._done.items() if number > log.end()}
        if ahead:
            raise Corrupt(
                "the event log is shorter than what has been taken from it",
                where=f"the log ends at {log.end()}",
                fix="restore the home's events/ folder; new events would be taken for old ones",
                faults=[f"table {name!r} has the events up to {number}" for name, number in ahead.items()],
            )

    def pending(self) -> bool:
        """Say whether the log has records that the tables may lack."""
        return self._log.end() > self.position

    def flush(self) -> int:
        """Write what the tables lack; returns how many records were written."""
        end = self._log.end()
        if end <= self.position:
            return 0
        # Never ahead of the log: after a power cut it would lack positions that the tables have passed.
        self._log.sync()
        written = 0
        while self.position < end:
            written += self._portion(end)
        return written

    def drop(self, applied: int, at: Instant) -> None:
        """Free what is no longer needed of the log.

        Args:
            applied: the position up to which the online store has everything.
            at: the present; records are kept for the declared time after both have got them.
        """
        reached = min(applied, self.position)
        if not self._marks or self._marks[-1][1] < reached:
            self._marks.append((at, reached))
        drop_to = None
        while self._marks and self._marks[0][0] <= at - self._keep:
            drop_to = self._marks.popleft()[1]
        if drop_to is not None:
            failpoint("intake.before_drop")
            self._log.drop_before(drop_to)

    def _portion(self, end: int) -> int:
        rows: dict[str, list[tuple[int, Event]]] = {}
        letters: list[tuple[int, DeadLetter]] = []
        reached = end
        for count, (after, data) in enumerate(self._log.read(self.position)):
            if after > end or count >= PORTION:
                break
            reached = after
            record = decode_record(data)
            if isinstance(record, DeadLetter):
                letters.append((after, record))
            elif record.source in self._sources:
                rows.setdefault(record.source, []).append((after, record))
        for name, events in rows.items():
            self._write(name, events)
        self._bury(letters)
        self.position = reached
        return sum(map(len, rows.values())) + len(letters)

    def _write(self, name: str, events: list[tuple[int, Event]]) -> None:
        events = [entry for entry in events if entry[0] > self._done[name]]
        if not events:
            return
        frame = event_frame(self._sources[name], events)
        if self._tables.exists(name):
            # Columns that were declared once and are no more: the table keeps them, empty from now on.
            stored = self._tables.schema(name)
            frame = frame.with_columns(
                pl.lit(None, dtype).alias(column)
                for column, dtype in stored.items()
                if column not in frame.columns
            )
        failpoint("intake.before_tables")
        self._tables.append(name, frame, writer=(WRITER, events[-1][0]), evolve=True)
        failpoint("intake.after_tables")
        self._done[name] = events[-1][0]
        self.rows += frame.height

    def _bury(self, letters: list[tuple[int, DeadLetter]]) -> None:
        letters = [entry for entry in letters if entry[0] > self._done[DEAD_LETTERS]]
        if not letters:
            return
        failpoint("intake.before_dead_letters")
        self._tables.append(DEAD_LETTERS, letter_frame(letters), writer=(WRITER, letters[-1][0]))
        failpoint("intake.after_dead_letters")
        self._done[DEAD_LETTERS] = letters[-1][0]


def letter_frame(letters: Sequence[tuple[int, DeadLetter]]) -> pl.DataFrame:
    """Return dead letters as rows of their table. Pure."""
    return pl.DataFrame(
        [
            (
                letter.source,
                letter.event_id,
                letter.received_at,
                letter.raw,
                letter.reasons,
                letter.partition,
                None if letter.offset is None else str(letter.offset),
                position,
            )
            for position, letter in letters
        ],
        schema={name: pl.Int64() if dtype == _INSTANT else dtype for name, dtype in _LETTERS.items()},
        orient="row",
    ).with_columns(pl.col("received_at").cast(_INSTANT))
