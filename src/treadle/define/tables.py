"""Tables computed from sources: a plain function over lazy frames, and what its rows are."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from treadle.define.fitted import FIX, WHY, fitted_uses
from treadle.define.names import duration_or_fault, listed, words_faults
from treadle.define.timing import ALWAYS, Timing, rows_faults
from treadle.records.errors import InvalidInput

if TYPE_CHECKING:
    import polars as pl

    Build: TypeAlias = Callable[..., pl.LazyFrame]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows computed from sources by a plain function over Polars lazy frames; made with `@table`."""

    name: str
    build: Build = field(compare=False)
    inputs: tuple[str, ...]
    columns: Mapping[str, str]
    timing: Timing = ALWAYS
    unique: tuple[str, ...] = ()
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    deprecated: str = ""


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
) -> Callable[[Build], Table]:
    """Make a table of a function whose parameters are named after the sources (or tables) it reads.

    The function gets one `polars.LazyFrame` per parameter and returns a lazy frame that has at least `columns`. Its inputs
    have their declared columns and types; times are zoned UTC. The other arguments mean what they mean for `Source.parquet`.

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
        )

    return decorate


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
