"""Predictions go to people and their answers come back as labels: once each, corrected, and refused whole when faulty."""

from __future__ import annotations

import csv
import json

import pytest

import treadle as tr
from tests.entry.api.conftest import TOKEN, Server
from tests.labelling.conftest import NOW, PROJECT
from treadle.loop.labelling import Labelling
from treadle.records.errors import InvalidInput, NotFound
from treadle.records.instants import DAY


def read_csv(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(keepends=True)))


def fill(path, answers, annotator=""):
    """Write a CSV of answers: prediction id → answer."""
    lines = [
        "prediction_id,answer,annotator",
        *(f"{one},{said},{annotator}" for one, said in answers.items()),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def queued(place, tmp_path):
    said = place.treadle("queue", "late", "-n", 30, "--out", tmp_path / "tasks.csv", "--seed", 3)
    return said.json


def test_tasks_have_what_people_need_and_the_chance_of_each_is_kept(place, queued, tmp_path):
    rows = read_csv(tmp_path / "tasks.csv")
    assert queued["tasks"] == len(rows) == 30
    assert {row["answer"] for row in rows} == {""}
    assert rows[0]["guidelines"].startswith("was the parcel late?")
    notes = {row["note"] for row in rows}
    assert {"'=cmd()", "'-"} <= notes
    assert any("\n" in note for note in notes)
    assert "naïve 包裹" in notes
    with place.home.metadata().read() as view:
        [batch] = Labelling.of(view, "late").batches
    assert [(task.prediction_id, f"{task.probability!r}") for task in batch.tasks] == [
        (row["prediction_id"], row["probability"]) for row in rows
    ]
    assert sum(one.rows for one in batch.strata) == 200


def test_blind_tasks_do_not_say_what_the_model_said(place, tmp_path):
    place.ok("queue", "late", "-n", 3, "--blind", "--out", tmp_path / "t.jsonl")
    for line in (tmp_path / "t.jsonl").read_text().splitlines():
        assert not {"score", "stratum", "probability"} & json.loads(line).keys()


def test_nothing_is_queued_twice_before_it_expires_and_then_it_is(place, tmp_path):
    options = ("queue", "late", "--strategy", "random", "-n", 120, "--expires", "2d", "--out")
    names = []
    for name in ("a.jsonl", "b.jsonl"):
        place.ok(*options, tmp_path / name)
        names.append(
            {json.loads(line)["prediction_id"] for line in (tmp_path / name).read_text().splitlines()}
        )
    assert len(names[0]) == 120
    assert len(names[1]) == 80
    assert not names[0] & names[1]
    assert "no prediction" in place.treadle(*options, tmp_path / "c.jsonl").error["what"]
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob("c.*"))
    place.home.note(clock_end=NOW + 3 * DAY)
    assert place.ok(*options, tmp_path / "c.jsonl")["tasks"] == 120
    assert place.ok("status", "late")["expired"] == 80


def test_answers_become_labels_once_and_another_answer_corrects(place, queued, tmp_path):
    first = fill(tmp_path / "first.csv", {"p001": "yes", "p002": "no", "p003": ""}, "ann")
    said = place.ok("import", first)
    assert (said["taken"], said["unchanged"], said["open"]) == (2, 0, 1)
    assert place.labels() == [
        {"prediction": "p001", "number": 1, "late": True, "who": "ann", "remark": None},
        {"prediction": "p002", "number": 2, "late": False, "who": "ann", "remark": None},
    ]
    again = place.ok("import", first)
    assert (again["taken"], again["unchanged"]) == (0, 2)
    # To and fro: each change of mind is an event of its own, the same words as an earlier one too.
    for answer in ("no", "yes"):
        said = place.ok("import", fill(tmp_path / "then.csv", {"p001": answer}, "ann"))
        assert (said["taken"], said["corrections"]) == (1, 1)
    assert [row["late"] for row in place.labels() if row["prediction"] == "p001"] == [True, False, True]


def test_a_crash_before_the_journal_knew_is_made_good_by_importing_again(place, tmp_path, monkeypatch):
    file = fill(tmp_path / "f.csv", {"p001": "yes"}, "ann")
    with monkeypatch.context() as patched:
        patched.setattr("treadle.loop.label_answers.record_answers", lambda *_: 1 / 0)
        assert place.treadle("import", file).code != 0
    assert len(place.labels()) == 1
    place.ok("import", file)
    assert len(place.labels()) == 1
    assert place.ok("import", file)["unchanged"] == 1


