"""The file inbox: the contract, and what is the folder's own."""

import itertools
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from treadle.adapters.streams.inbox import InboxReader
from treadle.ports.streams import Stream
from treadle.records.errors import InvalidInput, NotReady
from treadle.records.messages import CELLS, CONTENT_TYPE_HEADER, UNREADABLE_HEADER, Message
from treadle.testing.streams import StreamContract, numbered, positions_of, read, values


class InFolder:
    """A folder into which whole files are renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "inbox"
        self.folder.mkdir()
        self._aside = folder / "aside"
        self._numbers = itertools.count()

    def publish(self, values: Sequence[bytes], ids: Sequence[str] | None = None) -> None:
        self.put(f"{next(self._numbers):03}.jsonl", b"".join(value + b"\n" for value in values))

    def put(self, name: str, content: bytes, *, at: int | None = None) -> None:
        part = self.folder / f".{name}.part"
        part.write_bytes(content)
        if at is not None:
            os.utime(part, (at, at))
        part.rename(self.folder / name)

    def open(self) -> Stream:
        return InboxReader(self.folder)

    def go_away(self) -> None:
        self.folder.rename(self._aside)

    def come_back(self) -> None:
        self._aside.rename(self.folder)

    def names(self, below: str) -> list[str]:
        return sorted(file.name for file in (self.folder / below).glob("*"))


@pytest.fixture
def inbox(tmp_path: Path) -> InFolder:
    return InFolder(tmp_path)


class TestInbox(StreamContract):
    names_events = False

    @pytest.fixture
    def broker(self, inbox: InFolder) -> InFolder:
        return inbox


def objects(messages: Sequence[Message]) -> list[object]:
    return [json.loads(message.value) for message in messages]


def test_files_are_read_in_the_order_of_their_times_and_names(inbox: InFolder) -> None:
    for name, at in (("b.jsonl", 20), ("z.jsonl", 10), ("a.jsonl", 20)):
        inbox.put(name, b'"%s"\n' % name.encode(), at=at)
    stream = inbox.open()
    assert objects(read(stream, 3)) == ["z.jsonl", "a.jsonl", "b.jsonl"]
    assert inbox.names("taken") == ["00000001-z.jsonl", "00000002-a.jsonl", "00000003-b.jsonl"]


def test_half_written_hidden_and_foreign_files_are_left_alone(inbox: InFolder) -> None:
    names = {"a.jsonl.part", ".b.jsonl", "c.txt", "d.csv~"}
    for name in names:
        (inbox.folder / name).write_bytes(b'{"half": ')
    assert inbox.open().poll(10, 0) == []
    assert {file.name for file in inbox.folder.iterdir()} == names


def test_a_file_is_done_when_all_of_it_is_safe(inbox: InFolder) -> None:
    inbox.publish(numbered(3))
    inbox.publish(numbered(2, since=3))
    stream = inbox.open()
    found = [*read(stream, 5), *stream.poll(1, 0)]
    stream.commit(positions_of(found[:2]))
    assert inbox.names("done") == []
    stream.commit(positions_of(found[:4]))
    assert inbox.names("done") == ["00000001-000.jsonl"]
    stream.commit(positions_of(found))
    assert inbox.names("done") == ["00000001-000.jsonl", "00000002-001.jsonl"]
    assert inbox.names("taken") == []


def test_a_file_read_before_a_restart_is_found_done_after_it(inbox: InFolder) -> None:
    inbox.publish(numbered(3))
    found = read(inbox.open(), 3)
    stream = inbox.open()
    stream.seek(positions_of(found))
    assert stream.poll(10, 0) == []
    assert inbox.names("done") == ["00000001-000.jsonl"]


def test_the_same_content_under_two_names_is_the_same_events(inbox: InFolder) -> None:
    inbox.put("monday.jsonl", b'{"n": 1}\n{"n": 2}\n')
    inbox.put("again.jsonl", b'{"n": 1}\n{"n": 2}\n')
    found = read(inbox.open(), 4)
    assert found[0].event_id != found[1].event_id
    assert [message.event_id for message in found[:2]] == [message.event_id for message in found[2:]]


def test_a_file_of_an_old_name_is_new_though_the_done_ones_were_removed(inbox: InFolder) -> None:
    inbox.put("daily.jsonl", b"1\n2\n3\n")
    stream = inbox.open()
    found = read(stream, 3)
    stream.poll(1, 0)
    stream.commit(positions_of(found))
    for folder in ("done", "taken"):
        for file in (inbox.folder / folder).glob("*"):
            file.unlink()
    (inbox.folder / ".last").unlink()
    inbox.put("daily.jsonl", b"4\n")
    stream = inbox.open()
    stream.seek(positions_of(found))
    assert values(read(stream, 1)) == [b"4"]


def test_two_homes_reading_one_inbox_each_get_every_row(inbox: InFolder) -> None:
    one, other = inbox.open(), inbox.open()
    inbox.publish(numbered(3))
    found = [*read(one, 3), *one.poll(1, 0)]
    one.commit(positions_of(found))
    inbox.publish(numbered(2, since=3))
    assert values(read(other, 5)) == numbered(5)
    assert values(read(one, 2)) == numbered(2, since=3)


def test_cells_of_csv_are_text_and_empty_ones_null(inbox: InFolder) -> None:
    inbox.put("a.csv", b'\xef\xbb\xbfid,note,x\n1,"two\nlines",\n\n2,"say ""hi""",3.5\n')
    found = read(inbox.open(), 2)
    assert objects(found) == [
        {"id": "1", "note": "two\nlines", "x": None},
        {"id": "2", "note": 'say "hi"', "x": "3.5"},
    ]
    assert {message.headers[CONTENT_TYPE_HEADER] for message in found} == {CELLS}


