"""Swapped units: numbers that are the former ones times a factor, or °F where °C was.

A unit is swapped when the distribution now is far from the one before, and near to it once the swap is undone. Both
are measured by the Kolmogorov–Smirnov distance of the sketches, so that neither outliers nor the shape matter.
"""

from __future__ import annotations

import math
from dataclasses import replace

from treadle.records.quantile_sketch import RANK_ERROR, Quantiles, ks_distance

FEWEST = 200
"""With fewer values on a side too many factors fit."""

SURE: dict[str, tuple[float, float]] = {
    "× 10": (10.0, 0.0),
    "× 100": (100.0, 0.0),
    "× 1000": (1_000.0, 0.0),
    "× 1,000,000": (1e6, 0.0),
    "× 60 (minutes in place of hours, or seconds of minutes)": (60.0, 0.0),
    "× 3600 (seconds in place of hours)": (3_600.0, 0.0),
    "÷ 10": (0.1, 0.0),
    "÷ 100": (0.01, 0.0),
    "÷ 1000": (0.001, 0.0),
    "÷ 1,000,000": (1e-6, 0.0),
    "÷ 60 (hours in place of minutes, or minutes of seconds)": (1 / 60, 0.0),
    "÷ 3600 (hours in place of seconds)": (1 / 3_600, 0.0),
    "in °F in place of °C": (1.8, 32.0),
    "in °C in place of °F": (1 / 1.8, -32.0 / 1.8),
    "in K in place of °C": (1.0, 273.15),
    "in °C in place of K": (1.0, -273.15),
    "with the sign turned": (-1.0, 0.0),
}
"""What happened → factor and offset: now = factor · before + offset. Honest changes hardly ever look like these."""

GUESSED: dict[str, tuple[float, float]] = {
    "× 1.609 (km in place of miles)": (1.609344, 0.0),
    "× 2.205 (pounds in place of kilograms)": (2.2046226, 0.0),
    "× 2.54 (centimetres in place of inches)": (2.54, 0.0),
    "× 3.281 (feet in place of metres)": (3.28084, 0.0),
    "× 3.6 (km/h in place of m/s)": (3.6, 0.0),
    "÷ 1.609 (miles in place of km)": (1 / 1.609344, 0.0),
    "÷ 2.205 (kilograms in place of pounds)": (1 / 2.2046226, 0.0),
    "÷ 2.54 (inches in place of centimetres)": (1 / 2.54, 0.0),
    "÷ 3.281 (metres in place of feet)": (1 / 3.28084, 0.0),
    "÷ 3.6 (m/s in place of km/h)": (1 / 3.6, 0.0),
}
"""Swaps so small that an honest change of level looks the same: of random factors from 0.3 to 3, about four in ten are near
one of these. They are told as a change and never stop anything by themselves."""

SWAPS = {**SURE, **GUESSED}

_FAR = 0.2
_NEAR, _NOT_NEAR = 0.05, 0.1


def swapped_unit(now: Quantiles, before: Quantiles) -> str | None:
    """Return in words which unit was swapped, or None. Pure; cost: one distance per known swap.

    Far is a distance of 0.2 and more; near is at most 0.05, or what samples of these sizes reach by chance (once in a
    thousand) up to 0.1, and at most a quarter of how far it was. Of several that fit the nearest counts. Whether
    the answer is more than a guess says the table it is from.
    """
    if min(now.n, before.n) < FEWEST:
        return None
    far = ks_distance(now, before)
    if far < _FAR:
        return None
    chance = 1.95 * math.sqrt(1 / now.n + 1 / before.n) + 2 * RANK_ERROR
    distances = {
        words: ks_distance(now, moved(before, factor, offset)) for words, (factor, offset) in SWAPS.items()
    }
    best = min(distances, key=lambda words: distances[words])
    return best if distances[best] <= min(max(_NEAR, chance), _NOT_NEAR, far / 4) else None


def moved(sketch: Quantiles, factor: float, offset: float) -> Quantiles:
    """Return the sketch of factor · value + offset. Pure."""
    ends = sorted((sketch.low * factor + offset, sketch.high * factor + offset))
    levels = tuple(level * factor + offset for level in sketch.levels)
    return replace(sketch, low=ends[0], high=ends[1], levels=levels)
