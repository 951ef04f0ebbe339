"""Taking in: in the log before it is acknowledged, once by id, never before what was answered."""

from __future__ import annotations

import pytest

from tests.intake.places import NOW, Taking, opened, order, reading
from treadle.adapters.clock import SimulatedClock
from treadle.adapters.online_memory import MemoryOnline
from treadle.loop.frontier import Frontier
from treadle.loop.intake import Letter
from treadle.records.errors import InvalidInput, NotFound, NotReady
from treadle.records.failpoints import FailpointError, arm
from treadle.records.instants import DAY, HOUR
from treadle.records.intake import DeadLetter, Event, decode_record, encode_record


def logged(world) -> list[Event | DeadLetter]:
    return [decode_record(data) for _, data in world.events.read()]


def ids(world) -> list[str | None]:
    return [record.event_id for record in logged(world)]


def test_what_is_acknowledged_is_in_the_log(world, taking):
    accepted = taking.intake.offer("readings", [reading(1), reading(2)], ids=["a", "b"])
    assert (accepted.taken, accepted.duplicates, accepted.ids) == (2, 0, ("a", "b"))
    assert accepted.position == world.events.end()
    assert [(r.event_id, r.fields["value"], r.received_at) for r in logged(world)] == [
        ("a", 1.0, logged(world)[0].received_at),
        ("b", 2.0, logged(world)[0].received_at),
    ]
    assert taking.woken == [1]


@pytest.mark.parametrize("applied", [False, True])
def test_an_event_counts_once_before_and_after_it_is_online(world, taking, applied):
    taking.intake.offer("readings", [reading(1)], ids=["a"])
    if applied:
        taking.apply()
    again = taking.intake.offer("readings", [reading(9), reading(2), reading(3)], ids=["a", "b", "b"])
    assert (again.taken, again.duplicates, again.ids) == (1, 2, ("a", "b", "b"))
    assert ids(world) == ["a", "b"]
    assert [record.fields["value"] for record in logged(world)] == [1.0, 2.0]


def test_many_rows_go_to_the_log_in_portions_and_count_as_one_offer(world, taking, monkeypatch):
    monkeypatch.setattr("treadle.loop.intake.PORTION", 3)
    names = ["a", "b", "c", "a", "d", "x", "e", "d"]
    rows = [reading(n) if name != "x" else {} for n, name in enumerate(names)]
    accepted = taking.intake.offer("readings", rows, ids=names, whole=False)
    assert (accepted.taken, accepted.duplicates, [one.row for one in accepted.refused]) == (5, 2, [5])
    assert accepted.ids == ("a", "b", "c", "a", "d", None, "e", "d")
    assert ids(world) == ["a", "b", "c", "d", "x", "e"]
    assert [record.fields["value"] for record in logged(world) if isinstance(record, Event)] == [
        0,
        1,
        2,
        4,
        6,
    ]
    assert accepted.position == world.events.end()


def test_the_same_id_in_two_sources_is_two_events(world, taking):
    taking.intake.offer("readings", [reading(1)], ids=["7"])
    assert taking.intake.offer("orders", [order(7)]).taken == 1
    assert ids(world) == ["7", "7"]


def test_an_event_that_was_loaded_from_a_file_is_a_duplicate(taking):
    accepted = taking.intake.offer("orders", [order(3), order(4)])
    assert (accepted.taken, accepted.duplicates) == (1, 1)


def test_ids_are_known_after_a_restart_whether_they_were_online_or_not(home):
    online = MemoryOnline()
    with opened(home / "home", online=online) as world:
        taking = Taking.of(world)
        taking.intake.offer("readings", [reading(1)], ids=["online"])
        taking.apply()
        taking.intake.offer("readings", [reading(2)], ids=["log"])
    with opened(home / "home", online=online) as world:
        assert (
            Taking.of(world).intake.offer("readings", [reading(1)] * 2, ids=["online", "log"]).duplicates == 2
        )


def test_ids_come_back_from_the_tables_when_the_online_store_is_lost(home):
    with opened(home / "home") as world:
        taking = Taking.of(world)
        taking.intake.offer("readings", [reading(1)], ids=["a"])
        taking.apply()
    with opened(home / "home") as world:  # a new, empty online store
        taking = Taking.of(world)  # brings the log's tail into the tables
        taking.world.events.truncate(taking.world.events.start())
        assert taking.intake.offer("readings", [reading(1)], ids=["a"]).duplicates == 1
        assert taking.vector()["newest_value"] == 1.0


def test_an_append_that_failed_half_way_is_found_in_the_log(world, taking, monkeypatch):
    append = world.events.append_many

    def failing(records):
        append(records[:1])  # as a full disk leaves it: some records whole, and an error
        raise NotReady("the disk is full")

    monkeypatch.setattr(world.events, "append_many", failing)
    with pytest.raises(NotReady):
        taking.intake.offer("readings", [reading(1), reading(2)], ids=["a", "b"])
    monkeypatch.undo()
    again = taking.intake.offer("readings", [reading(1), reading(2)], ids=["a", "b"])
    assert (again.taken, again.duplicates) == (1, 1)
    assert ids(world) == ["a", "b"]


