"""Pruning: what refers to each version of data is gathered, the plan is made, and what it lets go is removed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from treadle.ports.metadata import Metadata, Unit, View
from treadle.ports.tables import Tables
from treadle.records.datasets import DROPPED, DatasetManifest, DatasetRef
from treadle.records.errors import NotFound
from treadle.records.failpoints import failpoint
from treadle.records.instants import Duration, Instant
from treadle.records.runs import Run, RunFilter
from treadle.records.tables import DroppedFiles
from treadle.stages.data.retention import KEEP, Fate, plan_retention, unneeded_versions
from treadle.stages.data.versions import ALL

_PAGE = 500
_DIGEST = 36
"""Some of what runs read is noted by as many characters of its digest."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was, or would be, pruned."""

    fates: tuple[Fate, ...]
    freed: DroppedFiles | None = None
    """None where nothing was done yet."""


def plan_prune(
    view: View | Unit, *, now: Instant, keep: int = KEEP, older_than: Duration = 0
) -> tuple[Fate, ...]:
    """Return the fate of every version of data in a home; changes nothing. Cost: reads the steps of every run."""
    manifests = {name: view.datasets.versions(name, limit=ALL) for name in view.datasets.names()}
    return plan_retention(manifests, find_uses(view, manifests), now=now, keep=keep, older_than=older_than)


def prune(
    tables: Tables, metadata: Metadata, *, now: Instant, keep: int = KEEP, older_than: Duration = 0
) -> Pruned:
    """Remove the rows of versions that nothing needs; whoever calls this holds the home.

    First the manifests say so, in the same unit of work that found that nothing refers to them; then the files go. Killed
    in between, every version that stays is readable, and doing it again finishes it.
    """
    with metadata.begin() as unit:
        fates = plan_prune(unit, now=now, keep=keep, older_than=older_than)
        for fate in fates:
            if fate.goes:
                unit.datasets.set_tag(fate.manifest.name, fate.manifest.version, DROPPED, str(now), now)
    failpoint("retention.after_manifests")
    newest = {name: tables.version(name) for name in {f.manifest.name for f in fates} if tables.exists(name)}
    freed = DroppedFiles()
    for name, versions in unneeded_versions(fates, newest).items():
        freed += tables.drop_versions(name, versions)
        failpoint("retention.after_table")
    return Pruned(fates, freed)


def find_uses(
    view: View | Unit, manifests: Mapping[str, Sequence[DatasetManifest]]
) -> dict[DatasetRef, tuple[str, ...]]:
    """Return which runs and model versions refer to versions of data, in words."""
    by_content: dict[tuple[str, str], DatasetRef] = {}
    for name, versions in manifests.items():
        for manifest in sorted(
            versions, key=lambda found: found.version
        ):  # of equal contents the newest counts
            if manifest.dropped is None:
                by_content[name, manifest.content_hash] = manifest.ref
                by_content[name, manifest.content_hash[:_DIGEST]] = manifest.ref
    found: dict[DatasetRef, dict[str, None]] = defaultdict(dict)
    read: dict[str, frozenset[DatasetRef]] = {}

    def refs_of(run: Run) -> frozenset[DatasetRef]:
        if run.run_id not in read:
            contents = [(data.name, data.digest) for data in run.datasets]
            steps = view.runs.steps(run.run_id, all_attempts=True)
            contents += [item for step in steps for item in step.inputs.items()]
            read[run.run_id] = frozenset(by_content[one] for one in contents if one in by_content)
        return read[run.run_id]

    for run in _runs(view):
        for ref in refs_of(run):
            found[ref][f"read by run {run.run_id}"] = None
    for model, version, run_id in _trained(view):
        try:
            run = view.runs.get_run(run_id)
        except NotFound:
            continue
        for ref in refs_of(run):
            found[ref][f"trained on by {model}/{version}"] = None
    return {ref: tuple(words) for ref, words in found.items()}


def _runs(view: View | Unit) -> Iterator[Run]:
    """Yield the runs that were not deleted."""
    after: str | None = None
    while True:
        page = view.runs.search_runs(RunFilter(), limit=_PAGE, after=after)
        yield from page.items
        after = page.after
        if after is None:
            return


def _trained(view: View | Unit) -> Iterator[tuple[str, int, str]]:
    """Yield model, version and run of every version that a run made, deleted runs too."""
    for model in view.models.list_models(limit=ALL):
        for version in view.models.list_versions(model.name, limit=ALL):
            if version.run_id is not None:
                yield model.name, version.version, version.run_id