def test_a_faulty_file_is_refused_whole_with_every_line(place, tmp_path):
    file = fill(tmp_path / "f.csv", {"p001": "yes", "q": "no", "p003": "perhaps"})
    error = place.treadle("import", file).error
    assert error["faults"] == ["line 4: the answer 'perhaps' is none of true, false, yes, no, 1, 0"]
    file = fill(tmp_path / "f.csv", {"p001": "yes", "q": "no", "r": "no"})
    assert [fault.split(":")[0] for fault in place.treadle("import", file).error["faults"]] == [
        "line 3",
        "line 4",
    ]
    assert place.labels() == []
    assert place.ok("status", "late")["answered"] == 0


def test_the_status_tells_coverage_delay_agreement_and_weighed_quality(place, queued, tmp_path):
    rows = read_csv(tmp_path / "tasks.csv")
    answers = {row["prediction_id"]: "yes" if float(row["score"]) >= 0.5 else "no" for row in rows}
    place.ok("import", fill(tmp_path / "ann.csv", answers, "ann"))
    some = dict(list(answers.items())[:4])
    some[next(iter(some))] = "yes" if some[next(iter(some))] == "no" else "no"
    place.ok("import", fill(tmp_path / "bob.csv", some, "bob"))
    stands = place.ok("status", "late")
    assert (stands["open"], stands["answered"]) == (0, 30)
    assert (stands["agreement"], stands["agreement_pairs"]) == (0.75, 4)
    assert sum(one["labelled"] for one in stands["coverage"]) == 30
    assert sum(one["predictions"] for one in stands["coverage"]) == 200
    assert (
        0 < stands["delay_seconds"]["p50"] <= stands["delay_seconds"]["p90"] <= stands["delay_seconds"]["p99"]
    )
    [batch] = stands["batches"]
    assert batch["labelled"] == 30
    assert 0.9 < batch["accuracy"] < 1.0  # one answer, the last one given, is against the model
    shown = place.treadle("status", "late", json=False)
    assert "agreement" in shown.out
    assert "newest batches of tasks" in shown.out


def test_a_named_slice_is_drawn_from_alone(place, tmp_path):
    out = tmp_path / "t.csv"
    place.ok("queue", "late", "--strategy", "drifted", "--slice", "depot=south", "-n", 10, "--out", out)
    assert {row["depot"] for row in read_csv(out)} == {"south"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--strategy", "hardest"], "hardest"),
        (["--strategy", "drifted"], "moved clearly"),
        (["--slice", "depot"], "COLUMN=VALUE"),
        (["--slice", "depots=x"], "depots"),
        (["-n", "0"], "cannot be chosen"),
        (["--out", "tasks.xlsx"], "ends neither"),
    ],
)
def test_what_cannot_be_chosen_is_said(place, tmp_path, options, said):
    words = ["queue", "late", "--out", tmp_path / "t.csv", *options]
    assert said in place.treadle(*words).error["what"]
    assert not list(tmp_path.glob("*.csv"))


def test_a_file_that_is_there_is_not_overwritten(place, queued, tmp_path):
    before = (tmp_path / "tasks.csv").read_bytes()
    assert "is there already" in place.treadle("queue", "late", "--out", tmp_path / "tasks.csv").error["what"]
    assert (tmp_path / "tasks.csv").read_bytes() == before


def test_beside_a_running_server_answers_are_pushed_to_it(place, tmp_path, monkeypatch):
    server = Server(place.home.folder, "--project", str(PROJECT))
    try:
        monkeypatch.setenv("TREADLE_TOKEN", TOKEN)
        place.ok("queue", "late", "-n", 5, "--out", tmp_path / "tasks.jsonl")
        tasks = [json.loads(line) for line in (tmp_path / "tasks.jsonl").read_text().splitlines()]
        (tmp_path / "tasks.jsonl").write_text(
            "".join(json.dumps(one | {"answer": True}) + "\n" for one in tasks)
        )
        words = ("import", tmp_path / "tasks.jsonl", "--url", server.url)
        assert place.ok(*words)["taken"] == 5
        assert place.ok(*words)["unchanged"] == 5
        with tr.connect(server.url) as client:
            for value in (True, None, True):
                assert client.label("late", {"p199": value}, annotator="eve").taken == 1
            with pytest.raises(InvalidInput, match="neither true, false nor null"):
                client.label("late", {"p199": True, "p001": "perhaps"})
            with pytest.raises(NotFound):
                client.label("lately", {"p199": True})
    finally:
        server.stop()
    assert len(place.labels()) == 8
    assert [row["late"] for row in place.labels() if row["who"] == "eve"] == [True, None, True]
    assert {row["prediction"] for row in place.labels()} - {"p199"} == {one["prediction_id"] for one in tasks}
    assert place.ok("status", "late")["answered"] == 5
