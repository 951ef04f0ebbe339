"""Dividing labelled rows: by time, by group, by chance within strata. Pure: frames in, frames out.

The parts never share a row, and what decides is stated, so the same rows always fall into the same parts:

* **by time**: the border is when the label became known. Whoever trained at the border knew exactly the older rows.
* **by group**: a hash of the group's values and the seed decides. It does not depend on the other rows, so a group
  stays in its part when data are added.
* **by chance**: rows are drawn within each stratum by a generator that starts from the seed (PCG64).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.records.errors import InvalidInput, NotFound
from treadle.records.frames import KNOWN_AT, LABEL, Frame
from treadle.records.instants import iso, short
from treadle.records.splits import Split

LABEL_COLUMN = "label"
"""What people call the label in `stratify`; a request field of that name comes first."""
_NAMES = {2: ("older", "newer"), 3: ("training", "validation", "test")}


def divide(frame: Frame, split: Split) -> list[Frame]:
    """Return the parts in order: first the rows to learn from, last those to judge on at the end.

    With `by_time` and `group` together, rows of a group that a newer part has are left out of the older ones.

    Raises:
        NotFound: a column is not in the frame; the nearest names are offered.
        InvalidInput: a part would be empty.
    """
    parts = _by_time(frame, split) if split.by_time else _by_share(frame, split)
    for number, part in enumerate(parts):
        if not len(part) and (number == 0 or split.shares):
            raise InvalidInput(
                f"the split leaves {_nothing(number)}: {_why(frame, split)}",
                where=str(split),
                fix="split by a shorter time or smaller shares, or train on more history",
            )
    return parts


def part_names(count: int) -> Sequence[str]:
    """Return what the parts are called in messages and digests."""
    return _NAMES.get(count) or [f"part {number}" for number in range(count)]


def _by_time(frame: Frame, split: Split) -> list[Frame]:
    borders = [frame.until]
    for lasts in reversed(split.by_time):
        borders.insert(0, borders[0] - lasts)
    parts = []
    for number, end in enumerate(borders):
        inside = pl.col(KNOWN_AT) < end if number < len(borders) - 1 else pl.lit(True)
        if number:
            inside &= pl.col(KNOWN_AT) >= borders[number - 1]
        if split.embargo and number < len(borders) - 1:
            inside &= pl.col(KNOWN_AT) < end - split.embargo
        parts.append(replace(frame.where(inside), until=end))
    if split.group:
        columns = _columns(frame, split.group)
        for number in range(len(parts) - 1):
            newer = pl.concat([part.rows.select(columns) for part in parts[number + 1 :]]).unique()
            rows = parts[number].rows.join(
                newer, on=columns, how="anti", nulls_equal=True, maintain_order="left"
            )
            parts[number] = replace(parts[number], rows=rows)
    return parts


def _by_share(frame: Frame, split: Split) -> list[Frame]:
    places = _group_parts(frame, split) if split.group else _drawn_parts(frame, split)
    return [
        replace(frame, rows=frame.rows.filter(pl.Series(places == number)))
        for number in range(len(split.shares) + 1)
    ]


def _group_parts(frame: Frame, split: Split) -> npt.NDArray[np.int64]:
    columns = _columns(frame, split.group)
    groups = frame.rows.select(columns).unique(maintain_order=True)
    draws = np.array([_uniform(values, split.seed) for values in groups.iter_rows()])
    found = groups.with_columns(pl.Series("__part", _parts_of(draws, split.shares)))
    joined = frame.rows.select(columns).join(
        found, on=columns, how="left", nulls_equal=True, maintain_order="left"
    )
    return joined["__part"].to_numpy()


def _drawn_parts(frame: Frame, split: Split) -> npt.NDArray[np.int64]:
    places = np.zeros(len(frame), np.int64)
    generator = np.random.Generator(np.random.PCG64(split.seed))
    for rows in _strata(frame, split.stratify):
        order = generator.permutation(rows)
        ends = np.rint(np.cumsum([1 - sum(split.shares), *split.shares]) * len(order)).astype(np.int64)
        for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            places[order[start:end]] = number
    return places


def _strata(frame: Frame, names: Sequence[str]) -> list[npt.NDArray[np.int64]]:
    if not names:
        return [np.arange(len(frame))]
    columns = _columns(
        frame, [LABEL if n == LABEL_COLUMN and n not in frame.rows.columns else n for n in names]
    )
    found = frame.rows.select(columns).with_row_index("__at_row").group_by(columns, maintain_order=True)
    return [np.asarray(rows["__at_row"].to_numpy(), np.int64) for _, rows in found]


def _columns(frame: Frame, names: Sequence[str]) -> list[str]:
    for name in names:
        if name not in frame.rows.columns:
            known = [column for column in frame.rows.columns if not column.startswith("__")]
            raise NotFound.among("column", name, [*known, LABEL_COLUMN], where="tr.split")
    return list(names)


def _uniform(values: Sequence[object], seed: int) -> float:
    """Return a number in [0, 1) that only the values and the seed decide."""
    text = repr((seed, values)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=7).digest(), "big") / 2**56


def _parts_of(draws: npt.NDArray[np.float64], shares: Sequence[float]) -> npt.NDArray[np.int64]:
    return np.searchsorted(np.cumsum([1 - sum(shares), *shares])[:-1], draws, "right").astype(np.int64)


def _nothing(number: int) -> str:
    return "nothing to learn from" if number == 0 else "nothing to judge on"


def _why(frame: Frame, split: Split) -> str:
    if split.by_time and not split.group:
        lasted = sum(split.by_time) + split.embargo
        return f"all {len(frame):,} labels became known in the last {short(lasted)} before {iso(frame.until)}"
    return f"there are {len(frame):,} rows" + (
        f" in {frame.rows.select(split.group).n_unique():,} groups" if split.group else ""
    )
