"""`treadle data profile`: what a file or a table of a home holds, as a table, JSON or a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import open_home
from treadle.entry.cli._shared import DEFAULT_HOME, AsJson, Home, Plain, emit, emit_json
from treadle.records.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import polars as pl

    from treadle.records.profiles import ColumnProfile

COLUMNS = ("column", "kind", "rows", "missing", "distinct", "low", "median", "high", "most_frequent")
FILES = (".parquet", ".csv", ".ndjson", ".jsonl", ".json")


def profile(
    data: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="A table of the home, or a Parquet, CSV or JSON file.")
    ],
    home: Home = DEFAULT_HOME,
    time: Annotated[str | None, typer.Option(help="The column that says when a row happened.")] = None,
    row_id: Annotated[
        str | None, typer.Option("--row-id", help="The column that example rows are named by.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what data holds, column by column."""
    from treadle.loop.profile_summary import profile_json
    from treadle.stages.validation.profile.builder import profile_frame

    name, rows = opened(data, home)
    found = profile_frame(rows, name, time=time, row_id=row_id)
    if as_json:
        emit_json(profile_json(found))
    else:
        emit([summary(column) for column in found.columns], COLUMNS, as_json=False, empty="no columns")


def opened(data: str, home: Path) -> tuple[str, pl.LazyFrame]:
    """Return the name and the rows of a file or of a table in a home.

    Raises:
        NotFound: there is neither.
        InvalidInput: the file is of a kind that cannot be read.
    """
    import polars as pl

    path = Path(data)
    if path.is_file():
        if path.suffix not in FILES:
            raise InvalidInput(
                f"{path.name} is of a kind that cannot be read here", fix=f"give one of {', '.join(FILES)}"
            )
        if path.suffix == ".parquet":
            return path.stem, pl.scan_parquet(path, glob=False)
        if path.suffix == ".csv":
            return path.stem, pl.scan_csv(path, glob=False, try_parse_dates=True)
        return path.stem, pl.read_json(path).lazy() if path.suffix == ".json" else pl.scan_ndjson(path)
    if path.suffix in FILES or ("/" in data and path.parent.is_dir() and not home.is_dir()):
        raise NotFound(f"there is no file {data}", fix="name a file, or a table of a home")
    tables = open_home(home).tables()
    if not tables.exists(data):
        raise NotFound.among("table", data, tables.names(), where=f"home {home}")
    return data, tables.read(data)


def summary(column: ColumnProfile) -> dict[str, Plain]:
    """Return one column as a row of the table for people."""
    from treadle.loop.profile_summary import shown

    top = column.frequent.counters[:1] if column.frequent is not None and column.kind != "time" else ()
    return {
        "column": column.name,
        "kind": column.kind,
        "rows": column.rows,
        "missing": f"{column.null_share * 100:.4g} %",
        "distinct": f"{'' if column.categorical else '~'}{round(column.distinct_count()):,}",
        "low": shown(column, column.low),
        "median": shown(column, column.quantile(0.5)) if column.quantiles else None,
        "high": shown(column, column.high),
        "most_frequent": f"{top[0].value} ({top[0].count:,})" if top else None,
    }