def test_a_death_between_append_and_acknowledgement_loses_and_repeats_nothing(world, taking):
    arm("intake.after_append:raise")
    try:
        with pytest.raises(FailpointError):
            taking.intake.offer("readings", [reading(1)], ids=["a"])
    finally:
        arm("")
    assert taking.intake.offer("readings", [reading(1)], ids=["a"]).duplicates == 1
    assert ids(world) == ["a"]


def test_a_faulty_row_refuses_all_and_nothing_is_logged(world, taking):
    with pytest.raises(InvalidInput) as caught:
        taking.intake.offer("readings", [reading(1), {**reading(2), "value": "much"}, {"sensor": "s"}])
    assert len(caught.value.faults) == 3
    assert logged(world) == []
    assert taking.woken == []


def test_of_a_stream_the_faulty_rows_become_dead_letters(world, taking):
    rows = [reading(1), {**reading(2), "value": "much"}]
    accepted = taking.intake.offer(
        "readings", rows, ids=["a", "b"], positions=[("0", 10), ("0", 11)], whole=False
    )
    assert (accepted.taken, [refused.row for refused in accepted.refused]) == (1, [1])
    assert accepted.ids == ("a", None)
    good, dead = logged(world)
    assert isinstance(dead, DeadLetter)
    assert (good.partition, good.offset, dead.offset, dead.event_id) == ("0", 10, 11, "b")
    assert b'"much"' in dead.raw
    assert "not float" in dead.reasons[0]


def test_messages_that_are_no_rows_are_buried(world, taking):
    taking.intake.bury("readings", [Letter(b"\xff", ("no JSON",), ("0", 12), "m")])
    (dead,) = logged(world)
    assert (dead.raw, dead.reasons, dead.offset) == (b"\xff", ["no JSON"], 12)


def test_how_far_a_stream_was_taken_in_is_known_before_and_after_a_restart(home):
    online = MemoryOnline()
    with opened(home / "home", online=online) as world:
        taking = Taking.of(world)
        taking.intake.offer("readings", [reading(1), reading(2)], positions=[("p", 4), ("q", "5-1")])
        assert taking.intake.reached("readings") == {"p": 4, "q": "5-1"}
        taking.intake.bury("readings", [Letter(b"", ("empty",), ("p", 5))])
        assert taking.intake.reached("orders") == {}
    with opened(home / "home", online=online) as world:
        taking = Taking.of(world)
        assert taking.intake.reached("readings") == {"p": 5, "q": "5-1"}
        taking.intake.offer(
            "readings", [reading(1)], positions=[("p", 9)]
        )  # all known: nothing goes to the log
        assert taking.intake.reached("readings")["p"] == 9


def test_an_unknown_source_names_its_neighbours(taking):
    with pytest.raises(NotFound, match="no source named 'reading'") as caught:
        taking.intake.offer("reading", [reading(1)])
    assert "'readings'" in (caught.value.fix or "")


class TestReceivedAt:
    def received(self, world) -> list[int]:
        return [record.received_at for record in logged(world)]

    def test_it_never_decreases_when_the_clock_is_set_back(self, home):
        clock = SimulatedClock(NOW)
        with opened(home / "home", clock=clock) as world:
            taking = Taking.of(world)
            for minute in (5, 3, 9, 0):
                clock._at = NOW + minute * 60_000_000
                taking.intake.offer("readings", [reading(minute)])
                taking.apply()
            assert self.received(world) == sorted(self.received(world))

    def test_it_is_after_every_instant_that_was_answered_or_completed(self):
        frontier = Frontier()
        assert frontier.receive(100) == 100
        frontier.asked = 200
        assert frontier.receive(100) == 201
        assert frontier.close_at(50) == 201
        assert frontier.receive(100) == 202

    def test_a_restart_does_not_set_it_back(self, home):
        online = MemoryOnline()
        with opened(home / "home", online=online, clock=SimulatedClock(NOW + HOUR)) as world:
            Taking.of(world).intake.offer("readings", [reading(1)], ids=["a"])
        with opened(home / "home", online=online, clock=SimulatedClock(NOW)) as world:
            Taking.of(world).intake.offer("readings", [reading(1)], ids=["b"])
            first, second = self.received(world)
            assert second > first >= NOW + HOUR


def test_old_ids_are_forgotten_after_the_declared_time(world):
    taking = Taking.of(world, remember=DAY)
    taking.intake.offer("readings", [reading(1)], ids=["old"])
    taking.apply()
    world.clock.advance_to(NOW + DAY)
    taking.intake.offer("readings", [reading(2)], ids=["new"])
    taking.apply()
    assert taking.feed.prune(NOW + DAY + 2) == 4  # the loaded orders' too
    assert taking.intake.offer("readings", [reading(1), reading(2)], ids=["old", "new"]).duplicates == 1


def test_a_record_of_another_form_is_refused_and_not_guessed_at():
    letter = DeadLetter("s", None, 1, b"", [])
    assert decode_record(encode_record(letter)) == letter
    with pytest.raises(NotReady, match="another form"):
        decode_record(encode_record(letter).replace(b"dead-letter-1", b"dead-letter-2"))
