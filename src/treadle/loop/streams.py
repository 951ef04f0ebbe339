"""Streams of a running server: messages become events of the log, each once, and then the broker is told.

One turn: poll → decode → the event log (or a dead letter in its place) → sync → tell the broker. Events and dead letters
are appended in the order of the stream, with their offsets, so the newest offset in the log says exactly how far the stream
was taken in: a consumer that was killed begins behind it, whatever the broker remembers. What comes twice all the same is
recognised by its event id.

A home has one process that holds it, and that process has one consumer for a source.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from treadle.define.origins import Inbox, KafkaTopic, NatsStream, Origin, RedisStream
from treadle.define.sources import Source
from treadle.loop.intake import Intake, Letter
from treadle.ports.clock import Clock
from treadle.ports.metadata import Metadata
from treadle.ports.streams import Stream, Streams
from treadle.records.digests import digest_value
from treadle.records.errors import NotReady, TreadleError
from treadle.records.failpoints import failpoint
from treadle.records.instants import SECOND, Instant
from treadle.records.intake import Offset, Position
from treadle.records.messages import Message, event_id
from treadle.records.streams import StreamCounts, StreamState, stream_state
from treadle.stages.data.consume import KEPT_OF_LONG, LONGEST_MESSAGE, Undecodable, decode, event_times
from treadle.stages.data.intake import Row

BATCH = 2_000
"""At most so many messages in one turn."""
WAIT_S = 0.5
"""Seconds that a turn waits for a message."""
COMMIT_S = 0.5
"""Seconds between two times that the broker is told, while messages come."""
NOTE_S = 5.0
"""Seconds between two notes of how it goes."""
_CHECKPOINT = "streams/"


def stream_key(origin: Origin) -> str:
    """Return eight characters that tell a stream from all others; offsets of another stream mean nothing here. Pure."""
    match origin:
        case RedisStream():
            said = ["redis", str(origin.url), origin.stream]
        case NatsStream():
            said = ["nats", str(origin.url), origin.stream, origin.subject or ""]
        case KafkaTopic():
            said = ["kafka", str(origin.servers), origin.topic]
        case _:
            said = [type(origin).__name__, origin.place]
    return digest_value(said)[:8]


def consumed(source: Source) -> bool:
    """Say whether a source's events are fetched from a stream. Pure."""
    return isinstance(source.origin, Inbox | RedisStream | NatsStream | KafkaTopic)


def open_stream(streams: Streams, origin: Origin, data: Path | None) -> Stream:
    """Open the stream of an origin.

    Args:
        streams: opens them.
        origin: one of a source that is `consumed`.
        data: the data folder, which inboxes are in.

    Raises:
        NotReady: the client is not installed, a secret is not set, or there is no data folder for an inbox.
        InvalidInput: an address or option is none.
    """
    match origin:
        case Inbox():
            if data is None:
                raise NotReady(
                    f"the inbox {origin.path!r} lies in the data folder, and none was named",
                    fix="name the folder on this machine: treadle up --data DIR",
                )
            return streams.inbox(data / origin.path)
        case RedisStream():
            return streams.redis(origin.url, origin.stream, origin.group)
        case NatsStream():
            return streams.nats(origin.url, origin.stream, origin.subject, origin.durable)
        case KafkaTopic():
            return streams.kafka(origin.servers, origin.topic, origin.group, origin.options)
        case _:
            raise NotReady(f"{origin.place} come by themselves or with the data: there is no stream to open")


