"""Runs: what a pipeline (or a person) executed, with parameters, metrics, tags, steps, inputs and outputs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from treadle.records.digests import Digest, Json
from treadle.records.instants import Instant

DEFAULT_EXPERIMENT = "0"
"""The id of the experiment `Default`, which always exists."""

KEY_LENGTH = 250
PARAM_LENGTH = 6_000
TAG_LENGTH = 8_000
_KEY = re.compile(r"[\w\-. :/]+")


class RunStatus(StrEnum):
    """Where a run or a step is; the last three never change again."""

    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"

    @property
    def terminal(self) -> bool:
        """Whether this is an end that never changes."""
        return self in (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)


class Lifecycle(StrEnum):
    """Deleting hides; nothing is lost, and restoring brings it back."""

    ACTIVE = "active"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Metric:
    """One measured value.

    `timestamp` is in milliseconds since 1970 UTC. `value` may be NaN or infinite. The latest value of a key
    is the greatest by (step, timestamp, value), not the last written; NaN compares as 0 there.
    """

    key: str
    value: float
    timestamp: int
    step: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A folder of runs."""

    experiment_id: str
    name: str
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    tags: Mapping[str, str] = field(default_factory=dict)
    created: Instant
    updated: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInput:
    """A dataset that a run read."""

    name: str
    digest: str
    context: str = ""
    """What it was read for: `train`, `test`, …"""
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """A model that a run produced, at a step of its training."""

    model_id: str
    step: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution, as it stands now."""

    run_id: str
    experiment_id: str = DEFAULT_EXPERIMENT
    name: str = ""
    status: RunStatus
    started: Instant
    ended: Instant | None = None
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    user: str = ""
    pipeline: str | None = None
    pipeline_version: Digest | None = None
    code_commit: str | None = None
    environment: Digest | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    """The latest value of each key."""
    tags: Mapping[str, str] = field(default_factory=dict)
    datasets: tuple[DatasetInput, ...] = ()
    models: tuple[ModelOutput, ...] = ()


@dataclass(frozen=True, slots=True)
class StepRef:
    """One step of one run."""

    run_id: str
    index: int

    def __str__(self) -> str:
        return f"{self.run_id}/{self.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """One attempt at one step of a run."""

    run_id: str
    index: int
    attempt: int = 1
    """Fencing token: a step that is started again gets the next one, and only its holder may finish it."""
    name: str
    version: Digest
    """Digest of the step's code."""
    cache_key: Digest | None = None
    status: RunStatus
    started: Instant
    ended: Instant | None = None
    executor: str = ""
    params: Mapping[str, Json] = field(default_factory=dict)
    inputs: Mapping[str, Digest] = field(default_factory=dict)
    """Name to artifact digest."""
    outputs: Mapping[str, Digest] = field(default_factory=dict)
    error: str | None = None
    cached_from: StepRef | None = None
    """The step whose outputs were taken instead of executing."""

    @property
    def ref(self) -> StepRef:
        """The run and index alone."""
        return StepRef(self.run_id, self.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs to list: every given condition must hold; tags by equality."""

    experiments: tuple[str, ...] = ()
    """Any of these; empty means all."""
    statuses: tuple[RunStatus, ...] = ()
    """Any of these; empty means all."""
    pipeline: str | None = None
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    lifecycle: Lifecycle | None = Lifecycle.ACTIVE
    """None lists deleted runs too."""


ALL_RUNS = RunFilter()
"""Every run that is not deleted."""


def key_faults(what: str, key: str) -> list[str]:
    """Return what is wrong with the key of a metric, parameter or tag; empty when nothing is."""
    if not key:
        return [f"a {what}'s key can't be empty"]
    if len(key) > KEY_LENGTH:
        return [f"{what} key {key[:40]!r}… has {len(key)} characters, more than {KEY_LENGTH}"]
    if not _KEY.fullmatch(key):
        return [f"{what} key {key!r} may hold letters, digits, _ - . space : / only"]
    if key.startswith(("/", "../")) or key in (".", "..") or posixpath.normpath(key) != key:
        return [
            f"{what} key {key!r} is not a plain relative path (no '..', no '//', no leading or trailing '/')"
        ]
    return []


def batch_faults(metrics: Iterable[Metric], params: Mapping[str, str], tags: Mapping[str, str]) -> list[str]:
    """Return everything wrong with a batch to be logged; empty when nothing is. Pure."""
    faults: list[str] = []
    for key in dict.fromkeys(metric.key for metric in metrics):
        faults += key_faults("metric", key)
    for what, pairs, longest in (("param", params, PARAM_LENGTH), ("tag", tags, TAG_LENGTH)):
        for key, value in pairs.items():
            faults += key_faults(what, key)
            if len(value) > longest:
                faults.append(f"{what} {key!r} has {len(value)} characters, more than {longest}")
    return faults


def newest(metric: Metric) -> tuple[int, int, float, int]:
    """Return the tuple by which the latest metric of a key is the greatest; NaN counts as 0."""
    if metric.value != metric.value:
        return (metric.step, metric.timestamp, 0.0, 1)
    return (metric.step, metric.timestamp, float(metric.value), 0)
