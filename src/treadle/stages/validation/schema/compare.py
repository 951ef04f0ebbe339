"""Two profiles compared: rows that fell or rose, values that changed, units that were swapped. Pure; cost O(columns).

The comparators of a schema say when a change of values is worth an event. Every threshold has a term for the sizes of both
samples, so that a small sample does not alarm by its noise. What starts a training is decided by monitors.

| letter | meaning |
|---|---|
| `n`, `m` | values now and before |
| `k` | categories |
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from treadle.define.schema_writer import key_text, written
from treadle.records.anomalies import Anomaly
from treadle.records.anomaly_kinds import KINDS
from treadle.records.frequent_items import Value
from treadle.records.profiles import ColumnProfile, Profile
from treadle.records.quantile_sketch import RANK_ERROR, ks_distance
from treadle.records.schemas import ColumnSchema, Comparison, DatasetSchema
from treadle.stages.validation.schema.facts import Breach
from treadle.stages.validation.schema.findings import anomaly
from treadle.stages.validation.schema.units import SURE, swapped_unit
from treadle.stages.validation.schema.words import share

Against = Literal["previous", "training"]

FEWEST = 50
"""With fewer values on a side a distribution is not compared: what it would take to be sure is a distance of a third."""


def compare(
    now: Profile,
    schema: DatasetSchema,
    environment: str,
    *,
    previous: Profile | None = None,
    training: Profile | None = None,
) -> Iterator[Anomaly]:
    """Yield what has changed against the previous data (`drift`, ratios, units) and those trained on (`skew`).

    A comparison that the schema asks for and that lacks its other side is an anomaly of its own: nobody knows.
    """
    if previous is None:
        if schema.rows.min_ratio is not None or schema.rows.max_ratio is not None:
            yield _nothing("rows", "previous")
    else:
        yield from _rows(now, previous, schema)
    for name, column in schema.expected(environment).items():
        if name not in now:
            continue
        for key, other, against in _sides(column, previous, training):
            if other is None:
                yield _nothing(name, against)
            elif name in other:
                yield from _values(name, now[name], other[name], column, key, against)
        if previous is not None and name in previous and column.unit:
            yield from _unit(name, now[name], previous[name], column)


def _sides(
    column: ColumnSchema, previous: Profile | None, training: Profile | None
) -> Iterator[tuple[Literal["drift", "skew"], Profile | None, Against]]:
    if column.drift is not None:
        yield "drift", previous, "previous"
    if column.skew is not None:
        yield "skew", training, "training"


def _nothing(where: str, against: Against) -> Anomaly:
    kind = KINDS["comparison_missing"]
    return Anomaly(
        kind=kind.name,
        nature=kind.nature,
        severity=kind.severity,
        where=where,
        what=f"there are no {against} data to compare with",
        against=against,
    )


def _rows(now: Profile, previous: Profile, schema: DatasetSchema) -> Iterator[Anomaly]:
    if not previous.rows:
        return
    ratio = now.rows / previous.rows
    rows = schema.rows
    for rule, kind, beyond, round_to in (
        ("min_ratio", "rows_fell", rows.min_ratio is not None and ratio < rows.min_ratio, math.floor),
        ("max_ratio", "rows_rose", rows.max_ratio is not None and ratio > rows.max_ratio, math.ceil),
    ):
        if beyond:
            yield anomaly(
                kind, "rows", f"{now.rows:,} rows are {ratio:.3g} times the previous {previous.rows:,}",
                rules=rows, rule=rule, table="rows", against="previous",
                accept=[(rule, written(round_to(ratio * 1_000) / 1_000))],
            )  # fmt: skip


def _values(
    name: str,
    now: ColumnProfile,
    before: ColumnProfile,
    schema: ColumnSchema,
    key: Literal["drift", "skew"],
    against: Against,
) -> Iterator[Anomaly]:
    comparison = getattr(schema, key)
    assert isinstance(comparison, Comparison)
    n, m = now.present - now.nan, before.present - before.nan
    if min(n, m) < FEWEST:
        return
    table = f"columns.{key_text(name)}"
    if now.categorical and before.categorical:
        found = _categories(now.counts(), before.counts(), n, m, comparison)
    elif now.quantiles and before.quantiles:
        found = _numbers(now, before, n, m, comparison)
    else:
        found = []
    for kind, words, distance, threshold, value in found:
        wider = math.ceil((distance + 0.001) * 1_000) / 1_000
        plain = written({"distance": wider, "chance": comparison.chance})
        yield anomaly(
            kind, name, f"{words}: distance {distance:.3f}, at least {threshold:.3f} counts ({n:,} against {m:,} values)",
            rules=schema, rule=key, table=table, against=against, accept=[(key, plain)],
            breach=None if value is None else Breach(now.counts().get(value, 0), n, values=(value,)),
        )  # fmt: skip


_Found = tuple[str, str, float, float, "Value | None"]


def _numbers(
    now: ColumnProfile, before: ColumnProfile, n: int, m: int, comparison: Comparison
) -> list[_Found]:
    """Kolmogorov–Smirnov distance of two sketches; the sketches' own rank errors are taken off."""
    distance = ks_distance(now.sketch, before.sketch)
    # P(D > c * sqrt(1/n + 1/m)) -> 2 exp(-2 c^2), Kolmogorov's distribution by its first term.
    chance = math.sqrt(-math.log(comparison.chance / 2) / 2) * math.sqrt(1 / n + 1 / m)
    threshold = max(comparison.distance, chance + 2 * RANK_ERROR)
    if distance < threshold:
        return []
    quarter = [now.quantile(q) for q in (0.25, 0.5, 0.75)]
    usual = [before.quantile(q) for q in (0.25, 0.5, 0.75)]
    words = f"quartiles {', '.join(f'{q:.4g}' for q in quarter)} were {', '.join(f'{q:.4g}' for q in usual)}"
    return [("distribution_changed", words, distance, threshold, None)]


