"""Bad data through the command line: every fault at once, exit code 2, and no trace of it in a home."""

import hashlib
import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import polars as pl
import pytest

from examples.flights.data import TABLES, read_table
from treadle.bootstrap import Home
from treadle.entry.cli import main

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "examples" / "flights"


@pytest.fixture(scope="module")
def slices():
    """The five tables: two days of flights, everything else whole."""
    tables = {name: read_table(name) for name in TABLES}
    tables["flights"] = tables["flights"].filter(pl.col("time_hour") < "2013-01-03")
    tables["weather"] = tables["weather"].filter(pl.col("time_hour") < "2013-01-03")
    return tables


@pytest.fixture
def data(tmp_path, slices):
    folder = tmp_path / "data"
    folder.mkdir()
    for name, rows in slices.items():
        rows.write_parquet(folder / f"{name}.parquet")
    return folder


def treadle(*words):
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in words])
    assert out.getvalue() == ""
    return code, err.getvalue()


def refused(data, home, command="replay"):
    """Run a command on bad data; return the lines of its error."""
    words = ["run", "train_delay"] if command == "run" else [command]
    code, err = treadle(*words, "--project", PROJECT, "--data", data, "--home", home)
    assert code == 2, err
    assert "Traceback" not in err
    return [line.strip() for line in err.splitlines()]


def change(data, name, *columns, **named):
    path = data / f"{name}.parquet"
    pl.read_parquet(path).with_columns(*columns, **named).write_parquet(path)


def naive(column):
    return pl.col(column).str.to_datetime("%+", time_zone="UTC").dt.replace_time_zone(None)


def missing_table(data):
    (data / "weather.parquet").unlink()


def renamed_column(data):
    path = data / "flights.parquet"
    pl.read_parquet(path).rename({"dep_delay": "departure_delay"}).write_parquet(path)


def wrong_type(data):
    change(data, "flights", distance=pl.format("{} miles", "distance"))


def naive_times(data):
    change(data, "weather", time_hour=naive("time_hour"))


def duplicate_flights(data):
    path = data / "flights.parquet"
    rows = pl.read_parquet(path)
    pl.concat([rows, rows.head(3)]).write_parquet(path)


def empty_file(data):
    (data / "planes.parquet").write_bytes(b"")


def no_parquet(data):
    (data / "airports.parquet").write_text("faa,tzone\nJFK,America/New_York\n")


def fractions(data):
    change(data, "planes", year=pl.col("year") + 0.5)


def no_time(data):
    change(data, "flights", time_hour=pl.lit("first of January"))


def no_event_time(data):
    change(data, "weather", time_hour=pl.when(pl.col("origin") != "JFK").then(pl.col("time_hour")))


def no_rows(data):
    path = data / "flights.parquet"
    pl.read_parquet(path).clear().write_parquet(path)


BAD = {
    missing_table: "source 'weather': weather.parquet is missing; the folder has airlines.parquet, airports.parquet, ",
    renamed_column: "source 'flights' (flights.parquet): column 'dep_delay' is missing; was it renamed to 'departure_delay'?",
    wrong_type: "source 'flights' (flights.parquet): column 'distance' holds String, e.g. '1400 miles', not float; convert",
    naive_times: "source 'weather' (weather.parquet): column 'time_hour' holds times without a zone, e.g. 2013-01-01 06:00",
    duplicate_flights: "source 'flights' (flights.parquet): 3 keys stand in several rows, e.g. 2 rows with carrier=",
    empty_file: "source 'planes' (planes.parquet): cannot be read as Parquet: ",
    no_parquet: "source 'airports' (airports.parquet): cannot be read as Parquet: ",
    fractions: "source 'planes' (planes.parquet): column 'year' must be int but holds",
    no_time: "texts that are no ISO 8601 times, e.g. 'first of January'; write 2013-04-01T00:00:00Z",
    no_event_time: "rows have no 'time_hour', their event_time; leave them out where the data is made",
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_bad_data_is_refused_with_what_where_and_fix_and_leaves_no_home(spoil, data, tmp_path):
    spoil(data)
    lines = refused(data, tmp_path / "home")
    assert lines[0] == "error: the data cannot be used: 1 fault"
    assert BAD[spoil] in lines[1]
    assert lines[2] == f"where: {data}"
    assert lines[3].startswith("fix:   mend the files")
    assert lines[3].endswith("nothing was stored")
    assert not (tmp_path / "home").exists()


def test_all_faults_of_all_files_come_at_once(data, tmp_path):
    for spoil in (missing_table, wrong_type, no_time, fractions, no_parquet):
        spoil(data)
    lines = refused(data, tmp_path / "home")
    assert lines[0] == "error: the data cannot be used: 5 faults"
    assert [line.split()[2].strip("':") for line in lines if line.startswith("- ")] == [
        "flights", "flights", "weather", "planes", "airports",
    ]  # fmt: skip


def test_running_a_pipeline_on_bad_data_is_refused_alike(data, tmp_path):
    wrong_type(data)
    lines = refused(data, tmp_path / "home", "run")
    assert "error: the data cannot be used: 1 fault" in lines
    assert not (tmp_path / "home").exists()


def trace_of(folder):
    """Every file below a folder with its content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("command", ["replay", "run"])
def test_bad_data_changes_nothing_in_a_home_that_is_there(command, data, tmp_path):
    home = Home.at(tmp_path / "home", create=True)
    home.tables().overwrite("weather", pl.DataFrame({"x": [1]}))
    metadata = home.metadata()
    metadata.close()
    before = trace_of(home.folder)
    duplicate_flights(data)
    refused(data, home.folder, command)
    assert trace_of(home.folder) == before


def test_too_little_history_is_refused_before_it_is_stored(data, tmp_path):
    lines = refused(data, tmp_path / "home")
    assert lines[0].startswith("error: there is nothing to replay: the first 3 months train the first model")
    assert "give data that goes beyond 2013-04-01T04:00:00Z, or a later --until" in lines[1]
    no_rows(data)
    lines = refused(data, tmp_path / "home")
    assert lines[0] == "error: endpoint 'delay' has no requests to replay: 'schedule' has no rows"
    assert not (tmp_path / "home").exists()


def test_a_process_of_its_own_says_the_same(data, tmp_path):
    missing_table(data)
    words = ["-m", "treadle", "replay", "--project", PROJECT, "--data", data, "--home", tmp_path / "home"]
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(
        "error: the data cannot be used: 1 fault\n  - source 'weather': weather.parquet is missing"
    )
    assert not (tmp_path / "home").exists()
