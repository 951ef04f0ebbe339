"""Intake: the one write path. Events go to the log first, are acknowledged, and flow from there to every store.

Which events count is decided once, here, before the log: of several with the same id the first one appended. So the log
holds an event once, and the online store and the tables, which both read it, cannot disagree.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from treadle.define.sources import Source
from treadle.loop.frontier import Frontier
from treadle.ports.clock import Clock
from treadle.ports.log import AppendLog
from treadle.ports.online import Online
from treadle.records.errors import NotFound, NotReady
from treadle.records.failpoints import failpoint
from treadle.records.instants import Instant
from treadle.records.intake import (
    Accepted,
    DeadLetter,
    Event,
    Offset,
    Position,
    Refused,
    decode_record,
    encode_record,
)
from treadle.stages.data.intake import Bounds, Checked, Row, check_rows, make_event, refuse_faulty

POSITIONS = "intake/positions"
"""The online store's view of how far each partition of each source's stream was taken in."""


PORTION = 2_000
"""So many rows are appended at a time; the events of others, and their application, come in between."""


class _Appended(NamedTuple):
    """What came of a portion."""

    end: int
    fresh: int


def seen_view(source: str) -> str:
    """Return the name of the online store's view of the ids of a source's events."""
    return f"intake/seen/{source}"


def position_key(source: str, partition: str) -> bytes:
    """Return the key of a partition in `POSITIONS`."""
    return f"{source}\0{partition}".encode()


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that could not even be made a row."""

    raw: bytes
    reasons: tuple[str, ...]
    position: Position | None = None
    event_id: str | None = None


