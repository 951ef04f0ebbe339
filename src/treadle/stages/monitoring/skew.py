"""Skew: served vectors held against the ones recomputed offline at their T. Pure.

Offline equals online by construction; this measures whether it does (rule R18 of point-in-time features: the online value at
T equals the offline value at T for every logged request, measured continuously). Rows that became known after T don't
count on either side, so corrections and late rows are no skew.
"""

from __future__ import annotations

import heapq
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from treadle.define.monitors import Skew
from treadle.records.digests import Digest
from treadle.records.estimates import Window, share_interval
from treadle.records.instants import Instant, iso
from treadle.records.readings import ReadingState
from treadle.records.skew import FeatureSkew, SkewExample, SkewReading

EXAMPLES = 3
"""So many examples of a feature are kept."""
_BAD_FIRST: tuple[ReadingState, ...] = ("alert", "warn", "inconclusive", "ok")
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Compared:
    """Audited predictions: what was served, and what the stored rows say."""

    ids: pl.Series
    at: pl.Series
    """The prediction times T, int64."""
    served: pl.DataFrame
    recomputed: pl.DataFrame
    """Both with the same columns: the features that can be compared."""


def choose(ids: Iterable[str], rule: Skew) -> list[str]:
    """Return the ids of the predictions to recompute: those with the smallest hashes, the same at every call.

    Cost: 0.3 µs an id.
    """
    known = list(ids)
    if not known or rule.sample <= 0.0:
        return []
    wanted = min(rule.most, max(rule.least, math.ceil(rule.sample * len(known))))
    if wanted >= len(known):
        return known
    return heapq.nsmallest(wanted, known, key=lambda one: (zlib.crc32(one.encode()), one))


def changed_since(present: Mapping[str, Digest], earlier: Mapping[str, Digest]) -> dict[str, str]:
    """Return the features that cannot be compared, and why: their definition is not that of the last audit.

    Args:
        present: feature → digest of its definition, now.
        earlier: the same at the last audit; empty when there was none.
    """
    if not earlier:
        return {}
    found = {
        name: "its definition has changed since the last audit" if name in earlier else "it is new"
        for name, digest in present.items()
        if earlier.get(name) != digest
    }
    return found | {name: "it is no longer defined" for name in earlier if name not in present}


def judge(
    rule: Skew,
    compared: Compared,
    *,
    endpoint: str,
    window: Window,
    at: Instant,
    served: int,
    not_comparable: Mapping[str, str],
    definitions: Mapping[str, Digest],
    earlier: SkewReading | None = None,
) -> SkewReading:
    """Return the audit's reading.

    Args:
        rule: how.
        compared: the audited predictions.
        endpoint: whose they are.
        window: where they lie.
        at: when the reading is made.
        served: how many predictions the window has.
        not_comparable: features left out, and why.
        definitions: feature → digest of its present definition.
        earlier: the reading before this one.
    """
    audited = compared.ids.len()
    if audited < rule.min_rows:
        return SkewReading(
            endpoint=endpoint, at=at, window=window, served=served, audited=audited,
            state="insufficient_data", sentence=_too_few(rule, window, served, audited),
            not_comparable=not_comparable,
            alerting=() if earlier is None else earlier.alerting,
            resume=window.start,
            definitions=definitions if earlier is None else earlier.definitions,
        )  # fmt: skip
    features = sorted(
        (_feature(rule, compared, name) for name in compared.served.columns),
        key=lambda one: (_BAD_FIRST.index(one.state), -one.rate, one.feature),
    )
    return SkewReading(
        endpoint=endpoint, at=at, window=window, served=served, audited=audited,
        state=features[0].state if features else "insufficient_data",
        sentence=_sentence(features, not_comparable, served, audited),
        features=tuple(features),
        not_comparable=not_comparable,
        alerting=tuple(one.feature for one in features if one.state == "alert"),
        resume=window.end,
        definitions=definitions,
    )  # fmt: skip


def newly_alerting(reading: SkewReading, earlier: SkewReading | None) -> tuple[str, ...]:
    """Return the features that are beyond their bound and were not before: an alert is about these."""
    known = () if earlier is None else earlier.alerting
    return tuple(name for name in reading.alerting if name not in known)


def _feature(rule: Skew, compared: Compared, name: str) -> FeatureSkew:
    served, recomputed = compared.served[name], compared.recomputed[name]
    differs = _differs(served, recomputed, rule.tolerance)
    n, wrong = served.len(), int(differs.sum())
    interval = share_interval(wrong, n, rule.confidence)
    return FeatureSkew(
        feature=name,
        compared=n,
        mismatched=wrong,
        interval=interval,
        state=_state(rule, wrong, interval.low, interval.high),
        examples=_examples(compared, name, differs) if wrong else (),
    )


def _differs(served: pl.Series, recomputed: pl.Series, tolerance: float) -> pl.Series:
    differs = served.ne_missing(recomputed)
    if tolerance and served.dtype.is_float():
        size = pl.select(pl.max_horizontal(served.abs(), recomputed.abs())).to_series()
        differs &= ~((served - recomputed).abs() <= tolerance * size).fill_null(False)
    return differs


def _state(rule: Skew, wrong: int, low: float, high: float) -> ReadingState:
    if low > rule.alert:
        return "alert"
    if low > rule.warn:
        return "warn"
    return "inconclusive" if wrong and high > rule.alert else "ok"


def _examples(compared: Compared, name: str, differs: pl.Series) -> tuple[SkewExample, ...]:
    """Return the worst mismatches: a value against none first, then the farthest apart."""
    rows = pl.DataFrame(
        {
            "id": compared.ids,
            "at": compared.at,
            "served": compared.served[name],
            "recomputed": compared.recomputed[name],
        }
    ).filter(differs)
    if rows.schema["served"].is_float():
        far = (pl.col("served") - pl.col("recomputed")).abs().fill_null(math.inf)
        rows = rows.with_columns(far.alias("far")).sort("far", "id", descending=[True, False])
    else:
        rows = rows.sort("id")
    return tuple(
        SkewExample(prediction_id=identity, at=at, served=served, recomputed=recomputed)
        for identity, at, served, recomputed in rows.head(EXAMPLES)
        .select("id", "at", "served", "recomputed")
        .iter_rows()
    )


def _too_few(rule: Skew, window: Window, served: int, audited: int) -> str:
    since = iso(window.start)
    if not served:
        return f"nothing to audit: no prediction since {since}"
    if rule.sample <= 0.0:
        return "the audit is turned off (sample=0)"
    return f"too little to judge by: {audited:,} predictions since {since}; {rule.min_rows:,} are needed"


def _sentence(
    features: Sequence[FeatureSkew], not_comparable: Mapping[str, str], served: int, audited: int
) -> str:
    wrong = [one for one in features if one.mismatched]
    looked = f"{audited:,} of {served:,} served vectors were recomputed"
    left = f"; {len(not_comparable)} features are not comparable" if not_comparable else ""
    if not features:
        return f"{looked}{left}: nothing could be compared"
    if not wrong:
        return f"{looked}, none differs in any of {len(features)} features{left}"
    named = ", ".join(
        f"{one.feature} in {one.mismatched:,} ({one.interval.low:.1%}–{one.interval.high:.1%})"
        for one in wrong[:_SHOWN]
    )
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return f"{looked}; {len(wrong)} of {len(features)} features differ: {named}{more}{left}"
