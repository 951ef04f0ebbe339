"""The contract every append log keeps.

An adapter's author writes:

    class TestMyLog(LogContract):
        def open_log(self, folder: Path) -> AppendLog:
            return MyLog(folder, segment_bytes=1_000)   # small, so that the tests cross segments

        def open_reader(self, folder: Path) -> LogReader:
            return MyLogReader(folder)
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.ports.log import AppendLog, LogReader
from treadle.records.errors import Conflict, InvalidInput, NotFound, NotReady

Step = tuple[str, list[bytes] | int | None]

RECORDS = [b"", b"one", bytes(range(256)), b"\xff" * 900, "naïve ✓".encode(), b"", b"x" * 5_000, b"last"]


def steps() -> st.SearchStrategy[list[Step]]:
    """Return histories of a log; a number says which of the known positions is meant, counted round."""
    records = st.lists(st.binary(max_size=300), max_size=4)
    return st.lists(
        st.one_of(
            st.tuples(st.just("append"), records),
            st.tuples(st.just("append_many"), records),
            st.tuples(st.sampled_from(["truncate", "drop_before"]), st.integers(0, 50)),
            st.tuples(st.sampled_from(["reopen", "sync"]), st.none()),
        ),
        max_size=20,
    )


class LogContract:
    """Subclass with the methods `open_log` and `open_reader`."""

    def open_log(self, folder: Path) -> AppendLog:
        """Open the log in the folder for writing; made if it is not there."""
        raise NotImplementedError("open the log to be tested")

    def open_reader(self, folder: Path) -> LogReader:
        """Open a reader beside the writer."""
        raise NotImplementedError("open a reader of the log to be tested")

    @pytest.fixture
    def log(self, tmp_path: Path) -> Iterator[AppendLog]:
        """Return an empty log in `tmp_path`."""
        log = self.open_log(tmp_path)
        yield log
        log.close()

    def test_a_new_log_is_empty(self, log: AppendLog) -> None:
        """It starts and ends at 0."""
        assert (log.start(), log.end(), list(log.read())) == (0, 0, [])

    def test_records_come_back_in_order_with_the_positions_that_append_gave(self, log: AppendLog) -> None:
        """Whatever their bytes and sizes."""
        positions = [log.append(record) for record in RECORDS]
        assert list(log.read()) == list(zip(positions, RECORDS, strict=True))
        assert log.end() == positions[-1]
        assert positions == sorted(set(positions))
        assert positions[0] > 0

    def test_reading_since_a_position_gives_what_comes_after_it(self, log: AppendLog) -> None:
        """From every position, with every limit."""
        pairs = [(log.append(record), record) for record in RECORDS]
        for index in range(len(pairs) + 1):
            since = pairs[index - 1][0] if index else 0
            assert list(log.read(since)) == pairs[index:]
            for limit in range(len(pairs) + 2):
                assert list(log.read(since, limit)) == pairs[index : index + limit]

    def test_many_at_once_are_the_same_as_one_by_one(self, log: AppendLog, tmp_path: Path) -> None:
        """Positions included, so that a reader cannot tell."""
        other = self.open_log(tmp_path / "other")
        last = log.append_many(iter(RECORDS))
        for record in RECORDS:
            other.append(record)
        assert [record for _, record in log.read()] == [record for _, record in other.read()]
        assert last == log.end()
        assert log.append_many([]) == last
        other.close()

    def test_a_record_of_several_mebibytes_is_a_record(self, log: AppendLog) -> None:
        """Larger than any buffer a reader would take for good."""
        large = bytes(range(256)) * 20_000
        log.append(b"before")
        log.append(large)
        log.append(b"after")
        assert [record for _, record in log.read()] == [b"before", large, b"after"]

    def test_a_log_opened_anew_goes_on_where_it_ended(self, log: AppendLog, tmp_path: Path) -> None:
        """Closing loses nothing."""
        first = [log.append(record) for record in RECORDS]
        log.close()
        again = self.open_log(tmp_path)
        assert again.end() == first[-1]
        more = again.append(b"more")
        assert list(again.read()) == [*zip(first, RECORDS, strict=True), (more, b"more")]
        again.close()

    def test_there_is_one_writer_at_a_time(self, log: AppendLog, tmp_path: Path) -> None:
        """The second is refused, and welcome after the first has closed."""
        with pytest.raises(Conflict):
            self.open_log(tmp_path)
        log.append(b"the first goes on")
        log.close()
        second = self.open_log(tmp_path)
        second.append(b"the second too")
        assert [record for _, record in second.read()] == [b"the first goes on", b"the second too"]
        second.close()

    def test_a_closed_log_takes_nothing(self, log: AppendLog) -> None:
        """And may be closed again."""
        log.append(b"kept")
        log.close()
        log.close()
        for use in (lambda: log.append(b"x"), lambda: log.append_many([b"x"]), log.sync):
            with pytest.raises(NotReady):
                use()

    def test_a_reader_sees_each_record_as_soon_as_append_returned(
        self, log: AppendLog, tmp_path: Path
    ) -> None:
        """It follows by the last position, over all segments, and misses and repeats nothing."""
        reader = self.open_reader(tmp_path)
        assert (reader.start(), reader.end(), list(reader.read())) == (0, 0, [])
        position = 0
        for number in range(60):
            record = str(number).encode() * 20
            after = log.append(record)
            assert list(reader.read(position)) == [(after, record)]
            assert reader.end() == after
            position = after
        assert len(list(reader.read())) == 60
        reader.close()

    def test_reading_goes_on_while_records_are_appended(self, log: AppendLog) -> None:
        """An iterator that was begun before gives what was there then, and perhaps more, in order."""
        for number in range(100):
            log.append(str(number).encode())
        seen = []
        for _, record in log.read():
            seen.append(record)
            if len(seen) < 50:
                log.append(str(99 + len(seen)).encode())
        assert seen == [str(number).encode() for number in range(len(seen))]
        assert len(seen) >= 100

    def test_truncating_removes_what_lies_after_the_position(self, log: AppendLog, tmp_path: Path) -> None:
        """For every position; the log goes on from there."""
        pairs = [(log.append(record), record) for record in RECORDS]
        for keep in range(len(pairs) - 1, -1, -1):
            position = pairs[keep - 1][0] if keep else 0
            log.truncate(position)
            assert log.end() == position
            assert list(log.read()) == pairs[:keep]
            assert list(self.open_reader(tmp_path).read()) == pairs[:keep]
        after = log.append(b"anew")
        assert list(log.read()) == [(after, b"anew")]

    def test_truncating_elsewhere_than_after_a_record_is_refused(self, log: AppendLog) -> None:
        """Half a record would be left otherwise."""
        first, second = log.append(b"first"), log.append(b"second")
        for position in (-1, 1, first - 1, first + 1, second - 1, second + 1):
            with pytest.raises(InvalidInput, match="position"):
                log.truncate(position)
        assert [record for _, record in log.read()] == [b"first", b"second"]

    def test_dropping_keeps_every_record_after_the_position(self, log: AppendLog) -> None:
        """What is left begins at `start`, and a reader that stands before it is told so."""
        pairs = [(log.append(str(n).encode() * 100), str(n).encode() * 100) for n in range(200)]
        for keep in (1, 50, 150, 200):
            position = pairs[keep - 1][0]
            log.drop_before(position)
            start = log.start()
            assert start <= position
            assert [pair for pair in log.read() if pair[0] > position] == pairs[keep:]
            assert list(log.read()) == [pair for pair in pairs if pair[0] > start]
            assert list(log.read(start)) == list(log.read())
        assert log.start() > pairs[0][0], "of 200 records none was freed"
        with pytest.raises(NotFound, match="dropped"):
            log.read(pairs[0][0])
        with pytest.raises(InvalidInput, match="past the end"):
            log.drop_before(log.end() + 1)

    def test_a_position_past_the_end_is_refused(self, log: AppendLog) -> None:
        """It belongs to another log, or to what was truncated."""
        end = log.append(b"only")
        assert list(log.read(end)) == []
        with pytest.raises(InvalidInput, match="past the end"):
            log.read(end + 1)
        with pytest.raises(InvalidInput, match="negative"):
            log.read(0, -1)

    def test_threads_may_append_at_once(self, log: AppendLog) -> None:
        """No record is lost, none doubled, and each thread's come in its order."""

        def append(thread: int) -> list[tuple[int, bytes]]:
            records = [f"{thread} {number}".encode() for number in range(200)]
            return [(log.append(record), record) for record in records]

        with ThreadPoolExecutor(8) as pool:
            for future in [pool.submit(log.sync) for _ in range(10)]:
                future.result()
            appended = [pair for pairs in pool.map(append, range(8)) for pair in pairs]
        assert list(log.read()) == sorted(appended)

    # One law for many adapters: each inherits it.
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(history=steps())
    def test_any_history_leaves_what_a_list_would_hold(self, history: list[Step]) -> None:
        """The model: a list of (position, record), and how many of its first may be gone."""
        with tempfile.TemporaryDirectory() as name:
            log = self.open_log(Path(name))
            model: list[tuple[int, bytes]] = []
            for verb, argument in history:
                if verb == "reopen":
                    log.close()
                    log = self.open_log(Path(name))
                elif verb == "sync":
                    log.sync()
                elif isinstance(argument, list):
                    model += self._appended(log, verb, argument)
                elif isinstance(argument, int):
                    model = self._shortened(log, verb, argument, model)
                assert list(log.read()) == model
                assert log.end() == (model[-1][0] if model else log.start())
                assert list(self.open_reader(Path(name)).read()) == model
            log.close()

    def _appended(self, log: AppendLog, verb: str, records: list[bytes]) -> list[tuple[int, bytes]]:
        if verb == "append":
            return [(log.append(record), record) for record in records]
        before = log.end()
        log.append_many(records)
        new = list(log.read(before)) if before else list(log.read())
        assert [record for _, record in new] == records
        return new

    def _shortened(
        self, log: AppendLog, verb: str, number: int, model: list[tuple[int, bytes]]
    ) -> list[tuple[int, bytes]]:
        positions = [log.start(), *(position for position, _ in model)]
        position = positions[number % len(positions)]
        if verb == "truncate":
            log.truncate(position)
            return [pair for pair in model if pair[0] <= position]
        log.drop_before(position)
        assert log.start() <= position
        return [pair for pair in model if pair[0] > log.start()]
