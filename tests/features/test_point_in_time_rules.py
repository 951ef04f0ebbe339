"""The rules of point-in-time lookups, one test each, on every engine; the page on time names the test of each rule.

The cases in which feature stores have gone wrong are numbered, 1 to 32; where a test runs on an engine, all engines must
answer alike.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings

from tests.features import oracle
from tests.features.facts import (
    LATE,
    NOON,
    PAIR,
    PLAIN,
    SHOP,
    VERSIONED,
    WORLD,
    Asked,
    at,
    facts,
    fed,
    online_vector,
    stored,
    stored_frame,
)
from tests.features.test_point_in_time import LATEST, TTL, WINDOWS, expected_windows, spine_frame, spines
from tests.features.test_point_in_time import facts as random_facts
from tests.features.test_point_in_time import stored as stored_facts
from treadle.adapters.tables import DeltaTables
from treadle.define.aggregates import count, largest, mean, total
from treadle.define.describe import definition_digest
from treadle.define.feature_sets import FeatureSet
from treadle.define.labels import Labels
from treadle.define.sources import Source
from treadle.define.views import FeatureView, WindowView, column
from treadle.loop.training import Store, known_labels
from treadle.records.errors import InvalidInput
from treadle.stages.data.conform import conform
from treadle.stages.data.content import ordered_digest
from treadle.stages.features.inspection import held_values
from treadle.stages.features.latest import LatestTable
from treadle.stages.features.offline import OfflineFeatures
from treadle.stages.features.partitioned import Partitioning, lookup_in_parts
from treadle.stages.features.windows import WindowTable

EXPIRING = FeatureView("now", entity=SHOP, source=PLAIN, features=["v"], ttl="1h")


def now(source=PLAIN, entity=SHOP, **more):
    return FeatureView("now", entity=entity, source=source, features=["v"], **more)


def recent(*aggregates, source=PLAIN, entity=SHOP):
    return WindowView("recent", entity=entity, source=source, features=aggregates)


class TestWhichRowWins:
    def test_of_two_rows_of_one_instant_the_later_created_wins(self, engine):
        """1 (R3)."""
        rows = stored(
            VERSIONED,
            {"shop": "x", "v": 2.0, "t": 0, "written": 2},
            {"shop": "x", "v": 1.0, "t": 0, "written": 1},
        )
        assert Asked(engine, now(VERSIONED), rows).values(("x", 3), ("x", 1.5)) == [2.0, 1.0]

    def test_a_backfill_is_not_seen_before_it_is_written(self, engine):
        """2 (R2)."""
        rows = stored(
            VERSIONED,
            {"shop": "x", "v": 1.0, "t": -1, "written": -1},
            {"shop": "x", "v": 9.0, "t": 0, "written": 24},
        )
        assert Asked(engine, now(VERSIONED), rows).values(("x", 1), ("x", 24)) == [1.0, 9.0]

    def test_of_three_versions_the_newest_known_one_wins(self, engine):
        """3 (R3)."""
        rows = stored(VERSIONED, *({"shop": "x", "v": float(n), "t": 0, "written": n} for n in (3, 1, 4, 2)))
        answers = Asked(engine, now(VERSIONED), rows).values(*(("x", hours) for hours in (0.5, 1, 2, 3.5, 9)))
        assert answers == [None, 1.0, 2.0, 3.0, 4.0]

    def test_a_tie_to_the_last_is_decided_by_the_row_and_alike_in_every_order(self, engine):
        """R3: whatever the order of the files, the same row has the greater number."""
        rows = [{"shop": "x", "v": float(v), "t": 0} for v in (3, 1, 2)]
        for order in itertools.permutations(rows):
            assert Asked(engine, now(), stored(PLAIN, *order)).values(("x", 0)) == [3.0]

    def test_the_newest_row_wins_though_its_value_is_null(self, engine):
        """17 (R6)."""
        rows = stored(PLAIN, {"shop": "x", "v": 1.0, "t": 0}, {"shop": "x", "v": None, "t": 1})
        assert Asked(engine, now(), rows).values(("x", 0), ("x", 1)) == [1.0, None]

    def test_a_filled_feature_passes_over_nulls_beside_one_that_does_not(self, engine):
        """R6, asked for: the filled value has the age of its own row, and a deletion still hides it."""
        view = FeatureView(
            "now",
            entity=SHOP,
            source=PLAIN,
            features=["v", column("v", name="kept", fill="last_non_null")],
            ttl="4h",
        )
        rows = stored(
            PLAIN,
            {"shop": "x", "v": 1.0, "t": 0},
            {"shop": "x", "v": None, "t": 1},
            {"shop": "x", "v": None, "t": 4},
            {"shop": "y", "v": 1.0, "t": 0},
            {"shop": "y", "t": 1, "gone": True},
        )
        asked = Asked(engine, view, rows)
        offline = asked.frame(("x", 0), ("x", 1), ("x", 4), ("x", 4.001), ("y", 0.5), ("y", 2))
        assert offline.rows() == [
            (1.0, 1.0),
            (None, 1.0),
            (None, 1.0),
            (None, None),
            (1.0, 1.0),
            (None, None),
        ]

    def test_a_filled_value_is_the_same_online_and_has_a_status_of_its_own(self):
        """R6, R7."""
        view = FeatureView(
            "now",
            entity=SHOP,
            source=PLAIN,
            features=["v", column("v", name="kept", fill="last_non_null")],
            ttl="4h",
        )
        newer, older = ({"shop": "x", "v": None, "t": 3}, {"shop": "x", "v": 1.0, "t": 0})
        online = fed(
            view, stored(PLAIN, newer), stored(PLAIN, older)
        )  # a late row fills what a newer one left open
        assert online_vector(view, online, ["x"], 4) == [None, 1.0]
        assert online_vector(view, online, ["x"], 5) == [None, None]
        with online.read() as snapshot:
            held = held_values(view, snapshot, ["x"], at(5))
        assert [(one.feature, one.status) for one in held] == [("v", "ok"), ("kept", "expired")]

    def test_a_fill_that_is_none_is_refused(self):
        with pytest.raises(InvalidInput) as caught:
            FeatureView("now", entity=SHOP, source=PLAIN, features=[column("v", fill="zero")])
        assert "fill='zero'" in caught.value.faults[0]

    def test_a_late_row_is_absent_and_then_present(self, engine):
        """11 (R2)."""
        rows = stored(LATE, {"shop": "x", "v": 1.0, "t": -2, "seen": 0})
        assert Asked(engine, now(LATE), rows).values(("x", -1), ("x", 1)) == [None, 1.0]

    def test_a_late_row_does_not_push_out_a_newer_one(self, engine):
        """R3 and R15, offline: the event of hour 1 is newer, though the one of hour 0 is known last."""
        rows = stored(
            LATE, {"shop": "x", "v": 1.0, "t": 1, "seen": 1}, {"shop": "x", "v": 0.0, "t": 0, "seen": 2}
        )
        assert Asked(engine, now(LATE), rows).values(("x", 1), ("x", 3)) == [1.0, 1.0]

    def test_a_deletion_hides_what_came_before_it_from_when_it_is_known(self, engine):
        """R16."""
        rows = stored(
            LATE,
            {"shop": "x", "v": 1.0, "t": 0, "seen": 0},
            {"shop": "x", "t": 1, "seen": 2, "gone": True},
            {"shop": "x", "v": 3.0, "t": 3, "seen": 3},
        )
        answers = Asked(engine, now(LATE), rows).values(("x", 1), ("x", 2), ("x", 3))
        assert answers == [1.0, None, 3.0]


class TestTimeToLive:
    def test_a_value_as_old_as_its_ttl_is_used_and_one_older_is_not(self, engine):
        """6 (R4)."""
        rows = stored(PLAIN, {"shop": "x", "v": 1.0, "t": 0})
        second = 1 / 3600
        asked = [("x", 1 - 1e-6 * second), ("x", 1), ("x", 1 + 1e-6 * second)]
        assert at(asked[2][1]) - at(1) == 1 == at(1) - at(asked[0][1])
        assert Asked(engine, EXPIRING, rows).values(*asked) == [1.0, 1.0, None]

    def test_without_a_ttl_values_live_for_ever_and_a_ttl_of_nothing_is_refused(self, engine):
        """7: nothing is read into 0, and a change of the ttl changes what is defined."""
        rows = stored(PLAIN, {"shop": "x", "v": 1.0, "t": 0})
        assert Asked(engine, now(), rows).values(("x", 24 * 3_650)) == [1.0]
        with pytest.raises(InvalidInput) as caught:
            now(ttl="0s")
        assert "leave it out to keep values for ever" in caught.value.faults[0]
        assert len({definition_digest(view) for view in (now(), now(ttl="1h"), now(ttl="2h"))}) == 3

    def test_an_expired_value_is_null_online_too_and_says_so(self):
        """8 (R7)."""
        online = fed(EXPIRING, stored(PLAIN, {"shop": "x", "v": 1.0, "t": 0}))
        with online.read() as snapshot:
            held = {
                hours: held_values(EXPIRING, snapshot, ["x"], at(hours))[0] for hours in (0.5, 1, 1.001, -1)
            }
        assert [(one.value, one.status) for one in held.values()] == [
            (1.0, "ok"), (1.0, "ok"), (None, "expired"), (None, "absent"),
        ]  # fmt: skip
        assert [online_vector(EXPIRING, online, ["x"], hours) for hours in (1, 1.001)] == [[1.0], [None]]

    def test_ten_years_ahead_the_last_known_value_is_used_and_ages(self, engine):
        """21 (R8)."""
        rows = stored(PLAIN, {"shop": "x", "v": 1.0, "t": 0})
        ahead = ("x", 24 * 3_650)
        assert Asked(engine, now(), rows).values(ahead) == [1.0]
        assert Asked(engine, EXPIRING, rows).values(ahead) == [None]

    def test_a_row_without_t_is_refused(self, engine):
        """R8."""
        rows = stored(PLAIN, {"shop": "x", "v": 1.0, "t": 0})
        asked = Asked(engine, now(), rows)
        moments = pl.Series([NOON, None]).to_numpy()
        with pytest.raises(InvalidInput, match="T must be an instant"):
            asked.offline.vectors(asked.features, pl.DataFrame({"shop": ["x", "x"]}), moments)

    def test_before_the_first_value_there_is_none_and_at_it_there_is(self, engine):
        """20 (R4)."""
        rows = stored(PLAIN, {"shop": "x", "v": 1.0, "t": 0})
        assert Asked(engine, now(), rows).values(("x", -1e-9), ("x", 0)) == [None, 1.0]


class TestKeys:
    def test_rows_asked_about_twice_are_answered_twice_and_in_order(self, engine):
        """4 (R1, R10)."""
        rows = stored(PLAIN, {"shop": "x", "v": 1.0, "t": 0}, {"shop": "y", "v": 2.0, "t": 0})
        asked = [("x", 1), ("y", 1), ("x", 1), ("x", -1), ("y", 1), ("x", 1)]
        answers = Asked(engine, now(), rows).frame(*asked, order_id=[1, 2, 3, 4, 5, 6])
        assert answers.to_series().to_list() == [1.0, 2.0, 1.0, None, 2.0, 1.0]

    def test_keys_of_two_parts_are_not_mixed(self, engine):
        """12 (R12)."""
        rows = stored(PLAIN, {"a": "1", "b": "23", "v": 1.0, "t": 0}, {"a": "12", "b": "3", "v": 2.0, "t": 0})
        for view, empty in ((now(entity=PAIR), None), (recent(total("v", over="3h"), entity=PAIR), 0.0)):
            answers = Asked(engine, view, rows).values(("1", "23", 1), ("12", "3", 1), ("123", "", 1))
            assert answers == [1.0, 2.0, empty]

    def test_a_key_with_a_null_in_it_matches_nothing_and_its_row_is_kept(self, engine):
        """13 (R11)."""
        rows = stored(
            PLAIN, {"a": "1", "b": None, "v": 1.0, "t": 0}, {"a": None, "b": None, "v": 2.0, "t": 0}
        )
        for view, empty in ((now(entity=PAIR), None), (recent(total("v", over="3h"), entity=PAIR), 0.0)):
            answers = Asked(engine, view, rows).values(("1", None, 1), (None, None, 1), ("1", "1", 1))
            assert answers == [empty] * 3

    def test_an_unknown_entity_and_an_empty_table_give_nulls_of_the_right_types(self, engine):
        """19, first half."""
        for rows in (stored(PLAIN), stored(PLAIN, {"shop": "x", "v": 1.0, "t": 0})):
            answers = Asked(engine, now(), rows).frame(("y", 1), ("z", 1))
            assert answers.to_dict(as_series=False) == {"now_v": [None, None]}
            assert answers.schema == {"now_v": pl.Float64}

    def test_a_view_without_an_entity_answers_every_row_once(self, engine):
        """19, second half: no cross join."""
        rows = stored(PLAIN, {"v": 1.0, "t": 0}, {"v": 2.0, "t": 2})
        assert Asked(engine, now(entity=WORLD), rows).values((1,), (2,), (-1,)) == [1.0, 2.0, None]
        view = recent(total("v", over="3h"), entity=WORLD)
        assert Asked(engine, view, rows).values((1,), (3,), (9,)) == [1.0, 3.0, 0.0]
        one = now(entity=WORLD)
        assert online_vector(one, fed(one, rows), [], 3) == [2.0]

    def test_keys_of_another_type_are_refused_and_not_missed(self, engine):
        rows = stored(PLAIN, {"shop": "1", "v": 1.0, "t": 0})
        asked = Asked(Partitioning(), now(), rows)
        with pytest.raises(InvalidInput) as caught:
            asked.offline.vectors(asked.features, pl.DataFrame({"shop": [1]}), np.array([NOON]))
        assert caught.value.faults == ("key column 'shop' holds Int64; the view's rows hold String",)


class TestTimes:
    def test_one_instant_is_one_instant_in_every_zone(self, engine):
        """14 (R9): naive with a zone, UTC, another offset, on both sides of the hour that occurs twice."""
        source = facts(zone="America/New_York")
        instants = [datetime(2025, 11, 2, 6, 30, tzinfo=UTC), datetime(2025, 3, 9, 7, 30, tzinfo=UTC)]
        india = timezone(timedelta(hours=5, minutes=30))
        local = [datetime(2025, 11, 2, 1, 30), datetime(2025, 3, 9, 3, 30)]  # noqa: DTZ001 - that is the case
        forms = [
            pl.Series("t", instants).cast(pl.Datetime("us", "UTC")),
            pl.Series("t", [moment.astimezone(india).isoformat() for moment in instants]),
            pl.Series("t", local),
        ]
        answers = []
        for times in forms:
            frame = pl.DataFrame({"shop": ["x", "y"], "v": [1.0, 2.0]}).with_columns(times)
            view = now(source)
            moments = [(value.timestamp() - NOON / 1e6) / 3600 for value in instants]
            asked = [("x", moments[0]), ("y", moments[1]), ("x", moments[0] - 1e-6), ("y", moments[1] - 1e-6)]
            answers.append(Asked(engine, view, stored_frame(source, _filled(frame, source))).values(*asked))
        assert answers == [[1.0, 2.0, None, None]] * 3
        skipped = pl.DataFrame({"t": [datetime(2025, 3, 9, 2, 30)]})  # noqa: DTZ001 - that is the case
        assert "clocks in America/New_York skipped" in conform(skipped, {"t": "time"}, source.zone)[1][0]
        assert "without a zone" in conform(skipped, {"t": "time"}, None)[1][0]

    def test_units_of_time_do_not_matter_and_microseconds_keep_their_order(self, engine):
        """15 (R9)."""
        exact = pl.Series("t", [NOON + 2_000, NOON + 1_000, NOON]).cast(pl.Datetime("us", "UTC"))
        for unit in ("ms", "us", "ns"):
            frame = pl.DataFrame({"shop": ["x"] * 3, "v": [3.0, 2.0, 1.0]}).with_columns(
                exact.cast(pl.Datetime(unit, "UTC"))
            )
            rows = stored_frame(PLAIN, _filled(frame, PLAIN))
            thousandth = 1e-3 / 3600
            asked = [("x", 0), ("x", 1.5 * thousandth), ("x", 2 * thousandth)]
            assert Asked(engine, now(), rows).values(*asked) == [1.0, 2.0, 3.0]

    def test_shuffled_files_rows_and_row_groups_give_the_same_answers(self, engine, tmp_path):
        """16."""
        rows = [{"shop": f"{n % 5}", "v": float(n % 7), "t": n % 11} for n in range(60)]
        asked = [(f"{n % 6}", n % 13) for n in range(40)]
        for view in (now(), recent(total("v", over="3h"), mean("v", over="1d"))):
            answers = []
            for seed in range(3):
                shuffled = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
                place = tmp_path / f"{seed}.parquet"
                stored(PLAIN, *shuffled).write_parquet(place, row_group_size=7)
                one = Asked(engine, view, pl.scan_parquet(place))
                answers.append(one.frame(*asked))
            assert answers[0].equals(answers[1])
            assert answers[0].equals(answers[2])

    def test_names_that_both_sides_have_do_not_clash(self, engine):
        """18: features carry their view's name."""
        source = Source.parquet(
            "f",
            path="f.parquet",
            columns={"shop": "string", "at": "float", "event_timestamp": "time"},
            event_time="event_timestamp",
        )
        frame = pl.DataFrame({"shop": ["x"], "at": [1.0], "event_timestamp": ["2025-03-01T12:00:00Z"]})
        view = FeatureView("now", entity=SHOP, source=source, features=["at"])
        asked = Asked(engine, view, stored_frame(source, frame))
        clashing = {
            "at": [9.0],
            "event_timestamp": [9.0],
            "now_at": [9.0],
            "__known_at": [9.0],
            "__best": [9.0],
        }
        assert asked.frame(("x", 1), **clashing).to_dict(as_series=False) == {"now_at": [1.0]}


