"""Sums that do not depend on the order of addition: fixed point in two 64-bit integers.

A float is split into `high` units of 2**-20 and `low` units of 2**-60. Integer addition wraps modulo 2**64, so prefix
sums can be subtracted exactly even after they have overflowed, as long as the sum that is asked for fits. Offline (NumPy)
and online (plain integers) use the same units and the same final formula, hence the same bits.

Exact for values below 2**42 in magnitude whose last bit is at least 2**-60; smaller bits are rounded to 2**-60. Squares
are kept whole, in six integers of 39 bits each, so a variance has no cancellation; at most 2**24 of them may be in a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
import numpy.typing as npt

from treadle.records.errors import InvalidInput

LIMIT = 2.0**42
_HIGH, _LOW = 2.0**20, 2.0**40
_UNIT_HIGH, _UNIT_LOW = 2.0**-20, 2.0**-60
_WRAP, _HALF = 1 << 64, 1 << 63
SQUARES = 6
"""How many integers the square of a value is kept in."""
_LIMB = 39
_LIMB_MASK = (1 << _LIMB) - 1
_DIGIT = 26
_DIGIT_MASK = np.int64((1 << _DIGIT) - 1)

Ints = npt.NDArray[np.int64]


def split(value: float) -> tuple[int, int]:
    """Return a finite value as (high, low) integers.

    Raises:
        InvalidInput: the value is infinite, NaN, or too large for exact sums.
    """
    if not -LIMIT < value < LIMIT:
        raise InvalidInput(
            f"{value!r} cannot be summed in a window: values must lie within ±{LIMIT:.0f}",
            fix="scale the column, or turn such values into null in the table that makes them",
        )
    scaled = value * _HIGH
    high = round(scaled)
    return high, round((scaled - high) * _LOW)


def split_array(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return finite values as (high, low) integer arrays of the same shape; `split` for many."""
    bad = ~((values > -LIMIT) & (values < LIMIT))
    if bad.any():
        split(float(values[bad][0]))
    scaled = values * _HIGH
    high = np.rint(scaled)
    return high.astype(np.int64), np.rint((scaled - high) * _LOW).astype(np.int64)


def join(high: int, low: int) -> float:
    """Return the float nearest to the sum that two integers stand for."""
    return float(high) * _UNIT_HIGH + float(low) * _UNIT_LOW


def join_array(high: npt.NDArray[np.int64], low: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """`join` for many: the same formula, the same bits."""
    return high.astype(np.float64) * _UNIT_HIGH + low.astype(np.float64) * _UNIT_LOW


def wrap(value: int) -> int:
    """Return an integer modulo 2**64 as a signed 64-bit value, as NumPy's additions do."""
    return (value + _HALF) % _WRAP - _HALF


def squares(high: int, low: int) -> tuple[int, ...]:
    """Return the square of a split value in units of 2**-120, as `SQUARES` integers of 39 bits, lowest first."""
    whole = ((high << 40) + low) ** 2
    return tuple((whole >> (_LIMB * i)) & _LIMB_MASK for i in range(SQUARES))


def squares_array(high: Ints, low: Ints) -> list[Ints]:
    """`squares` for many: the same integers, as `SQUARES` arrays."""
    negative = (high < 0) | ((high == 0) & (low < 0))
    high, low = np.where(negative, -high, high), np.where(negative, -low, low)
    borrow = low < 0
    high, low = high - borrow, low + (borrow.astype(np.int64) << 40)
    # The magnitude, high * 2**40 + low, in four digits of 26 bits: products of two fit an int64, eight added too.
    digits = [
        low & _DIGIT_MASK,
        (low >> _DIGIT) | ((high & 0xFFF) << 14),
        (high >> 12) & _DIGIT_MASK,
        high >> 38,
    ]
    product, carry = [], np.zeros_like(high)
    for place in range(8):
        for i in range(max(0, place - 3), min(place, 3) + 1):
            carry = carry + digits[i] * digits[place - i]
        product.append(carry & _DIGIT_MASK)
        carry = carry >> _DIGIT
    half = np.int64((1 << 13) - 1)  # two limbs of 39 bits are three digits of 26
    limbs = []
    for a, b, c in (product[0:3], product[3:6], [*product[6:8], carry]):
        limbs += [a | ((b & half) << _DIGIT), (b >> 13) | (c << 13)]
    return limbs


def variance(count: int, high: int, low: int, limbs: Sequence[int]) -> float | None:
    """Return the float nearest to the sample variance of the values behind exact sums; None for fewer than two.

    Args:
        count: how many values.
        high: their sum's upper part.
        low: its lower part.
        limbs: the sums of their `squares`.
    """
    if count < 2:
        return None
    added = (high << 40) + low
    squared = sum(limb << (_LIMB * i) for i, limb in enumerate(limbs))
    return (count * squared - added * added) / ((count * (count - 1)) << 120)


def deviation(variance: float | None) -> float | None:
    """Return the standard deviation of a variance."""
    return None if variance is None else sqrt(variance)


def interpolated(values: Sequence[float], level: float) -> float | None:
    """Return a quantile of values in ascending order, interpolated between neighbours; None of no values."""
    if len(values) == 0:
        return None
    place = level * (len(values) - 1)
    below = int(place)
    part = place - below
    lower = values[below]
    return float(lower if part == 0 else lower + (values[below + 1] - lower) * part)
