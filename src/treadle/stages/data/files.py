"""A source's files: those that are new are read, each conforming for itself; a changed one has all of them read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from treadle.define.origins import Files
from treadle.define.sources import Source
from treadle.records.outside import FileFacts
from treadle.stages.data.arrivals import once_each
from treadle.stages.data.batches import Batch, Read
from treadle.stages.data.canonical import row_faults
from treadle.stages.data.cursors import FileSeen
from treadle.stages.data.formats import read_format
from treadle.stages.data.places import DataPlace, Listed, digest_file, list_files, open_file


@dataclass(slots=True)
class _Changes:
    """What a listing shows beside what was seen."""

    same: list[FileSeen] = field(default_factory=list)
    new: list[FileFacts] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


def read_files(source: Source, origin: Files, place: DataPlace, seen: Sequence[FileSeen] | None) -> Read:
    """Return the rows of the files that were not seen; or of all, where nothing was seen or a seen file has changed.

    A file counts as seen when path, size and time of change (or entity tag) agree, or else its bytes do. Files of a folder
    need not agree on types, zones or the order of columns.
    """
    owner = f"source {source.name!r}"
    listed, fault = list_files(origin, place)
    if fault is not None:
        return Batch.none(), [f"{owner}: {fault}"]
    if seen is None:
        return _read(source, origin, place, listed, listed.facts, whole=True)
    changes = _changes(origin, place, listed, seen)
    if changes.changed or changes.gone:
        batch, faults = _read(source, origin, place, listed, listed.facts, whole=True)
        said = [f"{owner}: {_said(changes)}; all its files were read again"]
        return batch.saying(said), faults
    if changes.new:
        batch, faults = _read(source, origin, place, listed, changes.new, whole=False)
        return batch.having_seen(sorted([*changes.same, *batch.files], key=lambda one: one.path)), faults
    return Batch.none().having_seen(changes.same), []


def _changes(origin: Files, place: DataPlace, listed: Listed, seen: Sequence[FileSeen]) -> _Changes:
    known = {one.path: one for one in seen}
    changes = _Changes()
    for facts in listed.facts:
        before = known.pop(facts.path, None)
        if before is None:
            changes.new.append(facts)
        elif (before.size, before.stamp) == (facts.size, facts.stamp):
            changes.same.append(before)
        elif before.size == facts.size and _digest(origin, place, listed, facts) == before.digest:
            changes.same.append(FileSeen(facts.path, facts.size, facts.stamp, before.digest))
        else:
            changes.changed.append(facts.path)
    changes.gone = sorted(known)
    return changes


def _digest(origin: Files, place: DataPlace, listed: Listed, facts: FileFacts) -> str:
    return digest_file(open_file(listed, facts, origin.storage, place))


def _read(
    source: Source,
    origin: Files,
    place: DataPlace,
    listed: Listed,
    files: Sequence[FileFacts],
    *,
    whole: bool,
) -> Read:
    parts: list[pl.DataFrame] = []
    seen: list[FileSeen] = []
    places: dict[str, list[str]] = {}
    for facts in files:
        file = open_file(listed, facts, origin.storage, place)
        rows, found = read_format(source, origin.format, file)
        if not found:
            seen.append(FileSeen(facts.path, facts.size, facts.stamp, digest_file(file)))
        if not found and not isinstance(file, bytes) and _moved(file, facts):
            found = ["was changed while it was read; write files elsewhere and rename them into place"]
        parts.append(rows)
        name = listed.shown(facts)
        for fault in found:
            places.setdefault(fault, []).append(name)
    owner = f"source {source.name!r}"
    if places:
        return Batch.none(), [f"{owner} ({_named(names)}): {fault}" for fault, names in places.items()]
    rows = once_each(source, pl.concat(parts))
    faults = [f"{owner} ({source.path}): {fault}" for fault in row_faults(rows, source)]
    return Batch(rows, whole=whole, seen=seen), faults


def _moved(file: Path, facts: FileFacts) -> bool:
    try:
        found = file.stat()
    except OSError:
        return True
    return (found.st_size, str(found.st_mtime_ns)) != (facts.size, facts.stamp)


def _named(files: list[str]) -> str:
    return files[0] if len(files) == 1 else f"{len(files):,} files, e.g. {files[0]}"


def _said(changes: _Changes) -> str:
    words = []
    if changes.changed:
        words.append(f"{_named(changes.changed)} changed")
    if changes.gone:
        words.append(f"{_named(changes.gone)} {'is' if len(changes.gone) == 1 else 'are'} gone")
    return " and ".join(words)
