"""What people see of streams: `treadle streams`, and dead letters that are taken in after all."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from tests.streams.places import NOW, as_json, dead_letters, eventually, order
from treadle.adapters.clock import ShiftedClock
from treadle.bootstrap import Home, load_project, open_world
from treadle.entry.cli import main
from treadle.loop.live import Live, Pace
from treadle.records.instants import HOUR, iso

PROJECT = """
import treadle as tr

orders = tr.Source.inbox(
    "orders",
    path="inbox",
    columns={"order": "int", "shop": "string", "amount": "{amount}", "placed": "time"},
    event_time="placed",
    event_id="order",
)
project = tr.Project(name="shops_of_{name}", sources=[orders])
"""


def treadle(*words: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in words])
    return code, out.getvalue(), err.getvalue()


class Place:
    """A project with an inbox, its data folder and its home."""

    def __init__(self, folder: Path, name: str) -> None:
        self.project = folder / name
        self.home = folder / "home"
        self.inbox = folder / "data" / "inbox"
        self.inbox.mkdir(parents=True)
        self.project.mkdir()
        text = PROJECT.replace("{name}", name).replace("{amount}", "float")
        (self.project / "__init__.py").write_text(text)

    def put(self, name: str, *messages: bytes) -> None:
        part = self.inbox / f".{name}.part"
        part.write_bytes(b"\n".join(messages))
        part.rename(self.inbox / name)

    @contextmanager
    def serving(self) -> Iterator[Live]:
        home = Home.at(self.home, create=True)
        home.note(clock_end=NOW)
        with open_world(home, load_project(self.project), ShiftedClock(NOW)) as world:
            live = Live(world, data=self.inbox.parent, pace=Pace(tables=0.05, sync=0.05))
            try:
                live.start()
                yield live
            finally:
                live.stop()

    def words(self, *words: object) -> list[object]:
        return [*words, "--home", self.home, "--project", self.project]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A home that took in two orders, one of them late, and two messages that are none."""
    place = Place(tmp_path_factory.mktemp("shops"), "shops_with_an_inbox")
    place.put("a.jsonl", as_json(order(1)))
    place.put("b.jsonl", as_json(order(2, ago=HOUR)), b"{", as_json(order(3) | {"amount": "much"}))
    with place.serving() as live:
        eventually(lambda: live.consumers["orders"].state.waiting == 0 and dead_letters(live).height == 2)
    return place


def test_streams_tells_how_far_each_stream_was_read(place):
    code, out, err = treadle(*place.words("streams", "--json"))
    assert code == 0, err
    (row,) = json.loads(out)
    wanted = {"messages": 4, "taken": 2, "duplicates": 0, "late": 1, "dead_letters": 2, "waiting": 0}
    assert {name: row[name] for name in wanted} == wanted
    assert (row["last_event"], row["reading"], row["stream"]) == (iso(NOW), "yes", "inbox")


def test_streams_shows_people_a_line_a_source_and_where_to_look_next(place):
    code, out, err = treadle(*place.words("streams"))
    assert (code, len(out.splitlines())) == (0, 2)
    assert "treadle data dead-letters orders" in err


def test_a_project_without_streams_is_told_so(tmp_path):
    place = Place(tmp_path, "shops_without_an_inbox")
    text = (place.project / "__init__.py").read_text()
    (place.project / "__init__.py").write_text(
        text.replace("inbox(", "push(").replace('    path="inbox",\n', "")
    )
    with place.serving():
        pass
    code, out, err = treadle(*place.words("streams"))
    assert (code, out) == (0, "")
    assert "no source that is read from a stream" in err


def test_dead_letters_are_shown_with_message_and_reasons(place):
    code, out, err = treadle(*place.words("data", "dead-letters", "orders", "--json"))
    assert code == 0, err
    newest, oldest = json.loads(out)
    assert oldest["message"] == "{"
    assert json.loads(newest["message"])["order"] == 3
    assert any("'amount'" in reason for reason in newest["reasons"])
    assert newest["position"] > oldest["position"]


def test_dead_letters_of_an_unknown_source_offer_its_neighbours(place):
    code, _, err = treadle(*place.words("data", "dead-letters", "order"))
    assert code != 0
    assert "did you mean 'orders'" in err


def test_dead_letters_that_became_rows_are_taken_in_and_gone(tmp_path, monkeypatch):
    place = Place(tmp_path, "shops_that_mend")
    place.put("a.jsonl", as_json(order(1)), b"{", as_json(order(3) | {"shop": 7}))
    with place.serving() as live:
        eventually(lambda: live.consumers["orders"].state.waiting == 0 and dead_letters(live).height == 2)

    class Pushing:
        """A server's client, without the network between."""

        def __init__(self, live: Live) -> None:
            self.live = live

        def __enter__(self) -> Pushing:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def push(self, source, rows, *, ids=None):
            return self.live.push(source, rows, ids=ids)

    mended = [{**order(3), "order": 3, "shop": "b"}]
    raw = as_json(mended[0])
    with place.serving() as live:
        monkeypatch.setattr("treadle.entry.client.connect", lambda url: Pushing(live))
        # The server of this test is in this process, where the online store cannot be opened twice.
        monkeypatch.setattr("treadle.entry.cli.data_dead_letters.home_now", lambda home: NOW)
        code, out, err = treadle(*place.words("data", "dead-letters", "orders", "--retry", "--json"))
        assert (code, json.loads(out)) == (0, {"source": "orders", "taken": 0, "still_dead": 2}), err
        # As if the definition had been mended: the letter's bytes are a row today.
        monkeypatch.setattr(
            "treadle.loop.dead_letters.decode", lambda message, columns: json.loads(raw), raising=True
        )
        code, out, err = treadle(*place.words("data", "dead-letters", "orders", "--retry", "--json"))
        assert json.loads(out)["taken"] == 2, err
        assert live.intake.taken == 1  # the same order twice
    code, out, _ = treadle(*place.words("data", "dead-letters", "orders", "--json"))
    assert json.loads(out) == []
    code, out, _ = treadle(*place.words("streams", "--json"))
    assert json.loads(out)[0]["dead_letters"] == 0
