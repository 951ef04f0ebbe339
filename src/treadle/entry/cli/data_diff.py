"""`treadle data diff`: how a version of data differs from another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import open_home, reading
from treadle.entry.cli._shared import DEFAULT_HOME, AsJson, Home, Plain, emit, emit_heading, emit_json, note
from treadle.entry.cli.data_profile import DISTANCES

if TYPE_CHECKING:
    from treadle.loop.data_diff import DataDifference
    from treadle.stages.data.differences import KeyDifference

Version = "NAME[@VERSION|@TAG|@INSTANT]"


def diff(
    before: Annotated[str, typer.Argument(metavar=f"A: {Version}", help="The version to compare with.")],
    now: Annotated[
        str,
        typer.Argument(
            metavar=f"B: {Version}", help="The version that is compared; @VERSION: of A's dataset."
        ),
    ],
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key", help="A column that identifies a row; by default those that are declared unique."
        ),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile/--no-profile", help="Tell how far each column's values have moved.")
    ] = True,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two versions of data: columns, rows, keys and the values of columns."""
    from treadle.loop.data_diff import compare_versions
    from treadle.stages.data.versions import find_version, parse_reference

    opened = open_home(home)
    name, selector = parse_reference(before)
    other, chosen = parse_reference(name + now if now.startswith("@") else now)
    with reading(opened) as view:
        old = find_version(view.datasets, name, selector)
        new = find_version(view.datasets, other, chosen)
    found = compare_versions(opened.tables(), old, new, unique=key or (), profile=profile)
    if as_json:
        emit_json(found.as_json())
    else:
        _show(found)


def _show(found: DataDifference) -> None:
    old, new = found.before, found.now
    if found.same_content:
        note(f"{old.ref} and {new.ref} have the same content: {new.rows:,} rows")
        return
    print(f"{old.ref}: {old.rows:,} rows")
    print(f"{new.ref}: {new.rows:,} rows ({new.rows - old.rows:+,})")
    if not found.schema.same:
        emit_heading("columns")
        changes: list[dict[str, Plain]] = []
        for name, kind in found.schema.added.items():
            changes.append({"": "+", "column": name, "now": kind})
        for name, kind in found.schema.removed.items():
            changes.append({"": "-", "column": name, "before": kind})
        for name, (was, kind) in found.schema.retyped.items():
            changes.append({"": "~", "column": name, "before": was, "now": kind})
        emit(changes, ("", "column", "before", "now"), as_json=False)
    if found.keys is not None:
        _show_keys(found.keys)
    else:
        note("no columns identify a row: name them with --key to compare rows")
    if found.profile is not None:
        emit_heading("how far values have moved")
        moved = sorted(found.profile.columns, key=lambda one: -one.distance)
        emit([{name: getattr(one, name) for name in DISTANCES} for one in moved], DISTANCES, as_json=False)


def _show_keys(keys: KeyDifference) -> None:
    emit_heading(f"rows, by {', '.join(keys.unique)}")
    counts: dict[str, Plain] = {
        "added": keys.added,
        "removed": keys.removed,
        "changed": keys.changed,
        "same": keys.same,
    }
    emit([counts], tuple(counts), as_json=False)
    if keys.repeated_before or keys.repeated_now:
        note(f"keys repeat in {keys.repeated_before:,} rows before and {keys.repeated_now:,} now")
    if keys.changed_columns:
        emit_heading("columns with other values")
        emit(
            [{"column": name, "rows": count} for name, count in keys.changed_columns.items()],
            ("column", "rows"),
            as_json=False,
        )
    for word in ("added", "removed", "changed"):
        examples = getattr(keys, f"{word}_examples")
        if examples:
            emit_heading(f"{word}, for example")
            rows: list[dict[str, Plain]] = [
                {name: str(value) for name, value in one.items()} for one in examples
            ]
            emit(rows, tuple(dict.fromkeys(name for row in rows for name in row)), as_json=False)
