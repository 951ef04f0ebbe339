"""`treadle data list`: the datasets of a home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.entry.cli._homes import open_home, reading
from treadle.entry.cli._shared import DEFAULT_HOME, AsJson, Home, Plain, at_home, emit
from treadle.entry.cli.data_versions import in_words, version_record

if TYPE_CHECKING:
    from treadle.ports.metadata import View

COLUMNS = ("name", "version", "rows", "created", "made_of", "tags")


def list_datasets(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """List the datasets of a home, each with its newest version."""
    with reading(open_home(home)) as view:
        rows = [dataset_record(view, name) for name in view.datasets.names()]
    empty = f"no data yet\n  next:  {at_home('treadle run PIPELINE --data DIR', home)}"
    shown = rows if as_json else [{**row, "tags": in_words(row["tags"])} for row in rows]
    emit(shown, COLUMNS, as_json=as_json, empty=empty)


def dataset_record(view: View, name: str) -> dict[str, Plain]:
    """Return the newest version of a dataset, with the tags of all of them."""
    from treadle.stages.data.versions import ALL

    versions = view.datasets.versions(name, limit=ALL)
    newest = versions[0]
    made_of = [str(parent) for parent in newest.parents if parent.name != name]
    tags: list[Plain] = [f"{tag} = {found.version}" for found in versions for tag in found.named]
    return {**version_record(newest), "made_of": ", ".join(made_of), "tags": tags}
