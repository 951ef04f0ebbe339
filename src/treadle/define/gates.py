"""Gates: what a challenger has to show before an alias may point at it.

A gate only says what is asked; `treadle.stages.registry.gate` holds evidence against it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from treadle.define.rules import Rule, positive_fault, refuse, rule_from_json, share_fault
from treadle.records.digests import Json
from treadle.records.errors import NotFound

GATE_METRICS = ("auc", "log_loss", "brier", "accuracy")
"""Metrics two models can be compared by."""


class BetterThanChampion(Rule, frozen=True, tag="better_than_champion"):
    """The challenger beats the champion on rows neither was trained on; see `better_than_champion`."""

    metric: str = "auc"
    margin: float = 0.0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.metric not in GATE_METRICS:
            raise NotFound.among("gate metric", self.metric, GATE_METRICS)
        faults = [share_fault("confidence", self.confidence)]
        faults += [None if abs(self.margin) < 1.0 else f"margin={self.margin!r} must lie between -1 and 1"]
        refuse("gate better_than_champion", [fault for fault in faults if fault])

    def __str__(self) -> str:
        return f"better than champion ({self.metric})"


class NoWorseSlice(Rule, frozen=True, tag="no_worse_slice"):
    """No value of a column fares clearly worse than under the champion; see `no_worse_slice`."""

    column: str
    margin: float = 0.01
    min_rows: int = 500
    confidence: float = 0.95
    required: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        faults = [share_fault("confidence", self.confidence), positive_fault("min_rows", self.min_rows)]
        faults += [None if self.column else "the column has no name"]
        faults += [None if 0.0 <= self.margin < 1.0 else f"margin={self.margin!r} must lie between 0 and 1"]
        refuse("gate no_worse_slice", [fault for fault in faults if fault])

    def __str__(self) -> str:
        return f"no worse slice ({self.column})"


class LoadsAndAnswers(Rule, frozen=True, tag="loads_and_answers"):
    """The packaged model loads in a serving process and answers as in training."""

    def __str__(self) -> str:
        return "loads and answers"


Gate: TypeAlias = BetterThanChampion | NoWorseSlice | LoadsAndAnswers


def better_than_champion(
    metric: str = "auc", *, margin: float = 0.0, confidence: float = 0.95
) -> BetterThanChampion:
    """Ask that the challenger beat the champion by a paired test on the same rows.

    Without a champion the challenger's AUC must lie above 0.5.

    Args:
        metric: `auc`, `log_loss`, `brier` or `accuracy`; a fall of the two losses counts as better.
        margin: by how much. 0: any gain that is not chance. Negative: it may be this much worse, which
            promotes an equally good, fresher model.
        confidence: of the one-sided bound; raising it promotes less often by luck and asks for more rows.

    Raises:
        InvalidInput: a number out of range.
        NotFound: no such metric; the nearest names are offered.
    """
    return BetterThanChampion(metric=metric, margin=margin, confidence=confidence)


def no_worse_slice(
    column: str,
    *,
    margin: float = 0.01,
    min_rows: int = 500,
    confidence: float = 0.95,
    required: Iterable[str] = (),
) -> NoWorseSlice:
    """Ask that under no value of a column the AUC fall clearly, that is by more than the margin and chance.

    Args:
        column: a column whose values cut the rows into slices.
        margin: the fall in AUC that is put up with.
        min_rows: a slice with fewer rows is not judged, unless it is required.
        confidence: of all the column's slices together (Holm's correction).
        required: values that must be there with `min_rows`; a missing one fails the gate.

    Raises:
        InvalidInput: a number out of range.
    """
    return NoWorseSlice(
        column=column, margin=margin, min_rows=min_rows, confidence=confidence, required=tuple(required)
    )


def loads_and_answers() -> LoadsAndAnswers:
    """Ask that the package load in a serving process and answer recorded rows as in training."""
    return LoadsAndAnswers()


class _Boxed(msgspec.Struct):
    gate: Gate


def gate_from_json(value: Json) -> Gate:
    """Return the gate that `as_json` wrote.

    Raises:
        InvalidInput: it is none.
    """
    return rule_from_json({"gate": value}, _Boxed, "gate").gate