class Consumer:
    """Takes one source's messages into the event log; used by one thread at a time.

    Args:
        source: the source.
        open_it: opens its stream.
        intake: takes in events.
        metadata: where it is noted how it goes.
        clock: the time of those notes.
        batch: at most so many messages in one turn.
        wait_s: seconds that a turn waits for a message.
    """

    def __init__(
        self,
        source: Source,
        open_it: Callable[[], Stream],
        *,
        intake: Intake,
        metadata: Metadata,
        clock: Clock,
        batch: int = BATCH,
        wait_s: float = WAIT_S,
    ) -> None:
        self.source = source
        noted = _noted(metadata, source) or StreamState(0, source.path)
        self.state = replace(noted, waiting=None)
        self._open_it = open_it
        self._intake = intake
        self._metadata = metadata
        self._clock = clock
        self._batch = batch
        self._wait_s = wait_s
        self._key = stream_key(source.origin)
        self._stream: Stream | None = None
        self._standing = False
        self._taken: dict[str, Offset] = {}
        self._newest: dict[str, Instant] = {}
        self._told_at = 0.0
        self._noted_at = 0.0
        self._lost_before = self.state.counts.lost
        self._saved = self.state

    def turn(self) -> None:
        """Do one turn. Safe to repeat after it has failed.

        Raises:
            NotReady: the broker or the log cannot be reached.
            Conflict: another consumer takes messages away, or the stream was made anew.
        """
        try:
            self._turn()
        except TreadleError as error:
            self._standing = False  # whatever was handed out and not taken in must come again
            self.state = replace(self.state, fault=error.what)
            self._note()
            raise
        except BaseException:
            self._standing = False
            raise

    def close(self) -> None:
        """Tell the broker how far it got, note it, and let go of the stream."""
        if self._stream is not None and self._taken:
            self._tell(self._stream)
        self._note(ask=False)
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _turn(self) -> None:
        stream = self._stand()
        messages = stream.poll(self._batch, self._wait_s)
        failpoint("streams.after_poll")
        if messages:
            self._take(messages)
        if self.state.fault is not None:
            self.state = replace(self.state, fault=None)
        if self._taken and (not messages or time.monotonic() - self._told_at >= COMMIT_S):
            self._tell(stream)
        if time.monotonic() - self._noted_at >= NOTE_S or not messages:
            self._note()

    def _stand(self) -> Stream:
        if self._stream is None:
            self._stream = self._open_it()
        if not self._standing:
            prefix = f"{self._key}:"
            found = self._intake.reached(self.source.name).items()
            reached = {name[len(prefix) :]: at for name, at in found if name.startswith(prefix)}
            self._stream.seek(reached)
            self._taken |= reached
            self._standing = True
        return self._stream

    def _take(self, messages: Sequence[Message]) -> None:
        """Append what the messages hold, in their order: positions in the log must not get ahead of what is in it."""
        read = [(message, decode(message, self.source.columns)) for message in messages]
        taken = duplicates = dead = 0
        for undecodable, run in groupby(read, key=lambda entry: isinstance(entry[1], Undecodable)):
            entries = list(run)
            if undecodable:
                self._intake.bury(self.source.name, list(self._letters(entries)))
                dead += len(entries)
            else:
                new, repeated, refused = self._offer(entries)
                taken, duplicates, dead = taken + new, duplicates + repeated, dead + refused
            failpoint("streams.after_take")
        self._taken |= {message.partition: message.offset for message in messages}
        was = self.state.counts
        counts = replace(
            was,
            messages=was.messages + len(messages),
            taken=was.taken + taken,
            duplicates=was.duplicates + duplicates,
            dead_letters=was.dead_letters + dead,
        )
        self.state = replace(self.state, counts=counts, last_message=self._clock.now(), waiting=None)

    def _offer(self, entries: Sequence[tuple[Message, Row | Undecodable]]) -> tuple[int, int, int]:
        rows = [row for _, row in entries if not isinstance(row, Undecodable)]
        given = [event_id(message, self._key) for message, _ in entries]
        accepted = self._intake.offer(
            self.source.name,
            rows,
            ids=given,
            positions=[self._position(message) for message, _ in entries],
            whole=False,
        )
        taken = [
            (message.partition, row)
            for (message, _), row, named in zip(entries, rows, accepted.ids, strict=True)
            if named is not None
        ]
        self._watch(taken)
        return accepted.taken, accepted.duplicates, len(accepted.refused)

    def _letters(self, entries: Sequence[tuple[Message, Row | Undecodable]]) -> Iterator[Letter]:
        for message, fault in entries:
            assert isinstance(fault, Undecodable)
            kept = message.value if len(message.value) <= LONGEST_MESSAGE else message.value[:KEPT_OF_LONG]
            yield Letter(kept, fault.reasons, self._position(message), event_id(message, self._key))

    def _watch(self, rows: Sequence[tuple[str, Row]]) -> None:
        """Advance the watermark, and count what came behind it.

        Each partition has a mark of its own, since they are read one after another when much is waiting; the stream's is
        the least of them, and never goes back.
        """
        late, delay = 0, self.source.timing.known_after
        times = event_times(self.source, [row for _, row in rows])
        for (partition, _), at in zip(rows, times, strict=True):
            if at is not None:
                newest = self._newest.get(partition, at)
                late += at < newest - delay
                self._newest[partition] = max(newest, at)
        if not self._newest:
            return
        was = self.state
        least, most = min(self._newest.values()) - delay, max(self._newest.values())
        self.state = replace(
            was,
            newest=most if was.newest is None else max(was.newest, most),
            watermark=least if was.watermark is None else max(was.watermark, least),
            counts=replace(was.counts, late=was.counts.late + late),
        )

    def _position(self, message: Message) -> Position:
        return f"{self._key}:{message.partition}", message.offset

    def _tell(self, stream: Stream) -> None:
        """Tell the broker what is durable in the log; that it cannot be told now is no fault: later it will be."""
        self._intake.sync()
        failpoint("streams.before_commit")
        try:
            stream.commit(self._taken)
        except NotReady:
            return
        failpoint("streams.after_commit")
        self._taken, self._told_at = {}, time.monotonic()

    def _note(self, *, ask: bool = True) -> None:
        """Keep how it goes where others can look at it, if it has changed."""
        self._noted_at = time.monotonic()
        if ask and self._standing and self._stream is not None:
            self._ask(self._stream)
        if replace(self.state, at=self._saved.at) == self._saved:
            return
        self.state = replace(self.state, at=self._clock.now())
        try:
            with self._metadata.begin() as unit:
                unit.checkpoints.put(_CHECKPOINT + self.source.name, self.state.as_json(), self.state.at)
        except TreadleError:
            return  # it is only for people; the next note will tell as much
        self._saved = self.state

    def _ask(self, stream: Stream) -> None:
        try:
            standings = stream.standings()
        except TreadleError:
            return
        known = [standing.waiting for standing in standings if standing.waiting is not None]
        waiting = sum(known) if len(known) == len(standings) else None
        lost = self._lost_before + sum(standing.lost or 0 for standing in standings)
        self.state = replace(self.state, waiting=waiting, counts=replace(self.state.counts, lost=lost))


def stream_states(metadata: Metadata, sources: Sequence[Source]) -> Mapping[str, StreamState | None]:
    """Return how the reading of each source's stream went when it was noted last; None for one that never was."""
    return {source.name: _noted(metadata, source) for source in sources if consumed(source)}


def lag(state: StreamState, now: Instant) -> float | None:
    """Return how many seconds the newest event time is behind the clock. Pure."""
    return None if state.newest is None else max(now - state.newest, 0) / SECOND


def _noted(metadata: Metadata, source: Source) -> StreamState | None:
    with metadata.read() as view:
        checkpoint = view.checkpoints.get(_CHECKPOINT + source.name)
    if checkpoint is None:
        return None
    found = stream_state(checkpoint.value)
    return found if found.stream == source.path else None


__all__ = ["Consumer", "StreamCounts", "consumed", "lag", "open_stream", "stream_key", "stream_states"]
