"""Choosing predictions to be labelled by people, so that what they say can be weighed back to all predictions.

The predictions are parted into strata, and of each so many are drawn without replacement by the order of a seeded hash of
their ids. So a draw is the same on every machine, and each row's chance is known: `chosen / rows` of its stratum
(stratified sampling: W. Cochran, "Sampling Techniques", 3rd edition, chapter 5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.records.labelling import Strategy, Stratum
from treadle.stages.evaluation.inputs import Bools, Floats

Places = npt.NDArray[np.int64]

CLEARLY = 3.0
"""A slice's mean score has moved when it differs by so many standard errors."""
LEAST_ROWS = 30
MOST_LEVELS = 50


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows that were chosen, in the order of the rows."""

    places: Places
    names: tuple[str, ...]
    """The stratum of each."""
    probabilities: Floats
    strata: tuple[Stratum, ...]


@dataclass(frozen=True, slots=True)
class Shift:
    """The slice whose scores moved most."""

    column: str
    value: str
    before: float
    now: float
    errors: float
    """The difference of the means in standard errors."""


def choose(
    ids: Sequence[str],
    scores: Floats,
    *,
    strategy: Strategy,
    n: int,
    seed: int = 0,
    threshold: float = 0.5,
    drifted: Bools | None = None,
) -> Sample:
    """Return at most n rows to be labelled. Pure.

    `random` draws from all rows. `uncertain` takes the rows whose scores are nearest the threshold, and nothing of the
    rest: such answers teach a model, and say nothing of its quality. `drifted` draws from the drifted slice alone.
    `mixed` takes a third of each: the nearest, of the slice, of the rest; so every row has a chance, and estimates can
    be weighed. What a stratum cannot fill goes to the rest.

    Args:
        ids: of the predictions, each once; they and the seed decide the draw.
        scores: of the predictions, shape (rows,).
        strategy: see above.
        n: how many at most.
        seed: another one draws other rows.
        threshold: the score at which the decision turns.
        drifted: which rows are of the drifted slice, shape (rows,); None where there is none.
    """
    order = _order(ids, seed)
    everything = np.arange(len(ids), dtype=np.int64)
    inside = np.zeros(len(ids), np.bool_) if drifted is None else drifted
    if strategy == "random":
        return _drawn([("random", everything, n)], order)
    if strategy == "drifted":
        return _drawn([("drifted", everything[inside], n), ("rest", everything[~inside], 0)], order)
    near = np.lexsort((order, np.abs(scores - threshold)))
    if strategy == "uncertain":
        return _drawn([("uncertain", near[:n], n), ("rest", near[n:], 0)], order)
    uncertain, others = near[: n // 3], near[n // 3 :]
    of_slice, rest = others[inside[others]], others[~inside[others]]
    wanted = min(n // 3, len(of_slice))
    left = n - len(uncertain) - wanted
    spare = max(left - len(rest), 0)  # the rest is too small: the slice gives more
    return _drawn(
        [
            ("uncertain", uncertain, len(uncertain)),
            ("drifted", of_slice, wanted + spare),
            ("rest", rest, left),
        ],
        order,
    )


def most_shifted(
    before: pl.DataFrame, now: pl.DataFrame, columns: Sequence[str], score: str = "score"
) -> Shift | None:
    """Return the slice whose mean score moved most between two spans, in standard errors; None where none did clearly.

    Slices are the values of columns with at most 50 of them, each with at least 30 rows in both spans. No label is needed.
    """
    found: list[Shift] = []
    for column in columns:
        sides = [_levels(rows, column, score) for rows in (before, now)]
        if max(side.height for side in sides) > MOST_LEVELS:
            continue
        pairs = sides[0].join(sides[1], on="value", suffix="_now")
        for value, mean, spread, count, mean_now, spread_now, count_now in pairs.iter_rows():
            if value is None or min(count, count_now) < LEAST_ROWS:
                continue
            error = float(np.sqrt(spread / count + spread_now / count_now))
            moved = abs(mean_now - mean)
            errors = moved / error if error > 0.0 else float("inf") if moved > 0.0 else 0.0
            found.append(Shift(column, value, mean, mean_now, errors))
    clear = [one for one in found if one.errors >= CLEARLY]
    return max(clear, key=lambda one: (one.errors, one.column, one.value), default=None)


def _levels(rows: pl.DataFrame, column: str, score: str) -> pl.DataFrame:
    return (
        rows.group_by(pl.col(column).cast(pl.String).alias("value"))
        .agg(
            pl.col(score).mean().alias("mean"),
            pl.col(score).var(ddof=0).alias("spread"),
            pl.len().alias("count"),
        )
        .sort("value")
    )


def _order(ids: Sequence[str], seed: int) -> npt.NDArray[np.uint64]:
    """Return a number for each id, which orders them as chance would."""
    key = seed.to_bytes(16, "little", signed=True)
    digests = (hashlib.blake2b(one.encode(), digest_size=8, key=key).digest() for one in ids)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _drawn(parts: Sequence[tuple[str, Places, int]], order: npt.NDArray[np.uint64]) -> Sample:
    strata, places, names, chances = [], [], [], []
    for name, rows, wanted in parts:
        taken = rows[np.argsort(order[rows], kind="stable")][:wanted]
        places.append(taken)
        if len(rows):
            strata.append(Stratum(name=name, rows=len(rows), chosen=len(taken)))
            names += [name] * len(taken)
            chances += [len(taken) / len(rows)] * len(taken)
    together = np.concatenate(places)
    sorted_to = np.argsort(together, kind="stable")
    return Sample(
        together[sorted_to],
        tuple(names[place] for place in sorted_to),
        np.array(chances, dtype=np.float64)[sorted_to],
        tuple(strata),
    )
