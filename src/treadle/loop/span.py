"""What a replay covers: which months are served, and from when to when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.loop.calendar import add_months, month_of, month_start
from treadle.records.errors import InvalidInput
from treadle.records.instants import Instant, iso
from treadle.records.rows import EVENT_TIME

WARM_UP_MONTHS = 3
"""Months of history the first model learns from."""


@dataclass(frozen=True, slots=True)
class Span:
    """What a replay covers."""

    months: tuple[str, ...]
    """The months that are served, in order."""
    start: Instant
    """The first served month's first T: the first model may use labels known before it."""
    end: Instant
    """Requests before this instant are served."""


def plan_span(rows: Mapping[str, pl.DataFrame], endpoint: Endpoint, zone: str, until: Instant | None) -> Span:
    """Return what there is to replay: all requests after the warm-up months, up to `until`. Pure.

    Raises:
        InvalidInput: there is less history than the warm-up needs.
    """
    source = endpoint.requests.stored().name
    asked = rows[source][EVENT_TIME].sort().to_numpy()
    if not len(asked):
        raise InvalidInput(
            f"endpoint {endpoint.name!r} has no requests to replay: {source!r} has no rows",
            fix=f"give data of more than {WARM_UP_MONTHS} months",
        )
    first = add_months(month_of(int(asked[0]), zone), WARM_UP_MONTHS)
    last = month_of(int(asked[-1]), zone)
    end = int(asked[-1]) + 1 if until is None else min(until, int(asked[-1]) + 1)
    begins = month_start(first, zone)
    position = int(np.searchsorted(asked, begins, "left"))
    if position == len(asked) or end <= max(begins, int(asked[position])):
        raise InvalidInput(
            f"there is nothing to replay: the first {WARM_UP_MONTHS} months train the first model, and the requests end at "
            f"{iso(end)}",
            fix=f"give data that goes beyond {iso(begins)}, or a later --until",
        )
    months = [first]
    while months[-1] != last and month_start(add_months(months[-1], 1), zone) < end:
        months.append(add_months(months[-1], 1))
    return Span(tuple(months), int(asked[position]), end)
