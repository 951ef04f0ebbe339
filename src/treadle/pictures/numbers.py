"""How a number is written, the same in every picture, table, terminal and report.

Four significant digits, thousands separated, signed differences with their interval, units after a space; a
value that is not known reads "no data" and never 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from treadle.records.instants import DAY, HOUR, MINUTE, SECOND, Duration, Instant, to_datetime

NO_DATA = "no data"
MINUS = "\N{MINUS SIGN}"

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def known(value: float | None) -> bool:
    """Return whether the value is a finite number."""
    return value is not None and math.isfinite(value)


def number(value: float | None, digits: int = 4) -> str:
    """Return a number for a reader: `0.7312`, `1,234`, `12.3 M`; "no data" for what is not finite.

    Integers below a million are written whole: nobody wants a count rounded. Zeros that end a fraction are
    left out; `column` keeps them where numbers stand under each other.

    Args:
        value: what to write.
        digits: significant digits of a fraction.
    """
    if value is None or not math.isfinite(value):
        return NO_DATA
    size = abs(value)
    sign = MINUS if value < 0 else ""
    if size >= 999_950:
        for unit, step in (("M", 1e6), ("G", 1e9), ("T", 1e12)):
            if size < step * 999.95 or unit == "T":
                return f"{sign}{_significant(size / step, 3)} {unit}" if size < 1e16 else f"{sign}{size:.3e}"
    if value == int(value):
        return f"{sign}{int(size):,}"
    if size < 1e-4:
        mantissa, power = f"{size:.{digits - 1}e}".split("e")
        return f"{sign}{mantissa.rstrip('0').rstrip('.')}e{power}"
    return sign + _significant(size, digits)


def column(values: Sequence[float | None], digits: int = 4) -> list[str]:
    """Return numbers that stand under each other with the same decimals, enough for the largest one.

    A value so small that it would read 0 keeps its own digits.
    """
    known_ones = [abs(v) for v in values if v is not None and math.isfinite(v)]
    largest = max(known_ones, default=0.0)
    if largest >= 999_950 or not largest or all(v == int(v) for v in known_ones):
        return [number(v, digits) for v in values]
    most = max(0, digits - 1 - math.floor(math.log10(largest)))
    fractions = [f"{v:.{most}f}".partition(".")[2].rstrip("0") for v in known_ones]
    decimals = max(map(len, fractions))
    out = []
    for value in values:
        if value is None or not math.isfinite(value):
            out.append(NO_DATA)
        elif value and abs(value) < 0.5 * 10.0**-decimals:
            out.append(number(value, 2))
        else:
            out.append(_minus(f"{value:,.{decimals}f}"))
    return out


def _significant(size: float, digits: int) -> str:
    decimals = max(0, digits - 1 - math.floor(math.log10(size))) if size else 0
    text = f"{size:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def share(value: float | None, decimals: int = 1) -> str:
    """Return a fraction of one as a percentage: `0.831` reads `83.1 %`."""
    if value is None or not math.isfinite(value):
        return NO_DATA
    return f"{_minus(f'{value * 100:,.{decimals}f}')} %"


def signed(value: float | None, digits: int = 4) -> str:
    """Return a difference with its sign: `+0.0042`."""
    if value is None or not math.isfinite(value):
        return NO_DATA
    return number(value, digits) if value < 0 else f"+{number(value, digits)}"


def difference(value: float | None, lower: float | None, upper: float | None, level: int = 95) -> str:
    """Return a difference to the digits its interval supports: `+0.004 (95 % 0.001 to 0.007)`.

    Args:
        value: the estimate.
        lower: the interval's lower end.
        upper: the interval's upper end.
        level: the interval's coverage in percent.
    """
    if value is None or lower is None or upper is None:
        return signed(value) if value is not None else NO_DATA
    if not (math.isfinite(value) and math.isfinite(lower) and math.isfinite(upper)):
        return NO_DATA
    decimals = _decimals((upper - lower) / 2)
    text = f"{value:+,.{decimals}f}"
    return f"{_minus(text)} ({level} % {interval(lower, upper)})"


def estimate(value: float, lower: float, upper: float) -> str:
    """Return a value with its interval to the digits the interval supports: `0.731 (0.720 to 0.742)`."""
    return f"{_minus(f'{value:,.{_decimals((upper - lower) / 2)}f}')} ({interval(lower, upper)})"


def interval(lower: float | None, upper: float | None) -> str:
    """Return an interval to the digits its width supports: `0.001 to 0.007`."""
    if lower is None or upper is None or not (math.isfinite(lower) and math.isfinite(upper)):
        return NO_DATA
    decimals = _decimals((upper - lower) / 2)
    return f"{_minus(f'{lower:,.{decimals}f}')} to {_minus(f'{upper:,.{decimals}f}')}"


def _decimals(half: float) -> int:
    """Return the decimals that show one digit of a half-width, two when that digit is a 1 or a 2."""
    if half <= 0:
        return 4
    power = math.floor(math.log10(half))
    leading = half / 10**power
    return max(0, min(9, -power + (1 if leading < 2.95 else 0)))


def _minus(text: str) -> str:
    return text.replace("-", MINUS)


def bytes_size(size: float | None) -> str:
    """Return a number of bytes in binary units: `1.2 GiB`."""
    if size is None or not math.isfinite(size):
        return NO_DATA
    left, unit = abs(size), 0
    while left >= 1023.95 and unit < len(_BINARY) - 1:
        left, unit = left / 1024, unit + 1
    text = f"{left:,.0f}" if unit == 0 or left >= 100 else f"{left:.1f}"
    return f"{MINUS if size < 0 else ''}{text} {_BINARY[unit]}"


def span(length: Duration | float | None) -> str:
    """Return a duration (microseconds) in its two largest units: `2 min 36 s`, `4 d 6 h`, `340 ms`."""
    if length is None or not math.isfinite(length):
        return NO_DATA
    sign, micros = (MINUS if length < 0 else ""), abs(length)
    if micros < 1_000:
        return f"{sign}{micros:.0f} µs"
    if micros < 999_500:
        return f"{sign}{_trim(micros / 1_000)} ms"
    if micros < 59_950_000:
        return f"{sign}{_trim(micros / SECOND)} s"
    for big, big_name, small, small_name in (
        (MINUTE, "min", SECOND, "s"),
        (HOUR, "h", MINUTE, "min"),
        (DAY, "d", HOUR, "h"),
    ):
        whole, rest = divmod(round(micros / small), big // small)
        if big == DAY or whole * big < {MINUTE: HOUR, HOUR: DAY}[big]:
            return (
                f"{sign}{whole:,} {big_name} {rest} {small_name}" if rest else f"{sign}{whole:,} {big_name}"
            )
    raise AssertionError("days end the list")


def _trim(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def moment(at: Instant | None, *, zone: bool = True) -> str:
    """Return an instant as absolute UTC to the minute: `2013-04-01 06:30 UTC`; the date alone at midnight."""
    if at is None:
        return NO_DATA
    when = to_datetime(at)
    if at % DAY == 0:
        return f"{when:%Y-%m-%d}" + (" UTC" if zone else "")
    clock = f"{when:%H:%M}" if at % MINUTE == 0 else f"{when:%H:%M:%S}"
    return f"{when:%Y-%m-%d} {clock}" + (" UTC" if zone else "")
