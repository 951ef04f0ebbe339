"""Columns of times: timestamps of any unit and zone, and ISO 8601 text, become instants in microseconds UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from treadle.records.instants import instant

INSTANTS = pl.Datetime("us", "UTC")
LOCAL = pl.Datetime("us")

_FIRST = instant(datetime.min.replace(tzinfo=UTC))
_LAST = instant(datetime.max.replace(tzinfo=UTC))
"""The instants that calendars know, years 1 to 9999; what lies outside is mostly one unit taken for another."""
_ISO = r"^\s*(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?\s*([Zz]|[+-]\d{2}(?::?\d{2})?)?\s*$"
"""Date, time to the minute, seconds, offset."""


def instants(series: pl.Series, zone: str | None, naive_fix: str) -> tuple[pl.Series, str | None]:
    """Return timestamps as instants, and what is wrong with them, if anything. Pure.

    Args:
        series: Datetime of any unit and zone; parts of a microsecond are cut off, towards the past.
        zone: the zone of times that carry none; None refuses them. A local time that occurs twice, because clocks were
            set back, is read as the later of the two: read as the earlier, a fact would be usable before it was known.
            A local time that clocks skipped is refused: it shows that the zone is not the right one.
        naive_fix: what to do about times without a zone, for the fault.
    """
    dtype = series.dtype
    assert isinstance(dtype, pl.Datetime)
    if dtype.time_zone is None and zone is None:
        return series, _naive(series.cast(pl.String), naive_fix)
    times, fault = _microseconds(series.to_physical(), dtype.time_unit)
    if fault is not None:
        return series, fault
    if dtype.time_zone is None and zone is not None:
        return _placed(times.cast(LOCAL), zone)
    return times.cast(INSTANTS), None


def parsed(series: pl.Series, zone: str | None, naive_fix: str) -> tuple[pl.Series, str | None]:
    """Return ISO 8601 texts as instants, and what is wrong with them, if anything; see `instants`. Pure.

    Texts with an offset and texts without one may be mixed when a zone is given.
    """
    times = _zoned(series)
    if times.null_count() == series.null_count():
        return _within_years(times)
    # The quick parser knows the commonest forms only: take the others apart, and put them into those.
    parts = series.str.extract_groups(_ISO).struct.unnest()
    date, minute, second, offset = (parts.to_series(place) for place in range(4))
    clock = date + "T" + minute + second.fill_null(":00")
    local = clock.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    again = _zoned(clock + offset.str.replace(r"^([+-]\d{2})$", "${1}:00"))
    times = times.zip_with(times.is_not_null(), again)
    left = series.is_not_null() & times.is_null()
    wrong = series.filter(left & (offset.is_not_null() | local.is_null()))
    if len(wrong):
        noun = "text that is no ISO 8601 time" if len(wrong) == 1 else "texts that are no ISO 8601 times"
        return series, f"holds {len(wrong):,} {noun}, e.g. {wrong[0][:60]!r}; write 2013-04-01T00:00:00Z"
    if left.any():
        if zone is None:
            return series, _naive(series.filter(left), naive_fix)
        placed, fault = _placed(local.set(~left, None), zone)
        if fault is not None:
            return series, fault
        times = times.zip_with(times.is_not_null(), placed)
    return _within_years(times)


def _zoned(texts: pl.Series) -> pl.Series:
    return texts.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)


def _placed(local: pl.Series, zone: str) -> tuple[pl.Series, str | None]:
    """Return local times as instants."""
    times = local.dt.replace_time_zone(zone, ambiguous="latest", non_existent="null")
    skipped = local.filter(local.is_not_null() & times.is_null())
    if len(skipped):
        noun = "local time" if len(skipped) == 1 else "local times"
        return local, (
            f"holds {len(skipped):,} {noun} that clocks in {zone} skipped, e.g. {skipped[0]}; "
            "declare the zone the times are in, or store them with an offset"
        )
    return times.dt.convert_time_zone("UTC"), None


def _microseconds(numbers: pl.Series, unit: str) -> tuple[pl.Series, str | None]:
    """Return counts of a unit since 1970 as counts of microseconds."""
    if unit == "ns":  # 64 bits of nanoseconds reach from 1677 to 2262
        return numbers // 1_000, None
    factor = 1_000 if unit == "ms" else 1
    outside = numbers.filter(~numbers.is_between(_FIRST // factor, _LAST // factor))
    if len(outside):
        noun = "time" if len(outside) == 1 else "times"
        return numbers, (
            f"holds {len(outside):,} {noun} outside the years 1 to 9999, e.g. {outside[0]} {unit} after 1970; "
            "check the unit where the data is made"
        )
    return numbers * factor, None


def _within_years(times: pl.Series) -> tuple[pl.Series, str | None]:
    _, fault = _microseconds(times.to_physical(), "us")
    return times, fault


def _naive(texts: pl.Series, fix: str) -> str:
    values = texts.drop_nulls()
    example = f", e.g. {values[0]}" if len(values) else ""
    return f"holds times without a zone{example}; {fix}"
