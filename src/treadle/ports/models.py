"""The model registry: models, numbered versions, aliases with history, verdicts.

Errors: an unknown model, version or alias is `NotFound`; a contradiction is `Conflict`; a bad name is
`InvalidInput`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from treadle.records.digests import Digest, Json
from treadle.records.instants import Instant
from treadle.records.models import (
    Alias,
    AliasChange,
    ModelStage,
    ModelVersion,
    RegisteredModel,
    Verdict,
    VerdictRecord,
    VersionStatus,
)

ANY_VERSION = -1
"""`set_alias(expected=ANY_VERSION)`: whatever the alias names now."""


class ModelsView(Protocol):
    """What can be asked about models."""

    def get_model(self, name: str) -> RegisteredModel:
        """Return a model. `NotFound` with near names if there is none."""
        ...

    def list_models(
        self, *, tags: Mapping[str, str] | None = None, limit: int = 100, after: str | None = None
    ) -> tuple[RegisteredModel, ...]:
        """Return models by name, those after the name `after`, that carry all the tags."""
        ...

    def get_version(self, model: str, version: int) -> ModelVersion:
        """Return one version. `NotFound` if there is none."""
        ...

    def list_versions(
        self,
        model: str | None = None,
        *,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        limit: int = 1_000,
    ) -> tuple[ModelVersion, ...]:
        """Return versions, the newest of each model first, that meet all conditions."""
        ...

    def get_by_alias(self, model: str, alias: str, *, at: Instant | None = None) -> ModelVersion:
        """Return the version an alias names now, or named at an instant. `NotFound` if it names none."""
        ...

    def find_by_alias(self, model: str, alias: str, *, at: Instant | None = None) -> ModelVersion | None:
        """The same, with None where the model or the alias does not exist."""
        ...

    def aliases(self, model: str) -> tuple[Alias, ...]:
        """Return a model's aliases by name."""
        ...

    def alias_history(self, model: str, alias: str) -> tuple[AliasChange, ...]:
        """Return every move of an alias, the newest first; () if there was none."""
        ...

    def verdicts(
        self, model: str, version: int | None = None, *, limit: int = 1_000
    ) -> tuple[VerdictRecord, ...]:
        """Return the verdicts on a model's versions, the newest first."""
        ...


class Models(ModelsView, Protocol):
    """What can be done to models."""

    def create_model(
        self,
        name: str,
        at: Instant,
        *,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> RegisteredModel:
        """Register a name. Event `model.created`. `Conflict` if it is taken."""
        ...

    def describe_model(self, name: str, description: str, at: Instant) -> None:
        """Set a model's description. Event `model.described`."""
        ...

    def set_model_tag(self, name: str, tag: str, value: str, at: Instant) -> None:
        """Set or overwrite a tag. Event `model.tagged`."""
        ...

    def delete_model_tag(self, name: str, tag: str, at: Instant) -> None:
        """Remove a tag; one that is not there is no error. Event `model.untagged`."""
        ...

    def create_version(
        self,
        model: str,
        at: Instant,
        *,
        run_id: str | None = None,
        package: Digest | None = None,
        source: str = "",
        description: str = "",
        tags: Mapping[str, str] | None = None,
        status: VersionStatus = VersionStatus.READY,
        key: str | None = None,
    ) -> ModelVersion:
        """Add a model's next version: highest so far + 1, never reused. Event `version.created`."""
        ...

    def update_version(
        self,
        model: str,
        version: int,
        at: Instant,
        *,
        description: str | None = None,
        status: VersionStatus | None = None,
        stage: ModelStage | None = None,
    ) -> ModelVersion:
        """Change what is given. Event `version.updated`."""
        ...

    def set_version_tag(self, model: str, version: int, tag: str, value: str, at: Instant) -> None:
        """Set or overwrite a tag. Event `version.tagged`."""
        ...

    def delete_version_tag(self, model: str, version: int, tag: str, at: Instant) -> None:
        """Remove a tag; one that is not there is no error. Event `version.untagged`."""
        ...

    def set_alias(
        self,
        model: str,
        alias: str,
        version: int,
        at: Instant,
        *,
        reason: str = "",
        expected: int | None = ANY_VERSION,
        key: str | None = None,
    ) -> Alias:
        """Point an alias at a version. Event `alias.set`; none if it points there already.

        `expected` moves it only if it now names that version (None: names none); ANY_VERSION moves it always.
        `reason` says why, for the history. The same `key` again returns the alias as it is now.

        Raises:
            Conflict: the alias does not name what was expected.
        """
        ...

    def delete_alias(self, model: str, alias: str, at: Instant, *, reason: str = "") -> None:
        """Remove an alias. Event `alias.deleted`. `NotFound` if there is none."""
        ...

    def record_verdict(
        self,
        model: str,
        version: int,
        verdict: Verdict,
        at: Instant,
        *,
        reasons: Sequence[str] = (),
        evidence: Json = None,
        key: str | None = None,
    ) -> VerdictRecord:
        """Keep a gate's decision for good; several may follow one another. Event `verdict.recorded`."""
        ...
