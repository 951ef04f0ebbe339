"""`treadle data prune`: remove the rows of versions that nothing needs any more."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import for_people, home_now, open_home, reading
from treadle.entry.cli._shared import DEFAULT_HOME, AsJson, Home, Plain, emit, emit_json, note
from treadle.records.instants import duration, iso

if TYPE_CHECKING:
    from treadle.loop.retention import Pruned

COLUMNS = ("version", "created", "rows", "fate", "why")
MOST_REASONS = 3


def prune(
    keep: Annotated[
        int, typer.Option(min=1, help="So many of the newest versions of each dataset stay.")
    ] = 10,
    older_than: Annotated[str, typer.Option(help="Only versions of at least this age go, e.g. 30d.")] = "30d",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the plan; so it is without --yes.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove what the plan lets go, for good.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Remove the rows of versions that no run, model, tag or newer data refers to; without --yes only say which.

    What is known of a version stays: its hashes, counts, parents, and what was made of it.
    """
    from treadle.loop import retention

    opened = open_home(home)
    age, now = duration(older_than), home_now(opened)
    if yes and not dry_run:
        with opened.held("treadle data prune"), closing(opened.metadata()) as metadata:
            done = retention.prune(opened.tables(), metadata, now=now, keep=keep, older_than=age)
    else:
        with reading(opened) as view:
            done = retention.Pruned(retention.plan_prune(view, now=now, keep=keep, older_than=age))
    rows = records(done)
    gone = [row for row in rows if row["fate"] == "goes"]
    if as_json:
        freed = done.freed
        emit_json(
            {
                "done": freed is not None,
                "versions": rows,
                "files_removed": freed.files if freed else 0,
                "bytes_freed": freed.bytes if freed else 0,
            }
        )
        return
    emit([_shortened(row) for row in rows], COLUMNS, as_json=False, empty="no data yet")
    if done.freed is not None:
        said = f"removed {_versions(len(gone))}: {done.freed.files:,} files, {done.freed.bytes:,} bytes"
    elif gone:
        said = f"would remove {_versions(len(gone))}; add --yes to do it"
    else:
        said = "nothing to remove"
    note(said)


def records(done: Pruned) -> list[dict[str, Plain]]:
    """Return the fates for programs. Pure."""
    return [
        {
            "version": str(fate.manifest.ref),
            "created": iso(fate.manifest.created),
            "rows": fate.manifest.rows,
            "fate": "goes" if fate.goes else "stays",
            "why": list(fate.reasons),
        }
        for fate in done.fates
    ]


def _shortened(row: dict[str, Plain]) -> dict[str, Plain]:
    why = row["why"] if isinstance(row["why"], list) else []
    more = f" and {len(why) - MOST_REASONS} more" if len(why) > MOST_REASONS else ""
    return for_people({**row, "why": ", ".join(map(str, why[:MOST_REASONS])) + more})


def _versions(count: int) -> str:
    return "1 version" if count == 1 else f"{count:,} versions"
