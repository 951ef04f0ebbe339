"""The skew audit: what was served is held against what the stored rows say for its T; a wrong writer is found out."""

from __future__ import annotations

import random
from dataclasses import replace

import polars as pl
import pytest

import treadle as tr
from tests.redis_server import redis_server
from treadle.adapters.clock import SimulatedClock
from treadle.adapters.executor import InProcess
from treadle.adapters.log import FileLog
from treadle.adapters.online import LmdbOnline
from treadle.adapters.online_memory import MemoryOnline
from treadle.adapters.online_redis import RedisOnline
from treadle.adapters.sql.metadata import open_metadata
from treadle.adapters.tables import DeltaTables
from treadle.loop import feed as feeding
from treadle.loop import skew as skewing
from treadle.loop.controller import Controller
from treadle.loop.feed import Feed
from treadle.loop.pushed_store import make_flusher, refreshed
from treadle.loop.skew import AUDITED, feature_digests
from treadle.loop.stopwatch import Stopwatch
from treadle.loop.stored import ingest
from treadle.loop.training import Store
from treadle.loop.wheel import Wheel
from treadle.loop.world import World
from treadle.records.digests import digest_bytes
from treadle.records.estimates import Window
from treadle.records.instants import DAY, HOUR, MINUTE, instant
from treadle.records.predictions import Prediction, encode_prediction
from treadle.records.skew import SkewReading
from treadle.stages.data.canonical import add_canonical
from treadle.stages.data.ingest import store_rows
from treadle.stages.features.keys import pack_key
from treadle.stages.features.plan import ServingPlan
from treadle.stages.serving.prediction_log import PredictionFlusher

START = instant("2026-03-01")
shop = tr.Entity("shop", keys=["shop"])
sales = tr.Source.parquet(
    "sales",
    path="sales.parquet",
    columns={"shop": "string", "price": "float", "weight": "float", "sold_at": "time", "noted_at": "time", "void": "bool"},
    event_time="sold_at",
    known_at="noted_at",
    tombstone="void",
)  # fmt: skip
visits = tr.Source.parquet(
    "visits",
    path="visits.parquet",
    columns={"number": "int", "shop": "string", "bought": "bool", "came_at": "time"},
    event_time="came_at",
)
newest = tr.FeatureView("newest", entity=shop, source=sales, features=["price", "weight"], ttl="30m")
lately = tr.WindowView(
    "lately", entity=shop, source=sales, features=[tr.total("price", over="2h"), tr.count(over="1h")]
)


@tr.row_feature
def a_unit(newest_price, newest_weight):
    """Price by weight."""
    return newest_price / newest_weight


def feature_set(view=newest):
    return tr.FeatureSet(
        "all",
        request={"number": "int", "shop": "string"},
        features=[view, lately, a_unit, tr.category("shop")],
    )


def make_project(**changes):
    endpoint = tr.Endpoint(
        "buys",
        model="buys@champion",
        features=feature_set(),
        requests=tr.Requests(visits),
        labels=tr.Labels("bought", source=visits, key=["number"], value="bought"),
    )
    return tr.Project(**{"name": "shops", "sources": [sales, visits], "endpoints": [endpoint], **changes})


def times(values):
    return pl.Series(values, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))


def plain_rows():
    """Two days of sales that are noted late, corrected and voided, and a visit every 40 seconds."""
    draw = random.Random(11)
    sold = []
    for at in range(START, START + 2 * DAY, 2 * MINUTE):
        event = at - draw.choice([0, 0, 0, 7 * MINUTE])
        sold.append(
            (draw.choice("abc"), draw.choice([1.5, 2.25, 80.0]), draw.uniform(1, 9), event,
             at + draw.choice([0, MINUTE, 20 * MINUTE]), draw.random() < 0.05)
        )  # fmt: skip
    columns = list(zip(*sold, strict=True))
    came = list(range(START + HOUR, START + 2 * DAY, 40_000_000))
    return {
        "sales": pl.DataFrame(
            {
                "shop": columns[0],
                "price": columns[1],
                "weight": columns[2],
                "sold_at": times(columns[3]),
                "noted_at": times(columns[4]),
                "void": columns[5],
            }
        ),
        "visits": pl.DataFrame(
            {
                "number": range(len(came)),
                "shop": [draw.choice("abcd") for _ in came],
                "bought": [draw.random() < 0.5 for _ in came],
                "came_at": times(came),
            }
        ),
    }


ROWS = {s.name: add_canonical(plain_rows()[s.name], s.timing, s.unique) for s in (sales, visits)}


