"""The log in files keeps the contract, survives kills and torn tails, and names damage, never hides it."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from treadle.adapters.log import FileLog, FileLogReader
from treadle.adapters.log_segments import LARGEST
from treadle.ports.log import AppendLog, LogReader
from treadle.records import failpoints
from treadle.records.errors import Corrupt, InvalidInput, NotReady
from treadle.testing.log import LogContract

# Appends numbers, going on from what the log has, and prints each one when it is acknowledged.
WRITER = """
import sys
from treadle.adapters.log import FileLog
log = FileLog(sys.argv[1], segment_bytes=2_000)
number = sum(1 for _ in log.read())
while number < int(sys.argv[2]):
    if number % 5:
        log.append(b"%d" % number * 7)
        number += 1
    else:
        log.append_many([b"%d" % n * 7 for n in range(number, number + 3)])
        number += 3
    if number % 50 == 0:
        log.sync()
    print(number, flush=True)
"""


def numbers(count: int) -> list[bytes]:
    return [b"%d" % number * 7 for number in range(count)]


def records(log: LogReader) -> list[bytes]:
    return [record for _, record in log.read()]


class TestFileLog(LogContract):
    def open_log(self, folder: Path) -> AppendLog:
        return FileLog(folder, segment_bytes=1_000)

    def open_reader(self, folder: Path) -> LogReader:
        return FileLogReader(folder)


def start_writer(folder: Path, until: int, failpoint: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(until)],
        env={failpoints.VARIABLE: failpoint},
        stdout=subprocess.PIPE,
        text=True,
    )


def acknowledged(writer: subprocess.Popen[str], already: int) -> int:
    """Read what is left of the writer's output and return the last number it acknowledged."""
    assert writer.stdout is not None
    with writer:
        lines = writer.stdout.read().split()
    return int(lines[-1]) if lines else already


def test_killed_at_random_moments_everything_acknowledged_is_there_once(tmp_path: Path) -> None:
    choose, count = random.Random(7), 0
    for _ in range(8):
        writer = start_writer(tmp_path, 10**9)
        assert writer.stdout is not None
        count = max(count, *(int(writer.stdout.readline()) for _ in range(choose.randint(1, 400))))
        until = time.perf_counter() + choose.random() / 500
        while time.perf_counter() < until:
            pass
        writer.send_signal(signal.SIGKILL)
        count = acknowledged(writer, count)
        seen = records(FileLogReader(tmp_path))
        assert len(seen) >= count
        assert seen == numbers(len(seen))
        count = len(seen)
    log = FileLog(tmp_path)
    assert records(log) == numbers(count)
    log.close()


@pytest.mark.parametrize(
    "point",
    [
        "log.before_write:kill@40",
        "log.after_write:kill@40",
        "log.before_roll:kill@2",
        "log.before_sync:kill@3",
    ],
)
def test_killed_at_a_named_point_everything_acknowledged_is_there_once(tmp_path: Path, point: str) -> None:
    writer = start_writer(tmp_path, 1_000, point)
    count = acknowledged(writer, 0)
    assert writer.returncode == -signal.SIGKILL
    seen = records(FileLogReader(tmp_path))
    assert 0 < count <= len(seen) <= count + 3
    assert seen == numbers(len(seen))
    assert acknowledged(start_writer(tmp_path, 1_000), 0) >= 1_000
    seen = records(FileLogReader(tmp_path))
    assert seen == numbers(len(seen))


@pytest.mark.parametrize(
    ("point", "call"),
    [
        ("log.while_truncating:kill@2", "log.truncate(0)"),
        ("log.while_dropping:kill@2", "log.drop_before(log.end())"),
    ],
)
def test_killed_while_shortening_the_log_has_no_gap(tmp_path: Path, point: str, call: str) -> None:
    log = FileLog(tmp_path, segment_bytes=1_000)
    log_records = numbers(1_000)
    for record in log_records:
        log.append(record)
    log.close()
    code = f"import sys; from treadle.adapters.log import FileLog; log = FileLog(sys.argv[1]); {call}"
    killed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env={failpoints.VARIABLE: point}, timeout=60, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    log = FileLog(tmp_path, segment_bytes=1_000)
    left = records(log)
    assert 0 < len(left) < 1_000
    assert left == (log_records[: len(left)] if "truncate" in call else log_records[-len(left) :])
    log.append(b"goes on")
    assert records(log) == [*left, b"goes on"]
    log.close()