class TestWindows:
    def test_an_event_at_t_is_out_and_one_a_window_before_is_in(self, engine):
        """22 (R5)."""
        rows = stored(PLAIN, *({"shop": "x", "v": float(10**n), "t": n} for n in range(4)))
        assert Asked(engine, recent(total("v", over="2h")), rows).values(("x", 3), ("x", 2)) == [110.0, 11.0]

    def test_the_greatest_of_two_hours_forgets_what_was_before_a_gap(self, engine):
        """23."""
        rows = stored(PLAIN, {"shop": "x", "v": 100.0, "t": 0.5}, {"shop": "x", "v": 1.0, "t": 5.5})
        view = recent(largest("v", over="2h"))
        assert Asked(engine, view, rows).values(("x", 6)) == [1.0]
        assert online_vector(view, fed(view, rows), ["x"], 6) == [1.0]

    def test_the_sum_of_two_hours_forgets_what_was_before_a_gap(self, engine):
        """24."""
        rows = stored(PLAIN, {"shop": "x", "v": 100.0, "t": 0.5}, {"shop": "x", "v": 1.0, "t": 5.5})
        view = recent(total("v", over="2h"))
        assert Asked(engine, view, rows).values(("x", 6)) == [1.0]
        assert online_vector(view, fed(view, rows), ["x"], 6) == [1.0]

    def test_over_no_events_a_count_and_a_sum_are_nought_and_the_rest_null(self, engine):
        """R17."""
        rows = stored(PLAIN, {"shop": "x", "v": 1.0, "t": 0})
        view = recent(*(make("v", over="1h") for make in (count, total, mean, largest)))
        assert Asked(engine, view, rows).frame(("x", 5), ("y", 0)).rows() == [(0.0, 0.0, None, None)] * 2

    def test_an_event_in_the_window_that_is_known_after_t_is_out(self, engine):
        """26 (R2, R5): a feature made of labels would know the answer."""
        rows = stored(
            LATE,
            {"shop": "x", "v": 1.0, "t": 0, "seen": 0},
            {"shop": "x", "v": 10.0, "t": 0.5, "seen": 3},
        )
        assert Asked(engine, recent(total("v", over="2h"), source=LATE), rows).values(
            ("x", 1), ("x", 2), ("x", 2.5), ("x", 3)
        ) == [1.0, 11.0 - 10.0, 0.0, 0.0]


