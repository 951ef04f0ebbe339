"""Looking at data from Python: `tr.profile` takes a frame, a file or the name of a table in a home."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from treadle.records.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import polars as pl

    from treadle.loop.profiling import ProfileReport
    from treadle.records.profiles import Profile
    from treadle.stages.validation.profile.builder import Batches


@runtime_checkable
class ArrowStream(Protocol):
    """Any frame that hands its rows over as an Arrow stream: pandas, PyArrow, DuckDB and others."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the rows as a capsule."""


Data: TypeAlias = "pl.DataFrame | pl.LazyFrame | ArrowStream | str | Path"

DEFAULT_HOME = Path(".treadle")
FILES = (".parquet", ".csv", ".ndjson", ".jsonl", ".json")


def profile(
    data: Data,
    *,
    name: str | None = None,
    label: str | None = None,
    time: str | None = None,
    row_id: str | None = None,
    reference: Data | Profile | None = None,
    home: str | Path = DEFAULT_HOME,
) -> ProfileReport:
    """Look at data: what each column holds, what stands out, what goes together; shown as a page in a notebook.

    Args:
        data: a Polars frame, lazy or not; any frame with an Arrow stream (pandas and others); the path of a Parquet,
            CSV or JSON file; or the name of a table in the home.
        name: what to call the data; by default that of the file or table, else "frame".
        label: the column that a model is to predict; each other column's say about it is measured, to find leaks.
        time: the column that says when a row happened.
        row_id: the column that example rows are named by; else rows are numbered from 0.
        reference: data, or a profile of data, to compare with.
        home: where tables are looked for.

    Returns:
        A report: `.profile` (mergeable, storable), `.associations`, `.comparison`, `.html()`, `.as_json()`.

    Raises:
        NotFound: there is no such file, table or column.
        InvalidInput: the data are of a kind that cannot be read.

    Cost: about a second for a million rows of 20 columns; files are streamed in constant memory.
    """
    from treadle.adapters.clock import SystemClock
    from treadle.loop.profiling import examine
    from treadle.records.profiles import Profile
    from treadle.stages.validation.profile.builder import profile_frame

    found, rows = _stream(data, Path(home))
    before = reference
    if reference is not None and not isinstance(reference, Profile):
        called, others = _stream(reference, Path(home))
        before = profile_frame(others, called)
    return examine(
        rows,
        name or found,
        made=SystemClock().now(),
        label=label,
        time=time,
        row_id=row_id,
        reference=before if isinstance(before, Profile) else None,
    )


def _stream(data: Data, home: Path) -> tuple[str, Batches]:
    """Return name and rows as `open_rows` does, a Parquet file in batches of its own: they need less memory."""
    from treadle.stages.validation.profile.builder import parquet_batches

    name, rows = open_rows(data, home)
    if isinstance(data, (str, Path)) and Path(data).suffix == ".parquet" and Path(data).is_file():
        return name, parquet_batches(Path(data))
    return name, rows


def open_rows(data: Data, home: Path) -> tuple[str, pl.DataFrame | pl.LazyFrame]:
    """Return the name and the rows of a frame, a file, or a table in a home; files and tables lazily.

    Raises:
        NotFound: there is no such file or table.
        InvalidInput: it is of a kind that cannot be read.
    """
    import polars as pl

    if isinstance(data, (pl.DataFrame, pl.LazyFrame)):
        return "frame", data
    if isinstance(data, (str, Path)):
        path = Path(data)
        if path.is_file():
            return path.stem, _open_file(path)
        if isinstance(data, Path) or path.suffix in FILES:
            raise NotFound(f"there is no file {path}", fix="name a file, or a table of a home")
        return data, _open_table(data, home)
    if isinstance(data, ArrowStream):
        return "frame", pl.DataFrame(data)
    raise InvalidInput(
        f"a {type(data).__name__} is no data that can be profiled",
        fix="give a frame, the path of a file, or the name of a table in the home",
    )


def _open_file(path: Path) -> pl.LazyFrame:
    import polars as pl

    if path.suffix not in FILES:
        raise InvalidInput(
            f"{path.name} is of a kind that cannot be read here", fix=f"give one of {', '.join(FILES)}"
        )
    try:
        if path.suffix == ".parquet":
            rows = pl.scan_parquet(path, glob=False)
        elif path.suffix == ".csv":
            rows = pl.scan_csv(path, glob=False, try_parse_dates=True, infer_schema_length=10_000)
        elif path.suffix == ".json":
            rows = pl.read_json(path).lazy()
        else:
            rows = pl.scan_ndjson(path, infer_schema_length=10_000)
        rows.collect_schema()
    # Polars meets some damage with a panic, which is no Exception.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise InvalidInput(f"{path.name} cannot be read: {said}", where=str(path)) from None
    return rows


def _open_table(name: str, home: Path) -> pl.LazyFrame:
    from treadle.bootstrap import Home

    try:
        tables = Home.at(home, create=False).tables()
    except NotFound as error:
        raise NotFound(
            f"there is no file {name!r}, and no home {home} in which a table might have that name",
            fix=error.fix,
            command=error.command,
        ) from None
    if not tables.exists(name):
        raise NotFound.among("file, nor a table,", name, tables.names(), where=f"home {home}")
    return tables.read(name)
