"""A replay is deterministic, whole, and indifferent to being killed."""

from __future__ import annotations

import random
import signal
import time

import polars as pl
import pytest

from treadle.bootstrap import Home

pytestmark = pytest.mark.slow


def predictions(home):
    return Home.at(home, create=False).tables().read("predictions/delay").collect()


def test_result_has_a_row_for_every_served_month_and_the_promised_fields(replayed):
    _, found, output = replayed
    assert [row["month"] for row in found["months"]] == ["2013-04", "2013-05", "2013-06"]
    for row in found["months"]:
        assert 0 < row["labelled"] <= row["n"]
        assert {
            "late_rate",
            "auc_frozen",
            "auc_loop",
            "auc_last3",
            "calibration_loop",
            "score_psi",
        } <= row.keys()
        assert row["month"] in output
    assert {"at", "reason", "rows", "seconds"} <= found["trainings"][0].keys()
    assert {"at", "model_version", "verdict", "reasons"} <= found["verdicts"][0].keys()
    assert found["digests"].keys() == {"training_sets", "models", "predictions"}
    assert found["seconds"] > found["fit_seconds"] > 0


def test_every_request_is_answered_once_and_features_are_never_from_the_future(replayed, small_data):
    home, found, _ = replayed
    rows = predictions(home)
    assert rows["prediction_id"].n_unique() == rows.height == sum(month["n"] for month in found["months"])
    flights = pl.read_parquet(small_data / "flights.parquet")
    asked = flights.select(
        T=pl.col("time_hour").str.to_datetime("%+", time_zone="UTC")
        + pl.duration(minutes=pl.col("minute") - 60)
    )
    local = pl.col("T").dt.convert_time_zone("America/New_York").dt.strftime("%Y-%m-%d")
    stop = pl.datetime(2013, 6, 20, time_zone="UTC")
    assert rows.height == asked.filter((local >= "2013-04-01") & (pl.col("T") < stop)).height


def test_models_learn_only_from_labels_known_before_they_serve(replayed):
    home, _, _ = replayed
    with Home.at(home, create=False).metadata().read() as view:
        for version in view.models.list_versions():
            assert int(version.tags["trained_until"]) <= version.created


def test_the_same_replay_again_gives_equal_digests(replayed, replay_command, tmp_path):
    _, found, _ = replayed
    code, output = replay_command.run(tmp_path / "again")
    assert code == 0, output
    assert replay_command.found(tmp_path / "again")["digests"] == found["digests"]


def test_a_whole_replay_run_again_reports_the_same_and_changes_nothing(replayed, replay_command):
    home, found, _ = replayed
    with Home.at(home, create=False).metadata().read() as view:
        end = view.journal.end()
    code, output = replay_command.run(home)
    assert code == 0, output
    assert replay_command.found(home)["months"] == found["months"]
    assert replay_command.found(home)["digests"] == found["digests"]
    with Home.at(home, create=False).metadata().read() as view:
        assert view.journal.end() == end


@pytest.mark.parametrize(
    "failpoints",
    [
        "step.before_finish:kill@2",
        "turn.before_verdict:kill",
        "turn.before_verdict:kill@2",
        "turn.after_verdict:kill@2",
        "replay.after_log:kill@5",
        "controller.after_decision:kill@9",
        "replay.before_checkpoint:kill@17",
        "replay.before_online:kill@3",
    ],
)
@pytest.mark.faults
def test_killed_at_a_named_point_and_started_again_it_ends_the_same(
    replayed, replay_command, tmp_path, failpoints
):
    home = tmp_path / "home"
    code, output = replay_command.run(home, failpoints=failpoints)
    assert code == -signal.SIGKILL, output
    code, output = replay_command.run(home)
    assert code == 0, output
    assert_same_outcome(replayed, replay_command, home)


def test_killed_at_random_moments_and_started_again_it_ends_the_same(replayed, replay_command, tmp_path):
    home = tmp_path / "home"
    chooser = random.Random(9)
    killed = 0
    for _ in range(3):
        process = replay_command.start(home)
        deadline = time.monotonic() + chooser.uniform(3.0, 9.0)
        while process.poll() is None and time.monotonic() < deadline:
            try:
                process.wait(timeout=0.05)
            except Exception:  # noqa: BLE001  # TimeoutExpired: not yet
                continue
        if process.poll() is None:
            process.kill()
            killed += 1
        process.communicate()
    assert killed > 0
    code, output = replay_command.run(home)
    assert code == 0, output
    assert_same_outcome(replayed, replay_command, home)


def assert_same_outcome(replayed, replay_command, home):
    reference_home, found, _ = replayed
    again = replay_command.found(home)
    assert again["digests"] == found["digests"]
    assert [v["verdict"] for v in again["verdicts"]] == [v["verdict"] for v in found["verdicts"]]
    assert [a["message"] for a in again["alerts"]] == [a["message"] for a in found["alerts"]]
    assert len(again["trainings"]) == len(found["trainings"])
    assert predictions(home).height == predictions(reference_home).height
    with Home.at(home, create=False).metadata().read() as view:
        fired = view.journal.read(kinds=["trigger.fired"], limit=1_000)
    assert len({event.key for event in fired}) == len(fired)


def test_a_home_of_another_replay_is_refused_and_left_alone(replayed, replay_command, small_data, tmp_path):
    home, _, _ = replayed
    before = predictions(home).height
    other = tmp_path / "other"
    other.mkdir()
    for file in small_data.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    pl.read_parquet(other / "flights.parquet").head(9_000).write_parquet(other / "flights.parquet")
    command = type(replay_command)(replay_command.project, other)
    code, output = command.run(home)
    assert code == 1
    assert "the home holds a replay of other data" in output
    assert predictions(home).height == before
