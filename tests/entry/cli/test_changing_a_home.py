"""Commands that change a home: run, promote, rollback; and the doctor, who finds what was damaged."""

import json
import shlex
import shutil
import sys

import pytest

from tests.entry.cli.conftest import treadle


def champions(shop):
    return shop.treadle("models", "show", "returns", "--json").json["alias_history"]


def test_explaining_a_run_says_what_would_be_done_and_makes_no_home(shop, tmp_path):
    words = ["run", "train_returns", "--project", shop.project, "--home", tmp_path / "home", "--explain"]
    said = treadle(*words, "-p", "holdout=30d", "--reason", "the data changed")
    assert said.out == (
        "run the pipeline train_returns(until=just after the newest known label, holdout=30d) because the data changed\n"
        "hold the new version against the gates of endpoint returns\n"
        "if all gates pass, let endpoint returns answer with the new version\n"
    )
    assert len(treadle(*words, "--no-gate", "--json").json["plan"]) == 1
    assert not (tmp_path / "home").exists()


def test_a_run_goes_on_the_rows_of_the_home_and_finds_done_steps(own_shop):
    before = champions(own_shop)
    said = own_shop.treadle("run", "train_returns", "--no-gate", "--json")
    record = said.json
    assert record["versions"] == ["returns/3"]
    assert record["verdict"] is None
    assert record["metrics"]["auc"] > 0.6
    assert champions(own_shop) == before
    steps = own_shop.treadle("runs", "show", record["run_id"], "--json").json["steps"]
    assert all(step["cached_from"] for step in steps)
    assert "fit done in" in said.err
    assert "found in the cache" in said.err


def test_wrong_words_are_refused_before_anything_is_opened(shop, tmp_path):
    home = tmp_path / "home"
    base = ["--project", shop.project, "--data", shop.data, "--home", home, "--json"]
    error = treadle("run", "train_return", *base).error
    assert error["fix"] == "did you mean 'train_returns'?"
    error = treadle("run", "train_returns", "-p", "holdot=1d", "--until", "soon", *base).error
    assert error["faults"] == [
        "there is no parameter 'holdot'; did you mean 'holdout'?",
        "until=soon: not a whole number or a time such as 2025-06-01",
    ]
    error = treadle("run", "train_returns", "--endpoint", "retuns", *base).error
    assert error["fix"] == "did you mean 'returns'?"
    assert not home.exists()


def test_a_run_without_data_or_home_says_which_comes_first(shop, tmp_path):
    said = treadle("run", "train_returns", "--project", shop.project, "--home", tmp_path / "home", "--json")
    assert "is not a treadle home" in said.error["what"]


def test_a_home_of_another_project_is_not_taken_over_without_a_word(own_shop, tmp_path):
    other = tmp_path / "other_shop_of_the_cli_tests"
    other.mkdir()
    (other / "__init__.py").write_text('import treadle as tr\nproject = tr.Project(name="other")\n')
    noted = (own_shop.home / "home.json").read_text()
    for words in (
        ["up", "--project", other, "--port", 0, "--from", "2025-07-15"],
        ["run", "train_returns", "--project", own_shop.project, "--home", own_shop.home],
    ):
        if words[0] == "run":  # the home becomes the other's, so that now the shop is the stranger
            (own_shop.home / "home.json").write_text(noted.replace("shop_of_the_cli_tests", "other"))
        before = (own_shop.home / "home.json").read_text()
        error = own_shop.treadle(*words, "--json").error
        assert error["code"] == "conflict"
        assert "'other'" in error["what"]
        assert "'shop_of_the_cli_tests'" in error["what"]
        assert (own_shop.home / "home.json").read_text() == before
    said = own_shop.treadle("run", "train_returns", "--project", own_shop.project, "--take-over", "--no-gate")
    assert said.code == 0, said.err


