"""Bringing data in: what is new of each source is stored once, with the cursor that says so, and tables follow.

Rows go to the table first; then one unit of work registers the version that has them and saves the cursor. Before the
first step the cursor is marked: killed in between, the next start finds the mark, and what the table holds beyond the
registered version is replaced. So nothing is lost, and nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from treadle.define.describe import definition_digest
from treadle.define.sources import Rows, Source, Table, reading_order
from treadle.ports.metadata import Metadata
from treadle.ports.tables import Tables
from treadle.records.datasets import BECAUSE, TABLE_VERSION, DatasetManifest, DatasetRef
from treadle.records.failpoints import failpoint
from treadle.records.instants import Instant
from treadle.records.rows import EVENT_ID, PUSHED, ROW
from treadle.stages.data.arrivals import Arrival, Merged, first_load, merge, redefine, says_itself
from treadle.stages.data.batches import Batch
from treadle.stages.data.content import ContentSums, content_hash, content_sums, schema_hash
from treadle.stages.data.cursors import PREFIX, Cursor, read_cursors
from treadle.stages.data.facts import code_digest, declared
from treadle.stages.data.incremental import Increment, mark_of, merge_increment, plan_increment
from treadle.stages.data.places import DataPlace
from treadle.stages.data.plans import Plan, Work
from treadle.stages.data.pushed import LOADED, loaded_content, pushed_reader, replace_loaded, without_ids
from treadle.stages.data.reading import build_table, read_batches, refuse_data


@dataclass(frozen=True, slots=True)
class Brought:
    """What the sources and tables are after data was brought in."""

    rows: Mapping[str, pl.DataFrame]
    """The loaded rows of each, in the order of their numbers."""
    manifests: Mapping[str, DatasetManifest]
    """The newest dataset version of each."""
    arrived: Mapping[str, int]
    """How many rows are new, for those that have new ones."""
    said: tuple[str, ...] = ()
    """Sentences for people about what was out of the ordinary."""


def bring_in(
    definitions: Sequence[Rows],
    place: DataPlace,
    tables: Tables,
    metadata: Metadata,
    at: Instant,
    batches: Mapping[str, Batch] | None = None,
    check: Callable[[Mapping[str, pl.DataFrame]], Sequence[str]] | None = None,
) -> Brought:
    """Read what is new of each source, build the tables that it concerns anew, and store what changed.

    Repeating it after a crash finishes what is missing and stores nothing twice. Where nothing is new, nothing is written.

    Args:
        definitions: sources and tables, in any order.
        place: where the data is.
        tables: where the rows go; whoever calls this holds the home.
        metadata: where versions are registered, and cursors saved.
        at: the present: rows that were not there at the first load were known no earlier than this.
        batches: what was read already, of a home that has nothing yet.
        check: asked for the faults of what would be stored, where that differs from what is.

    Raises:
        InvalidInput: the data cannot be used; every fault is listed and nothing was stored.
        NotReady: a place outside cannot be reached.
    """
    work = Work(tables, metadata, at, place)
    _look(work, definitions)
    cursors = {
        name: plan.cursor
        for name, plan in work.plans.items()
        if plan.cursor is not None and plan.stored is not None and plan.same
    }
    if batches is None:
        batches, work.faults = read_batches(definitions, place, cursors)
    for definition in reading_order(definitions):
        plan = work.plans[definition.name]
        if isinstance(definition, Source):
            if definition.name in batches:
                _plan_source(work, plan, definition, batches[definition.name])
        elif all(work.plans[name].ready for name in definition.inputs):
            _plan_table(work, plan, definition, definitions)
    if check is not None and not work.faults and any(plan.changed for plan in work.plans.values()):
        work.faults += check({name: plan.rows for name, plan in work.plans.items()})
    refuse_data(work.faults, place)
    manifests: dict[str, DatasetManifest] = {}
    for definition in reading_order(definitions):  # a table's manifest names those of what it reads
        manifests[definition.name] = _store(work, work.plans[definition.name], manifests)
    plans = {definition.name: work.plans[definition.name] for definition in definitions}
    return Brought(
        {name: plan.rows for name, plan in plans.items()},
        {name: manifests[name] for name in plans},
        {name: p.merged.arrived.height for name, p in plans.items() if p.merged and p.merged.arrived.height},
        tuple(work.said),
    )


def note_first_load(
    definitions: Sequence[Rows], rows: Mapping[str, pl.DataFrame], metadata: Metadata, at: Instant
) -> None:
    """Note that rows are the history of their sources and tables, for those of which nothing is noted yet."""
    with metadata.begin() as unit:
        for definition in definitions:
            if unit.checkpoints.get(PREFIX + definition.name) is None:
                count = rows[definition.name].height
                cursor = Cursor(definition_digest(definition), count, count)
                unit.checkpoints.put(PREFIX + definition.name, cursor.as_json(), at)


def _look(work: Work, definitions: Sequence[Rows]) -> None:
    """Find what is stored of each definition."""
    names = [definition.name for definition in definitions]
    with work.metadata.read() as view:
        known = set(view.datasets.names())
        manifests = {name: view.datasets.get(name) for name in names if name in known}
        cursors = read_cursors(view, names)
    for definition in definitions:
        name = definition.name
        manifest = manifests.get(name) if work.tables.exists(name) else None
        stored = None if manifest is None else _loaded(work.tables, manifest)
        work.plans[name] = Plan(definition, manifest, cursors.get(name), stored)


def _loaded(tables: Tables, manifest: DatasetManifest) -> pl.DataFrame:
    noted = manifest.tags.get("table_version")
    version = None if noted is None else int(noted)
    rows = tables.read(manifest.name, version=version).filter(pl.col(ROW) < PUSHED).collect()
    return without_ids(rows).sort(ROW)


def _plan_source(work: Work, plan: Plan, source: Source, batch: Batch) -> None:
    plan.seen = batch.seen
    work.said += batch.said
    if plan.stored is not None and plan.same and batch.empty:
        return
    rows = batch.rows
    if (
        source.origin.streaming and plan.stored is not None
    ):  # what was loaded before its events came by themselves
        if (
            rows.schema
            != plan.stored.select(pl.col(c) for c in rows.columns if c in plan.stored.columns).schema
        ):
            return
        rows = plan.stored.select(rows.columns)
    plan.merged = _met(work, plan, rows, whole=batch.whole, overlap=batch.overlap, backdated=source.backdated)
    work.faults += [f"source {source.name!r} ({source.path}): {fault}" for fault in plan.merged.faults]
    late = plan.merged.arrived.height if plan.stored is not None and plan.same else 0
    if plan.merged.gone:
        work.said.append(
            f"source {source.name!r}: {_rows(plan.merged.gone)} no longer there; the older version keeps them"
        )
    if late and not source.backdated and not says_itself(source):
        work.said.append(
            f"source {source.name!r}: {_rows(late)} new, known from now on "
            "(history that comes late: declare the source backdated=True)"
        )


def _plan_table(work: Work, plan: Plan, table: Table, definitions: Sequence[Rows]) -> None:
    inputs = [work.plans[name] for name in table.inputs]
    noted = plan.cursor.inputs if plan.cursor is not None else None
    versions = {p.definition.name: p.manifest.version if p.manifest else 0 for p in inputs}
    if plan.stored is not None and plan.same and noted == versions and not any(p.changed for p in inputs):
        return
    whole = {p.definition.name: _all_rows(work, p) for p in inputs}
    plan.marks = {p.definition.name: mark_of(whole[p.definition.name], p.replaced) for p in inputs}
    increment = _increment(work, plan, table, whole)
    rows, faults = build_table(table, whole if increment is None else increment.inputs, work.place)
    if faults:
        work.faults += faults
        return
    backdated = all(source.backdated for source in _sources_of(table, definitions))
    if increment is None or plan.stored is None:
        plan.merged = _met(work, plan, rows, whole=True, overlap=None, backdated=backdated)
    else:
        arrival = _arrival(work, plan, plan.stored, backdated=backdated)
        plan.merged = merge_increment(table, plan.stored, rows, increment, arrival)
        work.faults += [f"table {table.name!r}: {fault}" for fault in plan.merged.faults]


def _increment(work: Work, plan: Plan, table: Table, inputs: Mapping[str, pl.DataFrame]) -> Increment | None:
    """Return the part of a table that has to be built, None for all of it; notes why."""
    if plan.stored is None:
        plan.because = "first build"
        return None
    if not plan.same:
        known = plan.manifest.code_digest if plan.manifest else None
        what = "code" if known is not None and known != code_digest(table) else "definition"
        plan.because = f"its {what} changed"
        work.said.append(f"table {table.name!r} rebuilt because its {what} changed")
        return None
    assert plan.marks is not None
    before = plan.cursor.marks if plan.cursor is not None else None
    found = plan_increment(table, inputs, before, plan.marks)
    if isinstance(found, Increment):
        plan.because = found.because
        return found
    plan.because = found
    if table.incremental is not None:
        work.said.append(f"table {table.name!r} rebuilt whole because {found}")
    return None


def _met(
    work: Work, plan: Plan, rows: pl.DataFrame, *, whole: bool, overlap: pl.Expr | None, backdated: bool
) -> Merged:
    """Return the rows that were read as they meet the stored ones."""
    pushed = pushed_reader(work.tables)(plan.definition.name) if plan.stored is not None else None
    ids = None if pushed is None else pushed[EVENT_ID]
    if plan.stored is None:
        return first_load(plan.definition, rows)
    arrival = _arrival(work, plan, plan.stored, backdated=backdated)
    if not plan.same:
        return redefine(plan.definition, plan.stored, rows, arrival, ids)
    return merge(plan.definition, plan.stored, rows, arrival, whole=whole, overlap=overlap, pushed_ids=ids)


def _arrival(work: Work, plan: Plan, stored: pl.DataFrame, *, backdated: bool) -> Arrival:
    after = int(stored[ROW].max()) + 1 if stored.height else 0  # type: ignore[arg-type]  # an int64 column
    next_row, history = (after, after) if plan.cursor is None else (plan.cursor.next_row, plan.cursor.history)
    return Arrival(work.at, max(next_row, after), history, backdated)


def _all_rows(work: Work, plan: Plan) -> pl.DataFrame:
    """Return a table's input: loaded rows, and pushed ones after them."""
    pushed = pushed_reader(work.tables)(plan.definition.name) if plan.stored is not None else None
    rows = plan.rows
    if pushed is None or pushed.is_empty():
        return rows
    fitting = pushed.select(name for name in rows.columns if name in pushed.columns).sort(ROW)
    types = {name: rows.schema[name] for name in fitting.columns}
    return pl.concat(
        [rows, fitting.with_columns(pl.col(n).cast(t) for n, t in types.items())], how="diagonal"
    )


