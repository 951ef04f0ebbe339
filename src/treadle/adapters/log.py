"""The append log in a folder: segment files, one writer, any number of readers in any process."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.adapters.folders import fsync_folder
from treadle.adapters.log_segments import (
    frame,
    last_whole,
    list_segments,
    next_whole,
    segment_path,
    whole_records,
)
from treadle.records.errors import Conflict, Corrupt, InvalidInput, NotFound, NotReady
from treadle.records.failpoints import failpoint

if TYPE_CHECKING:
    from treadle.ports.log import AppendLog, LogReader

SEGMENT_BYTES = 64 << 20


class FileLogReader:
    """Reads a log that this or another process writes; takes no lock and never changes a file.

    Args:
        folder: the log's folder; may be empty or absent as long as nothing was written.
    """

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder).absolute()

    def read(self, since: int = 0, limit: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield `(position after, record)`; see `LogReader.read`. About 1 µs a record."""
        if limit is not None and limit < 0:
            raise InvalidInput(f"the limit {limit} is negative", where=str(self._folder))
        start = self.start()
        if since == 0:
            since = start
        if since < start:
            raise self._dropped(since)
        if since > self._written():
            raise self._past_the_end(since, self._written())
        return self._records(since, limit)

    def start(self) -> int:
        """Return the position before the oldest record kept; see `LogReader.start`."""
        return next(iter(list_segments(self._folder)), 0)

    def end(self) -> int:
        """Return the position after the last whole record; reads the last segment (about 0.2 s when full)."""
        bases = list_segments(self._folder)
        if not bases:
            return 0
        with self._open(bases[-1]) as descriptor:
            return last_whole(descriptor, bases[-1], bases[-1])

    def close(self) -> None:
        """Do nothing: a reader holds no file between calls."""

    def _written(self) -> int:
        """Return the position at which the files end, a torn tail included."""
        bases = list_segments(self._folder)
        return bases[-1] + segment_path(self._folder, bases[-1]).stat().st_size if bases else 0

    def _records(self, position: int, limit: int | None) -> Iterator[tuple[int, bytes]]:
        left = -1 if limit is None else limit
        while left:
            # Listed before reading: a segment that has a successor now has got its last byte already.
            bases = list_segments(self._folder)
            if not bases:
                return
            if bases[0] > position:
                raise self._dropped(position)
            base = max(base for base in bases if base <= position)
            with self._open(base) as descriptor:
                for after, record in whole_records(descriptor, base, position):
                    position = after
                    if record is None:  # filling, where bytes were lost
                        continue
                    yield after, record
                    left -= 1
                    if not left:
                        return
                if self._goes_on(descriptor, base, position, sealed=base != bases[-1]):
                    continue
            if position not in bases or position == base:
                return

    def _goes_on(self, descriptor: int, base: int, position: int, *, sealed: bool) -> bool:
        """Tell whether a frame has become whole since it was looked at, in the segment where reading stopped.

        Raises:
            Corrupt: what stands at the position is neither a record nor the end of the log.
        """
        at_the_end = position >= base + os.fstat(descriptor).st_size
        follows = position > base and segment_path(self._folder, position).exists()
        if at_the_end and (follows or not sealed):
            return False
        resumed = next_whole(descriptor, base, position)
        # Looked at again after the search: the writer may have finished this frame and another meanwhile.
        if any(True for _ in whole_records(descriptor, base, position)):
            return True
        if resumed is None and not sealed:
            return False
        if resumed is None:
            resumed = min((other for other in list_segments(self._folder) if other > position), default=None)
        if resumed is None:  # truncated meanwhile
            return False
        if self.start() > position:
            raise self._dropped(position)
        raise Corrupt(
            f"the log is damaged at position {position}",
            where=f"{segment_path(self._folder, base)}, offset {position - base}",
            fix=f"restore the file from a copy, or go on behind the damage: read since {resumed}",
        )

    def _open(self, base: int) -> _Opened:
        try:
            return _Opened(segment_path(self._folder, base))
        except FileNotFoundError:
            raise self._dropped(base) from None

    def _dropped(self, position: int) -> NotFound:
        return NotFound(
            f"records after position {position} were dropped; the oldest kept start at {self.start()}",
            where=str(self._folder),
            fix="read from 0 to begin with the oldest record kept",
        )

    def _past_the_end(self, position: int, end: int) -> InvalidInput:
        return InvalidInput(
            f"the position {position} lies past the end of the log, {end}",
            where=str(self._folder),
            fix="use positions that this log gave; was it truncated, or another log in its place?",
        )


