"""The catalog: one entry for everything that has a name, what is asked of it and what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from treadle.records.instants import Instant

CatalogKind: TypeAlias = Literal[
    "source",
    "table",
    "dataset",
    "column",
    "entity",
    "view",
    "feature",
    "row_feature",
    "feature_set",
    "labels",
    "endpoint",
    "pipeline",
    "monitor",
    "trigger",
    "gate",
    "model",
    "version",
]
"""Kinds of entries. A `dataset` is one that is stored and no longer defined; the others are what they are called."""

CATALOG_KINDS: tuple[str, ...] = get_args(CatalogKind)

MEANT_TO_BE_USED = frozenset(
    {
        "source",
        "table",
        "dataset",
        "column",
        "entity",
        "view",
        "feature",
        "row_feature",
        "feature_set",
        "labels",
        "model",
    }
)
"""Kinds of which it is worth telling that nothing uses one; endpoints, monitors and versions are ends."""

EmptyField: TypeAlias = Literal["owner", "description", "tags", "entity"]
EMPTY_FIELDS: tuple[str, ...] = get_args(EmptyField)

Quality: TypeAlias = Literal["", "ok", "changed", "refused"]
"""What the newest validation said of rows: they hold to the schema, changed significantly, or newer ones were refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """One thing with a name.

    Features have the owner, tags and description of their view; columns have the owner and tags of their source.
    """

    kind: str
    name: str
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    entity: str = ""
    """Whom it describes."""
    columns: tuple[str, ...] = ()
    """Columns of rows, features of views and sets."""
    deprecated: str = ""
    updated: Instant | None = None
    """When its newest rows, or it itself, came."""
    quality: Quality = ""
    facts: Mapping[str, str | int] = field(default_factory=dict)
    """What else is known: type, window, rows, version, aliases."""
    uses: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()

    @property
    def ref(self) -> str:
        """`kind/name`."""
        return f"{self.kind}/{self.name}"

    @property
    def unused(self) -> bool:
        """Whether nothing uses it though it is meant to be used."""
        return not self.used_by and self.kind in MEANT_TO_BE_USED


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogQuery:
    """What is asked of the catalog. All conditions hold at once; of several values in one, any."""

    words: str = ""
    """Plain text: each word begins a word of a name, column, tag, owner, entity or description. Signs separate words."""
    kinds: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    """Fields that are empty, all of them."""
    unused: bool = False
    limit: int = 50


@dataclass(frozen=True, slots=True)
class CatalogHit:
    """An entry that was found, and the fields in which the words stood, the weightiest first."""

    entry: CatalogEntry
    matched: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogAnswer:
    """What was found."""

    hits: tuple[CatalogHit, ...]
    """The best first, at most as many as asked for."""
    total: int
    facets: Mapping[str, Mapping[str, int]]
    """By `kind`, `owner` and `tag`: how many entries there are with each value, under all other conditions."""
    did_you_mean: tuple[str, ...] = ()
    """Where nothing was found: the words that were probably meant."""