def _store(work: Work, plan: Plan, manifests: Mapping[str, DatasetManifest]) -> DatasetManifest:
    """Write what changed of one definition, register it and save its cursor."""
    inputs = None
    if isinstance(plan.definition, Table):
        inputs = {name: manifests[name].version for name in plan.definition.inputs}
    if plan.manifest is not None and not plan.changed:
        _save(work, plan, _cursor(plan, inputs, None))
        return plan.manifest
    sums = _sums(plan)
    content = sums.digest(plan.rows.schema)
    torn = plan.cursor is not None and plan.cursor.pending
    if plan.manifest is not None and not torn and loaded_content(plan.manifest) == content:
        _save(work, plan, _cursor(plan, inputs, sums))
        return plan.manifest
    if plan.cursor is not None or plan.manifest is not None:
        before = plan.cursor or Cursor("", 0, 0)
        _save(work, plan, msgspec.structs.replace(before, pending=True))
    failpoint("sources.before_table")
    version, whole = _write(work, plan, torn=torn)
    failpoint("sources.after_table")
    if torn and plan.manifest is not None and loaded_content(plan.manifest) == content:
        _save(work, plan, _cursor(plan, inputs, sums))
        return plan.manifest
    return _register(work, plan, version, whole, content, _cursor(plan, inputs, sums), manifests)


