"""`treadle apply`: a changed definition is shown, refused, accepted; `run` refuses what nobody accepted."""

import shutil

from tests.entry.cli.conftest import treadle

NAME = "shop_that_changes"


def test_a_redefinition_is_shown_refused_by_run_and_recorded_once_accepted(own_shop, tmp_path):
    folder = tmp_path / NAME
    shutil.copytree(own_shop.project, folder)
    features = folder / "features.py"
    whole = features.read_text()
    features.write_text(whole.replace('over="30d", name="rate_30d"', 'over="31d", name="rate_30d"'))
    assert features.read_text() != whole
    given = ["--project", folder, "--home", own_shop.home]

    shown = treadle("apply", "--explain", *given, "--json").json
    (changed,) = [row for row in shown["changes"] if row["change"] == "changed" and row["needs"]]
    assert changed["needs"] == f"--accept {changed['definition']}"
    assert shown["recorded"] is False
    assert changed["details"] == ["features.rate_30d.over: 30d → 31d"]
    assert any(user.startswith("endpoint/") for user in changed["used_by"])
    assert any(user.startswith("version/returns/") for user in changed["used_by"])

    for command in (["run", "train_returns"], ["apply"]):
        refused = treadle(*command, *given, "--json").error
        assert refused["code"] == "conflict"
        assert "30d → 31d" in " ".join(refused["faults"])
    wrong = treadle("apply", "--accept", "rates", *given, "--json").error
    assert wrong["code"] == "invalid_input"

    assert treadle("apply", "--accept", changed["definition"], *given, "--json").json["recorded"] is True
    assert treadle("apply", "--explain", *given, "--json").json["changes"] == []
    said = treadle("apply", *given)
    assert (said.code, said.out) == (0, "")
    assert "nothing has changed" in said.err


def test_a_home_of_another_project_is_not_taken_by_applying(own_shop):
    said = treadle("apply", "--project", "examples/flights", "--home", own_shop.home, "--json")
    assert said.error["code"] == "conflict"
