"""The door of a home: rows of sources and tables are held against the schemas of their names before any is stored.

A batch that is broken is refused whole, with all its anomalies, and the old data go on serving. One that is kept leaves its
profile, which the next is compared with; values that have changed significantly are an event.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from treadle.loop.validation import CHANGED, hold, note_changed, note_refused
from treadle.loop.world import World
from treadle.records.anomalies import Validation
from treadle.records.datasets import DatasetManifest
from treadle.records.errors import Corrupt
from treadle.records.instants import Instant
from treadle.records.profiles import Profile
from treadle.stages.validation.profile.builder import profile_frame

PREFIX = "profile/"
"""Before a source's or table's name: the checkpoint that says where the profile of its stored rows is."""


class BatchCheck:
    """One batch held against the project's schemas: called with the rows, settled when they are stored.

    Args:
        world: whose schemas, profiles and journal.
        at: the instant the batch comes in.
    """

    def __init__(self, world: World, at: Instant) -> None:
        self._world = world
        self._at = at
        self._profiles: dict[str, Profile] = {}
        self.validations: dict[str, Validation] = {}

    def __call__(self, rows: Mapping[str, pl.DataFrame]) -> list[str]:
        """Return a fault for every anomaly that stops one of the sources or tables; the journal notes a refusal.

        Cost: for each one that has a schema, its validation and its profile.
        """
        for schema in self._world.project.schemas:
            if schema.name in rows:
                own = rows[schema.name].select(pl.exclude("^__.*$"))
                profile = profile_frame(own, schema.name)
                self._profiles[schema.name] = profile
                self.validations[schema.name] = hold(
                    own,
                    schema,
                    now=self._at,
                    others=rows,
                    profile=profile,
                    previous=self._previous(schema.name),
                )
        broken = {name: found for name, found in self.validations.items() if found.broken}
        if broken:
            with self._world.metadata.begin() as unit:
                for name, found in broken.items():
                    note_refused(unit, name, found, self._at)
        return [f"{name}: {one.kind}: {one}" for name, found in broken.items() for one in found.stops]

    def settle(self, manifests: Mapping[str, DatasetManifest]) -> None:
        """Keep the profiles of what was stored, and tell of values that changed; repeating it changes nothing."""
        if not self._profiles:
            return
        kept = {name: self._world.blobs.put(profile.to_bytes()) for name, profile in self._profiles.items()}
        with self._world.metadata.begin() as unit:
            for name, digest in kept.items():
                unit.checkpoints.put(PREFIX + name, {"profile": digest}, self._at)
                content = manifests[name].content_hash
                note_changed(unit, name, self.validations[name], self._at, key=f"{CHANGED}:{name}:{content}")

    def _previous(self, name: str) -> Profile | None:
        with self._world.metadata.read() as view:
            saved = view.checkpoints.get(PREFIX + name)
        digest = saved.value.get("profile") if saved is not None and isinstance(saved.value, dict) else None
        if not isinstance(digest, str) or not self._world.blobs.has(digest):
            return None
        try:
            return Profile.from_bytes(self._world.blobs.get(digest))
        except Corrupt:  # of a newer treadle: there is nothing to compare with
            return None