class TestOnline:
    def test_rows_that_arrive_backwards_leave_the_newest(self):
        """9 (R15)."""
        batches = [stored(PLAIN, {"shop": "x", "v": float(n), "t": n}) for n in (3, 2, 1)]
        assert online_vector(now(), fed(now(), *batches), ["x"], 9) == [3.0]

    def test_a_correction_with_the_same_event_time_replaces(self):
        """10 (R15)."""
        view = now(VERSIONED)
        first = stored(VERSIONED, {"shop": "x", "v": 1.0, "t": 0, "written": 0})
        better = stored(VERSIONED, {"shop": "x", "v": 2.0, "t": 0, "written": 1})
        assert online_vector(view, fed(view, first, better), ["x"], 9) == [2.0]
        assert online_vector(view, fed(view, better, first), ["x"], 9) == [2.0]

    @given(random_facts(), spines)
    @settings(max_examples=60)
    def test_online_at_t_is_offline_at_t(self, rows, spine):
        """30 (R18): replaying the rows known by T gives what the lookup gives for T."""
        frame, moments = spine_frame(spine)
        for view, table in ((LATEST, LatestTable), (WINDOWS, WindowTable)):
            offline = table(view, stored_facts(rows)).lookup(frame, moments)
            for number, (a, b, moment) in enumerate(spine):
                online = fed(view, stored_facts([row for row in rows if row["known_at"] <= moment]))
                assert tuple(_plan_vector(view, online, [a, b], moment)) == offline.row(number)


