"""The running state of texts: counts of the frequent ones, different values, lengths, first and last in order."""

from __future__ import annotations

import numpy as np
import polars as pl

from treadle.records import distinct_sketch
from treadle.records.frequent_items import (
    MOST_COUNTERS,
    Counter,
    FrequentItems,
    RowId,
    shortened,
)
from treadle.records.profiles import Extreme, Lengths, merge_extremes
from treadle.records.sketch_hashes import hash_texts
from treadle.stages.validation.profile.blocks import Places, Rows

_KEPT_HASHED = 4_096


class TextState:
    """Texts of one column, block after block."""

    def __init__(self) -> None:
        self.registers = distinct_sketch.no_values()
        self.frequent = FrequentItems()
        self.lengths: Lengths | None = None
        self.lowest: tuple[Extreme, ...] = ()
        self.highest: tuple[Extreme, ...] = ()
        self._hashed: set[str] = set()

    def add(self, values: pl.Series, places: Places | None, rows: Rows) -> None:
        """Take a block in; `places` says which rows the values are of, None: all, in order."""
        if not len(values):
            return
        counts = values.rename("value").value_counts()
        texts = counts["value"]
        self._hash(texts)
        self._measure(texts, counts["count"])
        self._bound(values, texts, places, rows)
        self._count(values, counts, places, rows)

    def _hash(self, texts: pl.Series) -> None:
        found = texts.to_list()
        fresh = [text for text in found if text not in self._hashed]
        distinct_sketch.count_in(self.registers, hash_texts(fresh))
        if len(self._hashed) + len(fresh) <= _KEPT_HASHED:
            self._hashed.update(fresh)

    def _measure(self, texts: pl.Series, counts: pl.Series) -> None:
        sizes = texts.str.len_chars().to_numpy().astype(np.int64)
        found = Lengths(
            int(sizes.min()),
            int(sizes.max()),
            int(np.einsum("i,i->", sizes, counts.to_numpy().astype(np.int64))),
        )
        self.lengths = found if self.lengths is None else self.lengths.merge(found)

    def _bound(self, values: pl.Series, texts: pl.Series, places: Places | None, rows: Rows) -> None:
        """Keep the first and the last text in order, with the first row of each."""
        for largest in (False, True):
            kept = self.highest if largest else self.lowest
            text = texts.max() if largest else texts.min()
            value = shortened(str(text))
            if kept and (value <= str(kept[0].value) if largest else value >= str(kept[0].value)):
                continue
            new = (Extreme(value, _first_row(values, str(text), places, rows)),)
            if largest:
                self.highest = merge_extremes(self.highest, new, largest=True)[:1]
            else:
                self.lowest = merge_extremes(self.lowest, new, largest=False)[:1]

    def _count(self, values: pl.Series, counts: pl.DataFrame, places: Places | None, rows: Rows) -> None:
        error = 0
        if counts.height > MOST_COUNTERS:
            # What cannot be kept is cut off before it becomes Python objects: the same rule as `fitted`.
            each = counts["count"].to_numpy()
            error = int(
                np.partition(each, counts.height - MOST_COUNTERS - 1)[counts.height - MOST_COUNTERS - 1]
            )
            counts = counts.filter(pl.col("count") > error)
        known = {one.value: one.row for one in self.frequent.counters}
        texts = counts["value"].to_list()
        first = _first_rows(values, [text for text in texts if shortened(text) not in known], places, rows)
        block = tuple(
            Counter(short, count - error, known[short] if short in known else first.get(text))
            for text, count in zip(texts, counts["count"].to_list(), strict=True)
            for short in (shortened(text),)
        )
        self.frequent = self.frequent.merge(FrequentItems(block, error, len(values)))


def _first_row(values: pl.Series, text: str, places: Places | None, rows: Rows) -> RowId:
    at = int((values == text).arg_max() or 0)
    return rows.id(at if places is None else int(places[at]))


def _first_rows(values: pl.Series, texts: list[str], places: Places | None, rows: Rows) -> dict[str, RowId]:
    """Return the first row of each of these texts."""
    if not texts:
        return {}
    at = pl.DataFrame({"value": values}).with_row_index("at").filter(pl.col("value").is_in(texts))
    first = at.group_by("value").agg(pl.col("at").min())
    return {
        text: rows.id(int(place if places is None else places[place]))
        for text, place in zip(first["value"].to_list(), first["at"].to_list(), strict=True)
    }
