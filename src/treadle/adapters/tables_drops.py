"""Dropping versions of Delta tables: which files only they need, and the note that says which versions are gone.

`deltalake`'s own vacuum removes files by the age of their tombstones; here a file goes when every version that has it was
dropped. What each version has is read from the log, which is never cleaned up. The note is written before the first file
goes, so that no version is offered that has lost some.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from urllib.parse import unquote

from treadle.records.errors import Corrupt, InvalidInput, NotFound

FOLDER = ".dropped"
"""Beside the tables: a file for each that had versions dropped."""


def note_path(name: str) -> str:
    """Return where a table's note is, relative to the tables. Pure; `+` cannot occur in a name."""
    return f"{FOLDER}/{name.replace('/', '+')}.json"


def read_note(data: bytes | None, where: str) -> frozenset[int]:
    """Return the versions that were dropped. Pure.

    Raises:
        Corrupt: the note is damaged.
    """
    if data is None:
        return frozenset()
    try:
        return frozenset(map(int, json.loads(data)))
    except (ValueError, TypeError) as error:
        raise Corrupt(
            f"the note of dropped versions is damaged: {where}", fix="restore the file; rows are not at risk"
        ) from error


def write_note(versions: Collection[int]) -> bytes:
    """Return the note of dropped versions. Pure."""
    return json.dumps(sorted(versions)).encode() + b"\n"


def check_drop(name: str, versions: Collection[int], newest: int) -> None:
    """Refuse to drop what is not there, or the newest version. Pure.

    Raises:
        NotFound: there is no such version.
        InvalidInput: the newest one is among them.
    """
    unknown = sorted(version for version in versions if not 0 <= version <= newest)
    if unknown:
        raise NotFound(f"table {name!r} has no version {unknown[0]}", fix=f"its versions are 0 to {newest}")
    if newest in versions:
        raise InvalidInput(f"version {newest} of table {name!r} is its newest one, which stays")


def only_needed_by(gone: Collection[int], newest: int, commit: Callable[[int], bytes]) -> Mapping[str, int]:
    """Return the files, as path → size, that versions have which are gone, and no other one has.

    Args:
        gone: the versions.
        newest: the newest version, which is not among them.
        commit: returns the log entry of a version.
    """
    sizes: dict[str, int] = {}
    live: set[str] = set()
    needed: set[str] = set()
    freed: set[str] = set()
    for version in range(newest + 1):
        for line in commit(version).splitlines():
            action = json.loads(line)
            if "add" in action:
                path = unquote(action["add"]["path"])
                sizes[path] = int(action["add"]["size"])
                live.add(path)
            elif "remove" in action:
                live.discard(unquote(action["remove"]["path"]))
        if version in gone:
            freed |= live
        else:
            needed |= live
    return {path: sizes[path] for path in sorted(freed - needed)}