def test_rows_of_parquet_keep_their_types(inbox: InFolder, tmp_path: Path) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    frame = pl.DataFrame({"n": [1, None], "x": [0.5, float("nan")], "at": [at, at]})
    frame.write_parquet(tmp_path / "f.parquet")
    (tmp_path / "f.parquet").rename(inbox.folder / "f.parquet")
    assert objects(read(inbox.open(), 2)) == [
        {"n": 1, "x": 0.5, "at": "2026-01-02T03:04:05Z"},
        {"n": None, "x": None, "at": "2026-01-02T03:04:05Z"},
    ]


def test_an_array_is_read_item_by_item(inbox: InFolder) -> None:
    inbox.put("a.json", b' [{"n": 1},\n {"n": [2]}]')
    assert objects(read(inbox.open(), 2)) == [{"n": 1}, {"n": [2]}]


def test_a_line_that_looks_like_an_array_is_a_line(inbox: InFolder) -> None:
    inbox.put("a.jsonl", b'[1]\n{"n": 1}\n')
    inbox.put("b.json", b'{"n": 2}\n[2]\n')
    assert values(read(inbox.open(), 4)) == [b"[1]", b'{"n": 1}', b'{"n": 2}', b"[2]"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.parquet", b"PAR1 broken", "a.parquet"),
        ("a.json", b'[{"n": 1}', "a.json"),
        ("a.csv", b"id,id\n1,2\n", "'id' twice"),
        ("a.csv", b"\xff\xfe\n", "decode"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_message_that_says_so(
    inbox: InFolder, name: str, content: bytes, said: str
) -> None:
    inbox.put(name, content)
    inbox.put("z.jsonl", b"1\n")
    found = read(inbox.open(), 2)
    assert said in found[0].headers[UNREADABLE_HEADER]
    assert (found[0].value, found[1].value) == (content, b"1")


def test_rows_before_and_beside_a_broken_one_are_kept(inbox: InFolder) -> None:
    inbox.put("a.csv", b'id,x\n1,2\n3\n4,5\n6,"7\n')
    found = read(inbox.open(), 4)
    unreadable = [UNREADABLE_HEADER in message.headers for message in found]
    assert unreadable == [False, True, False, True]
    assert "line 3" in found[1].headers[UNREADABLE_HEADER]


def test_an_empty_file_holds_nothing_up(inbox: InFolder) -> None:
    inbox.put("a.jsonl", b"", at=10)
    inbox.put("b.jsonl", b"1\n", at=20)
    inbox.put("c.jsonl", b"\n\n", at=30)
    stream = inbox.open()
    assert values(read(stream, 1)) == [b"1"]
    assert stream.poll(10, 0) == []
    inbox.publish([b"2"])
    assert values(read(stream, 1)) == [b"2"]


def test_a_folder_that_is_not_there_is_awaited(tmp_path: Path) -> None:
    with pytest.raises(NotReady):
        InboxReader(tmp_path / "none").poll(1, 0)


def test_positions_of_other_streams_are_refused(inbox: InFolder) -> None:
    with pytest.raises(InvalidInput):
        inbox.open().seek({"inbox": 4})
