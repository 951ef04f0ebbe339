"""The online writer: applies stored rows, in the order they became known, to the online store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from treadle.define.views import View, WindowView
from treadle.ports.online import Batch
from treadle.records.instants import Instant
from treadle.records.rows import CREATED_TIME, EVENT_TIME, KNOWN_AT, ROW, TOMBSTONE
from treadle.stages.features.forms import Form, forms_of
from treadle.stages.features.keys import pack_key
from treadle.stages.features.state import Latest, Value, newer
from treadle.stages.features.window_state import window_writer

Event = tuple[Instant, int, tuple[Value, ...]]
"""(known_at, row number, all other values in the order the applier expects)."""


@dataclass(frozen=True, slots=True)
class Applier:
    """How one source's rows change every view on it; made once, called for each row."""

    source: str
    columns: tuple[str, ...]
    """The columns a row's values must have, in order; the first four are canonical."""
    apply: Callable[[Batch, Instant, int, Sequence[Value]], None]

    def events(self, rows: pl.DataFrame) -> Iterable[Event]:
        """Return stored rows as events, in the order they became known."""
        ordered = rows.sort(KNOWN_AT, ROW)
        values = ordered.select(
            pl.col(c).to_physical() if ordered.schema[c].is_temporal() else pl.col(c) for c in self.columns
        )
        return zip(ordered[KNOWN_AT].to_list(), ordered[ROW].to_list(), values.iter_rows(), strict=True)


_CANONICAL = (EVENT_TIME, CREATED_TIME, TOMBSTONE)


def make_applier(source: str, views: Sequence[View]) -> Applier:
    """Return the applier of a source for the views defined on it."""
    columns = list(_CANONICAL)
    changes = []
    for view in views:
        keys = _places(columns, view.entity.keys)
        if isinstance(view, WindowView):
            changes.append(_window_change(view, keys, _places(columns, view.value_columns)))
            continue
        changes += [_latest_change(form, keys, _places(columns, form.columns)) for form in forms_of(view)]

    def apply(batch: Batch, known_at: Instant, row: int, values: Sequence[Value]) -> None:
        for change in changes:
            change(batch, known_at, row, values)

    return Applier(source, tuple(columns), apply)


def _places(columns: list[str], wanted: Sequence[str]) -> list[int]:
    """Return where columns are in a row's values, adding those that are not there yet."""
    columns += [column for column in wanted if column not in columns]
    return [columns.index(column) for column in wanted]


def _latest_change(form: Form, keys: list[int], picks: list[int]) -> Callable[..., None]:
    view, passes_null = form.stored, form.passes_null

    def change(batch: Batch, known_at: Instant, row: int, values: Sequence[Value]) -> None:
        key_values = [values[i] for i in keys]
        if None in key_values:
            return
        kept = [_clean(values[i]) for i in picks]
        if passes_null and kept[0] is None and not values[2]:
            return
        key = pack_key(key_values)  # type: ignore[arg-type]  # no None here
        candidate = Latest(
            values[0],  # type: ignore[arg-type]  # canonical columns are int, int, bool
            values[1],  # type: ignore[arg-type]
            row,
            known_at,
            bool(values[2]),
            kept,
        )
        stored = newer(batch.get(view, key), candidate)
        if stored is not None:
            batch.put(view, key, stored)

    return change


def _window_change(view: WindowView, keys: list[int], picks: list[int]) -> Callable[..., None]:
    name, append = view.name, window_writer(view).append

    def change(batch: Batch, known_at: Instant, row: int, values: Sequence[Value]) -> None:
        key_values = [values[i] for i in keys]
        if None in key_values or values[2]:
            return
        key = pack_key(key_values)  # type: ignore[arg-type]  # no None here
        read = [values[i] for i in picks]
        # Canonical columns 0 and 1 are instants.
        batch.put(name, key, append(batch.get(name, key), values[0], values[1], row, known_at, read))  # type: ignore[arg-type]

    return change


def _clean(value: Value) -> Value:
    return None if isinstance(value, float) and value != value else value
