"""Mending a damaged log: what is lost is filled with void frames, so that every position stays what it was.

Damaged bytes are copied to `POSITION.damaged` beside the segments before anything is written over them; whole records are
never touched. Readers pass over void frames (see `log_segments`).
"""

from __future__ import annotations

import os
from itertools import zip_longest
from pathlib import Path

from treadle.adapters.folders import fsync_folder
from treadle.adapters.log import FileLog, take_lock
from treadle.adapters.log_segments import (
    OVERHEAD,
    list_segments,
    next_whole,
    segment_path,
    void_frames,
    whole_records,
)
from treadle.records.errors import Corrupt

MOST_FILLED = 1 << 30
"""Bytes that are filled at most: a log that lost more than this is restored, or begun anew by hand."""


def mend_log(folder: Path, *, reach: int = 0) -> list[str]:
    """Make every place of a log readable, and let it end at `reach` or later; returns what was done, a sentence each.

    Args:
        folder: the log's folder.
        reach: how far the tables that were filled from this log have read it: when the log ends before, a place is left for
            what was lost, so that what is appended from now on reaches the tables.

    Raises:
        Conflict: a process has the log open for writing.
        Corrupt: more is lost than is filled, or too little for a frame; nothing was changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = take_lock(folder)
    try:
        done = [_fill(folder, base, start, end) for base, start, end in _holes(folder)]
    finally:
        os.close(lock)
    log = FileLog(folder)  # cuts a torn tail
    end, start = log.end(), log.start()
    log.close()
    if end < reach and start == end:
        done.append(_begin_at(folder, reach))
    elif end < reach:
        done.append(_fill(folder, list_segments(folder)[-1], end, reach))
    return done


def _holes(folder: Path) -> list[tuple[int, int, int]]:
    """Return every damaged place as (segment, from, to); a torn tail is none.

    Raises:
        Corrupt: one of them cannot be filled.
    """
    bases = list_segments(folder)
    found: list[tuple[int, int, int]] = []
    for base, following in zip_longest(bases, bases[1:]):
        found += _holes_in(folder, base, following)
    for _, start, end in found:
        if not OVERHEAD <= end - start <= MOST_FILLED:
            raise _beyond_filling(folder, start, end)
    return found


def _holes_in(folder: Path, base: int, following: int | None) -> list[tuple[int, int, int]]:
    holes: list[tuple[int, int, int]] = []
    position = base
    descriptor = os.open(segment_path(folder, base), os.O_RDONLY | os.O_CLOEXEC)
    try:
        while True:
            for after, _ in whole_records(descriptor, base, position):
                position = after
            resumed = next_whole(descriptor, base, position)
            if resumed is None:
                resumed = following
            if resumed is None or resumed == position:
                return holes
            holes.append((base, position, resumed))
            position = resumed
            if position == following:
                return holes
    finally:
        os.close(descriptor)


def _fill(folder: Path, base: int, start: int, end: int) -> str:
    """Fill [start, end) of a segment with void frames, after a copy of what stands there was made."""
    if not OVERHEAD <= end - start <= MOST_FILLED:
        raise _beyond_filling(folder, start, end)
    descriptor = os.open(segment_path(folder, base), os.O_RDWR | os.O_CLOEXEC)
    kept = ""
    try:
        damaged = os.pread(descriptor, end - start, start - base)
        if damaged:
            copy = folder / f"{start:020d}.damaged"
            copy.write_bytes(damaged)
            kept = f"; the damaged bytes are in {copy}"
        at = start - base
        for frame in void_frames(start, end - start):
            os.pwrite(descriptor, frame, at)
            at += len(frame)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fsync_folder(folder)
    return f"the log goes on behind position {start:,}: {end - start:,} bytes are lost{kept}"


def _begin_at(folder: Path, position: int) -> str:
    """Let a log without records begin at a position."""
    for base in list_segments(folder):
        segment_path(folder, base).unlink()
    segment_path(folder, position).touch(mode=0o644)
    fsync_folder(folder)
    return f"the log was empty; it begins anew at position {position:,}, up to which the tables have it"


def _beyond_filling(folder: Path, start: int, end: int) -> Corrupt:
    return Corrupt(
        f"the log lost {end - start:,} bytes from position {start:,} on, which cannot be filled",
        where=str(folder),
        fix="restore the folder from a backup; nothing was changed",
    )