class TestTrainingSets:
    def test_a_label_known_after_the_cutoff_is_left_out(self):
        """25 (R14)."""
        labels = Labels("late", source=LATE, key="shop", value="v")
        rows = stored(
            LATE, {"shop": "x", "v": 1.0, "t": 0, "seen": 1}, {"shop": "y", "v": 0.0, "t": 0, "seen": 5}
        )
        store = Store.of({"facts": rows}, {})
        assert known_labels(store, labels, at(4))["shop"].to_list() == ["x"]
        assert sorted(known_labels(store, labels, at(5))["shop"].to_list()) == ["x", "y"]

    def test_features_are_found_by_name_whatever_the_order_and_the_helpers(self, engine):
        """31: two views with a feature of one name, taken in another order, beside a label of that name."""
        first = stored(facts("one"), {"shop": "x", "v": 1.0, "t": 0})
        second = stored(facts("two"), {"shop": "x", "v": 2.0, "t": 0})
        a = FeatureView("a", entity=SHOP, source=facts("one"), features=["a", "v"])
        b = FeatureView("b", entity=SHOP, source=facts("two"), features=[column("v", name="w"), "v"])
        features = FeatureSet(
            "set", request={"shop": "string"}, features=[b.select("v", "w"), a.select("v")], helpers=[]
        )
        offline = OfflineFeatures({"one": first, "two": second}.__getitem__, engine)
        spine = pl.DataFrame({"v": [9.0], "a_v": [9.0], "shop": ["x"], "__label": [1.0]})
        vectors = offline.vectors(features, spine, np.array([at(1)]))
        assert vectors.to_dict(as_series=False) == {"b_w": [2.0], "b_v": [2.0], "a_v": [1.0]}


