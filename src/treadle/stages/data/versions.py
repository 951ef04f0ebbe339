"""Versions of datasets: which one is meant by a number, a tag or an instant, and its rows.

A version is asked for as `NAME`, `NAME@7`, `NAME@golden` or `NAME@2025-06-01`: the newest one, that number, the one
that has the tag, the newest one that was there at that instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import polars as pl

from treadle.ports.datasets import Datasets, DatasetsView
from treadle.ports.tables import Tables
from treadle.records.datasets import LATEST, TAG, DatasetManifest, check_tag
from treadle.records.errors import Conflict, InvalidInput, NotFound, did_you_mean
from treadle.records.instants import Instant, instant, iso
from treadle.records.rows import CANONICAL
from treadle.stages.data.pushed import without_ids

ALL = 1 << 62
"""As many versions as there are."""

Selector: TypeAlias = str | None
"""What stands behind the `@`: a number, a tag or an instant; None for the newest."""


def parse_reference(text: str) -> tuple[str, Selector]:
    """Return name and selector of `NAME`, `NAME@VERSION`, `NAME@TAG` or `NAME@INSTANT`. Pure.

    Raises:
        InvalidInput: there is nothing before or behind the `@`.
    """
    name, sign, selector = text.partition("@")
    if not name or (sign and not selector):
        raise InvalidInput(
            f"{text!r} names no version of a dataset",
            fix="write NAME, NAME@3, NAME@TAG or NAME@2025-06-01T12:00Z",
        )
    return name, selector if sign and selector != LATEST else None


def find_version(datasets: DatasetsView, name: str, selector: Selector = None) -> DatasetManifest:
    """Return the version of a dataset that a selector means.

    Raises:
        NotFound: there is no such dataset, version or tag, or it was not there yet.
        InvalidInput: the selector is neither a number, nor a tag, nor an instant.
    """
    if selector is None:
        return datasets.get(name)
    if selector.isascii() and selector.isdigit() and len(selector) < 12:
        return datasets.get(name, int(selector))
    versions = datasets.versions(name, limit=ALL)
    if not versions:
        raise NotFound.among("dataset", name, datasets.names(), command="treadle data list")
    return choose(name, versions, selector)


def choose(name: str, versions: Sequence[DatasetManifest], selector: str) -> DatasetManifest:
    """Return the one of a dataset's versions that has a tag, or that was the newest at an instant. Pure.

    Raises:
        NotFound: there is none.
        InvalidInput: the selector is neither a tag nor an instant.
    """
    if not selector[0].isdigit():
        check_tag(selector)
        for manifest in versions:
            if selector in manifest.named:
                return manifest
        known = [tag for manifest in versions for tag in manifest.named]
        said = did_you_mean(selector, known) or (
            f"its tags are {', '.join(known)}" if known else "it has no tags"
        )
        raise NotFound(
            f"dataset {name!r} has no version tagged {selector!r}",
            fix=said,
            command=f"treadle data versions {name}",
        )
    at = instant(selector)
    then = [manifest for manifest in versions if manifest.created <= at]
    if not then:
        first = min(manifest.created for manifest in versions)
        raise NotFound(
            f"dataset {name!r} had no version at {iso(at)}",
            fix=f"its first one was made at {iso(first)}",
            command=f"treadle data versions {name}",
        )
    return max(then, key=lambda manifest: manifest.version)


def version_rows(tables: Tables, manifest: DatasetManifest, *, times: bool = False) -> pl.LazyFrame:
    """Return the rows of exactly that version, lazily; later writes do not show in them.

    Args:
        tables: the home's.
        manifest: the version.
        times: whether to return treadle's own columns too (`__known_at` and others).

    Raises:
        NotFound: its rows have been removed.
    """
    if manifest.dropped is not None:
        raise NotFound(
            f"the rows of {manifest.ref} were removed at {iso(manifest.dropped)}; what is known of it stays",
            fix="choose a version whose rows are there",
            command=f"treadle data versions {manifest.name}",
        )
    rows = without_ids_lazily(tables.read(manifest.name, version=manifest.table_version))
    return rows if times else rows.drop(CANONICAL, strict=False)


def without_ids_lazily(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return rows of a table without the events' ids. Pure."""
    kept = without_ids(rows.collect_schema().to_frame()).columns
    return rows.select(kept)


def tag_version(datasets: Datasets, name: str, version: int, tag: str, at: Instant) -> DatasetManifest:
    """Let a tag point at a version, and at no other one; returns the version.

    Raises:
        NotFound: there is no such version.
        InvalidInput: that cannot be a tag.
        Conflict: the version's rows have been removed.
    """
    check_tag(tag)
    manifest = datasets.get(name, version)
    if manifest.dropped is not None:
        raise Conflict(
            f"the rows of {manifest.ref} were removed: a tag could not bring them back",
            command=f"treadle data versions {name}",
        )
    for other in datasets.versions(name, limit=ALL):
        if tag in other.named and other.version != version:
            datasets.delete_tag(name, other.version, TAG + tag, at)
    if tag not in manifest.named:
        datasets.set_tag(name, version, TAG + tag, "", at)
    return datasets.get(name, version)


def untag_version(datasets: Datasets, name: str, version: int, tag: str, at: Instant) -> DatasetManifest:
    """Take a tag off a version; returns the version.

    Raises:
        NotFound: it does not have the tag.
    """
    manifest = datasets.get(name, version)
    if tag not in manifest.named:
        raise NotFound.among(f"tag of {manifest.ref}", tag, manifest.named)
    datasets.delete_tag(name, version, TAG + tag, at)
    return datasets.get(name, version)
