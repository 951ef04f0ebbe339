"""Following the journal while something runs: a sentence for each event that a person waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from treadle.records.instants import SECOND

if TYPE_CHECKING:
    from treadle.ports.metadata import Metadata
    from treadle.records.events import Event

EVERY_SECONDS = 0.2
KINDS = (
    "run.created",
    "step.started",
    "step.finished",
    "step.failed",
    "version.created",
    "verdict.recorded",
    "alias.set",
)


@contextmanager
def followed(metadata: Metadata, say: Callable[[str], None]) -> Iterator[None]:
    """Say what is written to the journal during a block, in order, with at most a moment's delay.

    Args:
        metadata: the store; read from a thread of its own.
        say: called with a sentence at a time, from that thread.
    """
    with metadata.read() as view:
        after = view.journal.end()
    over = threading.Event()
    follower = Follower(metadata, say, after)
    thread = threading.Thread(target=follower.follow, args=(over,), name="journal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Follower:
    """Reads the journal with a cursor and turns events into sentences."""

    def __init__(self, metadata: Metadata, say: Callable[[str], None], after: int) -> None:
        self._metadata = metadata
        self._say = say
        self._after = after
        self._started: dict[str, Event] = {}

    def follow(self, over: threading.Event) -> None:
        """Say what is new, again and again, until it is over and everything has been said."""
        while True:
            last = over.wait(EVERY_SECONDS)
            with self._metadata.read() as view:
                events = view.journal.read(self._after, kinds=KINDS)
            for event in events:
                self._after = event.cursor
                sentence = self.sentence(event)
                if sentence:
                    self._say(sentence)
            if last and not events:
                return

    def sentence(self, event: Event) -> str | None:
        """Return what to say of an event."""
        data = event.data if isinstance(event.data, Mapping) else {}
        match event.kind:
            case "run.created":
                return f"run {event.subject}"
            case "step.started":
                self._started[event.subject] = event
                return f"  {data.get('name')} ..."
            case "step.finished" | "step.failed":
                return self._finished(event, "failed" if event.kind == "step.failed" else "done")
            case "version.created":
                return f"  registered {event.subject}"
            case "verdict.recorded":
                return f"  {event.subject}: {data.get('verdict')}"
            case "alias.set":
                return f"  {event.subject} is now version {data.get('version')}"
        return None

    def _finished(self, event: Event, word: str) -> str | None:
        started = self._started.pop(event.subject, None)
        if started is None or not isinstance(started.data, Mapping):
            return None
        data = event.data if isinstance(event.data, Mapping) else {}
        took = f"{(event.at - started.at) / SECOND:.1f} s"
        found = ", found in the cache" if data.get("cached_from") else ""
        return f"  {started.data.get('name')} {word} in {took}{found}"