class Intake:
    """Takes in events; may be used by several threads.

    Args:
        sources: those that events may be offered for.
        log: the event log.
        online: the online store, which keeps the ids of what was taken in.
        clock: gives `received_at`.
        frontier: agreed with those who apply events and who answer.
        applied: the position in the log up to which the online store has everything, ids included.
        announce: called before events get their instant, so that answers know that some are on their way.
        bounds: which event times are believed.
        wake: called after an append, to have the events applied.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        log: AppendLog,
        online: Online,
        clock: Clock,
        frontier: Frontier,
        applied: Callable[[], int],
        announce: Callable[[], None] = lambda: None,
        bounds: Bounds | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.taken = 0
        self.duplicates = 0
        self.dead_letters = 0
        self._sources = {source.name: source for source in sources}
        self._log = log
        self._online = online
        self._clock = clock
        self._frontier = frontier
        self._applied = applied
        self._announce = announce
        self._bounds = bounds or Bounds()
        self._wake = wake
        # Ids in the log that the online store may not have yet, oldest first.
        self._recent: dict[tuple[str, str], int] = {}
        self._order: deque[tuple[int, tuple[str, str]]] = deque()
        self._positions: dict[tuple[str, str], Offset] = {}
        self._unsure = False

    def offer(
        self,
        source: str,
        rows: Sequence[Row],
        *,
        ids: Sequence[str] | None = None,
        positions: Sequence[Position] | None = None,
        whole: bool = True,
    ) -> Accepted:
        """Take in rows; when this returns they are in the log, and no kill of the process can lose them.

        Offering the same events again is safe: what was taken in before is counted as a duplicate.

        Args:
            source: the name of the source they belong to.
            rows: column → value; the rules are those of the source's files.
            ids: the producer's event id of each row, for a source without an `event_id` column.
            positions: (partition, offset) of each row, for those that a stream delivered.
            whole: refuse all rows if one is faulty; otherwise the faulty ones become dead letters.

        Raises:
            InvalidInput: rows are faulty and `whole` is asked for; every fault is listed and nothing was taken in.
            NotFound: there is no such source.
            NotReady: the log cannot be written; offer the rows again.
        """
        definition = self.source(source)
        checked = check_rows(definition, rows, self._clock.now(), ids=ids, bounds=self._bounds)
        if whole:
            refuse_faulty(definition, checked)
        ends: list[_Appended] = []
        for first in range(0, len(rows), PORTION):
            with self._frontier.lock:
                ends.append(
                    self._append(definition, rows, checked, range(first, first + PORTION), ids, positions)
                )
        failpoint("intake.after_append")
        self._wake()
        fresh = sum(one.fresh for one in ends)
        return Accepted(
            ends[-1].end if ends else self._log.end(),
            tuple(checked.ids.get(place) for place in range(len(rows))),
            len(checked.ids) - fresh,
            tuple(Refused(place, tuple(faults)) for place, faults in sorted(checked.faults.items())),
        )

    def bury(self, source: str, letters: Sequence[Letter]) -> int:
        """Keep messages that are no rows as dead letters; returns the end of the log afterwards.

        Raises:
            NotFound: there is no such source.
            NotReady: the log cannot be written.
        """
        self.source(source)
        with self._frontier.lock:
            received = self._receive()
            end = self._log.append_many(
                [encode_record(_dead(source, letter, received)) for letter in letters]
            )
            self.dead_letters += len(letters)
            self._note_positions(source, [letter.position for letter in letters])
        failpoint("intake.after_append")
        self._wake()
        return end

    def sync(self) -> None:
        """Return when everything taken in so far survives loss of power too."""
        self._log.sync()

    def reached(self, source: str) -> Mapping[str, Offset]:
        """Return the newest offset taken in of each partition of a source's stream.

        It can be older than what was taken in when the online store was lost; what is delivered again is recognised.
        """
        prefix = position_key(source, "")
        found: dict[str, Offset] = {
            key[len(prefix) :].decode(): msgspec.msgpack.decode(value)
            for key, value in self._online.scan(POSITIONS)
            if key.startswith(prefix)
        }
        with self._frontier.lock:
            found |= {
                partition: offset for (name, partition), offset in self._positions.items() if name == source
            }
        return found

    def source(self, name: str) -> Source:
        """Return the source that events can be offered for.

        Raises:
            NotFound: there is none of that name; near names are offered.
        """
        found = self._sources.get(name)
        if found is None:
            raise NotFound.among("source", name, self._sources)
        return found

    def _append(
        self,
        source: Source,
        rows: Sequence[Row],
        checked: Checked,
        portion: range,
        ids: Sequence[str] | None,
        positions: Sequence[Position] | None,
    ) -> _Appended:
        """Append a portion of the rows; the frontier's lock must be held."""
        self._make_sure()
        places = range(portion.start, min(portion.stop, len(rows)))
        known = {place: checked.ids[place] for place in places if place in checked.ids}
        fresh = self._fresh(source.name, known)
        dead = [place for place in places if place in checked.faults]
        end = self._log.end()
        if fresh or dead:
            received = self._receive()
            records = []
            for place in places:
                at = None if positions is None else positions[place]
                if place in fresh:
                    event = make_event(source, checked.rows[place], known[place], received, at)
                    records.append(encode_record(event))
                elif place in checked.faults:
                    given = None if ids is None else str(ids[place])
                    letter = Letter(_json(rows[place]), tuple(checked.faults[place]), at, given)
                    records.append(encode_record(_dead(source.name, letter, received)))
            self._unsure = True  # should the append fail, some of the records may be in the log all the same
            end = self._log.append_many(records)
            self._unsure = False
            self._remember(source.name, [known[place] for place in sorted(fresh)], end)
        if positions is not None:
            self._note_positions(source.name, [positions[place] for place in places])
        self.taken += len(fresh)
        self.duplicates += len(known) - len(fresh)
        self.dead_letters += len(dead)
        return _Appended(end, len(fresh))

    def _receive(self) -> Instant:
        self._announce()
        return self._frontier.receive(self._clock.now())

    def _make_sure(self) -> None:
        """Find out what an append that failed has left in the log."""
        if not self._unsure:
            return
        for end, data in self._log.read(max(self._applied(), self._log.start())):
            record = decode_record(data)
            if isinstance(record, Event) and (record.source, record.event_id) not in self._recent:
                self._remember(record.source, [record.event_id], end)
        self._unsure = False

    def _fresh(self, source: str, ids: Mapping[int, str]) -> set[int]:
        """Return the places of the events that have not been taken in before, the first of each id."""
        first: dict[str, int] = {}
        for place, event_id in ids.items():
            first.setdefault(event_id, place)
        # Recent ones are looked at first: an id leaves them only once the online store has it.
        unknown = [event_id for event_id in first if (source, event_id) not in self._recent]
        stored = self._online.get_many(seen_view(source), [event_id.encode() for event_id in unknown])
        return {first[one] for one, value in zip(unknown, stored, strict=True) if value is None}

    def _remember(self, source: str, ids: Sequence[str], end: int) -> None:
        applied = self._applied()
        while self._order and self._order[0][0] <= applied:
            del self._recent[self._order.popleft()[1]]
        for event_id in ids:
            self._recent[source, event_id] = end
            self._order.append((end, (source, event_id)))

    def _note_positions(self, source: str, positions: Sequence[Position | None]) -> None:
        for position in positions:
            if position is not None:
                self._positions[source, position[0]] = position[1]


def _dead(source: str, letter: Letter, received_at: Instant) -> DeadLetter:
    partition, offset = letter.position or (None, None)
    return DeadLetter(
        source, letter.event_id, received_at, letter.raw, list(letter.reasons), partition, offset
    )


def _json(row: Row) -> bytes:
    return json.dumps(dict(row), default=str, ensure_ascii=False).encode(errors="surrogatepass")


def not_open() -> NotReady:
    """Return the error of a home whose event log is not open."""
    return NotReady("events cannot be taken in now", fix="push to a running server", command="treadle up")
