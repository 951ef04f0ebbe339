"""A project that takes in events, and a world for it whose stores survive being opened again."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

import treadle as tr
from treadle.adapters.blobs import local_blobs
from treadle.adapters.clock import SimulatedClock
from treadle.adapters.executor import InProcess
from treadle.adapters.log import FileLog
from treadle.adapters.online_memory import MemoryOnline
from treadle.adapters.sql.metadata import open_metadata
from treadle.adapters.tables import DeltaTables
from treadle.loop.intake import Intake
from treadle.loop.live_feed import LiveFeed
from treadle.loop.pushed_online import PushedOnline
from treadle.loop.pushed_store import event_sources
from treadle.loop.stored import load_store
from treadle.loop.training import Store
from treadle.loop.world import World
from treadle.records.digests import digest_bytes
from treadle.records.instants import DAY, instant
from treadle.stages.data.pushed import pushed_reader
from treadle.stages.features.plan import ServingPlan

NOW = instant("2026-03-01T12:00:00Z")

readings = tr.Source.push(
    "readings",
    columns={"sensor": "string", "at": "time", "value": "float"},
    event_time="at",
    description="What sensors say.",
)
orders = tr.Source.parquet(
    "orders",
    path="orders.parquet",
    columns={"order": "int", "shop": "string", "amount": "float", "placed": "time"},
    event_time="placed",
    event_id="order",
)
sensor = tr.Entity("sensor", keys=["sensor"])
shop = tr.Entity("shop", keys=["shop"])
newest = tr.FeatureView("newest", entity=sensor, source=readings, features=["value"])
lately = tr.WindowView(
    "lately", entity=sensor, source=readings, features=[tr.total("value", over="1d"), tr.count(over="1d")]
)
spent = tr.WindowView(
    "spent", entity=shop, source=orders, features=[tr.total("amount", over="365d"), tr.count(over="365d")]
)
FEATURES = tr.FeatureSet(
    "all", request={"sensor": "string", "shop": "string"}, features=[newest, lately, spent]
)
PLAN = ServingPlan(FEATURES)
VIEWS = (newest, lately, spent)


def make_project() -> tr.Project:
    return tr.Project(name="sensors", sources=[readings, orders])


def reading(number: int, *, value: float | None = None, ago: int = 0, sensor: str = "s") -> dict[str, object]:
    at = instant_text(NOW - ago)
    return {"sensor": sensor, "at": at, "value": float(number) if value is None else value}


def order(number: int, *, shop: str = "a", amount: float = 1.0, ago: int = DAY) -> dict[str, object]:
    return {"order": number, "shop": shop, "amount": amount, "placed": instant_text(NOW - ago)}


def instant_text(at: int) -> str:
    from treadle.records.instants import iso

    return iso(at)


def write_orders(folder: Path, rows: list[dict[str, object]]) -> None:
    folder.mkdir(exist_ok=True)
    schema = {"order": pl.Int64, "shop": pl.String, "amount": pl.Float64, "placed": pl.String}
    pl.DataFrame(rows, schema=schema).write_parquet(folder / "orders.parquet")


@contextmanager
def opened(folder: Path, *, online=None, clock=None, segment_bytes: int = 64 << 20):
    """A world whose stores are in the folder."""
    folder.mkdir(exist_ok=True, parents=True)
    metadata = open_metadata(f"sqlite:///{folder / 'metadata.db'}")
    events = FileLog(folder / "events", segment_bytes=segment_bytes)
    predictions = FileLog(folder / "predictions")
    try:
        yield World(
            project=make_project(),
            metadata=metadata,
            blobs=local_blobs(folder / "blobs"),
            tables=DeltaTables(folder / "tables", durable=False),
            online=MemoryOnline() if online is None else online,
            predictions=predictions,
            events=events,
            clock=clock or SimulatedClock(NOW),
            executor=InProcess(),
            environment=digest_bytes(b"environment"),
        )
    finally:
        events.close()
        predictions.close()
        metadata.close()


@dataclass
class Taking:
    """What takes in events of a world, without threads: `apply` does what the server's thread does when it is woken."""

    world: World
    store: Store
    feed: LiveFeed
    intake: Intake
    woken: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, world: World, store: Store | None = None, **options) -> Taking:
        pushed = PushedOnline(VIEWS, event_sources(world), world.events, **options)
        feed = LiveFeed(VIEWS, world.online, pushed, pushed_reader(world.tables))
        store = load_store(world) if store is None else store
        feed.use(store, world.clock.now())
        woken: list[int] = []
        intake = Intake(
            event_sources(world),
            log=world.events,
            online=world.online,
            clock=world.clock,
            frontier=feed.frontier,
            applied=feed.log_position,
            announce=feed.announce,
            wake=lambda: woken.append(1),
        )
        return cls(world, store, feed, intake, woken)

    def apply(self) -> None:
        self.feed.advance(self.world.clock.now())

    def vector(self, *, sensor: str = "s", shop: str = "a") -> dict[str, object]:
        """The features as the online store has them now."""
        with self.world.online.read() as snapshot:
            values = PLAN.vector(snapshot, [sensor, shop], max(self.world.clock.now(), self.feed.position))
        return dict(zip(PLAN.names, values, strict=True))


def table_ids(world: World, source: str) -> list[str]:
    """The ids of a table's pushed rows, in the order of the log."""
    rows = pushed_reader(world.tables)(source)
    return [] if rows is None else rows.sort("__row")["__event_id"].to_list()
