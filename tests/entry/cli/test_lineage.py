"""`treadle lineage`: shown, written, and sent only where somebody has said so."""

import json

from tests.entry.cli.conftest import treadle
from tests.loop.units.openlineage_schemas import event_faults
from tests.loop.units.test_lineage import receiver


def test_what_was_made_of_what_is_shown_once(own_shop):
    rows = own_shop.treadle("lineage", "--json").json
    jobs = [row["job"] for row in rows]
    trained = [row for row in rows if row["job"] == "pipeline.train_returns"]
    assert [row["outputs"] for row in trained] == ["models.returns/1", "models.returns/2"]
    assert len([job for job in jobs if job.startswith("features.")]) == len(
        {j for j in jobs if j.startswith("features.")}
    )
    assert own_shop.treadle("lineage", "--json").json == rows
    assert {
        row["job"].split(".")[0] for row in own_shop.treadle("lineage", "--job", "pipeline", "--json").json
    } == {"pipeline"}


def test_events_are_written_a_line_each_and_keep_their_schemas(own_shop, tmp_path):
    out = tmp_path / "lineage.ndjson"
    own_shop.treadle("lineage", "--out", out)
    events = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(events) > 6
    assert [fault for event in events for fault in event_faults(event)] == []


def test_sending_needs_an_address_and_then_sends_each_once(own_shop, monkeypatch):
    error = own_shop.treadle("lineage", "--send", "--json").error
    assert "TREADLE_OPENLINEAGE_URL" in error["fix"]
    with receiver(lambda number, event: 201) as (url, got):
        monkeypatch.setenv("TREADLE_OPENLINEAGE_URL", url)
        monkeypatch.setenv("TREADLE_OPENLINEAGE_KEY", "word")
        for _ in range(2):
            own_shop.treadle("lineage", "--send")
        assert len({(body["run"]["runId"], body["eventType"]) for _, _, body, _ in got}) == len(got) > 6
        assert {key for _, key, _, _ in got} == {"Bearer word"}


def test_a_home_that_is_none_is_said_to_be_none(tmp_path):
    assert treadle("lineage", "--home", tmp_path, "--json").error["what"].endswith("is not a treadle home")
