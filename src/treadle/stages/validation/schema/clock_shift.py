"""Times that moved round the clock: the hours of the day keep their shape and stand elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

LEAST = 200
"""Fewer times than this say nothing about 24 hours."""
_MATTERS = 0.05


def shifted_hours(counts: Sequence[int], usual: Sequence[float]) -> int:
    """Return by how many hours times have moved, -11 to 12; 0 when they have not, or when nobody can tell. Pure.

    The distance is half the sum of absolute differences (total variation). A move is seen when the shape fits at
    another hour at most half as far off as where it stands, and the fit is better by more than chance makes
    it: with n times in 24 hours, the distance by chance is about sqrt(24 / (2 pi n)).

    Args:
        counts: times in each hour of the day, shape (24,).
        usual: the usual share of each hour, shape (24,).
    """
    n = sum(counts)
    if n < LEAST:
        return 0
    found = np.asarray(counts, np.float64) / n
    wanted = np.asarray(usual, np.float64) / sum(usual)
    distances = [float(np.abs(found - np.roll(wanted, hours)).sum()) / 2 for hours in range(24)]
    best = int(np.argmin(distances))
    chance = math.sqrt(24 / (2 * math.pi * n))
    gain = distances[0] - distances[best]
    if best == 0 or gain < _MATTERS + 2 * chance or distances[best] > max(0.5 * distances[0], 2 * chance):
        return 0
    return best if best <= 12 else best - 24