def test_a_request_that_nobody_would_hear_is_refused_and_one_that_is_heard_is_written(own_shop, monkeypatch):
    error = own_shop.treadle("request", "train_returns", "--reason", " ", "--json").error
    assert error["faults"] == [
        "the reason is empty: say why, for whoever reads the history",
        "no trigger of 'train_returns' listens to a person: write tr.on(… | tr.manual(), run=…)",
    ]
    assert error["command"] == f"treadle run train_returns --home {own_shop.home}"
    assert (
        own_shop.treadle("request", "train", "--reason", "x", "--json").error["fix"]
        == "did you mean 'train_returns'?"
    )
    monkeypatch.setattr("treadle.loop.requests.listens", lambda condition: True)
    done = own_shop.treadle("request", "train_returns", "--reason", "new prices", "--json").json
    assert (done["pipeline"], done["reason"]) == ("train_returns", "new prices")
    from treadle.bootstrap import Home
    from treadle.loop.requests import pending_request

    metadata = Home.at(own_shop.home, create=False).metadata()
    with metadata.read() as view:
        assert str(pending_request(view, "train_returns")).endswith("(new prices)")
    metadata.close()


def test_bad_data_is_refused_with_every_fault_and_leaves_no_home(shop, tmp_path):
    data, home = tmp_path / "data", tmp_path / "home"
    shutil.copytree(shop.data, data)
    (data / "returns.parquet").unlink()
    (data / "products.parquet").write_text("not Parquet")
    words = ["run", "train_returns", "--project", shop.project, "--data", data, "--home", home, "--json"]
    error = treadle(*words).error
    assert error["code"] == "invalid_input"
    assert any("returns.parquet is missing" in fault for fault in error["faults"])
    assert any("products" in fault for fault in error["faults"])
    assert not home.exists()


def test_promoting_by_hand_moves_the_alias_and_keeps_the_reason(own_shop):
    words = ["models", "promote", "returns/1", "--reason", "the new one is too eager", "--json"]
    done = own_shop.treadle(*words).json
    assert done == {
        "model": "returns", "alias": "champion", "version": 1, "previous": 2, "changed": True,
        "undo": f"treadle rollback returns --to 2 --home {own_shop.home}",
    }  # fmt: skip
    move = champions(own_shop)[0]
    assert (move["version"], move["reason"]) == (1, "by hand: the new one is too eager")
    assert own_shop.treadle(*words).json["changed"] is False


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["returns", "--reason", "x"], "names no version"),
        (["returns/1", "--reason", " "], "the reason is empty"),
        (["returns/1", "--reason", "x", "--alias", "latest"], "reserved"),
    ],
)
def test_a_promotion_that_cannot_be_meant_is_refused(words, fault, own_shop):
    assert fault in own_shop.treadle("models", "promote", *words, "--json").error["faults"][0]


def test_the_previous_champion_is_one_command_away_and_so_is_the_way_back(own_shop):
    done = own_shop.treadle("rollback", "returns", "--yes", "--reason", "complaints", "--json").json
    assert (done["from"]["version"], done["to"]["version"]) == (2, 1)
    assert done["to"]["auc"] > 0.6
    assert done["to"]["last_served"] == done["from"]["serves_since"]
    assert champions(own_shop)[0]["reason"] == "rollback from version 2: complaints"
    back = own_shop.treadle(*done["undo"].split()[1:], "--yes", "--json").json
    assert back["to"]["version"] == 2


def test_without_a_previous_version_a_rollback_says_so(own_shop):
    own_shop.treadle("rollback", "returns", "--yes")
    error = own_shop.treadle("rollback", "returns", "--yes", "--json").error
    assert error["what"] == "returns@champion has named no version before 1"
    error = own_shop.treadle("rollback", "return", "--yes", "--json").error
    assert error["fix"] == "did you mean 'returns'?"


