"""From the log to the table: every prediction once, whatever was interrupted."""

import dataclasses
from typing import Any

import pytest

import treadle as tr
from treadle.adapters.log import FileLog
from treadle.adapters.tables import DeltaTables
from treadle.records.errors import Corrupt
from treadle.records.predictions import Prediction, encode_prediction
from treadle.stages.serving import prediction_log
from treadle.stages.serving.prediction_log import PredictionFlusher, table_name

FIELDS = {"parcel": "int", "depot": "string", "weight": "float", "leaves": "time"}


@pytest.fixture
def endpoint():
    source = tr.Source.parquet(
        "parcels", path="p", columns={**FIELDS, "asked_at": "time", "late": "bool"}, event_time="asked_at"
    )
    features = tr.FeatureSet("f", request=FIELDS, features=[tr.number("weight"), tr.category("depot")])
    return tr.Endpoint(
        "late",
        model="late@champion",
        features=features,
        requests=tr.Requests(source),
        labels=tr.Labels("late", source=source, key=["parcel"], value="late"),
    )


@pytest.fixture
def log(tmp_path):
    log = FileLog(tmp_path / "log")
    yield log
    log.close()


@pytest.fixture
def tables(tmp_path):
    return DeltaTables(tmp_path / "tables")


def record(number: int, endpoint: str = "late", **changes) -> bytes:
    facts: dict[str, Any] = {
        "score": number / 100,
        "fields": [number, "north", 1.5, 7_000_000],
        "features": [1.5, "north"],
    }
    return encode_prediction(Prediction(f"p{number}", number, endpoint, "late", 1, **facts | changes))


def ids(tables) -> list[str]:
    name = table_name("late")
    return sorted(tables.read(name).collect()["prediction_id"]) if tables.exists(name) else []


def test_what_was_logged_is_in_the_table(endpoint, log, tables):
    log.append_many([record(1), record(2, fields=[2, None, None, None], features=[None, None])])
    assert PredictionFlusher([endpoint], log, tables).flush() == 2
    rows = tables.read(table_name("late")).sort("prediction_id").collect()
    assert rows.columns == [
        "prediction_id", "at", "model", "version", "score", "parcel", "depot", "weight", "leaves",
    ]  # fmt: skip
    assert rows["depot"].to_list() == ["north", None]
    assert rows["leaves"].dt.epoch("us").to_list() == [7_000_000, None]
    assert rows["at"].dt.epoch("us").to_list() == [1, 2]
    assert rows["score"].to_list() == [0.01, 0.02]


def test_flushing_again_writes_only_what_is_new(endpoint, log, tables):
    flusher = PredictionFlusher([endpoint], log, tables)
    log.append(record(1))
    assert (flusher.flush(), flusher.flush()) == (1, 0)
    log.append(record(2))
    assert PredictionFlusher([endpoint], log, tables).flush() == 1
    assert ids(tables) == ["p1", "p2"]


def test_predictions_of_other_endpoints_stay_out(endpoint, log, tables):
    log.append_many([record(1, "other"), record(2)])
    PredictionFlusher([endpoint], log, tables).flush()
    assert ids(tables) == ["p2"]


def test_large_backlogs_go_in_several_commits_without_gap_or_repeat(endpoint, log, tables, monkeypatch):
    monkeypatch.setattr(prediction_log, "FLUSH_ROWS", 3)
    log.append_many([record(n) for n in range(10)])
    assert PredictionFlusher([endpoint], log, tables).flush() == 10
    assert ids(tables) == sorted(f"p{n}" for n in range(10))
    assert len(tables.history(table_name("late"))) == 4


def test_a_flush_cut_off_between_two_commits_goes_on_after_the_first(endpoint, log, tables, monkeypatch):
    monkeypatch.setattr(prediction_log, "FLUSH_ROWS", 3)
    log.append_many([record(n) for n in range(7)])

    class CutOff(Exception):
        pass

    class Failing:
        def __init__(self):
            self.commits = 0

        def __getattr__(self, name):
            return getattr(tables, name)

        def append(self, *args, **kwargs):
            self.commits += 1
            if self.commits == 2:
                raise CutOff
            return tables.append(*args, **kwargs)

    with pytest.raises(CutOff):
        PredictionFlusher([endpoint], log, Failing()).flush()
    assert ids(tables) == ["p0", "p1", "p2"]
    assert PredictionFlusher([endpoint], log, tables).flush() == 4
    assert ids(tables) == sorted(f"p{n}" for n in range(7))


def test_a_flush_reads_only_what_is_new_also_for_an_endpoint_that_nobody_asks(endpoint, log, tables):
    quiet = dataclasses.replace(endpoint, name="quiet")
    read = []

    class Counting:
        def read(self, since):
            for position, one in log.read(since):
                read.append(position)
                yield position, one

    flusher = PredictionFlusher([endpoint, quiet], Counting(), tables)
    log.append_many([record(n) for n in range(5)])
    assert flusher.flush() == 5
    assert len(read) == 5
    log.append(record(5))
    assert (flusher.flush(), flusher.flush()) == (1, 0)
    assert len(read) == 6


def test_what_stands_before_a_damage_is_written_and_the_damage_is_told(endpoint, log, tables):
    ends = [log.append(record(n)) for n in range(5)]
    (segment,) = log._folder.glob("*.log")
    with segment.open("r+b") as file:
        file.seek(ends[2] + 20)
        file.write(b"????")
    with pytest.raises(Corrupt):
        PredictionFlusher([endpoint], log, tables).flush()
    assert ids(tables) == ["p0", "p1", "p2"]
