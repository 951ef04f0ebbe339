"""Sixty days of a small shop, and worlds to turn it in."""

from __future__ import annotations

import functools
import random
from dataclasses import replace
from pathlib import Path

import polars as pl

from tests.loop.units import shop
from treadle.adapters.blobs import local_blobs
from treadle.adapters.clock import SimulatedClock
from treadle.adapters.executor import InProcess
from treadle.adapters.log import FileLog
from treadle.adapters.online_memory import MemoryOnline
from treadle.adapters.sql.metadata import open_metadata
from treadle.adapters.tables import DeltaTables
from treadle.loop.training import Store
from treadle.loop.turn import Train, perform, plan_turn
from treadle.loop.world import World
from treadle.records.digests import digest_bytes
from treadle.records.instants import DAY, HOUR, instant
from treadle.records.predictions import Prediction, encode_prediction
from treadle.stages.data.canonical import add_canonical
from treadle.stages.data.ingest import store_rows

ROOT = Path(__file__).parents[3]
START = instant("2024-03-01")
DAYS = 60
END = START + DAYS * DAY


def times(values):
    return pl.Series(values, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))


@functools.cache
def plain_rows():
    """An order every half hour; dear ones in full shops come back."""
    chooser = random.Random(7)
    visits = [
        (
            name,
            chooser.uniform(0, 30) + 20 * ((at // DAY) % 3 == shift),
            at,
            at + chooser.randrange(0, 2 * HOUR),
        )
        for at in range(START - DAY, END, HOUR // 2)
        for shift, name in enumerate("abc")
    ]
    orders, outcomes = [], []
    for number, at in enumerate(range(START, END, HOUR // 2)):
        name, amount = chooser.choice("abc"), chooser.uniform(1, 100)
        full = (at // DAY) % 3 == "abc".index(name)
        orders.append((number, name, amount, at))
        if chooser.random() < 0.95:
            returned = chooser.random() < 0.05 + 0.5 * (amount > 60) + 0.35 * full
            outcomes.append((number, returned, at + chooser.randrange(2 * HOUR, 20 * HOUR), False))
    return {
        "orders": _frame(["number", "shop", "amount", "asked_at"], orders),
        "outcomes": _frame(["number", "returned", "decided_at", "withdrawn"], outcomes),
        "visits": _frame(["shop", "wait", "came_at", "noted_at"], visits),
    }


def _frame(names, rows):
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    return pl.DataFrame({n: times(v) if n.endswith("_at") else pl.Series(v) for n, v in columns.items()})


def stored_rows(project=shop.project, **changes):
    """The rows with their canonical columns; `changes` replaces some of the plain ones."""
    plain = {**plain_rows(), **changes}
    return {s.name: add_canonical(plain[s.name], s.timing, s.unique) for s in project.sources}


def make_world(folder, *, project=shop.project, executor=None, at=START):
    return World(
        project=project,
        metadata=open_metadata(f"sqlite:///{folder / 'metadata.db'}"),
        blobs=local_blobs(folder / "blobs"),
        tables=DeltaTables(folder / "tables"),
        online=MemoryOnline(),
        predictions=FileLog(folder / "predictions"),
        clock=SimulatedClock(at),
        executor=executor or InProcess(),
        environment=digest_bytes(b"environment"),
        project_paths=(str(ROOT),),
    )


def make_store(world, **changes):
    rows = stored_rows(world.project, **changes)
    manifests = store_rows(world.project.sources, rows, world.tables, world.metadata, START)
    return Store.of(rows, manifests)


def turn(world, store, at, *, key="by hand", endpoints=("returns",), **params):
    """Train and judge; the plan is the same each time it is made."""
    train = Train("train_returns", {"until": at, **params}, key=key, reason="a test asks")
    return perform(world, store, plan_turn(train, endpoints), at)


def log_predictions(world, store, version, since, until, score):
    """Log an answer to every order of a span, as the endpoint would; `score` is given amount and truth."""
    orders = store.rows["orders"].filter(pl.col("__event_time").is_between(since, until, closed="left"))
    known = store.rows["outcomes"].filter(~pl.col("withdrawn")).unique("number", keep="last")
    truth = dict(known.select("number", "returned").iter_rows())
    records = [
        encode_prediction(
            Prediction(
                f"{version}-{number}", at, "returns", "returns", version, [number, name, amount],
                [None, 0.0, None, amount, name], score(amount, truth.get(number)),
            )
        )
        for number, name, amount, at in orders.select("number", "shop", "amount", "__event_time").iter_rows()
    ]  # fmt: skip
    world.predictions.append_many(records)
    return len(records)


def able(amount, _truth):
    """Score as a fair model would."""
    return 0.16 + 0.5 * (amount > 60) + amount / 1_000


def guessing(amount, _truth):
    """Score without any knowledge."""
    return 0.2 + 0.4 * ((amount * 7_919) % 1)


def registry(world):
    """Everything that a turn leaves behind, for comparing."""
    with world.metadata.read() as view:
        versions = view.models.list_versions("returns")
        events = view.journal.read(limit=10_000)
        return {
            "versions": [(v.version, v.package, dict(v.tags), v.run_id, v.aliases) for v in versions],
            "aliases": [(m.version, m.previous, m.at, m.reason) for m in view.models.alias_history("returns", "champion")],
            "verdicts": [(r.version, r.verdict, r.reasons, r.at) for r in view.models.verdicts("returns")],
            "runs": [(r.run_id, r.status, r.params) for r in view.runs.search_runs().items],
            "jobs": [(j.kind, str(j.state), j.payload) for j in view.jobs.list()],
            "turns": [(e.kind, e.subject, e.at, e.key) for e in events if e.kind in KEYED],
        }  # fmt: skip


KEYED = {"turn.started", "trigger.fired", "trigger.evaluated", "monitor.read", "alert.raised", "loop.ticked"}


def with_project(world, **changes):
    return replace(world, project=replace(world.project, **changes))
