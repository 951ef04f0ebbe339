"""Retention: which versions of data may go, and why each other one stays. Pure.

A version stays while anything that stays says that it was made of it: a run, a model version, a tag, a dataset that was
made of it. The version that a source's rows were added to is not such a reason: the newer one has those rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from treadle.records.datasets import DatasetManifest, DatasetRef
from treadle.records.instants import Duration, Instant, short

KEEP = 10
"""So many of the newest versions of each dataset stay, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one version."""

    manifest: DatasetManifest
    reasons: tuple[str, ...] = ()
    """Why it stays; none when it goes."""

    @property
    def goes(self) -> bool:
        """Whether its rows are removed."""
        return not self.reasons


def plan_retention(
    manifests: Mapping[str, Sequence[DatasetManifest]],
    uses: Mapping[DatasetRef, Sequence[str]],
    *,
    now: Instant,
    keep: int = KEEP,
    older_than: Duration = 0,
) -> tuple[Fate, ...]:
    """Return the fate of every version that has its rows, by name, the newest first.

    Args:
        manifests: all versions of all datasets, by name.
        uses: what refers to a version from outside, in words.
        now: the present.
        keep: so many of the newest versions of each dataset stay, at least one.
        older_than: only versions of at least this age go.
    """
    fates: dict[DatasetRef, Fate] = {}
    for name in sorted(manifests):
        newest_first = sorted(manifests[name], key=lambda found: -found.version)
        for place, manifest in enumerate(newest_first):
            if manifest.dropped is None:
                own = _own_reasons(manifest, place, keep, now - older_than, older_than)
                fates[manifest.ref] = Fate(manifest, (*own, *uses.get(manifest.ref, ())))
    waiting = [fate.manifest for fate in fates.values() if not fate.goes]
    while waiting:  # what a version that stays was made of stays too
        child = waiting.pop()
        for parent in child.parents:
            fate = fates.get(parent)
            if fate is None or parent.name == child.name:
                continue
            if fate.goes:
                waiting.append(fate.manifest)
            fates[parent] = replace(fate, reasons=(*fate.reasons, f"{child.ref} was made of it"))
    return tuple(fates.values())


def unneeded_versions(fates: Sequence[Fate], table_versions: Mapping[str, int]) -> dict[str, list[int]]:
    """Return the versions of tables that no version of data which stays needs, by name. Pure.

    Args:
        fates: what becomes of each version of data.
        table_versions: the newest version of each table. It stays, and what came after the newest registered one.
    """
    needed: dict[str, set[int]] = defaultdict(set)
    for fate in fates:
        version = fate.manifest.table_version
        if not fate.goes and version is not None:
            needed[fate.manifest.name].add(version)
    unneeded = {}
    for name, numbers in needed.items():
        newest = min(table_versions.get(name, -1), max(numbers))
        unneeded[name] = [version for version in range(newest) if version not in numbers]
    return {name: versions for name, versions in unneeded.items() if versions}


def _own_reasons(
    manifest: DatasetManifest, place: int, keep: int, before: Instant, older_than: Duration
) -> list[str]:
    """Return why a version stays by itself."""
    reasons = []
    if place == 0:
        reasons.append("the newest")
    elif place < keep:
        reasons.append(f"one of the {keep} newest")
    if older_than and manifest.created > before:
        reasons.append(f"younger than {short(older_than)}")
    if manifest.named:
        reasons.append(f"tagged {', '.join(manifest.named)}")
    if manifest.table_version is None:
        reasons.append("it does not say where its rows are")
    return reasons
