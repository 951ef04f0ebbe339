"""Aliases with their history, and verdicts, on SQL; a part of the port `models`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import sqlalchemy as sa

from treadle.adapters.sql.schema import alias_changes, aliases, verdicts
from treadle.adapters.sql.session import Query, ReadSession, Row, Session, dump, load
from treadle.ports.models import ANY_VERSION
from treadle.records.digests import Json
from treadle.records.errors import Conflict, NotFound, refuse
from treadle.records.instants import Instant
from treadle.records.models import (
    Alias,
    AliasChange,
    ModelVersion,
    RegisteredModel,
    Verdict,
    VerdictRecord,
    alias_faults,
)

_CHANGES = sa.select(
    alias_changes.c.version,
    alias_changes.c.previous,
    alias_changes.c.at,
    alias_changes.c.reason,
    alias_changes.c.cursor,
).order_by(alias_changes.c.cursor.desc())


class SqlDecisionsView:
    """See `ports/models.py`; `SqlModelsView` knows the models and versions."""

    _ask: ReadSession

    @abstractmethod
    def get_model(self, name: str) -> RegisteredModel:
        """Return a model."""

    @abstractmethod
    def get_version(self, model: str, version: int) -> ModelVersion:
        """Return one version."""

    def get_by_alias(self, model: str, alias: str, *, at: Instant | None = None) -> ModelVersion:
        """Return the version an alias names now, or named at an instant."""
        found = self.find_by_alias(model, alias, at=at)
        if found is None:
            known = self.get_model(model).aliases
            raise NotFound.among("alias", f"{model}@{alias}", (f"{model}@{name}" for name in known))
        return found

    def find_by_alias(self, model: str, alias: str, *, at: Instant | None = None) -> ModelVersion | None:
        """Return the version an alias names, or None."""
        if at is None:
            query = sa.select(aliases.c.version).where(aliases.c.model == model, aliases.c.alias == alias)
        else:
            query = _changes(model, alias).where(alias_changes.c.at <= at).limit(1)
        row = self._ask.row(query)
        return None if row is None or row[0] is None else self.get_version(model, row[0])

    def aliases(self, model: str) -> tuple[Alias, ...]:
        """Return a model's aliases by name."""
        query = sa.select(aliases.c.alias, aliases.c.version, aliases.c.at).where(aliases.c.model == model)
        return tuple(Alias(model, *row) for row in self._ask.rows(query.order_by(aliases.c.alias)))

    def alias_history(self, model: str, alias: str) -> tuple[AliasChange, ...]:
        """Return every move of an alias, the newest first."""
        return tuple(
            AliasChange(
                model=model,
                alias=alias,
                version=version,
                previous=previous,
                at=at,
                reason=reason,
                cursor=cursor,
            )
            for version, previous, at, reason, cursor in self._ask.rows(_changes(model, alias))
        )

    def verdicts(
        self, model: str, version: int | None = None, *, limit: int = 1_000
    ) -> tuple[VerdictRecord, ...]:
        """Return the verdicts on a model's versions, the newest first."""
        query = (
            sa.select(verdicts)
            .where(verdicts.c.model == model)
            .order_by(verdicts.c.cursor.desc())
            .limit(limit)
        )
        if version is not None:
            query = query.where(verdicts.c.version == version)
        return tuple(_verdict(row) for row in self._ask.rows(query))


class SqlDecisions(SqlDecisionsView):
    """See `ports/models.py`."""

    _do: Session

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
        """Point an alias at a version."""
        if self._do.seen("alias.set", key) is not None:
            now = {found.alias: found for found in self.aliases(model)}
            if alias not in now:
                raise Conflict(f"{model}@{alias} was set under key {key!r} before and deleted since")
            return now[alias]
        refuse("the alias can't be set", alias_faults(alias))
        self.get_version(model, version)
        found = self._ask.row(
            sa.select(aliases.c.version, aliases.c.at).where(
                aliases.c.model == model, aliases.c.alias == alias
            )
        )
        previous = None if found is None else int(found[0])
        if expected not in (ANY_VERSION, previous):
            raise Conflict(
                f"{model}@{alias} names {_spoken(previous)}, not {_spoken(expected)}",
                fix="somebody else moved it: look at its history and decide again",
            )
        if found is not None and previous == version:
            return Alias(model, alias, version, found[1])
        data: dict[str, Json] = {"version": version, "previous": previous, "reason": reason}
        change = self._do.change("alias.set", f"{model}@{alias}", at, data, key)
        statement = change.upsert(aliases).on_conflict_do_update(
            index_elements=["model", "alias"], set_={"version": version, "at": at}
        )
        row = {"model": model, "alias": alias, "version": version, "at": at}
        change.run(statement, row)
        change.run(
            sa.insert(alias_changes), {**row, "cursor": change.cursor, "previous": previous, "reason": reason}
        )
        return Alias(model, alias, version, at)

    def delete_alias(self, model: str, alias: str, at: Instant, *, reason: str = "") -> None:
        """Remove an alias."""
        previous = self.get_by_alias(model, alias).version
        data: dict[str, Json] = {"previous": previous, "reason": reason}
        change = self._do.change("alias.deleted", f"{model}@{alias}", at, data)
        change.run(sa.delete(aliases).where(aliases.c.model == model, aliases.c.alias == alias))
        row = {"cursor": change.cursor, "model": model, "alias": alias, "version": None, "previous": previous}
        change.run(sa.insert(alias_changes), {**row, "at": at, "reason": reason})

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
        """Keep a gate's decision for good."""
        query = sa.select(verdicts).order_by(verdicts.c.cursor.desc()).limit(1)
        seen = self._do.seen_at("verdict.recorded", key)
        if seen is not None:
            return _verdict(self._ask.rows(query.where(verdicts.c.cursor == seen))[0])
        self.get_version(model, version)
        text = dump(evidence, "the verdict's evidence")
        data: dict[str, Json] = {"verdict": verdict.value, "reasons": list(reasons)}
        change = self._do.change("verdict.recorded", f"{model}/{version}", at, data, key)
        row: dict[str, object] = {"cursor": change.cursor, "model": model, "version": version, "at": at}
        row |= {"verdict": verdict.value, "reasons": dump(list(reasons)), "evidence": text}
        change.run(sa.insert(verdicts), row)
        return _verdict(self._ask.rows(query.where(verdicts.c.cursor == change.cursor))[0])


def _changes(model: str, alias: str) -> Query:
    return _CHANGES.where(alias_changes.c.model == model, alias_changes.c.alias == alias)


def _spoken(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"


def _verdict(row: Row) -> VerdictRecord:
    reasons = load(row.reasons)
    return VerdictRecord(
        model=row.model,
        version=row.version,
        at=row.at,
        verdict=Verdict(row.verdict),
        reasons=tuple(str(reason) for reason in reasons) if isinstance(reasons, list) else (),
        evidence=load(row.evidence),
        cursor=row.cursor,
    )
