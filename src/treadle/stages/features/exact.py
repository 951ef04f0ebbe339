"""Sums that do not depend on the order of addition: fixed point in two 64-bit integers.

A float is split into `high` units of 2**-20 and `low` units of 2**-60. Integer addition wraps modulo 2**64, so prefix
sums can be subtracted exactly even after they have overflowed, as long as the sum that is asked for fits. Offline (NumPy)
and online (plain integers) use the same units and the same final formula, hence the same bits.

Exact for values below 2**42 in magnitude whose last bit is at least 2**-60; smaller bits are rounded to 2**-60.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from treadle.records.errors import InvalidInput

LIMIT = 2.0**42
_HIGH, _LOW = 2.0**20, 2.0**40
_UNIT_HIGH, _UNIT_LOW = 2.0**-20, 2.0**-60
_WRAP, _HALF = 1 << 64, 1 << 63


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