def test_another_process_follows_the_log_while_it_is_written(tmp_path: Path) -> None:
    reader, position, seen = FileLogReader(tmp_path), 0, list[bytes]()
    writer = start_writer(tmp_path, 20_000)
    drain = threading.Thread(target=writer.communicate)
    drain.start()
    while drain.is_alive():
        for after, record in reader.read(position):
            seen.append(record)
            position = after
    drain.join()
    seen += [record for _, record in reader.read(position)]
    assert len(seen) >= 20_000
    assert seen == numbers(len(seen))


def last_file(folder: Path) -> Path:
    return max(folder.glob("*.log"))


def test_a_tail_torn_at_any_byte_is_cut_and_writing_goes_on(tmp_path: Path) -> None:
    log = FileLog(tmp_path)
    log.append(b"first")
    kept = log.append(b"second")
    end = log.append(b"torn in the middle")
    log.close()
    whole = last_file(tmp_path).read_bytes()
    for size in range(kept, end):
        last_file(tmp_path).write_bytes(whole[:size])
        assert records(FileLogReader(tmp_path)) == [b"first", b"second"], "a reader passes over the torn tail"
        log = FileLog(tmp_path)
        assert log.end() == kept
        assert last_file(tmp_path).stat().st_size == kept
        assert log.append(b"torn in the middle") == end
        log.close()
        assert last_file(tmp_path).read_bytes() == whole


@pytest.mark.parametrize(
    "tail",
    [
        b"\x00" * 5_000,
        b"\xf1tl\x0a",
        b"\xf1tl\x0a" * 50,
        random.Random(1).randbytes(3_000),
        b"\xff" * 30,
        None,
    ],
    ids=["zeros", "a mark", "many marks", "noise", "ones", "a copy of earlier records"],
)
def test_what_a_crash_leaves_behind_the_last_record_is_no_record(tmp_path: Path, tail: bytes | None) -> None:
    log = FileLog(tmp_path)
    log.append(b"first")
    end = log.append(b"second")
    log.close()
    path = last_file(tmp_path)
    with path.open("ab") as file:
        file.write(path.read_bytes() if tail is None else tail)
    assert records(FileLogReader(tmp_path)) == [b"first", b"second"]
    log = FileLog(tmp_path)
    assert log.end() == end
    assert records(log) == [b"first", b"second"]
    log.close()


def test_each_damaged_byte_in_the_middle_is_named_and_nothing_is_cut(tmp_path: Path) -> None:
    log = FileLog(tmp_path)
    first = log.append(b"first")
    second = log.append(b"the damaged one")
    third = log.append(b"third")
    log.close()
    path = last_file(tmp_path)
    whole = path.read_bytes()
    for offset in range(first, second):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x10]) + whole[offset + 1 :])
        log = FileLog(tmp_path)
        assert log.end() == third
        for reader in (log, FileLogReader(tmp_path)):
            reading = reader.read()
            assert next(reading) == (first, b"first")
            with pytest.raises(Corrupt, match=f"position {first}") as caught:
                next(reading)
            assert caught.value.where == f"{path}, offset {first}"
            assert caught.value.fix is not None
            assert caught.value.fix.endswith(f"read since {second}")
            assert list(reader.read(second)) == [(third, b"third")]
            assert reader.end() == third
        log.close()
        assert path.stat().st_size == len(whole)
    log = FileLog(tmp_path)
    fourth = log.append(b"fourth")
    assert list(log.read(third)) == [(fourth, b"fourth")]
    log.truncate(first)
    assert records(log) == [b"first"]
    log.close()


def three_segments(folder: Path) -> list[Path]:
    log = FileLog(folder, segment_bytes=100)
    for number in range(9):
        log.append(b"%d" % number * 22)
    log.close()
    files = sorted(folder.glob("*.log"))
    assert len(files) == 3
    return files


