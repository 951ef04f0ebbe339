"""A mended log gives every whole record at its old position, keeps the damaged bytes, and goes on."""

from __future__ import annotations

import random

import pytest

from treadle.adapters.log import FileLog, FileLogReader
from treadle.adapters.log_mending import mend_log
from treadle.adapters.log_segments import OVERHEAD, list_segments, segment_path
from treadle.records.errors import Conflict, Corrupt

RECORDS = [b"%03d" % number * 9 for number in range(40)]
SIZE = OVERHEAD + 27


@pytest.fixture
def folder(tmp_path):
    """A log of 40 records of equal size, in segments of about ten."""
    log = FileLog(tmp_path / "log", segment_bytes=10 * SIZE)
    for record in RECORDS:
        log.append(record)
    log.close()
    return tmp_path / "log"


def damage(folder, position, data=b"\xff" * 8):
    base = max(base for base in list_segments(folder) if base <= position)
    with segment_path(folder, base).open("r+b") as file:
        file.seek(position - base)
        file.write(data)


def read(folder):
    return dict(FileLogReader(folder).read())


def test_a_sound_log_is_left_alone(folder):
    before = {path.name: path.read_bytes() for path in folder.glob("*.log")}
    assert mend_log(folder, reach=40 * SIZE) == []
    assert {path.name: path.read_bytes() for path in folder.glob("*.log")} == before


@pytest.mark.parametrize("places", [[5], [0], [9], [10], [5, 6, 7], [3, 15, 38], [19, 20]])
def test_only_damaged_records_are_lost_and_positions_stay(folder, places):
    whole = read(folder)
    for number in places:
        damage(folder, number * SIZE + 4)
    with pytest.raises(Corrupt):
        read(folder)
    assert mend_log(folder)
    assert read(folder) == {
        after: record for after, record in whole.items() if after // SIZE - 1 not in places
    }
    assert mend_log(folder) == []
    log = FileLog(folder)
    after = log.append(b"the next one")
    log.close()
    assert read(folder)[after] == b"the next one"


def test_the_damaged_bytes_are_kept(folder):
    damage(folder, 5 * SIZE + 20, b"?")
    mend_log(folder)
    (kept,) = folder.glob("*.damaged")
    assert kept.name == f"{5 * SIZE:020d}.damaged"
    assert kept.read_bytes().count(b"?") == 1
    assert len(kept.read_bytes()) == SIZE


def test_a_missing_or_shortened_segment_is_passed_over(folder):
    bases = list_segments(folder)
    segment_path(folder, bases[1]).unlink()
    with segment_path(folder, bases[2]).open("r+b") as file:
        file.truncate(3 * SIZE + 5)
    mend_log(folder)
    expected = [r for n, r in enumerate(RECORDS) if not bases[1] <= n * SIZE < bases[2]]
    lost = {RECORDS[(bases[2] // SIZE) + n] for n in range(3, (bases[3] - bases[2]) // SIZE)}
    assert list(read(folder).values()) == [r for r in expected if r not in lost]


@pytest.mark.parametrize("left", [0, 1, 12, 33])
def test_a_log_that_ends_before_its_tables_goes_on_behind_them(folder, left):
    reach = 40 * SIZE
    log = FileLog(folder)
    log.truncate(left * SIZE)
    log.close()
    mend_log(folder, reach=reach)
    assert list(read(folder).values()) == RECORDS[:left]
    log = FileLog(folder)
    assert log.end() == reach
    log.append(b"new")
    log.close()
    assert [record for _, record in FileLogReader(folder).read(reach)] == [b"new"]


def test_a_log_whose_folder_is_gone_begins_where_the_tables_end(tmp_path):
    mend_log(tmp_path / "log", reach=123_456_789_000)
    log = FileLog(tmp_path / "log")
    assert log.start() == log.end() == 123_456_789_000
    log.append(b"new")
    log.close()
    assert list(read(tmp_path / "log").values()) == [b"new"]


def test_a_torn_tail_is_cut_not_filled(folder):
    with segment_path(folder, list_segments(folder)[-1]).open("ab") as file:
        file.write(b"torn")
    mend_log(folder)
    assert list(read(folder).values()) == RECORDS


def test_a_log_that_is_being_written_is_left_alone(folder):
    log = FileLog(folder)
    with pytest.raises(Conflict):
        mend_log(folder)
    log.close()


def test_more_than_can_be_filled_is_refused_and_nothing_changed(folder, monkeypatch):
    monkeypatch.setattr("treadle.adapters.log_mending.MOST_FILLED", 2 * SIZE)
    for number in (4, 11, 12, 13):
        damage(folder, number * SIZE + 4)
    before = {path.name: path.read_bytes() for path in folder.glob("*.log")}
    with pytest.raises(Corrupt, match="backup"):
        mend_log(folder)
    assert {path.name: path.read_bytes() for path in folder.glob("*.log")} == before


def test_whatever_bytes_are_damaged_whole_records_stay_and_none_is_made_up(tmp_path):
    choose = random.Random(5)
    for trial in range(40):
        folder = tmp_path / f"log{trial}"
        log = FileLog(folder, segment_bytes=300)
        ends = {log.append(record): record for record in RECORDS}
        log.close()
        hit = set()
        for _ in range(choose.randint(1, 4)):
            at = choose.randrange(40 * SIZE)
            damage(folder, at, choose.randbytes(1))
            hit.add(at // SIZE)
        mend_log(folder, reach=40 * SIZE)
        found = read(folder)
        assert found.items() <= ends.items()
        assert {after for after in ends if after // SIZE - 1 not in hit} <= found.keys()
