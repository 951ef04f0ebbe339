"""Pushing events: over HTTP, by the client, from the shell; to a served project in this process and to real servers."""

import io
import json
import signal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import treadle as tr
from tests.entry.api.conftest import SHOP, START, TOKEN, eventually, parcel
from tests.entry.api.parts import application, ask, event_body, pushed, served
from tests.entry.api.test_up import log_of
from treadle.bootstrap import Home, load_project
from treadle.entry.api.events import MOST_ROWS, parse_events
from treadle.entry.cli import main
from treadle.entry.cli.push import read_rows
from treadle.loop.asking import ask_offline
from treadle.loop.stored import row_reader
from treadle.records.errors import InvalidInput, NotReady
from treadle.records.instants import HOUR, instant, iso

PATH = "/v1/sources/parcels/events"


@pytest.fixture
def live(tmp_path):
    with served(tmp_path) as live:
        yield live


def push(live, body, path=PATH):
    return ask(application(live), "POST", path, body)


class TestRoute:
    def test_what_is_answered_with_200_is_in_the_log(self, live):
        reply = push(live, event_body(3))
        assert (reply.status, reply.json()["taken"], reply.json()["duplicates"]) == (200, 3, 0)
        assert [event.event_id for event in pushed(live)] == reply.json()["ids"]
        assert reply.json()["position"] == live.world.events.end()

    def test_the_same_body_again_takes_in_nothing(self, live):
        push(live, event_body(3))
        again = push(live, event_body(4)).json()
        assert (again["taken"], again["duplicates"]) == (1, 3)
        assert len(pushed(live)) == 4

    def test_a_faulty_row_refuses_the_body_with_all_faults(self, live):
        rows = json.loads(event_body(3))
        rows[0]["parcel"], rows[2]["weight"] = "one", None
        del rows[2]["depot"]
        reply = push(live, json.dumps(rows).encode())
        assert reply.status == 400
        assert len(reply.json()["error"]["faults"]) == 2
        assert pushed(live) == []

    def test_an_unknown_source_is_404_and_other_methods_405(self, live):
        assert push(live, event_body(), "/v1/sources/parcel/events").status == 404
        assert ask(application(live), "GET", PATH).status == 405

    def test_a_body_that_is_too_large_is_refused_before_it_is_read(self, live):
        assert ask(application(live), "POST", PATH, b"[]", content_length=str(9 << 20)).status == 413

    def test_while_nothing_can_be_taken_in_it_is_503_with_the_time_to_come_again(self, live):
        live.intake = None
        reply = push(live, event_body())
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")

    def test_the_status_and_metrics_say_what_was_taken_in(self, live):
        push(live, event_body(2))
        push(live, event_body(3))
        events = ask(application(live), "GET", "/v1/status").json()["events"]
        assert (events["taken"], events["duplicates"], events["position"]) == (3, 2, live.world.events.end())
        assert (
            ask(application(live), "GET", "/v1/status").json()["feed"]["next_known"] is None
        )  # on their way
        text = ask(application(live), "GET", "/metrics").body.decode()
        assert 'treadle_events{outcome="taken"} 3' in text
        assert 'treadle_events_behind_bytes{store="tables"}' in text


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b'[{"a": 1}, {"a": null}]',
            b'{"a": 1}\n{"a": null}',
            b'\n {"a": 1}\r\n\n{"a": null}\n',
            b'{"rows": [{"a": 1}, {"a": null}]}',
        ],
    )
    def test_arrays_lines_and_objects_with_rows_are_read_alike(self, body):
        assert parse_events(body) == ([{"a": 1}, {"a": None}], None)

    def test_ids_stand_beside_the_rows(self):
        assert parse_events(b'{"rows": [{"a": 1}], "ids": ["x"]}') == ([{"a": 1}], ["x"])

    def test_one_row_whose_columns_are_called_rows_is_a_row(self):
        assert parse_events(b'{"rows": 1, "x": 2}').rows == [{"rows": 1, "x": 2}]

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"", "no rows"),
            (b"[]", "no rows"),
            (b"[1]", "row 0 is no JSON object"),
            (b"[{]", "no JSON"),
            (b'{"a": 1}\n{"a": \n', "line 2 is no JSON"),
            (b'{"rows": [{"a": 1}], "ids": [1]}', "ids is no array of texts"),
            (b"[" + b"{}," * MOST_ROWS + b"{}]", "50,000 is the most"),
            (b"\xff\xfe", "line 1 is no JSON"),
            (b'[{"a": "\xff\xfe"}]', "not UTF-8"),
            (b"[" * 100_000, "nested too deeply"),
            (b'{"a": "\xff"}', "not UTF-8"),
        ],
    )
    def test_what_is_no_body_of_events_says_why(self, body, said):
        with pytest.raises(InvalidInput) as caught:
            parse_events(body)
        assert said in caught.value.faults[0]

    @given(st.binary(max_size=60) | st.text(alphabet='{}[]",:ab1 \n', max_size=40).map(str.encode))
    @settings(max_examples=200)
    def test_any_bytes_are_events_or_a_refusal(self, body):
        try:
            rows, _ = parse_events(body)
        except InvalidInput:
            return
        assert all(isinstance(row, dict) for row in rows)