@pytest.mark.parametrize(
    ("harm", "seen"),
    [
        (lambda path: path.unlink(), 3),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), 5),
        (lambda path: path.write_bytes(path.read_bytes()[:34]), 4),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"), 5),
        (lambda path: path.write_bytes(b""), 3),
    ],
    ids=["lost", "cut by a byte", "cut by records", "last byte changed", "emptied"],
)
def test_harm_to_a_segment_in_the_middle_is_named(
    tmp_path: Path, harm: Callable[[Path], object], seen: int
) -> None:
    _, middle, last = three_segments(tmp_path)
    harm(middle)
    log = FileLog(tmp_path)
    for reader in (log, FileLogReader(tmp_path)):
        reading = reader.read()
        assert [next(reading)[1] for _ in range(seen)] == [b"%d" % number * 22 for number in range(seen)]
        with pytest.raises(Corrupt) as caught:
            next(reading)
        assert caught.value.fix is not None
        assert caught.value.fix.endswith(f"read since {int(last.stem)}")
        assert [record for _, record in reader.read(int(last.stem))] == [b"%d" % n * 22 for n in (6, 7, 8)]
    log.close()


def test_a_full_disk_refuses_the_record_and_keeps_the_log_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = FileLog(tmp_path)
    first = log.append(b"first")
    real_write = os.write
    room = [9]

    def write(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real_write(descriptor, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(NotReady, match="No space left"):
        log.append(b"does not fit")
    with pytest.raises(NotReady, match="No space left"):
        log.append_many([b"does", b"not", b"fit"])
    assert last_file(tmp_path).stat().st_size >= first
    room[0] = 10**6
    second = log.append(b"second")
    assert list(log.read()) == [(first, b"first"), (second, b"second")]
    log.close()


def test_an_append_that_was_interrupted_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    log = FileLog(tmp_path)
    log.append(b"first")
    for point in ("log.before_write", "log.after_write"):
        failpoints.arm(f"{point}:raise")
        try:
            with pytest.raises(failpoints.FailpointError):
                log.append(point.encode())
        finally:
            failpoints.arm("")
    log.append(b"last")
    assert records(log) == [b"first", b"log.after_write", b"last"]
    log.close()


def test_after_a_failed_sync_the_log_must_be_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = FileLog(tmp_path)
    log.append(b"first")
    with monkeypatch.context() as patch:

        def fsync(_: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        patch.setattr(os, "fsync", fsync)
        with pytest.raises(NotReady, match="Input/output error"):
            log.sync()
    for use in (log.sync, lambda: log.append(b"x")):
        with pytest.raises(NotReady, match="unknown what is on the disk"):
            use()
    log.close()
    log = FileLog(tmp_path)
    log.sync()
    assert records(log) == [b"first"]
    log.close()


def test_sync_and_a_new_segment_reach_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = FileLog(tmp_path, segment_bytes=50)
    synced: list[int] = []
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    log.append(b"x" * 60)
    old = last_file(tmp_path).stat().st_ino
    assert synced == []
    log.sync()
    assert synced == [old]
    log.append(b"in a new segment")
    new = last_file(tmp_path).stat().st_ino
    assert synced == [old, old, new, tmp_path.stat().st_ino]
    log.close()


def test_a_record_too_large_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    log = FileLog(tmp_path)
    with pytest.raises(InvalidInput, match="at most"):
        log.append_many([b"small", bytes(LARGEST + 1)])
    assert (log.end(), records(log)) == (0, [])
    log.close()


def test_segments_are_cut_at_their_size_and_dropped_whole(tmp_path: Path) -> None:
    first, middle, last = three_segments(tmp_path)
    assert [path.stat().st_size for path in (first, middle, last)] == [3 * 34] * 3
    assert [int(path.stem) for path in (first, middle, last)] == [0, 102, 204]
    log = FileLog(tmp_path)
    log.drop_before(203)
    assert sorted(tmp_path.glob("*.log")) == [middle, last]
    log.drop_before(log.end())
    assert sorted(tmp_path.glob("*.log")) == [last]
    assert (log.start(), len(records(log))) == (204, 3)
    log.close()