def _write(work: Work, plan: Plan, *, torn: bool) -> tuple[int, pl.DataFrame]:
    """Bring the rows into the table; returns its new version and all its rows, without ids."""
    name, merged = plan.definition.name, plan.merged
    if torn or plan.stored is None or merged is None or merged.replaces:
        return replace_loaded(work.tables, plan.definition, plan.rows)
    stored = work.tables.schema(name)
    more = merged.arrived.with_columns(
        pl.lit(None, dtype).alias(column)
        for column, dtype in stored.items()
        if column not in merged.arrived.columns
    )
    version = work.tables.append(name, more)
    if EVENT_ID not in stored:
        return version, plan.rows
    return version, without_ids(work.tables.read(name, version=version).collect())


def _register(
    work: Work,
    plan: Plan,
    version: int,
    whole: pl.DataFrame,
    content: str,
    cursor: Cursor,
    manifests: Mapping[str, DatasetManifest],
) -> DatasetManifest:
    definition, before = plan.definition, plan.manifest
    alone = whole.height == plan.rows.height
    parents = (
        [manifests[name].ref for name in definition.inputs]
        if isinstance(definition, Table)
        else _follows(plan)
    )
    with work.metadata.begin() as unit:
        manifest = unit.datasets.register(
            definition.name,
            work.at,
            schema_hash=schema_hash(whole),
            content_hash=content if alone else content_hash(whole),
            rows=whole.height,
            parents=parents,
            code_digest=code_digest(definition),
            tags={
                TABLE_VERSION: str(version),
                **declared(definition),
                **({} if alone else {LOADED: content}),
                **({} if plan.because is None else {BECAUSE: plan.because}),
            },
            # After the version it follows, so that content which comes back is a new version, not the old one.
            key=f"ingest:{definition.name}:{before.version if before else 0}:{content}:{version}",
        )
        unit.checkpoints.put(PREFIX + definition.name, cursor.as_json(), work.at)
        failpoint("sources.before_commit")
    failpoint("sources.after_commit")
    return manifest


