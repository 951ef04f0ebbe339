"""Tables computed from sources: a plain function over lazy frames, or a SELECT, and what its rows are.

A table is rebuilt when its code or what it reads has changed. Whole, unless it says that it can be built by parts:
`incremental="append"`, the rows of an input's new rows are new rows and nothing else; `incremental="partition:COLUMN"`,
the rows with a value of that column depend on the inputs' rows with that value alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from treadle.define.fitted import FIX, WHY, fitted_uses
from treadle.define.names import duration_or_fault, listed, words_faults
from treadle.define.timing import ALWAYS, Timing, rows_faults
from treadle.records.errors import InvalidInput

if TYPE_CHECKING:
    import narwhals.stable.v2 as nw
    import polars as pl

    Frame: TypeAlias = "pl.LazyFrame | nw.LazyFrame[pl.LazyFrame]"
    Build: TypeAlias = Callable[..., Frame]

Engine: TypeAlias = Literal["polars", "narwhals", "sql"]
"""What a table is computed by: a function over frames of Polars or of Narwhals, or DuckDB."""
ENGINES: tuple[str, ...] = get_args(Engine)
APPEND = "append"
PARTITION = "partition:"
"""The ways to build a table by parts; a column's name follows the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows computed from sources by a plain function over lazy frames, or by SQL; made with `@table` or `sql_table`."""

    name: str
    build: Build | None = field(compare=False)
    """None for SQL."""
    inputs: tuple[str, ...]
    columns: Mapping[str, str]
    timing: Timing = ALWAYS
    unique: tuple[str, ...] = ()
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    deprecated: str = ""
    engine: Engine = "polars"
    sql: str = ""
    incremental: str | None = None

    @property
    def partition(self) -> str | None:
        """The column by whose values the table is built; None where it is not built by partitions."""
        by = self.incremental
        return by.removeprefix(PARTITION) if by is not None and by.startswith(PARTITION) else None


def table(
    *,
    columns: Mapping[str, str],
    event_time: str | None = None,
    known_after: str | int = 0,
    known_at: str | None = None,
    created_time: str | None = None,
    tombstone: str | None = None,
    unique: Sequence[str] | str = (),
    owner: str = "",
    tags: Sequence[str] | str = (),
    deprecated: str = "",
    engine: Literal["polars", "narwhals"] = "polars",
    incremental: str | None = None,
) -> Callable[[Build], Table]:
    """Make a table of a function whose parameters are named after the sources (or tables) it reads.

    The function gets one lazy frame per parameter and returns a lazy frame that has at least `columns`. Its inputs have
    their declared columns and types; times are zoned UTC. The other arguments mean what they mean for `Source.parquet`.

    Args:
        columns: the columns that the table has, and their types.
        event_time: as for `Source.parquet`, like those that are not explained here.
        known_after: how long after the event time a row becomes known.
        known_at: a column that says when the row became known.
        created_time: a column that says when this version of the row was stored.
        tombstone: a boolean column; a true row hides the earlier rows of its key.
        unique: the columns that together identify a row.
        owner: who answers for it.
        tags: words to find it by.
        deprecated: what to use instead, if it should not be used any more.
        engine: whose frames the function gets and returns: `polars.LazyFrame`, or `narwhals.stable.v2.LazyFrame`.
        incremental: how the table follows its inputs. None: it is built whole. `"append"`: the function works row by row,
            so it is called with the inputs' new rows only, and what it returns is added. `"partition:COLUMN"`: rows of one
            value of COLUMN come from the inputs' rows of that value alone, so those partitions are built that have new
            rows; an input without the column is given whole. Either way the table is built whole when its code has
            changed, or when rows of an input were replaced or removed.

    Raises:
        InvalidInput: the definition contradicts itself; every fault is listed.
    """

    def decorate(build: Build) -> Table:
        name = getattr(build, "__name__", "?")
        whose = f"table {name!r}"
        delay, faults = duration_or_fault(whose, "known_after", known_after)
        timing = Timing(event_time, delay, known_at, created_time, tombstone)
        key = listed(unique)
        faults += rows_faults("table", name, columns, timing, key)
        inputs, found = _inputs(whose, build)
        faults += found + words_faults(whose, owner, tags, deprecated)
        faults += _building_faults(whose, columns, incremental)
        if engine not in ("polars", "narwhals"):
            faults.append(
                f"{whose}: engine={engine!r}; engines are polars and narwhals, and tr.sql_table for SQL"
            )
        if faults:
            raise InvalidInput("the table cannot be defined", faults=faults)
        return Table(
            name=name,
            build=build,
            inputs=inputs,
            columns=dict(columns),
            timing=timing,
            unique=key,
            description=inspect.getdoc(build) or "",
            owner=owner,
            tags=listed(tags),
            deprecated=deprecated,
            engine=engine,
            incremental=incremental,
        )

    return decorate