class FileLog(FileLogReader):
    """The one writer of a log.

    A record is one unbuffered write to the end of the last segment (about 3 µs for 400 bytes). Opening cuts
    a torn
    tail: what follows the last whole record. When whole records follow a damaged place, nothing is cut,
    appending goes on, and reading names the place. A last record damaged later cannot be told from a torn
    one.

    Args:
        folder: where the segments are; made if it is not there.
        segment_bytes: a new segment is begun once the last one has this size. `drop_before` frees whole
            segments, and never the last one.

    Raises:
        Conflict: another process, or another object in this one, has the log open for writing.
    """

    def __init__(self, folder: Path | str, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        super().__init__(folder)
        self._segment_bytes = segment_bytes
        self._mutex = threading.Lock()
        self._fd = -1
        self._closed: str | None = None
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = take_lock(self._folder)
        try:
            self._continue_from((list_segments(self._folder) or [0])[-1])
        except BaseException:
            self.close()
            raise

    def append(self, record: bytes) -> int:
        """Append a record and return the position after it; see `AppendLog.append`."""
        with self._mutex:
            position = self._ready()
            self._write(framed := frame(position, record))
            self._end = position = position + len(framed)
            self._unsure = False
            return position

    def append_many(self, records: Iterable[bytes]) -> int:
        """Append records in one write and return the position after the last; see `AppendLog.append_many`."""
        with self._mutex:
            position = self._ready()
            frames = []
            for record in records:
                frames.append(framed := frame(position, record))
                position += len(framed)
            self._write(b"".join(frames))
            self._end = position
            self._unsure = False
            return position

    def sync(self) -> None:
        """Make everything appended so far durable; see `AppendLog.sync`. Appends are not held up by it."""
        with self._mutex:
            self._make_sure()
            descriptor = os.dup(self._fd)
        failpoint("log.before_sync")
        try:
            self._fsync(descriptor)
        finally:
            os.close(descriptor)

    def end(self) -> int:
        """Return the position after the last record appended; costs nothing."""
        return self._end

    def truncate(self, position: int) -> None:
        """Remove every record after the position; see `AppendLog.truncate`. Reads the segment it lies in."""
        with self._mutex:
            self._make_sure()
            base = self._boundary(position)
            # Until it is done, the open file may be one that is already removed.
            self._closed, self._unsure = "truncating it was interrupted", True
            # The newest goes first, so that a kill in between leaves a shorter log without a gap.
            for later in reversed(list_segments(self._folder)):
                if later > base:
                    segment_path(self._folder, later).unlink()
                    failpoint("log.while_truncating")
            old = self._fd
            self._continue_from(base, cut=position)
            self._closed = None
            os.close(old)

    def drop_before(self, position: int) -> None:
        """Remove the segments that end at or before the position; see `AppendLog.drop_before`."""
        with self._mutex:
            self._make_sure()
            if position > self._end:
                raise self._past_the_end(position, self._end)
            bases = list_segments(self._folder)
            for base, following in pairwise(bases):
                if following > position:
                    break
                segment_path(self._folder, base).unlink()
                failpoint("log.while_dropping")
            fsync_folder(self._folder)

    def close(self) -> None:
        """Close the files and let the next writer in; does not sync."""
        with self._mutex:
            self._closed = self._closed or "it is closed"
            self._unsure = True
            for descriptor in (self._fd, self._lock):
                if descriptor >= 0:
                    os.close(descriptor)
            self._fd = self._lock = -1

    def __del__(self) -> None:
        if hasattr(self, "_lock"):
            self.close()

    def _ready(self) -> int:
        """Return where to append, after making sure that the end is known and that the segment has room."""
        self._make_sure()
        if self._end >= self._roll_at:
            self._roll()
        return self._end

    def _write(self, data: bytes) -> None:
        failpoint("log.before_write")
        # Until the caller has moved the end, an interrupt or a full disk leaves unknown bytes behind it.
        self._unsure = True
        try:
            written = os.write(self._fd, data)
            while written < len(data):
                written += os.write(self._fd, memoryview(data)[written:])
        except OSError as problem:
            raise NotReady(
                f"the log cannot be written: {problem.strerror}",
                where=str(self._folder),
                fix="make room or mend the disk; what was not acknowledged must be appended again",
            ) from problem
        failpoint("log.after_write")

    def _make_sure(self) -> None:
        """Find the end anew if an append did not come to its own; refuse if the log is closed."""
        if not self._unsure:
            return
        if self._closed:
            raise NotReady(
                f"the log cannot be used: {self._closed}", where=str(self._folder), fix="open the log anew"
            )
        self._end = last_whole(self._fd, self._base, self._end)
        os.ftruncate(self._fd, self._end - self._base)
        self._unsure = False

    def _roll(self) -> None:
        """Begin a new segment; the old one is durable by then, so that only the last can have a torn tail."""
        self._fsync(self._fd)
        failpoint("log.before_roll")
        old = self._fd
        self._continue_from(self._end)
        os.close(old)

    def _continue_from(self, base: int, *, cut: int | None = None) -> None:
        """Open the segment for appending, made if absent, and cut what is behind its last whole record."""
        path = segment_path(self._folder, base)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            end = last_whole(descriptor, base, base) if cut is None else cut
            os.ftruncate(descriptor, end - base)
            os.fsync(descriptor)
            fsync_folder(self._folder)
        except BaseException:
            os.close(descriptor)
            raise
        self._fd, self._base, self._end = descriptor, base, end
        self._roll_at = base + self._segment_bytes
        self._unsure = False

    def _boundary(self, position: int) -> int:
        """Return the start of the segment in which a record ends at the position."""
        start = self.start()
        if not start <= position <= self._end:
            raise InvalidInput(
                f"the position {position} lies outside of the log, {start} to {self._end}",
                where=str(self._folder),
            )
        base = max(base for base in list_segments(self._folder) if base <= position)
        with self._open(base) as descriptor:
            at: int | None = base
            while at is not None and at < position:
                for at, _ in whole_records(descriptor, base, at):  # noqa: B020 - goes on from there
                    if at >= position:
                        break
                else:
                    at = next_whole(descriptor, base, at)
        if at != position:
            raise InvalidInput(f"no record ends at position {position}", where=str(self._folder))
        return base

    def _fsync(self, descriptor: int) -> None:
        try:
            os.fsync(descriptor)
        except OSError as problem:
            # After a failed fsync the system may have forgotten the pages: trying again would prove nothing.
            self._closed = f"syncing failed ({problem.strerror}), and it is unknown what is on the disk"
            self._unsure = True
            raise NotReady(
                f"the log cannot be made durable: {problem.strerror}",
                where=str(self._folder),
                fix="open the log anew",
            ) from problem


class _Opened:
    """A file opened for reading, as a context manager over its bare descriptor."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> int:
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def take_lock(folder: Path) -> int:
    """Take the lock of a log's one writer; returns the descriptor that holds it.

    Raises:
        Conflict: another process, or another object in this one, has it.
    """
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise Conflict(
            f"the log is being written by process {owner}",
            where=str(folder),
            fix="stop that process, or open the log with FileLogReader to read it",
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


if TYPE_CHECKING:
    _reader: LogReader = FileLogReader("")
    _log: AppendLog = FileLog("")
