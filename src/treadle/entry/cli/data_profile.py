"""`treadle data profile`: what a file or a table of a home holds, as a table, JSON or a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    AsJson,
    Home,
    emit,
    emit_heading,
    emit_json,
    note,
)

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("column", "kind", "missing", "distinct", "low", "median", "high", "most_frequent")
DISTANCES = ("column", "ks", "psi_corrected", "largest_change", "unseen", "null_change", "mean_shift")
_LOOK = {"alert": "look", "held": "check", "no data": "note"}


def profile(
    data: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="A table of the home, or a Parquet, CSV or JSON file.")
    ],
    home: Home = DEFAULT_HOME,
    label: Annotated[
        str | None, typer.Option(help="The column to predict; columns that give it away are named.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="The column that says when a row happened.")] = None,
    row_id: Annotated[
        str | None, typer.Option("--row-id", help="The column that example rows are named by.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Data to compare with: what has moved since.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the report with its pictures to this file, as HTML.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what data holds, what stands out in it, and what has moved."""
    from treadle.entry.profiles import profile as look
    from treadle.loop.profile_findings import remarks
    from treadle.loop.profile_summary import summary_row

    report = look(data, label=label, time=time, row_id=row_id, reference=reference, home=home)
    if out is not None:
        write_page(out, report.html())
    if as_json:
        emit_json(report.as_json())
        return
    rows = [dict(summary_row(column)) for column in report.profile.columns]
    emit(rows, COLUMNS, as_json=False, empty="no columns")
    found = remarks(report.profile, report.associations)
    if found:
        emit_heading("what stands out")
        emit(
            [{"": _LOOK[one.status], "column": one.column, "seen": one.words} for one in found[:30]],
            ("", "column", "seen"),
            as_json=False,
        )
    if report.comparison is not None:
        emit_heading("what has moved")
        moved = sorted(report.comparison.columns, key=lambda one: -one.distance)
        emit([{name: getattr(one, name) for name in DISTANCES} for one in moved], DISTANCES, as_json=False)
    note(f"{report.profile.rows:,} rows" + (f"; the report is in {out}" if out is not None else ""))


def opened(data: str, home: Path) -> tuple[str, pl.LazyFrame]:
    """Return the name and the rows of a file or of a table in a home.

    Raises:
        NotFound: there is neither.
        InvalidInput: the file is of a kind that cannot be read.
    """
    from treadle.entry.profiles import open_rows

    name, rows = open_rows(data, home)
    return name, rows.lazy()


def write_page(path: Path, page: str) -> None:
    """Write a page whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(page, encoding="utf-8")
    part.replace(path)
