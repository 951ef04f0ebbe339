"""A home's tables and metadata, and a folder whose rows are brought into them."""

from dataclasses import dataclass, field
from pathlib import Path

from treadle.adapters.sql.metadata import open_metadata
from treadle.adapters.tables import DeltaTables
from treadle.records.instants import instant
from treadle.stages.data.bringing import bring_in
from treadle.stages.data.places import DataPlace

FIRST = instant("2025-06-01")


@dataclass
class Stores:
    """Brings data in at a clock of its own: an hour later each time."""

    folder: Path
    data: Path
    outside: object = None
    at: int = FIRST
    said: list = field(default_factory=list)

    def __post_init__(self):
        self.tables = DeltaTables(self.folder / "tables", durable=False)
        self.metadata = open_metadata(f"sqlite:///{self.folder / 'metadata.db'}")

    def bring(self, *definitions, tables=None):
        place = DataPlace.of(self.data, self.outside)
        brought = bring_in(definitions, place, tables or self.tables, self.metadata, self.at)
        self.said = list(brought.said)
        self.at += 3_600_000_000
        return brought

    def stored(self, name):
        """The rows of the newest registered version, in the order of their numbers."""
        with self.metadata.read() as view:
            manifest = view.datasets.get(name)
        return self.tables.read(name, version=int(manifest.tags["table_version"])).collect().sort("__row")

    def versions(self, name):
        with self.metadata.read() as view:
            return len(view.datasets.versions(name))

    def write(self, path, *rows, columns=("at", "item", "price")):
        """Write a CSV file whole: at another name first, then renamed."""
        target = self.data / path
        target.parent.mkdir(parents=True, exist_ok=True)
        text = "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)])
        part = target.with_name(".part")
        part.write_text(text + "\n")
        part.replace(target)
