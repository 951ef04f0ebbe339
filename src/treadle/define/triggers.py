"""Triggers: which pipeline runs by itself, and when.

    on(metric("auc").drops(0.02) | every("30d"), run=train_delay, cooldown="7d")

A condition is plain data. `|` holds when either part holds, `&` when both do. A part without enough data is
neither true nor false but unknown, and unknown never starts anything by itself. `treadle.loop.triggers`
evaluates conditions.
"""

from __future__ import annotations

from typing import Protocol, Self, TypeAlias, runtime_checkable

import msgspec

from treadle.define.rules import Rule, positive_fault, refuse, rule_from_json
from treadle.records.digests import Json
from treadle.records.errors import InvalidInput
from treadle.records.instants import Duration, duration, short

DEFAULT_COOLDOWN = "1d"


class _Part(Rule, frozen=True):
    """What every condition can do: be joined with another."""

    def __or__(self, other: Condition) -> AnyOf:
        return AnyOf(_joined(AnyOf, self, other))

    def __and__(self, other: Condition) -> AllOf:
        return AllOf(_joined(AllOf, self, other))

    def __bool__(self) -> bool:
        # `a or b` would quietly drop b; Python can't be told to build a condition from the words.
        raise InvalidInput(
            "a condition has no truth value of its own", fix="join conditions with | and &, not with or / and"
        )


class ScoreDriftAlert(_Part, frozen=True, tag="score_drift_alert"):
    """Enough of the newest drift readings are alerts; see `score_drift_alert`."""

    times: int = 2
    of: int = 3
    monitor: str | None = None

    def __post_init__(self) -> None:
        fits = 1 <= self.times <= self.of
        refuse("condition", [] if fits else [f"{self.times} alerts of {self.of} readings cannot happen"])

    def __str__(self) -> str:
        return f"score drift alerts in {self.times} of the last {self.of} readings{_of(self.monitor)}"


class MetricDrops(_Part, frozen=True, tag="metric_drops"):
    """A metric on known labels fell, beyond chance; see `Metric.drops`."""

    metric: str
    by: float
    over: Duration | None = None
    monitor: str | None = None

    def __post_init__(self) -> None:
        faults = [positive_fault("by", self.by)]
        faults += [None if self.metric == "auc" else f"metric {self.metric!r} is not monitored; use 'auc'"]
        refuse("condition", [fault for fault in faults if fault])

    def __str__(self) -> str:
        span = f" over {short(self.over)}" if self.over is not None else ""
        return f"{self.metric} drops by {self.by:g}{span}{_of(self.monitor)}"


class CalibrationOff(_Part, frozen=True, tag="calibration_off"):
    """The newest calibration reading is an alert; see `calibration_off`."""

    monitor: str | None = None

    def __str__(self) -> str:
        return f"calibration is off{_of(self.monitor)}"


class ValuesChanged(_Part, frozen=True, tag="values_changed"):
    """The values of a source have changed lastingly, and the model feels it; see `values_changed`."""

    monitor: str | None = None

    def __str__(self) -> str:
        return f"values changed{_of(self.monitor)}"


class Every(_Part, frozen=True, tag="every"):
    """Time has passed since the pipeline last started; see `every`."""

    period: Duration

    def __post_init__(self) -> None:
        refuse("condition", [] if self.period > 0 else ["the period must be above 0"])

    def __str__(self) -> str:
        return f"every {short(self.period)}"


class NewLabels(_Part, frozen=True, tag="new_labels"):
    """Labels have become known since the pipeline last started; see `new_labels`."""

    count: int

    def __post_init__(self) -> None:
        refuse("condition", [] if self.count > 0 else ["the number of labels must be above 0"])

    def __str__(self) -> str:
        return f"{self.count:,} new labels"


class Manual(_Part, frozen=True, tag="manual"):
    """A person asked for a run; see `manual`."""

    def __str__(self) -> str:
        return "a person asks"


class AnyOf(_Part, frozen=True, tag="any_of"):
    """At least one part holds; written `a | b`."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " or ".join(f"({part})" if isinstance(part, AllOf) else str(part) for part in self.parts)


class AllOf(_Part, frozen=True, tag="all_of"):
    """All parts hold; written `a & b`."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, AnyOf) else str(part) for part in self.parts)