def sql_table(
    name: str,
    *,
    sql: str,
    inputs: Sequence[str] | str,
    columns: Mapping[str, str],
    event_time: str | None = None,
    known_after: str | int = 0,
    known_at: str | None = None,
    created_time: str | None = None,
    tombstone: str | None = None,
    unique: Sequence[str] | str = (),
    description: str = "",
    owner: str = "",
    tags: Sequence[str] | str = (),
    deprecated: str = "",
    incremental: str | None = None,
) -> Table:
    """Make a table of a SELECT over sources and tables, run by DuckDB: `pip install 'treadle[sql]'`.

    Each input is a table of its name, with its declared columns; times are TIMESTAMPTZ, and the session's zone is UTC. The
    SQL reaches nothing else: no files, no network, no extensions. It runs on one thread, so that sums of floats are the
    same every time; leave out what differs from call to call (`now()`, `random()`).

    Args:
        name: the table's name.
        sql: one SELECT that returns at least `columns`; further ones are left out.
        inputs: the names of the sources and tables it reads.
        columns: the columns that the table has, and their types.
        event_time: as for `Source.parquet`, like those that are not explained here.
        known_after: how long after the event time a row becomes known.
        known_at: a column that says when the row became known.
        created_time: a column that says when this version of the row was stored.
        tombstone: a boolean column; a true row hides the earlier rows of its key.
        unique: the columns that together identify a row.
        description: one sentence for people.
        owner: who answers for it.
        tags: words to find it by.
        deprecated: what to use instead, if it should not be used any more.
        incremental: how the table follows its inputs, as for `table`.

    Raises:
        InvalidInput: the definition contradicts itself; every fault is listed.
    """
    whose, reads = f"table {name!r}", listed(inputs)
    delay, faults = duration_or_fault(whose, "known_after", known_after)
    timing = Timing(event_time, delay, known_at, created_time, tombstone)
    key = listed(unique)
    faults += rows_faults("table", name, columns, timing, key)
    faults += words_faults(whose, owner, tags, deprecated) + _building_faults(whose, columns, incremental)
    if not str(sql).strip():
        faults.append(f"{whose}: sql is empty; write one SELECT")
    if not reads:
        faults.append(f"{whose} reads no source: name its inputs")
    if name in reads:
        faults.append(f"{whose} reads itself")
    if faults:
        raise InvalidInput("the table cannot be defined", faults=faults)
    return Table(
        name=name,
        build=None,
        inputs=reads,
        columns=dict(columns),
        timing=timing,
        unique=key,
        description=description,
        owner=owner,
        tags=listed(tags),
        deprecated=deprecated,
        engine="sql",
        sql=sql.strip(),
        incremental=incremental,
    )


def _building_faults(owner: str, columns: object, incremental: object) -> list[str]:
    """Return what is wrong with how a table follows its inputs."""
    if incremental is None or incremental == APPEND:
        return []
    if not isinstance(incremental, str) or not incremental.startswith(PARTITION):
        return [f"{owner}: incremental={incremental!r}; write 'append' or 'partition:COLUMN'"]
    column = incremental.removeprefix(PARTITION)
    if isinstance(columns, Mapping) and column not in columns:
        return [f"{owner}: incremental={incremental!r}, but {column!r} is not in columns"]
    return []


def _inputs(owner: str, build: Build) -> tuple[tuple[str, ...], list[str]]:
    """Return the names of a table function's inputs, and what is wrong with them."""
    if not inspect.isfunction(build):
        return (), [f"{owner} is made of {build!r}; decorate a plain function"]
    parameters = inspect.signature(build).parameters
    fitted = [f"{owner} uses {used!r}, which {WHY}; {FIX}" for used in fitted_uses(build)]
    loose = [
        str(p)
        for p in parameters.values()
        if p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) or p.default is not p.empty
    ]
    faults = fitted + [
        f"{owner}: parameter {p!r} is no input; name one source or table per parameter" for p in loose
    ]
    if not parameters:
        faults.append(f"{owner} reads no source: name its sources as parameters")
    return tuple(parameters), faults
