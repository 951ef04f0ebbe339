"""Words about counts and values, for the sentences of anomalies."""

from __future__ import annotations

from treadle.records.frequent_items import Value
from treadle.stages.validation.schema.facts import Breach

_LONGEST = 100


def share(count: int, of: int) -> str:
    """Return a share in per cent, with as many digits as tell it from none and from all. Pure."""
    if not of:
        return "0 %"
    percent = 100.0 * count / of
    if 0 < percent < 0.01 or 99.99 < percent < 100:
        return f"{percent:.4f} %"
    return f"{percent:.3g} %"


def amount(breach: Breach, noun: str = "values") -> str:
    """Return how many values break a rule, out of how many: `12 of 1,000 values (1.2 %) are`. Pure."""
    verb = " are" if noun == "values" else ""
    if breach.count is None:
        return f"some of {breach.of:,} {noun}{verb}"
    about = "" if breach.exact else "about "
    return f"{about}{breach.count:,} of {breach.of:,} {noun} ({share(breach.count, breach.of)}){verb}"


def value_text(value: Value) -> str:
    """Return a value as people read it, cut where it is long. Pure."""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def floor_share(fraction: float) -> float:
    """Return a share that the fraction surely reaches, with four digits. Pure."""
    return int(fraction * 10_000) / 10_000