def _categories(
    now: Mapping[Value, int], before: Mapping[Value, int], n: int, m: int, comparison: Comparison
) -> list[_Found]:
    """L∞ and half the L1 distance of the shares, each with what samples of these sizes reach by chance.

    L∞: the difference of one category's share is normal with variance p(1-p)(1/n + 1/m), p pooled; of k categories the
    largest is held to chance / k (Bonferroni). L1 / 2: its mean under no change is sum sqrt(p(1-p)) / sqrt(2 pi) *
    sqrt(1/n + 1/m), and a single row moves it by 1/n, so that it leaves its mean by t with probability
    exp(-2 t^2 / (1/n + 1/m)) (McDiarmid, 1989).
    """
    values = sorted({*now, *before}, key=lambda v: (str(type(v)), v))
    p = np.array([now.get(v, 0) / n for v in values])
    q = np.array([before.get(v, 0) / m for v in values])
    pooled = (p * n + q * m) / (n + m)
    spread = math.sqrt(1 / n + 1 / m)
    found: list[_Found] = []
    deviations = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12)) * spread
    gaps = np.abs(p - q)
    limits = np.maximum(comparison.distance, _normal_tail(comparison.chance / len(values)) * deviations)
    worst = int(np.argmax(gaps - limits))
    if gaps[worst] >= limits[worst]:
        words = f"the share of {values[worst]!r} is {share(round(p[worst] * n), n)} and was {share(round(q[worst] * m), m)}"
        found.append(
            ("category_share_changed", words, float(gaps[worst]), float(limits[worst]), values[worst])
        )
    total = float(gaps.sum()) / 2
    mean = float(deviations.sum()) / math.sqrt(2 * math.pi)
    limit = max(comparison.distance, mean + spread * math.sqrt(-math.log(comparison.chance) / 2))
    if total >= limit:
        found.append(("categories_changed", "the shares of the categories have moved", total, limit, None))
    return found


def _normal_tail(chance: float) -> float:
    """Return how many standard deviations a normal value leaves its mean by, either way, with this probability."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - max(chance, 1e-15) / 2)


def _unit(name: str, now: ColumnProfile, before: ColumnProfile, schema: ColumnSchema) -> Iterator[Anomaly]:
    if not (now.quantiles and before.quantiles and now.numeric and before.numeric):
        return
    found = swapped_unit(now.sketch, before.sketch)
    if found is not None:
        yield anomaly(
            "unit_changed" if found in SURE else "scale_changed", name, f"values are the previous ones {found}",
            rules=schema, rule="unit", table=f"columns.{key_text(name)}", against="previous",
            accept=[("unit", "false")], breach=Breach(now.present, now.present, exact=False),
        )  # fmt: skip