@pytest.fixture
def world(tmp_path):
    metadata = open_metadata(f"sqlite:///{tmp_path / 'metadata.db'}")
    log = FileLog(tmp_path / "predictions")
    yield World(
        project=make_project(),
        metadata=metadata,
        blobs=None,
        tables=DeltaTables(tmp_path / "tables", durable=False),
        online=MemoryOnline(),
        predictions=log,
        clock=SimulatedClock(START),
        executor=InProcess(),
        environment=digest_bytes(b"environment"),
    )
    log.close()
    metadata.close()


@pytest.fixture
def store(world):
    return Store.of(ROWS, store_rows(world.project.sources, ROWS, world.tables, world.metadata, START))


def serve(world, since, until, *, online=None, plan=None, late=0, model=1):
    """Answer every visit of a span from the online store and log it, as a replay does; the writer is `late`."""
    plan = plan or ServingPlan(world.project.endpoints[0].features)
    online = world.online if online is None else online
    feed = Feed(world.project.views, ROWS)
    asked = ROWS["visits"].filter(pl.col("__event_time").is_between(since, until, closed="left"))
    records = []
    for number, name, at in asked.select("number", "shop", "__event_time").iter_rows():
        feed.advance(online, at - late)
        with online.read(plan.wanted([number, name])) as snapshot:
            vector = plan.vector(snapshot, [number, name], at)
        records.append(
            encode_prediction(
                Prediction(f"p{number}", at, "buys", "buys", model, [number, name], vector, 0.5)
            )
        )
    world.predictions.append_many(records)
    return len(records)


def audits(world) -> list[SkewReading]:
    with world.metadata.read() as view:
        return [SkewReading.from_json(event.data) for event in view.journal.read(kinds=[AUDITED])]


def alerts(world):
    with world.metadata.read() as view:
        return view.journal.read(kinds=["alert.raised"])


def watching(world, **rule):
    monitor = tr.Monitor("buys", window="7d", every="1d", skew=tr.skew(**rule))
    return replace(world, project=replace(world.project, monitors=(monitor,)))


def tick(world, store, *at):
    controller = Controller(world, store, Stopwatch())
    for one in at:
        controller.tick(one)
    return audits(world)


def broken(monkeypatch, change):
    """Let a fault into the online writer: `change` is given each row's place and values, and says what is written."""
    make = feeding.make_applier
    seen = [0]

    def make_broken(source, views):
        right = make(source, views)

        def apply(batch, known_at, row, values):
            seen[0] += 1
            found = change(seen[0], list(values), right.columns)
            if found is not None:
                right.apply(batch, known_at, row, found)

        return replace(right, apply=apply)

    monkeypatch.setattr(feeding, "make_applier", make_broken)


