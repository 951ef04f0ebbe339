"""Versions of data from Python: `tr.dataset` returns the rows of exactly one version."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.records.errors import InvalidInput

if TYPE_CHECKING:
    import polars as pl

DEFAULT_HOME = Path(".treadle")


def dataset(
    name: str,
    *,
    version: int | None = None,
    tag: str | None = None,
    at: str | int | date | datetime | None = None,
    times: bool = False,
    home: str | Path = DEFAULT_HOME,
) -> pl.LazyFrame:
    """Return the rows of one version of a dataset, lazily; nothing in the home is changed.

    Args:
        name: of the source or table.
        version: its number; or
        tag: the tag that points at it; or
        at: an instant: the version that was the newest then. Without any of the three, the newest.
        times: whether treadle's own columns (`__event_time`, `__known_at` and others) come along.
        home: the home it is kept in.

    Returns:
        A lazy frame that stays at that version, whatever is written later.

    Raises:
        NotFound: there is no such home, dataset, version or tag, or the version's rows have been removed.
        InvalidInput: more than one of version, tag and at was given.
    """
    from contextlib import closing

    from treadle.bootstrap import Home
    from treadle.records.instants import instant, iso
    from treadle.stages.data.versions import find_version, version_rows

    chosen = [
        *([] if version is None else [str(version)]),
        *([] if tag is None else [tag]),
        *([] if at is None else [iso(instant(at))]),
    ]
    if len(chosen) > 1:
        raise InvalidInput("version, tag and at each name a version", fix="give one of them")
    opened = Home.at(Path(home), create=False)
    with closing(opened.metadata()) as metadata, metadata.read() as view:
        manifest = find_version(view.datasets, name, chosen[0] if chosen else None)
    return version_rows(opened.tables(), manifest, times=times)