def test_a_program_is_not_asked_and_gets_one_json_document(own_shop):
    said = own_shop.treadle("rollback", "returns", "--json")
    assert said.code == 2
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert (
        json.loads(line)["error"]["fix"] == "add --yes to let returns@champion go from version 2 to version 1"
    )


def test_without_a_terminal_a_rollback_shows_the_plan_and_changes_nothing(own_shop):
    before = champions(own_shop)
    said = own_shop.treadle("rollback", "returns")
    assert said.code == 2
    assert "add --yes" in said.err
    assert "serves_since" in said.err
    assert champions(own_shop) == before


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1)])
def test_on_a_terminal_a_rollback_asks(answer, code, own_shop, monkeypatch):
    asked = []

    def confirm(question, *, err):
        asked.append(question)
        return answer == "y\n"

    monkeypatch.setattr("typer.confirm", confirm)
    monkeypatch.setattr("treadle.entry.cli.rollback.at_a_terminal", lambda: True)
    before = champions(own_shop)
    assert own_shop.treadle("rollback", "returns").code == code
    assert asked == ["let returns@champion go from version 2 to version 1?"]
    assert (champions(own_shop) == before) is (code == 1)


def test_a_version_without_its_package_cannot_be_made_to_serve(own_shop):
    blob(own_shop, "returns/1").unlink()
    before = champions(own_shop)
    for words in (["rollback", "returns", "--yes"], ["models", "promote", "returns/1", "--reason", "x"]):
        assert "so it could not serve" in own_shop.treadle(*words, "--json").error["what"]
    assert champions(own_shop) == before


def blob(shop, reference):
    digest = shop.treadle("models", "show", reference, "--json").json["package"]
    return shop.home / "blobs" / digest[:2] / digest[2:]


def examined(shop):
    """The doctor's exit code, and the state of each check."""
    said = shop.treadle("doctor", "--json")
    found = json.loads(said.out)
    assert found["ok"] is (said.code == 0)
    return said.code, {row["check"]: row for row in found["checks"]}


def test_a_sound_home_passes_every_check(shop):
    code, checks = examined(shop)
    assert code == 0
    assert {row["state"] for row in checks.values()} == {"ok"}, checks
    assert checks["packages"]["found"] == "4 blobs of 2 versions are as recorded"
    assert "version 2 loads" in checks["returns@champion"]["found"]


def test_the_table_for_people_ends_with_a_count(shop):
    said = shop.treadle("doctor")
    assert said.out.splitlines()[0].split() == ["state", "check", "found", "fix"]
    assert "0 failed" in said.err


def test_a_damaged_package_fails_and_the_way_out_is_named(own_shop):
    path = blob(own_shop, "returns/2")
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])
    code, checks = examined(own_shop)
    assert code == 1
    assert "returns/2" in checks["packages"]["found"]
    assert checks["returns@champion"]["state"] == "fail"
    assert checks["returns@champion"]["fix"] == f"treadle rollback returns --home {own_shop.home}"
    assert treadle(*shlex.split(checks["returns@champion"]["fix"])[1:], "--yes").code == 0
    assert examined(own_shop)[1]["returns@champion"]["state"] == "ok"


@pytest.mark.parametrize("first", [False, True])
def test_a_damaged_champion_with_nothing_to_go_back_to_is_made_again_by_the_command_that_is_named(
    first, own_shop
):
    damaged = ["returns/2"]
    if first:
        own_shop.treadle("rollback", "returns", "--yes")
        damaged = ["returns/1"]
    else:
        damaged.append("returns/1")
    for reference in damaged:
        path = blob(own_shop, reference)
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-1])
    fix = examined(own_shop)[1]["returns@champion"]["fix"]
    assert fix.startswith("treadle run train_returns -p ")
    said = treadle(*shlex.split(fix)[1:])
    assert said.code == 0, said.err
    assert examined(own_shop)[1]["returns@champion"]["state"] == "ok"


