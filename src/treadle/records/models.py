"""Registered models: versions, aliases and their history, verdicts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from treadle.records.digests import Digest, Json
from treadle.records.instants import Instant

CHAMPION = "champion"
"""The alias that serving follows unless told otherwise."""

_ALIAS = re.compile(r"[\w-]{1,255}", re.ASCII)
_RESERVED = re.compile(r"latest|v\d+", re.IGNORECASE)


class VersionStatus(StrEnum):
    """Whether a version's package is complete."""

    PENDING = "PENDING_REGISTRATION"
    READY = "READY"
    FAILED = "FAILED_REGISTRATION"


class ModelStage(StrEnum):
    """The older way to say what a version is for; aliases are the newer."""

    NONE = "None"
    STAGING = "Staging"
    PRODUCTION = "Production"
    ARCHIVED = "Archived"


class Verdict(StrEnum):
    """What a gate decided about a version."""

    PROMOTED = "promoted"
    REJECTED = "rejected"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A name under which versions are counted."""

    name: str
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
    """Alias to version number."""
    latest: int = 0
    """The highest version number; 0 when there is none yet."""
    created: Instant
    updated: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One immutable package of a model."""

    model: str
    version: int
    """Counts from 1 for each model; never reused."""
    run_id: str | None = None
    package: Digest | None = None
    """SHA-256 of the package's bytes or manifest."""
    source: str = ""
    """Where the package came from, as the registrant named it; never opened as a path."""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    status: VersionStatus = VersionStatus.READY
    stage: ModelStage = ModelStage.NONE
    created: Instant
    updated: Instant

    @property
    def ref(self) -> str:
        """The version in one word: `delay/3`."""
        return f"{self.model}/{self.version}"


@dataclass(frozen=True, slots=True)
class Alias:
    """A movable name of one version."""

    model: str
    alias: str
    version: int
    at: Instant
    """When it was set to this version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasChange:
    """One move of an alias; the newest move's `previous` is where a rollback goes."""

    model: str
    alias: str
    version: int | None
    """None: the alias was deleted."""
    previous: int | None
    """None: there was no such alias before."""
    at: Instant
    reason: str = ""
    cursor: int
    """The journal row that was committed with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRecord:
    """A gate's decision about one version, with what it stood on."""

    model: str
    version: int
    at: Instant
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    evidence: Json = None
    cursor: int
    """The journal row that was committed with it."""


def alias_faults(alias: str) -> list[str]:
    """Return what is wrong with an alias; empty when nothing is."""
    if not _ALIAS.fullmatch(alias):
        return [f"alias {alias!r} must be 1 to 255 letters, digits, _ or -"]
    if _RESERVED.fullmatch(alias):
        return [f"alias {alias!r} is reserved: it would read as a version"]
    return []


def model_name_faults(name: str) -> list[str]:
    """Return what is wrong with a model's name; empty when nothing is."""
    if not name.strip():
        return ["a model's name can't be empty"]
    if len(name) > 256:
        return ["a model's name can't be longer than 256 characters"]
    if "/" in name or ":" in name:
        return [f"model name {name!r} contains '/' or ':', which separate a name from its version and alias"]
    return []
