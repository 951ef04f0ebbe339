"""`treadle up` as people run it: a real process on a real home, asked over HTTP, stopped and killed."""

import signal
import socket
import stat
from collections import Counter

import polars as pl
import pytest

from tests.entry.api.conftest import SHOP, START, Load, Server, eventually, parcel, prediction_ids
from tests.entry.api.shop_data import shop_tables, write_shop
from treadle.adapters.log import FileLogReader
from treadle.adapters.tables import DeltaTables
from treadle.bootstrap import Home, load_project
from treadle.entry.cli import main
from treadle.loop.asking import ask_offline
from treadle.loop.stored import row_reader
from treadle.records.instants import instant
from treadle.records.predictions import Prediction, decode_prediction

FROM = ("--from", START)


def log_of(home) -> list[Prediction]:
    return [decode_prediction(record) for _, record in FileLogReader(home / "predictions").read()]


def table_of(home) -> list[str]:
    tables = DeltaTables(home / "tables")
    return tables.read("predictions/late").collect()["prediction_id"].to_list()


def test_answers_are_those_of_the_offline_lookup_at_the_same_moment(serve, home):
    server = serve(*FROM)
    with server.connect() as connection:
        for number in range(40):
            status, answer = server.infer(parcel(number, ("north", "south", "east")[number % 3]), connection)
            assert status == 200, answer
        server.infer(parcel(1, rows=300), connection)
    server.stop()
    opened = Home.at(home, create=False)
    (endpoint,) = load_project(SHOP).project.endpoints
    metadata = opened.metadata()
    with metadata.read() as view:
        version = view.models.get_version("late", 2)
    rows = row_reader(opened.tables(), metadata)
    logged = log_of(home)
    assert len(logged) == 340
    for one in logged[:42]:
        assert one.at >= instant(START)
        asked = dict(zip(endpoint.features.request, one.fields, strict=True))
        offline = ask_offline(opened.blobs(), rows, endpoint, version, asked, one.at)
        assert list(offline.features.values()) == one.features
        assert offline.score == one.score
    metadata.close()


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(serve, home):
    server = serve(*FROM)
    acknowledged: list[str] = []
    for wanted in (50, 200):
        load = Load(server)
        load.wait_for(wanted)
        server.signal(signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL
        load.join()
        acknowledged += load.acknowledged()
        counted = Counter(one.prediction_id for one in log_of(home))
        assert [one for one in acknowledged if counted[one] != 1] == []
        server = serve()
    status, answer = server.infer(parcel(7))
    assert status == 200
    server.stop()
    counted = Counter(table_of(home))
    assert set(counted) == {one.prediction_id for one in log_of(home)}
    assert set(counted.values()) == {1}
    assert counted.keys() >= {*acknowledged, *prediction_ids(answer)}


def test_a_terminated_server_finishes_what_it_was_asked(serve, home):
    server = serve(*FROM)
    load = Load(server, clients=4)
    load.wait_for(100)
    load.leaving = True
    server.signal(signal.SIGTERM)
    load.join()
    assert server.wait() == 0
    assert load.broken == []
    assert {status for status, _ in load.answers} == {200}
    assert set(load.acknowledged()) == {one.prediction_id for one in log_of(home)}
    assert sorted(load.acknowledged()) == sorted(table_of(home))


def test_versions_are_swapped_under_load_without_an_error(serve, home):
    server = serve(*FROM)
    load = Load(server)
    metadata = Home.at(home, create=False).metadata()
    for turn, version in enumerate((1, 2, 1, 2)):
        with metadata.begin() as unit:
            unit.models.set_alias("late", "champion", version, instant(START) + turn, reason="a test")
        eventually(lambda: server.status()["endpoints"][0]["version"] == version, f"version {version}")  # noqa: B023
        load.wait_for(len(load.answers) + 20)
    load.stop()
    metadata.close()
    assert load.broken == []
    assert {status for status, _ in load.answers} == {200}
    served = [answer["model_version"] for _, answer in load.answers]
    assert set(served) == {"1", "2"}
    by_id = {one.prediction_id: one for one in log_of(home)}
    for _, answer in load.answers:
        one = by_id[prediction_ids(answer)[0]]
        assert (str(one.version), one.score) == (answer["model_version"], answer["outputs"][0]["data"][0])


def test_a_version_that_cannot_be_opened_leaves_the_old_one_serving(serve, home):
    server = serve(*FROM)
    opened = Home.at(home, create=False)
    metadata = opened.metadata()
    with metadata.begin() as unit:
        broken = unit.models.create_version(
            "late", instant(START), package=opened.blobs().put(b"not a model")
        )
        unit.models.set_alias("late", "champion", broken.version, instant(START), reason="a test")
    metadata.close()
    eventually(lambda: server.status()["endpoints"][0]["fault"] is not None, "the fault")
    assert server.infer(parcel(1))[1]["model_version"] == "2"
    assert server.ask("GET", "/v2/health/ready")[0] == 200
    assert server.infer(parcel(1), version=broken.version)[0] == 500
    assert server.infer(parcel(1), version=1)[1]["model_version"] == "1"


def test_a_second_signal_ends_it_at_once(serve, home):
    server = serve(*FROM)
    _, answer = server.infer(parcel(1))
    server.signal(signal.SIGTERM)
    eventually(lambda: server.process.poll() is not None or _again(server), "the end")
    assert server.wait() in (128 + signal.SIGTERM, 0)
    assert [one.prediction_id for one in log_of(home)] == prediction_ids(answer)


def _again(server: Server) -> bool:
    server.signal(signal.SIGTERM)
    return False


def test_data_that_changes_is_taken_whole_and_bad_data_is_refused_with_every_fault(home, tmp_path):
    data = write_shop(tmp_path / "data")
    server = Server(home, *FROM, "--data", str(data), "--project", str(SHOP))
    try:
        eventually(lambda: server.status()["data"]["taken_at"] is not None, "the first look")
        assert server.infer(parcel(1, "west"))[0] == 404
        tables = shop_tables()
        tables["parcels"].rename({"weight": "wieght"}).write_parquet(data / "parcels.parquet")
        tables["weather"].drop("rain").write_parquet(data / "weather.parquet")
        eventually(lambda: server.status()["data"]["faults"], "the refusal")
        said = " ".join(server.status()["data"]["faults"])
        assert "column 'weight' is missing" in said
        assert "'wieght'" in said
        assert "column 'rain' is missing" in said
        assert server.infer(parcel(1))[0] == 200
        new = pl.concat([tables["weather"], tables["weather"].with_columns(depot=pl.lit("west"))])
        tables["parcels"].write_parquet(data / "parcels.parquet")
        new.write_parquet(data / "weather.parquet")
        eventually(lambda: server.infer(parcel(1, "west"))[0] == 200, "the new depot")
        assert server.status()["data"]["faults"] == []
        assert "new data was refused" in server.errors.read_text()
        assert "looked at again as soon as they change" in server.errors.read_text()
        assert "run the same command again" not in server.errors.read_text()
    finally:
        server.stop()


def test_a_made_token_is_shown_once_and_still_good_at_the_next_start(serve, home):
    first = serve(*FROM, token=None)
    assert first.facts["token"] == "generated"
    shown = first.errors.read_text().partition("its digest): ")[2].splitlines()[0]
    assert stat.S_IMODE((home / "token.sha256").stat().st_mode) == 0o600
    first.stop()
    second = serve(token=None)
    assert second.facts["token"] == "home"
    assert shown not in second.errors.read_text()
    second.token = "wrong-token"
    assert second.infer(parcel(1))[0] == 401
    second.token = shown
    assert second.infer(parcel(1))[0] == 200


def test_the_clock_goes_on_where_it_was_and_never_back(serve, home, capsys):
    server = serve(*FROM)
    eventually(lambda: server.status()["feed"]["position"] > "2024-03-15T12:00:01", "a second of feeding")
    seen = server.status()["feed"]["position"]
    server.signal(signal.SIGKILL)
    server.wait()
    again = serve()
    assert again.status()["clock"] > seen
    again.stop()
    assert main(["up", "--home", str(home), "--from", "2024-03-15T11:59:00Z", "--port", "0"]) == 2
    assert "cannot be set back" in capsys.readouterr().err


def test_a_home_is_served_by_one_process(home, capsys):
    with Home.at(home, create=False).held("another server"):
        assert main(["up", "--home", str(home), "--port", "0", *FROM]) == 1
    assert "is in use by another server" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
def test_other_machines_are_let_in_only_with_tls(home, host, capsys):
    assert main(["up", "--home", str(home), "--host", host]) == 2
    assert "--tls-cert" in capsys.readouterr().err


def test_a_port_in_use_is_said(home, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["up", "--home", str(home), "--port", str(taken.getsockname()[1]), *FROM]) == 1
    said = capsys.readouterr().err
    assert "Address already in use" in said
    assert "--port" in said


def test_a_home_without_data_says_what_to_do(tmp_path, capsys):
    Home.at(tmp_path / "new", create=True)
    where = ["--home", str(tmp_path / "new"), "--project", str(SHOP)]
    assert main(["up", *where, "--port", "0"]) == 1
    said = capsys.readouterr().err
    assert "--data DIR" in said
    assert "'parcels' has never been stored" in said
