"""A folder as a stream: files of rows are put into it, each whole, and read in the order of their times and names.

    inbox/orders.jsonl                   waits; put there by renaming, so it is never seen half written
    inbox/taken/00000012-orders.jsonl    is being read, as the twelfth file
    inbox/done/00000011-monday.csv       is safe in our tables
    inbox/.last, inbox/.lock             the number given last, and who may give the next

The stream is what lies in `done` and `taken` by number, and then what waits. An offset is a file's number and the row in
it. Whoever has no position yet begins with the oldest file that is left in `done`, so empty that folder when its files are
needed no more. Hidden files and those of other suffixes (`orders.jsonl.part`) are left alone.

An event is named by its file's content and its row, so the same file put in twice, under any names, counts once.
"""

from __future__ import annotations

import fcntl
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from treadle.adapters.streams.inbox_files import READERS, messages
from treadle.adapters.streams.states import closed
from treadle.records.errors import InvalidInput, NotReady
from treadle.records.intake import Offset
from treadle.records.messages import Message, Standing

PARTITION: Final = "inbox"
_NUMBERED: Final = re.compile(r"(\d{8})-.+")
_OFFSET: Final = re.compile(r"(\d{8}):(\d{10})")
_LOOK_S: Final = 0.05
_COUNTED: Final = 100_000


class InboxReader:
    """The files of one folder.

    Args:
        folder: where files are put.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = True
        self._at: tuple[int, int] | None = None
        self._safe = (0, 0)
        self._rows: Iterator[Message] | None = None
        self._reading = 0
        self._last_row: dict[int, tuple[int, int]] = {}

    def poll(self, limit: int, wait_s: float) -> Sequence[Message]:
        """See `Stream.poll`. Looks for files every 50 ms while it waits."""
        until = time.monotonic() + wait_s
        while True:
            with self._reaching():
                found = self._read(limit)
            left = until - time.monotonic()
            if found or left <= 0:
                return found
            time.sleep(min(left, _LOOK_S))

    def commit(self, positions: Mapping[str, Offset]) -> None:
        """See `Stream.commit`. Files that were read to their end move to `done`."""
        if not self._open:
            raise closed()
        offset = positions.get(PARTITION)
        if offset is not None:
            self._safe = max(self._safe, _place(offset))
            with self._reaching():
                self._finish()

    def seek(self, positions: Mapping[str, Offset]) -> None:
        """See `Stream.seek`."""
        if not self._open:
            raise closed()
        offset = positions.get(PARTITION)
        self._at = None if offset is None else _place(offset)
        self._safe = self._at or (0, 0)
        self._rows = None
        self._last_row = {}

    def standings(self) -> Sequence[Standing]:
        """See `Stream.standings`. Reads what waits, up to 100,000 rows."""
        with self._reaching():
            ahead = sum(1 for _ in islice(self._ahead(), _COUNTED + 1))
        position = None if self._at is None else f"{self._at[0]:08}:{self._at[1]:010}"
        uncommitted = 0 if self._at is None or self._at <= self._safe else None
        return [Standing(PARTITION, position, ahead if ahead <= _COUNTED else None, uncommitted)]

    def close(self) -> None:
        """See `Stream.close`."""
        self._open = False
        self._rows = None

    def _read(self, limit: int) -> list[Message]:
        found: list[Message] = []
        while len(found) < limit:
            if self._rows is None and not self._next_file():
                break
            assert self._rows is not None
            more = list(islice(self._rows, limit - len(found)))
            found += more
            if more:
                self._at = _place(more[-1].offset)
            if len(found) < limit:
                self._ended()
        return found

    def _ended(self) -> None:
        """Note that the file being read has no more rows."""
        number, self._rows = self._reading, None
        at = self._at if self._at is not None and self._at[0] == number else (number, 0)
        self._last_row[number] = self._at = at
        self._finish()

    def _next_file(self) -> bool:
        """Open the file behind the present one; takes a waiting one if there is no other. Returns whether there is one."""
        number = 0 if self._at is None else self._at[0]
        if number in self._last_row:
            number += 1
        files = self._numbered(number)
        if not files and self._waiting():
            self._take()
            files = self._numbered(number)
        if not files:
            return False
        self._reading, file = files[0]
        after = self._at[1] if self._at is not None and self._at[0] == self._reading else -1
        self._rows = messages(file, PARTITION, f"{self._reading:08}", after=after)
        return True

    def _ahead(self) -> Iterator[Message]:
        """Yield what a poll would hand out from here on, without taking anything."""
        number, row = self._at or (0, -1)
        for found, file in self._numbered(number):
            yield from messages(file, PARTITION, "0", after=row if found == number else -1)
        for file in self._waiting():
            yield from messages(file, PARTITION, "0")

    def _numbered(self, since: int) -> list[tuple[int, Path]]:
        """Return the files that have a number from this one on, in order."""
        if since > self._last():
            return []
        found = []
        for folder in (self._folder / "done", self._folder / "taken"):
            for file in folder.iterdir() if folder.is_dir() else ():
                name = _NUMBERED.fullmatch(file.name)
                if name is not None and int(name[1]) >= since and file.suffix in READERS:
                    found.append((int(name[1]), file))
        return sorted(found)

    def _waiting(self) -> list[Path]:
        """Return the files that wait, in the order of their times and names."""
        found = [
            (file.stat().st_mtime_ns, file.name, file)
            for file in self._folder.iterdir()
            if file.suffix in READERS and not file.name.startswith(".") and file.is_file()
        ]
        return [file for _, _, file in sorted(found)]

    def _take(self) -> None:
        """Give the files that wait their numbers."""
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Never a number again, though `done` was emptied: positions would take the file for one that was read.
            last = max(self._last(), 0 if self._at is None else self._at[0])
            (self._folder / "taken").mkdir(exist_ok=True)
            for file in self._waiting():
                last += 1
                note = self._folder / ".last.part"
                note.write_text(str(last))
                note.replace(self._folder / ".last")
                file.rename(self._folder / "taken" / f"{last:08}-{file.name}")

    def _last(self) -> int:
        try:
            return int((self._folder / ".last").read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def _finish(self) -> None:
        """Move what is safe to `done`."""
        done = [number for number, end in self._last_row.items() if end <= self._safe]
        if not done:
            return
        (self._folder / "done").mkdir(exist_ok=True)
        for file in sorted((self._folder / "taken").glob("*")):
            name = _NUMBERED.fullmatch(file.name)
            if name is not None and int(name[1]) in done:
                file.rename(self._folder / "done" / file.name)
        newest = max(self._last_row)
        self._last_row = {number: end for number, end in self._last_row.items() if number == newest}

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        if not self._open:
            raise closed()
        try:
            if not self._folder.is_dir():
                raise NotReady(
                    f"there is no inbox {self._folder}", fix="make the folder; files put into it will be read"
                )
            yield
        except OSError as error:
            self._rows = None
            raise NotReady(
                f"the inbox {self._folder} cannot be read: {error}",
                fix="let the user that runs treadle read and rename files there",
            ) from error


def _place(offset: Offset) -> tuple[int, int]:
    """Return the file's number and the row that an offset names."""
    parts = _OFFSET.fullmatch(offset) if isinstance(offset, str) else None
    if parts is None:
        raise InvalidInput(
            f"{offset!r} is no offset of an inbox", fix="use those that came with its messages"
        )
    return int(parts[1]), int(parts[2])


if TYPE_CHECKING:
    from treadle.ports.streams import Stream

    _proof: type[Stream] = InboxReader
