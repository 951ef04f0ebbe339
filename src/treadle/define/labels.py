"""Labels and requests: what is predicted, for which rows, and when the truth becomes known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.define.names import name_fault
from treadle.define.sources import Rows
from treadle.records.errors import InvalidInput


@dataclass(frozen=True, slots=True, init=False)
class Labels:
    """The truth that arrives after the prediction.

    Args:
        name: the label's name.
        source: rows whose `known_at` is the moment the label becomes known; a null value is no label.
        key: the columns that identify the request a label belongs to; requests have the same columns.
        value: the boolean (or 0/1) column that holds the label.

    Raises:
        InvalidInput: a column is missing or the source has no event time; every fault is listed.
    """

    name: str
    source: Rows
    key: tuple[str, ...]
    value: str

    def __init__(self, name: str, *, source: Rows, key: Sequence[str], value: str) -> None:
        faults = [fault for fault in [name_fault("labels", name)] if fault]
        faults += [
            f"labels {name!r}: column {c!r} is not in source {source.name!r}"
            for c in (*key, value)
            if c not in source.columns
        ]
        if source.timing.event_time is None:
            faults.append(
                f"labels {name!r}: source {source.name!r} needs an event_time: when the label became true"
            )
        if not key:
            faults.append(f"labels {name!r} have no key")
        if faults:
            raise InvalidInput("the labels cannot be defined", faults=faults)
        for slot, item in zip(self.__slots__, (name, source, tuple(key), value), strict=True):
            object.__setattr__(self, slot, item)


@dataclass(frozen=True, slots=True, init=False)
class Requests:
    """The questions asked of a model: one row each, with its prediction time T and its fields.

    They are the spine of training sets, and the traffic of a replay.

    Args:
        source: rows whose event time is T; they hold the request fields and the label's key.
    """

    source: Rows

    def __init__(self, source: Rows) -> None:
        if source.timing.event_time is None:
            raise InvalidInput(
                f"requests need a prediction time: {source.name!r} has no event_time",
                fix="name the column that holds T as event_time",
            )
        object.__setattr__(self, "source", source)
