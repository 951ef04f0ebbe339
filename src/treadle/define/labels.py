"""Labels and requests: what is predicted, for which rows, and when the truth becomes known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.define.names import duplicates, kind_fault, listed, name_fault, words_faults
from treadle.define.sources import Rows, Source, Table
from treadle.records.errors import InvalidInput

_ROWS = "a tr.Source, or a function made a table by @tr.table"


@dataclass(frozen=True, slots=True, init=False)
class Labels:
    """The truth that arrives after the prediction.

    Args:
        name: the label's name.
        source: rows whose `known_at` is the moment the label becomes known; a null value is no label.
        key: the columns that identify the request a label belongs to; requests have the same columns.
        value: the boolean (or 0/1) column that holds the label.
        owner, description, tags: for people.
        deprecated: what to use instead, once it is not to be used any more.

    Raises:
        InvalidInput: a column is missing or the source has no event time; every fault is listed.
    """

    name: str
    source: Rows
    key: tuple[str, ...]
    value: str
    owner: str
    description: str
    tags: tuple[str, ...]
    deprecated: str

    def __init__(
        self,
        name: str,
        *,
        source: Rows,
        key: Sequence[str] | str,
        value: str,
        owner: str = "",
        description: str = "",
        tags: Sequence[str] | str = (),
        deprecated: str = "",
    ) -> None:
        columns = listed(key)
        faults = [fault for fault in [name_fault("labels", name)] if fault]
        faults += _label_faults(f"labels {name!r}", source, columns, value)
        faults += words_faults(f"labels {name!r}", owner, tags, deprecated)
        if faults:
            raise InvalidInput("the labels cannot be defined", faults=faults)
        items = (name, source, columns, value, owner, description, listed(tags), deprecated)
        for slot, item in zip(self.__slots__, items, strict=True):
            object.__setattr__(self, slot, item)


@dataclass(frozen=True, slots=True, init=False)
class Requests:
    """The questions asked of a model: one row each, with its prediction time T and its fields.

    They are the spine of training sets, and the traffic of a replay.

    Args:
        source: rows whose event time is T; they hold the request fields and the label's key.

    Raises:
        InvalidInput: the source is none, or has no event time.
    """

    source: Rows

    def __init__(self, source: Rows) -> None:
        fault = kind_fault("requests", "source", source, (Source, Table), _ROWS)
        if fault:
            raise InvalidInput(fault)
        if source.timing.event_time is None:
            raise InvalidInput(
                f"requests need a prediction time: {source.name!r} has no event_time",
                fix="name the column that holds T as event_time",
            )
        object.__setattr__(self, "source", source)


def _label_faults(owner: str, source: Rows, key: Sequence[str], value: str) -> list[str]:
    fault = kind_fault(owner, "source", source, (Source, Table), _ROWS)
    if fault:
        return [fault]
    faults = [
        f"{owner}: column {c!r} is not in source {source.name!r}; it has {', '.join(sorted(source.columns))}"
        for c in dict.fromkeys((*key, value))
        if c not in source.columns
    ]
    kind = source.columns.get(value, "bool")
    if kind not in ("bool", "int", "float"):
        faults.append(f"{owner}: value {value!r} is {kind}; a label is a bool, or a number that is 0 or 1")
    if source.timing.event_time is None:
        faults.append(f"{owner}: source {source.name!r} needs an event_time: when the label became true")
    if not key:
        faults.append(f"{owner} have no key: name the columns that identify the request a label belongs to")
    faults += [f"{owner} list the key {c!r} twice" for c in duplicates(key)]
    return faults