def test_a_damaged_metadata_store_fails(own_shop):
    own_shop.treadle("runs")  # the last one to close brings the write-ahead log into the database
    database = own_shop.home / "metadata.db"
    content = bytearray(database.read_bytes())
    content[4096 * 3 : 4096 * 6] = b"\xff" * 4096 * 3
    database.write_bytes(content)
    code, checks = examined(own_shop)
    assert code == 1
    assert checks["metadata"]["state"] == "fail"


def test_an_online_store_that_lags_behind_the_tables_is_worth_a_look(own_shop):
    from treadle.bootstrap import Home
    from treadle.loop.feed import write_cursor
    from treadle.records.instants import instant

    online = Home.at(own_shop.home, create=False).online()
    with online.begin() as batch:
        write_cursor(batch, instant("2025-06-01"))
    online.close()
    code, checks = examined(own_shop)
    assert code == 0
    assert checks["online"]["state"] == "warn"
    assert "2025-06-01T00:00:00Z" in checks["online"]["found"]


def test_rows_in_the_future_of_a_replays_home_are_not_missing_online(own_shop):
    from treadle.bootstrap import Home
    from treadle.loop.feed import write_cursor
    from treadle.records.instants import instant

    home = Home.at(own_shop.home, create=False)
    online = home.online()
    with online.begin() as batch:
        write_cursor(batch, instant("2025-06-01"))
    online.close()
    home.note(clock_end=instant("2025-06-01"))
    assert examined(own_shop)[1]["online"]["state"] == "ok"


def test_a_log_that_is_not_the_one_of_the_tables_fails(own_shop):
    import polars as pl

    from treadle.adapters.log import FileLog
    from treadle.bootstrap import Home
    from treadle.records.predictions import Prediction, encode_prediction

    log = FileLog(own_shop.home / "predictions")
    end = log.append(encode_prediction(Prediction("p", 0, "returns", "returns", 1, [], [], 0.5)))
    log.close()
    tables = Home.at(own_shop.home, create=False).tables()
    tables.append("predictions/returns", pl.DataFrame({"x": [1]}), writer=("prediction-log", end))
    assert examined(own_shop)[1]["prediction log"]["found"] == "1 readable records, all in the tables"
    tables.append("predictions/returns", pl.DataFrame({"x": [1]}), writer=("prediction-log", end + 1))
    code, checks = examined(own_shop)
    assert code == 1
    assert "the log ends at" in checks["prediction log"]["found"]
    assert checks["prediction log"]["fix"].endswith(f"treadle doctor --home {own_shop.home} --mend")


def test_a_home_that_others_can_look_into_is_worth_a_look(own_shop):
    own_shop.home.chmod(0o755)
    code, checks = examined(own_shop)
    assert code == 0
    assert checks["modes"]["fix"] == f"chmod go-rwx {own_shop.home}"


def test_a_missing_extra_is_worth_a_look_with_its_install_line(shop, monkeypatch):
    monkeypatch.setattr("treadle.entry.cli._checks.EXTRAS", {"serve": ("no_such_module",)})
    _, checks = examined(shop)
    assert checks["extra serve"]["state"] == "warn"
    assert checks["extra serve"]["fix"] == "pip install 'treadle[serve]'"


def test_the_doctor_fails_on_a_wrong_home_but_not_on_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TREADLE_HOME", raising=False)
    said = treadle("doctor", "--home", tmp_path / "nowhere", "--json")
    assert said.code == 1
    assert json.loads(said.out)["checks"][-1]["found"].endswith("is not a treadle home")
    assert treadle("doctor", "--json").json["checks"][-1]["found"] == "no home here yet"
    assert list(tmp_path.iterdir()) == []


def test_an_old_interpreter_would_be_named(monkeypatch):
    from treadle.entry.cli import _checks

    monkeypatch.setattr(_checks, "OLDEST_PYTHON", (sys.version_info.major, sys.version_info.minor + 1))
    assert next(_checks.installation_findings()).state == "fail"
