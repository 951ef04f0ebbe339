"""A prediction log that lost something: found by the doctor, refused by the server, mended by the command that both name."""

import shlex

import pytest

from tests.entry.cli.conftest import treadle
from tests.entry.cli.test_changing_a_home import examined
from treadle.adapters.log import FileLog, FileLogReader
from treadle.adapters.log_segments import segment_path
from treadle.bootstrap import Home, load_project
from treadle.records.predictions import Prediction, encode_prediction
from treadle.stages.serving.prediction_log import PredictionFlusher


@pytest.fixture
def endpoint(own_shop):
    (found,) = load_project(own_shop.project).project.endpoints
    return found


@pytest.fixture
def logged(own_shop, endpoint):
    """The shop with 30 predictions in the log, the first 20 of them in the table."""
    log = FileLog(own_shop.home / "predictions")
    flusher = PredictionFlusher([endpoint], log, tables_of(own_shop))
    log.append_many([predicted(endpoint, number) for number in range(20)])
    flusher.flush()
    log.append_many([predicted(endpoint, number) for number in range(20, 30)])
    log.close()
    return own_shop


def predicted(endpoint, number):
    fields, features = [None] * len(endpoint.features.request), [None] * len(endpoint.features.names)
    return encode_prediction(
        Prediction(f"p{number:03d}", number, endpoint.name, "returns", 1, fields, features, 0.5)
    )


def tables_of(shop):
    return Home.at(shop.home, create=False).tables()


def in_table(shop):
    return sorted(tables_of(shop).read("predictions/returns").collect()["prediction_id"])


def flushed(shop, endpoint):
    log = FileLog(shop.home / "predictions")
    PredictionFlusher([endpoint], log, tables_of(shop)).flush()
    log.close()


def names(*numbers):
    return [f"p{number:03d}" for number in numbers]


def cut_to(shop, count):
    log = FileLog(shop.home / "predictions")
    ends = [0, *(after for after, _ in log.read())]
    log.truncate(ends[count])
    log.close()


def refused_and_mended(shop):
    """The doctor and the server refuse, with one command; it is run as it stands."""
    code, checks = examined(shop)
    assert code == 1
    finding = checks["prediction log"]
    said = shop.treadle("up", "--port", 0, "--json").error
    assert said["what"] == "the prediction log cannot go on: predictions would be lost"
    assert finding["fix"].endswith(said["command"])
    words = shlex.split(said["command"])
    assert words[0] == "treadle"
    mended = treadle(*words[1:])
    assert mended.code == 0, mended
    return mended.err


def test_a_log_that_ends_before_its_table_is_refused_and_new_predictions_reach_the_table_once_mended(
    logged, endpoint
):
    cut_to(logged, 15)
    refused_and_mended(logged)
    log = FileLog(logged.home / "predictions")
    log.append_many([predicted(endpoint, number) for number in range(40, 60)])
    log.close()
    flushed(logged, endpoint)
    assert in_table(logged) == names(*range(20), *range(40, 60))
    assert examined(logged)[1]["prediction log"]["state"] == "ok"


def test_a_log_that_was_cut_and_grew_past_the_table_is_found_and_its_predictions_are_written(
    logged, endpoint
):
    cut_to(logged, 5)
    log = FileLog(logged.home / "predictions")
    # Records of one size: the table's position is the end of a record again, of another one.
    log.append_many([predicted(endpoint, number) for number in range(70, 110)])
    log.close()
    finding = examined(logged)[1]["prediction log"]
    assert finding["state"] == "fail"
    assert "it was filled from another log" in finding["found"]
    said = logged.treadle("doctor", "--mend")
    assert "40 predictions of 'returns' reached their table" in said.err
    assert in_table(logged) == names(*range(20), *range(70, 110))
    assert examined(logged)[1]["prediction log"]["state"] == "ok"


def test_a_log_that_grew_past_the_middle_of_a_record_is_refused_at_the_start(logged, endpoint):
    cut_to(logged, 5)
    log = FileLog(logged.home / "predictions")
    log.append(predicted(endpoint, 1_000))  # longer by a byte
    log.append_many([predicted(endpoint, number) for number in range(70, 110)])
    log.close()
    assert "40 predictions" not in (said := refused_and_mended(logged))
    assert "41 predictions of 'returns' reached their table" in said
    assert set(names(*range(70, 110), 1_000)) < set(in_table(logged))


def test_damage_in_the_middle_that_the_table_lacks_is_refused_and_passed_over(logged, endpoint):
    ends = [0, *(after for after, _ in FileLogReader(logged.home / "predictions").read())]
    with segment_path(logged.home / "predictions", 0).open("r+b") as file:
        file.seek(ends[24] + 20)
        file.write(b"????")
    assert "is damaged at position" in examined(logged)[1]["prediction log"]["found"]
    assert "the damaged bytes are in" in refused_and_mended(logged)
    assert in_table(logged) == names(*range(24), *range(25, 30))
    assert examined(logged)[1]["prediction log"]["state"] == "ok"


def test_a_sound_log_needs_no_mending(logged):
    before = in_table(logged)
    assert "there is nothing to mend" in logged.treadle("doctor", "--mend").err
    assert in_table(logged) == before


def test_a_home_that_is_served_is_not_mended(logged):
    with Home.at(logged.home, create=False).held("a server"):
        assert "in use by a server" in logged.treadle("doctor", "--mend").err