class TestVersions:
    def test_yesterdays_question_has_the_same_answer_after_new_data(self, engine, tmp_path):
        """27 (R13): the version that was read is named, and the frame is the same to the byte."""
        tables = DeltaTables(tmp_path)
        version = tables.append("facts", stored(PLAIN, {"shop": "x", "v": 1.0, "t": 0}))
        asked = [("x", 1), ("y", 1)]
        first = _digest(Asked(engine, now(), tables.read("facts", version=version)).frame(*asked))
        tables.append(
            "facts", stored(PLAIN, {"shop": "x", "v": 2.0, "t": 0.5}, {"shop": "y", "v": 3.0, "t": 0})
        )
        again = Asked(engine, now(), tables.read("facts", version=version)).frame(*asked)
        newest = Asked(engine, now(), tables.read("facts")).frame(*asked)
        assert _digest(again) == first
        assert newest.to_series().to_list() == [2.0, 3.0]

    def test_an_old_version_answers_after_a_column_was_renamed_or_changed_its_type(self, engine, tmp_path):
        """28."""
        tables = DeltaTables(tmp_path)
        rows = stored(PLAIN, {"shop": "x", "v": 1.0, "t": 0})
        tables.append("facts", rows)
        for changed in (
            rows.rename({"v": "w"}),
            rows.with_columns(pl.col("v").cast(pl.String)),
            rows.drop("v"),
        ):
            tables.overwrite("facts", changed)
        old = Asked(engine, now(), tables.read("facts", version=0))
        assert old.values(("x", 1)) == [1.0]
        text = Asked(engine, now(), tables.read("facts", version=2)).offline
        kept = text.vectors(
            FeatureSet("set", request={"shop": "string"}, features=[now()]),
            pl.DataFrame({"shop": ["x"]}),
            np.array([at(1)]),
        )
        assert kept.to_series().to_list() == [1.0]

    def test_a_writer_during_a_read_is_not_seen(self, engine, tmp_path):
        """32: a snapshot, even one that is read later."""
        tables = DeltaTables(tmp_path)
        tables.append("facts", stored(PLAIN, {"shop": "x", "v": 1.0, "t": 0}))
        asked = Asked(engine, now(), tables.read("facts"))
        tables.append("facts", stored(PLAIN, {"shop": "x", "v": 2.0, "t": 0.5}))
        tables.overwrite("facts", stored(PLAIN))
        assert asked.values(("x", 1)) == [1.0]