class TestWithoutFault:
    def test_thousands_of_vectors_of_late_and_corrected_rows_are_as_served(self, world, store):
        served = serve(world, START, START + 2 * DAY)
        first, reading = tick(watching(world, sample=1.0, most=10_000), store, START + DAY, START + 2 * DAY)
        assert served > 4_000
        assert (first.state, reading.state) == ("ok", "ok")
        assert first.audited + reading.audited == first.served + reading.served == served
        assert {one.feature for one in reading.features} == set(world.project.endpoints[0].features.names)
        assert [one.mismatched for one in reading.features] == [0] * 6
        assert {one.compared for one in reading.features} == {reading.audited}
        assert alerts(world) == ()

    def test_every_endpoint_is_audited_by_itself_a_sample_at_each_tick_each_prediction_once(
        self, world, store
    ):
        serve(world, START, START + 6 * HOUR)
        readings = tick(world, store, *(START + n * HOUR for n in range(1, 8)))
        assert [one.window.start for one in readings[1:]] == [one.resume for one in readings[:-1]]
        assert [(one.served, one.audited) for one in readings] == [(0, 0), *[(90, 90)] * 5, (0, 0)]
        assert "no prediction since" in readings[-1].sentence

    def test_the_sample_is_a_share_with_bounds_and_the_same_at_every_look(self, world, store):
        served = serve(world, START, START + DAY)
        [reading] = tick(watching(world, sample=0.1, least=20), store, START + DAY)
        assert (reading.served, reading.audited) == (served, -(-served // 10))
        [_, capped] = tick(watching(world, sample=0.1, least=20, most=30), store, START + DAY + 1)
        assert capped.audited == 0  # what was audited is not audited again

    def test_rows_that_became_known_after_t_are_no_skew(self, world, store):
        """The tables know more now than anyone knew when it was asked."""
        serve(world, START, START + 12 * HOUR)
        late = ROWS["sales"].with_columns(
            price=pl.lit(1e6),
            __known_at=pl.lit(START + DAY, pl.Int64),
            __row=pl.col("__row") + 1_000_000,
            __created_time=pl.col("__created_time") + 1,
        )
        grown = Store.of({**store.rows, "sales": pl.concat([store.rows["sales"], late])}, store.manifests)
        [reading] = tick(watching(world, sample=1.0, most=5_000), grown, START + 12 * HOUR)
        assert (reading.state, reading.audited) == ("ok", 990)

    def test_redis_serves_what_the_tables_say(self, world, store, tmp_path):
        with redis_server(tmp_path) as url:
            online = RedisOnline(url, namespace="skew")
            serve(world, START, START + 3 * HOUR, online=online)
            [reading] = tick(watching(world, sample=1.0), store, START + 3 * HOUR)
            online.close()
        assert (reading.state, reading.audited) == ("ok", 180)

    def test_lmdb_serves_what_the_tables_say(self, world, store, tmp_path):
        online = LmdbOnline(tmp_path / "online", durable=False, map_size=1 << 24)
        serve(world, START, START + 3 * HOUR, online=online)
        online.close()
        [reading] = tick(watching(world, sample=1.0), store, START + 3 * HOUR)
        assert (reading.state, reading.audited) == ("ok", 180)


class TestFaults:
    """Each fault is put into what writes the online store; the default sample has to name the feature."""

    def wrong(self, world, store, at=START + DAY):
        [reading] = tick(world, store, at)
        return reading, {one.feature for one in reading.features if one.mismatched}

    def test_a_dropped_event_in_ten(self, world, store, monkeypatch):
        broken(monkeypatch, lambda n, values, columns: None if n % 10 == 0 else values)
        serve(world, START, START + DAY)
        reading, wrong = self.wrong(world, store)
        assert reading.state == "alert"
        assert {"lately_price_sum_2h", "lately_count_1h"} <= wrong
        assert "shop" not in wrong

    def test_a_ttl_that_is_not_the_defined_one(self, world, store):
        longer = tr.FeatureView("newest", entity=shop, source=sales, features=["price", "weight"], ttl="6h")
        serve(world, START, START + DAY, plan=ServingPlan(feature_set(longer)))
        reading, wrong = self.wrong(world, store)
        assert wrong == {"newest_price", "newest_weight", "a_unit"}
        assert reading.state == "alert"
        example = reading.features[0].examples[0]
        assert example.recomputed is None
        assert example.served is not None

    def test_a_store_five_minutes_behind(self, world, store):
        serve(world, START, START + DAY, late=5 * MINUTE)
        reading, wrong = self.wrong(world, store)
        assert reading.state == "alert"
        assert {"newest_price", "lately_price_sum_2h", "lately_count_1h"} <= wrong

    def test_swapped_columns(self, world, store, monkeypatch):
        def swap(n, values, columns):
            if "weight" in columns:
                price, weight = columns.index("price"), columns.index("weight")
                values[price], values[weight] = values[weight], values[price]
            return values

        broken(monkeypatch, swap)
        serve(world, START, START + DAY)
        _, wrong = self.wrong(world, store)
        assert wrong == {"newest_price", "newest_weight", "a_unit", "lately_price_sum_2h"}

    def test_an_example_names_the_prediction_and_both_values(self, world, store):
        serve(world, START, START + DAY, late=5 * MINUTE)
        reading, _ = self.wrong(world, store)
        logged = world.tables.read("predictions/buys").collect()
        for one in reading.features:
            for example in one.examples:
                [row] = logged.filter(prediction_id=example.prediction_id).to_dicts()
                assert row[one.feature] == example.served != example.recomputed
                assert row["at"].timestamp() * 1e6 == example.at

    def test_the_alert_is_raised_once_and_again_after_it_had_ended(self, world, store):
        for hour in range(1, 13):
            wrong = hour <= 6 or hour >= 10
            serve(world, START + hour * HOUR, START + (hour + 1) * HOUR, late=5 * MINUTE * wrong,
                  online=MemoryOnline())  # fmt: skip
        readings = tick(world, store, *(START + hour * HOUR for hour in range(2, 14)))
        assert [one.state for one in readings] == ["alert"] * 6 + ["ok"] * 3 + ["alert"] * 3
        raised = [event for event in alerts(world) if "lately_count_1h" in event.data["features"]]
        assert [event.at for event in raised] == [START + 2 * HOUR, START + 11 * HOUR]
        assert raised[0].data["kind"] == "feature_skew"
        assert raised[0].data["message"] == readings[0].sentence

    def test_a_feature_that_joins_the_alert_is_told_by_itself(self, world, store):
        short = tr.FeatureView("newest", entity=shop, source=sales, features=["price", "weight"], ttl="1m")
        plan = ServingPlan(feature_set(short))
        serve(world, START, START + 12 * HOUR, plan=plan)
        serve(world, START + 12 * HOUR, START + DAY, plan=plan, late=5 * MINUTE, online=MemoryOnline())
        tick(world, store, START + 12 * HOUR, START + DAY)
        first, second = alerts(world)
        assert set(first.data["features"]) == {"newest_price", "newest_weight", "a_unit"}
        assert "lately_count_1h" in second.data["features"]
        assert set(first.data["features"]).isdisjoint(second.data["features"])


class TestDoubt:
    def test_without_predictions_nothing_is_claimed(self, world, store):
        assert tick(world, store, START + HOUR) == []

    def test_too_few_predictions_are_kept_until_there_are_enough(self, world, store):
        serve(world, START + HOUR, START + HOUR + 8 * MINUTE)
        serve(world, START + HOUR + 8 * MINUTE, START + 3 * HOUR)
        few, enough = tick(world, store, START + HOUR + 8 * MINUTE, START + 3 * HOUR)
        assert (few.state, few.audited, few.features) == ("insufficient_data", 12, ())
        assert "20 are needed" in few.sentence
        assert (enough.state, enough.served) == ("ok", 180)

    def test_an_alert_is_not_ended_by_an_audit_that_saw_nothing(self, world, store):
        serve(world, START + HOUR, START + 2 * HOUR, late=5 * MINUTE)
        serve(world, START + 4 * HOUR, START + 5 * HOUR, late=5 * MINUTE, online=MemoryOnline())
        readings = tick(world, store, *(START + n * HOUR for n in (2, 3, 5)))
        assert [one.state for one in readings] == ["alert", "insufficient_data", "alert"]
        assert len([e for e in alerts(world) if "lately_count_1h" in e.data["features"]]) == 1

    def test_what_was_defined_otherwise_when_it_was_served_is_not_comparable(self, world, store):
        serve(world, START, START + 6 * HOUR)
        tick(world, store, START + 3 * HOUR)
        longer = tr.FeatureView("newest", entity=shop, source=sales, features=["price", "weight"], ttl="6h")
        endpoint = tr.Endpoint(
            "buys", model="buys@champion", features=feature_set(longer),
            requests=tr.Requests(visits), labels=world.project.endpoints[0].labels,
        )  # fmt: skip
        changed = replace(world, project=make_project(endpoints=[endpoint]))
        readings = tick(changed, store, START + 6 * HOUR)
        assert set(readings[-1].not_comparable) == {"newest_price", "newest_weight", "a_unit"}
        assert {one.feature for one in readings[-1].features} == {
            "lately_price_sum_2h",
            "lately_count_1h",
            "shop",
        }
        assert readings[-1].state == "ok"
        serve(changed, START + 6 * HOUR, START + 8 * HOUR, online=MemoryOnline())
        last = tick(changed, store, START + 8 * HOUR)[-1]
        assert (last.not_comparable, last.state, len(last.features)) == ({}, "ok", 6)

    def test_requests_that_were_logged_in_another_form_are_not_comparable(self, world, store):
        """A field that joined the request since, and a feature that was not there."""
        serve(world, START, START + 6 * HOUR)
        visited = tr.Source.parquet(
            "visits", path="visits.parquet", columns={**visits.columns, "age": "float"}, event_time="came_at"
        )
        wider = tr.FeatureSet(
            "all",
            request={"number": "int", "shop": "string", "age": "float"},
            features=[newest, lately, a_unit, tr.category("shop"), tr.number("age")],
        )
        endpoint = tr.Endpoint(
            "buys", model="buys@champion", features=wider, requests=tr.Requests(visited),
            labels=tr.Labels("bought", source=visited, key=["number"], value="bought"),
        )  # fmt: skip
        PredictionFlusher(world.project.endpoints, world.predictions, world.tables).flush()
        served = skewing.read_served(world.tables, endpoint, Window(START, START + 6 * HOUR))
        found = skewing.audit(
            store.offline, endpoint, tr.skew(), served, Window(START, START + 6 * HOUR), START + 6 * HOUR,
            definitions=feature_digests(wider),
        )  # fmt: skip
        assert set(found.not_comparable) == set(wider.names)
        assert (found.state, found.features, found.resume) == ("insufficient_data", (), START + 6 * HOUR)
        assert "'age'" in next(iter(found.not_comparable.values()))

    def test_words_for_people_change_no_definition(self):
        told = tr.FeatureView(
            "newest", entity=shop, source=sales, features=["price", "weight"], ttl="30m", description="Told."
        )
        assert feature_digests(feature_set(told)) == feature_digests(feature_set())

    def test_the_audit_can_be_turned_off(self, world, store):
        serve(world, START, START + 6 * HOUR, late=5 * MINUTE)
        assert tick(watching(world, sample=0.0), store, START + 6 * HOUR) == []


def test_a_process_goes_on_where_the_one_before_it_ended(world, store):
    serve(world, START, START + 6 * HOUR)
    tick(world, store, START + 3 * HOUR)
    tick(world, store, START + 6 * HOUR)
    assert [(one.window.start, one.window.end) for one in audits(world)] == [
        (START + 3 * HOUR - DAY, START + 3 * HOUR),
        (START + 3 * HOUR, START + 6 * HOUR),
    ]


class TestPushes:
    """Events that were pushed between the answers, some late, some only known later."""

    def run(self, tmp_path, *, forget=False):
        from tests.intake import places

        asks = tr.Source.push(
            "asks",
            columns={"sensor": "string", "shop": "string", "good": "bool", "at": "time"},
            event_time="at",
        )
        endpoint = tr.Endpoint(
            "all",
            model="all@champion",
            features=places.FEATURES,
            requests=tr.Requests(asks),
            labels=tr.Labels("good", source=asks, key=["sensor"], value="good"),
        )
        places.write_orders(tmp_path / "data", [places.order(n) for n in (1, 2, 3)])
        clock = SimulatedClock(places.NOW)
        draw = random.Random(5)
        with places.opened(tmp_path / "home", clock=clock) as opened:
            ingest(opened, tmp_path / "data", places.NOW)
            world = replace(
                opened,
                project=replace(
                    opened.project, sources=(*opened.project.sources, asks), endpoints=(endpoint,)
                ),
            )
            taking = places.Taking.of(world)
            first = taking.store
            for number in range(300):
                clock.advance_to(clock.now() + draw.randrange(1, 20 * MINUTE))
                row = places.reading(
                    number,
                    ago=places.NOW - clock.now() + draw.choice([0, HOUR, -HOUR]),
                    sensor=draw.choice("st"),
                )
                if not (forget and number % 10 == 0):
                    taking.intake.offer("readings", [row], ids=[f"e{number}"])
                taking.apply()
                at = max(clock.now(), taking.feed.position)
                fields = [draw.choice("st"), "a"]
                with world.online.read() as snapshot:
                    vector = places.PLAN.vector(snapshot, fields, at)
                world.predictions.append_many(
                    [encode_prediction(Prediction(f"p{number}", at, "all", "all", 1, fields, vector, 0.5))]
                )
                if forget and number % 10 == 0:  # in the log and the tables, never online
                    with world.online.begin() as batch:
                        batch.delete("newest", pack_key(["s"]))
            clock.advance_to(clock.now() + 1)
            make_flusher(world).flush()
            return tick(world, refreshed(world, first), clock.now())

    def test_pushed_events_are_served_as_the_tables_say(self, tmp_path):
        [reading] = self.run(tmp_path)
        assert reading.state == "ok", reading.sentence
        assert reading.audited == 100
        assert len(reading.features) == 5

    def test_what_the_online_store_lost_is_found(self, tmp_path):
        [reading] = self.run(tmp_path, forget=True)
        assert {one.feature for one in reading.features if one.mismatched} == {"newest_value"}


def test_of_many_predictions_the_same_are_chosen_as_of_few(world, store, monkeypatch):
    serve(world, START, START + 12 * HOUR, late=5 * MINUTE)
    [few] = tick(world, store, START + 12 * HOUR)
    monkeypatch.setattr(skewing, "AT_ONCE", 200)
    window = few.window
    served = skewing.read_served(world.tables, world.project.endpoints[0], window)
    many = skewing.audit(
        store.offline,
        world.project.endpoints[0],
        tr.skew(),
        served,
        window,
        few.at,
        definitions=few.definitions,
    )
    assert few.served > 200
    assert many == few


def test_the_wheel_of_a_server_audits_and_a_restarted_one_knows_what_was_found(world, store):
    world.clock.advance_to(START + HOUR)
    wheel = Wheel(world, store, HOUR, lambda text: None)
    assert wheel.skew == {}
    serve(world, START, START + 6 * HOUR, late=5 * MINUTE)
    world.clock.advance_to(START + 6 * HOUR + 1)
    wheel.turn()
    assert wheel.skew["buys"].state == "alert"
    assert Wheel(world, store, HOUR, lambda text: None).skew == wheel.skew
