"""The functions that generated row programs call: the parts of the semantics that need more than one operator."""

from __future__ import annotations

import math
import re
from datetime import date

_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INT = re.compile(r"[+-]?[0-9]+")
_WHOLE = 2.0**52  # from here on every float is a whole number
_LOW, _HIGH = -(2**63), 2**63 - 1


def wrap(value: int) -> int:
    """Return an integer as 64 bits of two's complement hold it."""
    return ((value + 2**63) & (2**64 - 1)) - 2**63


def divide(a: float, b: float) -> float:
    """IEEE division."""
    if b:
        return a / b
    if a == 0.0 or a != a:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def floor_divide(a: float, b: float) -> float:
    """The floor of the rounded quotient."""
    return floor(divide(a, b))


def modulo(a: float, b: float) -> float:
    """What floor division leaves."""
    return a - b * floor(divide(a, b))


def floor(x: float) -> float:
    """The greatest whole number not above x, keeping infinities, NaN and the sign of zero."""
    return float(math.floor(x)) if 0.0 < abs(x) < _WHOLE else x


def ceil(x: float) -> float:
    """The least whole number not below x, keeping infinities, NaN and the sign of zero."""
    return math.copysign(math.ceil(x), x) if 0.0 < abs(x) < _WHOLE else x


def round_half_even(x: float, scale: float) -> float:
    """The nearest multiple of 1/scale."""
    if not abs(x) < _WHOLE:
        return x
    scaled = x * scale
    return (math.copysign(round(scaled), scaled) if abs(scaled) < _WHOLE else scaled) / scale


def log(x: float) -> float:
    """Natural logarithm."""
    if x > 0.0:
        return math.log(x)
    return -math.inf if x == 0.0 else math.nan


def log1p(x: float) -> float:
    """Natural logarithm of 1 + x."""
    if x > -1.0:
        return math.log1p(x)
    return -math.inf if x == -1.0 else math.nan


def exp(x: float) -> float:
    """Exponential."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def sin(x: float) -> float:
    """Sine."""
    return math.sin(x) if math.isfinite(x) else math.nan


def cos(x: float) -> float:
    """Cosine."""
    return math.cos(x) if math.isfinite(x) else math.nan


def power(x: float, exponent: float) -> float:
    """X to a power that is not whole."""
    try:
        return math.pow(x, exponent)
    except OverflowError:
        return math.inf
    except ValueError:  # below zero it is not real; zero to a negative power is infinite
        return math.nan if x else math.inf


def truncate(x: float) -> int | None:
    """The whole part, if 64 bits hold it."""
    if not -9.3e18 < x < 9.3e18:
        return None
    whole = int(x)
    return whole if _LOW <= whole <= _HIGH else None


def parse_float(text: str) -> float | None:
    """The number that all of the text names."""
    return float(text) if _FLOAT.fullmatch(text) else None


def parse_int(text: str) -> int | None:
    """The 64-bit integer that all of the text names."""
    if not _INT.fullmatch(text) or len(text.lstrip("+-0")) > 19:
        return None
    value = int(text)
    return value if _LOW <= value <= _HIGH else None


def parse_bool(text: str) -> bool | None:
    """The boolean that the text names."""
    return True if text == "true" else False if text == "false" else None


def ordinal_day(day: date) -> int:
    """The day of the year, from 1."""
    return day.toordinal() - date(day.year, 1, 1).toordinal() + 1


def part(text: str, offset: int, length: int | None) -> str:
    """The characters inside a window that starts at a negative offset from the end."""
    start = len(text) + offset
    return text[max(start, 0) :] if length is None else text[max(start, 0) : max(start + length, 0)]