def _follows(plan: Plan) -> list[DatasetRef]:
    """Return the version that rows were added to; none when they were replaced."""
    if plan.manifest is None or plan.merged is None or plan.merged.replaces:
        return []
    return [plan.manifest.ref]


def _sums(plan: Plan) -> ContentSums:
    """Return the sums of the loaded rows, hashing only those that arrived where the others' are known."""
    noted = None if plan.cursor is None else plan.cursor.sums
    if noted is None or plan.merged is None or plan.merged.replaces or not plan.same:
        return content_sums(plan.rows)
    rows, first, second = noted
    return ContentSums(rows, int(first, 16), int(second, 16)) + content_sums(plan.merged.arrived)


def _cursor(plan: Plan, inputs: dict[str, int] | None, sums: ContentSums | None) -> Cursor:
    """Return the cursor after what was planned."""
    before, count = plan.cursor, plan.rows.height
    after = int(plan.rows[ROW].max()) + 1 if count else 0  # type: ignore[arg-type]  # an int64 column
    next_row = max(after, before.next_row) if before and plan.stored is not None else after
    history = before.history if before and plan.stored is not None else _history(plan, after)
    noted = before.sums if before is not None and sums is None else None
    if sums is not None:
        noted = (sums.rows, f"{sums.first:x}", f"{sums.second:x}")
    marks = plan.marks if plan.marks is not None or before is None or not plan.same else before.marks
    cursor = Cursor(
        definition_digest(plan.definition),
        next_row,
        history,
        inputs=inputs,
        sums=noted,
        replaced=plan.replaced,
        marks=marks,
    )
    seen = plan.seen if plan.seen is not None or before is None or not plan.same else before.seen
    return cursor.having_seen(seen)


def _history(plan: Plan, after: int) -> int:
    """Return how many rows were there first, where no cursor says so: those stored before, or all."""
    if plan.stored is None or not plan.stored.height:
        return after
    return int(plan.stored[ROW].max()) + 1  # type: ignore[arg-type]  # an int64 column


def _save(work: Work, plan: Plan, cursor: Cursor) -> None:
    if cursor == plan.cursor:
        return
    with work.metadata.begin() as unit:
        unit.checkpoints.put(PREFIX + plan.definition.name, cursor.as_json(), work.at)


def _sources_of(table: Table, definitions: Sequence[Rows]) -> list[Source]:
    """Return the sources that a table is made of, through other tables too."""
    by_name = {definition.name: definition for definition in definitions}
    found: list[Source] = []
    for name in table.inputs:
        read = by_name[name]
        found += [read] if isinstance(read, Source) else _sources_of(read, definitions)
    return found


def _rows(count: int) -> str:
    return "1 row is" if count == 1 else f"{count:,} rows are"
