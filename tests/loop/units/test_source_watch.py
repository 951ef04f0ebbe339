"""Watching sources: each window is measured once, judged against those before, and a shift that matters trains."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

import treadle as tr
from tests.loop.units.conftest import FIRST
from tests.loop.units.shop.model import train_returns
from tests.loop.units.shops import START, make_world, plain_rows, with_project
from treadle.define.schema_reader import parse_schema
from treadle.loop.controller import Controller
from treadle.loop.source_drift import reference_windows
from treadle.loop.source_history import flush_history, measured_from_rows
from treadle.loop.stopwatch import Stopwatch
from treadle.loop.stored import ingest
from treadle.loop.training import Store
from treadle.records.drifts import DataDrift
from treadle.records.errors import InvalidInput
from treadle.records.estimates import Window
from treadle.records.failpoints import FailpointError, arm
from treadle.records.instants import DAY, HOUR
from treadle.records.profiles import Profile
from treadle.records.source_windows import SourceWindow

SHIFT = FIRST + 5 * DAY
RETRAIN = tr.on(tr.values_changed(), run=train_returns, cooldown="5d", name="retrain")
"""Orders come every half hour: 48 a day, 144 visits a day."""


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    arm("")


def watching(world, *monitors, triggers=()):
    return with_project(world, monitors=[], triggers=list(triggers), source_monitors=list(monitors))


def run(world, store, days, first=FIRST, hour=2):
    ticking = Controller(world, store, Stopwatch())
    turned = []
    for day in range(days):
        turned += ticking.tick(first + day * DAY + hour * HOUR)
    return turned


def events(world, *kinds):
    with world.metadata.read() as view:
        return view.journal.read(kinds=list(kinds), limit=10_000)


def windows(world):
    found = [SourceWindow.from_json(event.data) for event in events(world, "quality.measured")]
    return {one.window.start: one for one in found}


def readings(world, kind):
    return [event.data for event in events(world, "monitor.read") if event.data["kind"] == kind]


def verdicts(world):
    return [DataDrift.from_json(event.data) for event in events(world, "data.drift")]


def shifted(table, column, change, since=SHIFT):
    """The plain rows of a table, with a column changed from an instant on."""
    rows = plain_rows()[table]
    time = {"orders": "asked_at", "visits": "came_at"}[table]
    late = pl.col(time).to_physical() >= since
    return {table: rows.with_columns(pl.when(late).then(change).otherwise(pl.col(column)).alias(column))}


class TestMeasuring:
    def test_each_window_that_is_over_is_measured_once_with_what_was_known(self, world, store):
        world = watching(world, tr.SourceMonitor("visits", source="visits"))
        run(world, store, 3)
        found = windows(world)
        assert len(events(world, "quality.measured")) >= len(found) > 10
        visits = store.rows["visits"]
        for start, one in found.items():
            inside = visits.filter(
                pl.col("__event_time").is_between(start, start + DAY - 1) & (pl.col("__known_at") <= one.at)
            )
            assert one.rows == inside.height
        assert max(found) == FIRST + DAY

    def test_a_window_that_is_not_over_is_not_measured(self, world, store):
        world = watching(world, tr.SourceMonitor("visits", source="visits", lateness="3h"))
        run(world, store, 1)
        assert max(windows(world)) == FIRST - 2 * DAY

    def test_rows_that_come_late_are_added_to_their_window_and_counted(self, world, store):
        """Visits are noted up to two hours after; those of the last hour of a day come after its window was closed."""
        monitor = tr.SourceMonitor("visits", source="visits", lateness="0h", drift=tr.column_drift("wait"))
        world = watching(world, monitor)
        run(world, store, 1, hour=0)
        first = windows(world)[FIRST - DAY]
        run(world, store, 1, hour=5)
        second = windows(world)[FIRST - DAY]
        assert (first.rows, second.rows) == (first.rows, 144)
        assert first.rows < 144
        assert second.late == 144 - first.rows
        assert (first.revision, second.revision) == (0, 1)
        profile = Profile.from_bytes(world.blobs.get(second.profile))
        assert profile.rows == 144
        inside = store.rows["visits"].filter(pl.col("__event_time").is_between(FIRST - DAY, FIRST - 1))
        assert profile["wait"].moments.mean == pytest.approx(inside["wait"].mean())

    def test_a_window_without_rows_is_measured_too(self, world, store):
        silent = plain_rows()["visits"].filter(
            ~pl.col("came_at").to_physical().is_between(FIRST + DAY, FIRST + 2 * DAY - 1)
        )
        world = watching(world, tr.SourceMonitor("visits", source="visits"))
        run(world, store_with(world, store, visits=silent), 4)
        assert windows(world)[FIRST + DAY].rows == 0
        [alert] = [event for event in events(world, "alert.raised") if event.data["kind"] == "volume"]
        assert "0 rows" in alert.data["message"]
        [over] = events(world, "alert.resolved")
        assert over.at == FIRST + 3 * DAY + 2 * HOUR

    def test_a_controller_that_is_started_again_measures_nothing_twice(self, world, store):
        world = watching(world, tr.SourceMonitor("visits", source="visits"))
        run(world, store, 3)
        before = events(world, "quality.measured", "monitor.read")
        run(world, store, 3)
        assert events(world, "quality.measured", "monitor.read") == before

    def test_a_tick_that_was_cut_off_is_found_and_not_repeated(self, world, store):
        world = watching(world, tr.SourceMonitor("visits", source="visits", freshness="1h"))
        arm("controller.after_decision:raise")
        with pytest.raises(FailpointError):
            run(world, store, 1)
        arm("")
        before = events(world, "quality.measured", "monitor.read", "alert.raised")
        assert before
        run(world, store, 1)
        assert events(world, "quality.measured", "monitor.read", "alert.raised") == before


def canonical(world, **changes):
    from treadle.stages.data.canonical import add_canonical

    sources = {source.name: source for source in world.project.sources}
    return {
        name: add_canonical(rows, sources[name].timing, sources[name].unique)
        for name, rows in changes.items()
    }


def store_with(world, store, **changes):
    return Store.of({**store.rows, **canonical(world, **changes)}, store.manifests)


class TestJudging:
    def test_an_ordinary_source_raises_nothing(self, world, store):
        monitors = [
            tr.SourceMonitor("visits", source="visits", freshness="3h", drift=tr.column_drift()),
            tr.SourceMonitor("orders", source="orders", freshness="3h", drift=tr.column_drift(min_rows=40)),
        ]
        world = watching(world, *monitors)
        run(world, store, 12)
        assert events(world, "alert.raised") == ()

    def test_a_source_that_falls_silent_is_stale_once_and_resolved_when_it_speaks(self, world, store):
        rows = plain_rows()["orders"]
        gap = rows.filter(~pl.col("asked_at").to_physical().is_between(FIRST + 2 * DAY, FIRST + 4 * DAY))
        world = watching(world, tr.SourceMonitor("orders", source="orders", freshness="2h", volume=None))
        run(world, store_with(world, store, orders=gap), 8)
        [raised] = events(world, "alert.raised")
        [resolved] = events(world, "alert.resolved")
        assert (raised.at, resolved.at) == (FIRST + 2 * DAY + 2 * HOUR, FIRST + 4 * DAY + 2 * HOUR)
        assert "may be 2h old" in raised.data["message"]

    def test_missing_values_beyond_chance_and_habit_are_an_alert(self, world, store):
        lost = (
            pl.when(pl.col("came_at").to_physical() % (5 * HOUR // 2) == 0)
            .then(None)
            .otherwise(pl.col("wait"))
        )
        world = watching(world, tr.SourceMonitor("visits", source="visits"))
        run(world, store_with(world, store, **shifted("visits", "wait", lost)), 9)
        [alert] = [event for event in events(world, "alert.raised") if event.data["kind"] == "nulls"]
        assert alert.at == SHIFT + DAY + 2 * HOUR
        assert "wait" in alert.data["message"]

    def test_repeated_rows_are_an_alert(self, world, store):
        rows = plain_rows()["visits"]
        again = rows.filter(pl.col("came_at").to_physical() >= SHIFT)[::4]
        world = watching(world, tr.SourceMonitor("visits", source="visits"))
        run(world, store_with(world, store, visits=pl.concat([rows, again])), 9)
        [alert] = [event for event in events(world, "alert.raised") if event.data["kind"] == "duplicates"]
        assert alert.at == SHIFT + DAY + 2 * HOUR


class TestTraining:
    MONITORS = (
        tr.SourceMonitor("orders", source="orders", drift=tr.column_drift(min_rows=40)),
        tr.SourceMonitor("visits", source="visits", drift=tr.column_drift("wait")),
    )

    def test_a_lasting_shift_of_what_the_model_leans_on_trains_and_says_why(self, world, store):
        world = watching(world, *self.MONITORS, triggers=[RETRAIN])
        store = store_with(world, store, **shifted("orders", "amount", pl.col("amount") * 0.3 + 60))
        turned = run(world, store, 10)
        assert len(turned) == 1
        [fired] = events(world, "trigger.fired")
        assert fired.at == SHIFT + 2 * DAY + 2 * HOUR  # two windows have to agree
        assert (
            "amount drifted in two of the last three windows, and the model leans on amount"
            in turned[0].reason
        )
        assert turned[0].result.trained.run.tags["reason"] == turned[0].reason

    def test_a_shift_of_what_the_model_does_not_need_is_an_alert_and_trains_nothing(self, world, store):
        world = watching(world, *self.MONITORS, triggers=[RETRAIN])
        store = store_with(world, store, **shifted("visits", "wait", pl.col("wait") + 15))
        assert run(world, store, 10) == []
        [alert] = [event for event in events(world, "alert.raised") if event.data["kind"] == "data_drift"]
        assert "wait" in alert.data["message"]
        after = [one.state for one in verdicts(world) if one.name == "visits" and one.window.start >= SHIFT]
        assert after == ["alert"] * 4

    def test_one_odd_day_trains_nothing(self, world, store):
        odd = pl.when(pl.col("asked_at").to_physical() < SHIFT + DAY).then(pl.col("amount") * 0.3 + 60)
        world = watching(world, *self.MONITORS, triggers=[RETRAIN])
        store = store_with(world, store, **shifted("orders", "amount", odd.otherwise(pl.col("amount"))))
        assert run(world, store, 10) == []
        assert [
            one.state for one in verdicts(world) if one.window.start == SHIFT and one.name == "orders"
        ] == ["alert"]


class TestReference:
    def test_a_pinned_version_is_the_reference(self, world, store):
        """The version has the rows as they were; what is watched is not as they were from the first day on."""
        changed = store_with(world, store, **shifted("visits", "wait", pl.col("wait") + 20, since=START))
        found = {}
        for name, reference in (("pinned", "@1"), ("sliding", "7d")):
            monitor = tr.SourceMonitor(
                name, source="visits", reference=reference, drift=tr.column_drift("wait")
            )
            run(watching(world, monitor), changed, 1, first=FIRST + (name == "pinned") * HOUR)
            [found[name]] = [event.data for event in events(world, "data.drift") if event.subject == name]
        assert (found["pinned"]["state"], found["sliding"]["state"]) == ("alert", "ok")
        assert found["pinned"]["ordinary_windows"] > 15

    def test_windows_in_alert_are_no_yardstick_until_a_model_knows_them(self):
        monitor = tr.SourceMonitor("visits", source="visits", reference="10d")
        at = [FIRST + day * DAY for day in range(11)]
        kept = [
            SourceWindow(monitor="visits", source="visits", window=Window(a, a + DAY), at=a, rows=9)
            for a in at
        ]
        alerted = set(at[8:10])

        def chosen(alerted, trained):
            found = reference_windows(monitor, kept[10].window, kept, alerted, trained)
            return [one.window.start for one in found]

        assert chosen(alerted, None) == at[:8]
        assert chosen(alerted, at[9]) == at[:9]
        assert chosen(alerted, at[10]) == at[:10]
        assert chosen(set(at[5:10]), None) == at[:10]  # as old as the reference: the usual


class TestDefinitions:
    def test_every_fault_is_listed(self):
        with pytest.raises(InvalidInput) as caught:
            tr.SourceMonitor("a b", source="x", window="1d", reference="1h", nulls=(0.2, 0.1))
        assert len(caught.value.faults) == 3

    def test_a_monitor_survives_its_json(self):
        monitor = tr.SourceMonitor(
            "w", source="w", freshness="2h", reference="@3", drift=tr.column_drift("a")
        )
        assert tr.SourceMonitor.from_json(monitor.as_json()) == monitor

    def test_it_must_watch_a_source_of_the_project_with_columns_it_has(self, world, store):
        for monitor, said in (
            (tr.SourceMonitor("w", source="order"), "did you mean 'orders'"),
            (tr.SourceMonitor("w", source="orders", drift=tr.column_drift("amont")), "did you mean 'amount'"),
        ):
            with pytest.raises(InvalidInput, match=said):
                replace(world.project, source_monitors=[monitor])


SCHEMA = parse_schema(
    'name = "visits"\n[columns.wait]\ntype = "float"\nmin = 0\nmax = 60\nmostly = { max = 0.5 }\n'
    '[columns.shop]\ntype = "string"\n[columns.came_at]\ntype = "time"\n[columns.noted_at]\ntype = "time"\n'
).schema


class TestSchemas:
    def test_values_outside_the_schemas_range_are_an_alert(self, world, store):
        """The schema puts up with them (`mostly`), so they come in; the monitor sees that they have become many."""
        far = (
            pl.when(pl.col("came_at").to_physical() % (5 * HOUR // 2) == 0)
            .then(90.0)
            .otherwise(pl.col("wait"))
        )
        world = watching(world, tr.SourceMonitor("visits", source="visits"))
        world = with_project(world, schemas=[SCHEMA])
        run(world, store_with(world, store, **shifted("visits", "wait", far)), 9)
        [alert] = [event for event in events(world, "alert.raised") if event.data["kind"] == "ranges"]
        assert alert.at == SHIFT + DAY + 2 * HOUR
        assert "wait" in alert.data["message"]

    @pytest.mark.parametrize(
        ("broken", "said"),
        [
            (lambda rows: rows.with_columns(pl.col("wait") * 1_000), "unit_changed"),
            (lambda rows: rows.drop("wait"), "wait"),
        ],
        ids=["another unit", "a missing column"],
    )
    def test_a_broken_batch_is_refused_and_starts_no_training(self, tmp_path, broken, said):
        world = with_project(
            make_world(tmp_path),
            monitors=[],
            triggers=[RETRAIN],
            schemas=[SCHEMA],
            source_monitors=[tr.SourceMonitor("visits", source="visits", drift=tr.column_drift("wait"))],
        )
        folder = tmp_path / "data"
        folder.mkdir()
        for name, rows in plain_rows().items():
            rows.write_parquet(folder / f"{name}.parquet")
        store = ingest(world, folder, FIRST)
        broken(plain_rows()["visits"]).write_parquet(folder / "visits.parquet")
        with pytest.raises(InvalidInput) as refused:
            ingest(world, folder, FIRST + DAY)
        assert said in str(refused.value)
        assert run(world, store, 5) == []
        assert events(world, "trigger.fired", "turn.started") == ()
        assert {one.state for one in verdicts(world)} == {"ok"}
        world.predictions.close()


class TestHistory:
    def test_the_table_has_every_number_of_every_window_once(self, world, store):
        monitor = tr.SourceMonitor("visits", source="visits")
        world = watching(world, monitor)
        run(world, store, 3)
        for _ in range(2):
            flush_history(world.metadata, world.tables, [monitor])
        rows = world.tables.read("source-quality/visits").collect()
        assert rows.n_unique(["start", "revision", "column", "metric"]) == rows.height
        newest = rows.filter(metric="rows").sort("start", "revision").unique("start", keep="last")
        assert newest["value"].sum() == sum(one.rows for one in windows(world).values())

    def test_a_source_that_nobody_watches_is_measured_from_its_rows(self, world, store):
        plain = tr.SourceMonitor("visits", source="visits", lateness=0)
        found = measured_from_rows(world.metadata, world.tables, plain, FIRST + DAY)
        with_monitor = watching(world, plain)
        run(with_monitor, store, 1, first=FIRST + DAY, hour=0)
        kept = windows(with_monitor)
        assert {one.window.start: one.rows for one in found} == {s: one.rows for s, one in kept.items()}