Condition: TypeAlias = (
    ScoreDriftAlert
    | MetricDrops
    | CalibrationOff
    | ValuesChanged
    | Every
    | NewLabels
    | Manual
    | AnyOf
    | AllOf
)


class Metric(msgspec.Struct, frozen=True):
    """A monitored metric, about which conditions can be said."""

    name: str

    def drops(
        self, by: float, *, over: str | Duration | None = None, monitor: str | None = None
    ) -> MetricDrops:
        """Hold when the metric is at least `by` below its value at promotion, and not by chance.

        Args:
            by: the fall that matters, such as 0.02.
            over: pool the readings of this span (of 60 days at most), which finds smaller falls later; None:
                the newest reading alone.
            monitor: whose readings; None: any monitor's.
        """
        return MetricDrops(self.name, by, None if over is None else duration(over), monitor)


@runtime_checkable
class Named(Protocol):
    """Something with a name, such as a pipeline."""

    @property
    def name(self) -> str:
        """The name."""
        ...


class Trigger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a pipeline runs by itself; made by `on`."""

    name: str
    condition: Condition
    pipeline: str
    cooldown: Duration

    def as_json(self) -> Json:
        """Return the trigger as plain JSON values, equal for equal triggers; durations are microseconds."""
        plain: Json = msgspec.json.decode(msgspec.json.encode(self))
        return plain

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Return the trigger that `as_json` wrote.

        Raises:
            InvalidInput: it is none; the message names the field.
        """
        return rule_from_json(value, cls, "trigger")


def on(
    condition: Condition,
    *,
    run: str | Named,
    cooldown: str | Duration = DEFAULT_COOLDOWN,
    name: str | None = None,
) -> Trigger:
    """Run a pipeline when a condition holds.

    Args:
        condition: when.
        run: the pipeline, or its name.
        cooldown: the least time between two starts of the pipeline; a person's request does not wait for it.
            After two rejected models in a row it doubles with each further one.
        name: what the trigger is called in logs and reports; made of pipeline and condition when left out.
    """
    pipeline = run if isinstance(run, str) else run.name
    return Trigger(
        name=name or f"{pipeline}: {condition}",
        condition=condition,
        pipeline=pipeline,
        cooldown=duration(cooldown),
    )


def metric(name: str) -> Metric:
    """Name a monitored metric: `metric("auc").drops(0.02)`."""
    return Metric(name)


def score_drift_alert(times: int = 2, of: int = 3, *, monitor: str | None = None) -> ScoreDriftAlert:
    """Hold when at least `times` of the last `of` drift readings are alerts.

    Fewer than `of` may have been made. One odd window alone is then no reason to train.
    """
    return ScoreDriftAlert(times, of, monitor)


def calibration_off(*, monitor: str | None = None) -> CalibrationOff:
    """Hold when the newest calibration reading is an alert."""
    return CalibrationOff(monitor)


def values_changed(monitor: str | None = None) -> ValuesChanged:
    """Hold when the newest drift verdict of a source monitor calls for a training.

    It does when a column is in alert in that window and in another one of the last three, and the scores have drifted
    too, or the performance fell, or the column is among those that the model leans on most. A drift that touches nothing
    the model does raises an alert and starts no training.

    Args:
        monitor: the name of a source monitor with `drift`; None: any.
    """
    return ValuesChanged(monitor)


def every(period: str | Duration) -> Every:
    """Hold when the pipeline last started this long ago, or never."""
    return Every(duration(period))


def new_labels(count: int) -> NewLabels:
    """Hold when this many labels have become known since the pipeline last started."""
    return NewLabels(count)


def manual() -> Manual:
    """Hold when a person asked for a run since the pipeline last started; it waits for no cooldown."""
    return Manual()


def _joined(kind: type[AnyOf | AllOf], left: _Part, right: Condition) -> tuple[Condition, ...]:
    """The parts of both sides, without nesting the same kind."""
    parts: list[Condition] = []
    for side in (left, right):
        if isinstance(side, kind):
            parts += side.parts
        elif isinstance(side, Condition):
            parts.append(side)
        else:
            raise InvalidInput(f"{side!r} is not a condition", fix="write it like metric('auc').drops(0.02)")
    return tuple(parts)


def _of(monitor: str | None) -> str:
    return f" of {monitor}" if monitor else ""