class TestEngines:
    @given(random_facts(), spines)
    @settings(max_examples=60)
    def test_a_filled_feature_is_the_oracles_over_rows_that_have_a_value(self, rows, spine):
        """29 (R6): offline, and online replayed up to each T."""
        view = FeatureView(
            "now",
            entity=LATEST.entity,
            source=LATEST.source,
            features=[column("v", fill="last_non_null")],
            ttl=TTL,
        )
        frame, moments = spine_frame(spine)
        counted = [row for row in rows if row["v"] is not None or row["tombstone"]]
        expected = [oracle.latest(counted, (a, b), t, TTL, "v") for a, b, t in spine]
        assert LatestTable(view, stored_facts(rows)).lookup(frame, moments)["now_v"].to_list() == expected
        for (a, b, moment), value in zip(spine, expected, strict=True):
            online = fed(view, stored_facts([row for row in rows if row["known_at"] <= moment]))
            assert _plan_vector(view, online, [a, b], moment) == [value]

    @given(random_facts(), spines)
    @settings(max_examples=60)
    def test_partitions_answer_as_the_oracle_does(self, rows, spine):
        """5 and 29 (R2, R3): random rows with ties, nulls, lateness and deletions, in one piece and in three."""
        _equal_to_the_oracle(rows, spine, Partitioning(parts=3))

    def test_dask_answers_as_the_oracle_does(self, dask_executor):
        """5 and 29, fewer examples: each is six tasks."""

        @given(random_facts(), spines)
        @settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
        def check(rows, spine):
            _equal_to_the_oracle(rows, spine, Partitioning(parts=3, executor=dask_executor))

        check()


def _equal_to_the_oracle(rows, spine, how):
    frame, moments = spine_frame(spine)
    table = stored_facts(rows)
    expected = [(oracle.latest(rows, (a, b), t, TTL, "v"),) for a, b, t in spine]
    whole = LatestTable(LATEST, table).lookup(frame, moments)
    parts = lookup_in_parts(LATEST, table.lazy(), frame, moments, how.parts, how)
    assert whole.rows() == expected
    assert _digest(parts) == _digest(whole)
    whole = WindowTable(WINDOWS, table).lookup(frame, moments)
    parts = lookup_in_parts(WINDOWS, table.lazy(), frame, moments, how.parts, how)
    assert [list(row) for row in whole.rows()] == expected_windows(rows, spine)
    assert _digest(parts) == _digest(whole)


def _plan_vector(view, online, key, moment):
    from treadle.stages.features.plan import ServingPlan

    features = FeatureSet("set", request={"a": "string", "b": "int"}, features=[view])
    with online.read() as snapshot:
        return ServingPlan(features).vector(snapshot, key, moment)


def _digest(frame):
    return ordered_digest(frame)


def _filled(frame, source):
    missing = {name: pl.lit(None) for name in source.columns if name not in frame.columns}
    return frame.with_columns(**missing)
