"""Definitions as they were recorded: content-addressed, versioned by name."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.records.digests import Digest, Json
from treadle.records.instants import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One version of what a person defined under a name."""

    kind: str
    """`source`, `feature_view`, `pipeline`, `endpoint`, `monitor`, `trigger`, `gate`, …"""
    name: str
    version: int
    """1 for the first content recorded under the name, one more with each change."""
    digest: Digest
    """`digest_value(body)`."""
    body: Json
    at: Instant


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The newest saved progress of something that can be resumed."""

    name: str
    value: Json
    at: Instant
    epoch: int = 0
    """Fencing token of the writer; a smaller one can't overwrite it."""