def arrival(number: int, at: int, depot: str = "north") -> dict[str, object]:
    return {"parcel": 10_000 + number, "depot": depot, "van": "van-1", "arrived": iso(at), "late": True}


def test_pushed_events_are_in_the_next_answers_and_in_the_table(serve, home):
    server = serve("--from", START)
    at = instant(START)
    with tr.connect(server.url, TOKEN) as client:
        done = client.push("arrivals", [arrival(n, at - HOUR) for n in range(20)])
        assert (done.taken, done.duplicates, len(done.ids)) == (20, 0, 20)
        again = client.push("arrivals", [arrival(n, at - HOUR) for n in range(21)])
        assert (again.taken, again.duplicates) == (1, 20)
    eventually(lambda: server.status()["events"]["online"] == server.status()["events"]["position"])
    for number in range(10):
        assert server.infer(parcel(number))[0] == 200
    server.stop()
    opened = Home.at(home, create=False)
    (endpoint,) = load_project(SHOP).project.endpoints
    metadata = opened.metadata()
    with metadata.read() as view:
        version = view.models.get_version("late", 2)
    tables = opened.tables()
    newest = tables.read("arrivals").collect()
    assert newest["__event_id"].drop_nulls().n_unique() == 21
    registered = row_reader(tables, metadata)

    def rows(name):
        return newest.drop("__event_id") if name == "arrivals" else registered(name)

    for one in log_of(home):
        asked = dict(zip(endpoint.features.request, one.fields, strict=True))
        offline = ask_offline(opened.blobs(), rows, endpoint, version, asked, one.at)
        assert list(offline.features.values()) == one.features
        assert offline.features["depot_day_count_1d"] >= 21
    metadata.close()


def test_killed_after_the_answer_a_server_has_the_events_when_it_is_back(
    serve, home, tmp_path, monkeypatch, capsys
):
    server = serve("--from", START)
    at = instant(START)
    lines = tmp_path / "events.jsonl"
    lines.write_text("\n".join(json.dumps(arrival(n, at - HOUR)) for n in range(50)))
    monkeypatch.setenv("TREADLE_TOKEN", TOKEN)
    assert main(["push", "arrivals", str(lines), "--url", server.url, "--rows", "7", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"source": "arrivals", "taken": 50, "duplicates": 0}
    server.signal(signal.SIGKILL)
    server.wait()
    server = serve()
    assert main(["push", "arrivals", str(lines), "--url", server.url]) == 0
    assert "duplicates  50" in capsys.readouterr().out
    server.stop()
    ids = Home.at(home, create=False).tables().read("arrivals").collect()["__event_id"].drop_nulls()
    assert sorted(ids) == sorted(set(ids))
    assert len(ids) == 50


class TestShell:
    def test_rows_are_read_as_lines_or_as_one_array(self):
        assert list(read_rows(io.StringIO('{"a": 1}\n\n{"a": 2}\n'), "stdin")) == [{"a": 1}, {"a": 2}]
        assert list(read_rows(io.StringIO('[{"a": 1},\n{"a": 2}]'), "stdin")) == [{"a": 1}, {"a": 2}]

    @pytest.mark.parametrize("text", ['{"a": 1}\n{"a"\n', '{"a": 1}\n[1]\n', "[1]"])
    def test_what_is_no_row_names_its_line(self, text):
        with pytest.raises(InvalidInput) as caught:
            list(read_rows(io.StringIO(text), "stdin"))
        assert "stdin, " in (caught.value.where or "")

    def test_lines_are_read_only_as_they_are_wanted(self):
        def lines():
            yield '{"a": 1}\n'
            raise AssertionError("read too far")

        assert next(read_rows(lines(), "stdin")) == {"a": 1}

    def test_without_a_server_the_next_command_is_named(self, tmp_path, capsys):
        (tmp_path / "rows").write_text('{"a": 1}')
        assert main(["push", "arrivals", str(tmp_path / "rows"), "--url", "http://127.0.0.1:9"]) == 1
        assert "treadle up" in capsys.readouterr().err


class TestClient:
    def test_rows_without_a_json_form_are_refused_before_anything_is_sent(self):
        with tr.connect("http://127.0.0.1:9", "t") as client, pytest.raises(InvalidInput, match="row 1"):
            client.push("s", [{"a": 1}, {"a": float("nan")}])
        with tr.connect("http://127.0.0.1:9", "t") as client, pytest.raises(InvalidInput, match="2 ids"):
            client.push("s", [{"a": 1}], ids=["x", "y"])

    def test_nobody_there_is_not_ready(self):
        with tr.connect("http://127.0.0.1:9", "t") as client, pytest.raises(NotReady):
            client.push("s", [{"a": 1}])
