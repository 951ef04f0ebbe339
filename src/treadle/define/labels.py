"""Labels and requests: what is predicted, for which rows, and when the truth becomes known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.define.names import duplicates, duration_or_fault, kind_fault, listed, name_fault, words_faults
from treadle.define.sources import Rows, Source, Table
from treadle.records.errors import InvalidInput
from treadle.records.instants import Duration

_ROWS = "a tr.Source, or a function made a table by @tr.table"


@dataclass(frozen=True, slots=True, init=False)
class Labels:
    """The truth that arrives after the prediction.

    A row of labels names the prediction it is for, by its id, or the request, by its key, or both; a label that names the
    prediction goes before one that names the request. Of several rows for the same prediction the last that became known
    counts; a tombstone takes the label back; a null value is no label.

    Args:
        name: the label's name.
        source: rows whose `known_at` is the moment the label becomes known.
        value: the boolean (or 0/1) column that holds the label.
        key: the columns that identify the request a label belongs to; requests have the same columns. May be left out
            where every row names its prediction.
        prediction_id: the string column that holds the id of the prediction, as the endpoint answered it; null where a
            row names none.
        annotator: the string column that says who gave the label, where several people do.
        maturity: (least, greatest) time from a request to its label's event, for keys that several requests share:
            a label belongs to the newest request of its key that is so much older. Without it all of them have the label.
        owner, description, tags: for people.
        deprecated: what to use instead, once it is not to be used any more.

    Raises:
        InvalidInput: a column is missing or the source has no event time; every fault is listed.
    """

    name: str
    source: Rows
    key: tuple[str, ...]
    value: str
    prediction_id: str | None
    annotator: str | None
    maturity: tuple[Duration, Duration] | None
    owner: str
    description: str
    tags: tuple[str, ...]
    deprecated: str

    def __init__(
        self,
        name: str,
        *,
        source: Rows,
        value: str,
        key: Sequence[str] | str = (),
        prediction_id: str | None = None,
        annotator: str | None = None,
        maturity: tuple[str | Duration, str | Duration] | None = None,
        owner: str = "",
        description: str = "",
        tags: Sequence[str] | str = (),
        deprecated: str = "",
    ) -> None:
        columns = listed(key)
        faults = [fault for fault in [name_fault("labels", name)] if fault]
        faults += _label_faults(f"labels {name!r}", source, columns, value, prediction_id)
        faults += _text_faults(f"labels {name!r}", source, prediction_id=prediction_id, annotator=annotator)
        span, wrong = _maturity(f"labels {name!r}", maturity)
        faults += wrong
        if span is not None and not columns:
            faults.append(
                f"labels {name!r}: maturity tells requests of one key apart; without a key leave it out"
            )
        faults += words_faults(f"labels {name!r}", owner, tags, deprecated)
        if faults:
            raise InvalidInput("the labels cannot be defined", faults=faults)
        items = (
            *(name, source, columns, value, prediction_id, annotator, span),
            *(owner, description, listed(tags), deprecated),
        )
        for slot, item in zip(self.__slots__, items, strict=True):
            object.__setattr__(self, slot, item)


@dataclass(frozen=True, slots=True, init=False)
class Requests:
    """The questions asked of a model: one row each, with its prediction time T and its fields.

    They are the spine of training sets, and the traffic of a replay. `Requests(source)` takes them from a source;
    `Requests.served()` from the endpoint's own log of predictions.

    Args:
        source: rows whose event time is T; they hold the request fields and the label's key.

    Raises:
        InvalidInput: the source is none, or has no event time.
    """

    source: Rows | None
    """None: what the endpoint was asked and has logged."""

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

    @classmethod
    def served(cls) -> Requests:
        """Take the requests that the endpoint itself has answered, each at its T, by the fields that were logged.

        Their features are looked up anew, as of T, by the present definitions. There is nothing to train on before a first
        model has answered, and nothing to replay.
        """
        served = object.__new__(cls)
        object.__setattr__(served, "source", None)
        return served

    def stored(self) -> Rows:
        """Return the source.

        Raises:
            InvalidInput: the requests are those that were served.
        """
        if self.source is None:
            raise InvalidInput(
                "the endpoint's requests are its own predictions, so there is no history of requests",
                fix="give the endpoint past requests: requests=tr.Requests(source)",
            )
        return self.source


def _label_faults(
    owner: str, source: Rows, key: Sequence[str], value: str, prediction_id: str | None
) -> list[str]:
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
    if not key and prediction_id is None:
        faults.append(f"{owner} have no key: name the columns that identify the request a label belongs to")
    faults += [f"{owner} list the key {c!r} twice" for c in duplicates(key)]
    return faults


def _text_faults(owner: str, source: object, **columns: str | None) -> list[str]:
    """Return which of these columns, by the part they play, are no text columns of the source."""
    if not isinstance(source, Source | Table):
        return []
    faults = []
    for part, column in columns.items():
        kind = None if column is None else source.columns.get(column, "not a column")
        if kind not in (None, "string"):
            said = f"is {kind}" if kind != "not a column" else f"is not in source {source.name!r}"
            faults.append(f"{owner}: {part} column {column!r} {said}; list it with type 'string'")
    return faults


def _maturity(owner: str, given: object) -> tuple[tuple[Duration, Duration] | None, list[str]]:
    if given is None:
        return None, []
    if not isinstance(given, tuple | list) or len(given) != 2:
        return None, [f"{owner}: maturity={given!r} is not a pair; write it like maturity=('0h', '30d')"]
    found = [duration_or_fault(owner, "maturity", one) for one in given]
    faults = [fault for _, listed_faults in found for fault in listed_faults]
    least, greatest = (span for span, _ in found)
    if not faults and not 0 <= least <= greatest:
        faults.append(
            f"{owner}: maturity={given!r} is no span from the least to the greatest time, both at least 0"
        )
    return (least, greatest), faults
