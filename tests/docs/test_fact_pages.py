"""The reference pages written by hand name everything they are about, and nothing that is not there."""

import re

from tests.docs.pages import ROOT
from treadle.entry.api.failures import SHOWN_NAMES, STATUSES
from treadle.loop.replay_summary import month_json, report_json
from treadle.records.estimates import Window
from treadle.records.replays import MonthRow, PolicyCost, ReplayReport

REFERENCE = ROOT / "docs" / "reference"
CODE = ROOT / "src" / "treadle"


def first_cells(text: str) -> set[str]:
    """The words in backticks in the first column of a page's tables."""
    rows = [
        line.split("|")[1]
        for line in text.splitlines()
        if line.startswith("| ") and "`" in line.split("|")[1]
    ]
    return {name for cell in rows for name in re.findall(r"`([^`]+)`", cell)}


def test_every_failpoint_is_named():
    found = [
        re.findall(r"^\s+failpoint\(\"([a-z_.]+)\"\)", path.read_text(), re.MULTILINE)
        for path in CODE.rglob("*.py")
    ]
    table = (REFERENCE / "failpoints.md").read_text().partition("| point |")[2]
    assert first_cells(table) == {name for names in found for name in names}


def test_every_field_of_the_replays_json_is_explained():
    row = MonthRow(
        month="2013-04", window=Window(0, 1), n=0, labelled=0, late_rate=None,
        auc={}, calibration={}, score_psi=None, versions=(),
    )  # fmt: skip
    report = ReplayReport(
        project="p", endpoint="e", timezone="UTC", months=(row,), trainings=(), verdicts=(), alerts=(), costs=(),
        digests={}, seconds=0.0, fit_seconds=0.0, time_spent={}, scores=(), reliability={}, importance=(), champion=1,
        generated_at=0,
    )  # fmt: skip
    page = (REFERENCE / "replay-json.md").read_text()
    top, months, *_ = page.split("\n## ")
    assert first_cells(top) == set(report_json(report))
    named = first_cells(months) | {"auc_loop_interval", "auc_last3_interval"}  # they stand there as "…"
    assert named == set(month_json(row))
    policies = page.split("\n## ")[-1]
    assert first_cells(policies) == set(PolicyCost.__struct_fields__)


def test_every_metric_and_status_code_is_named():
    text = "".join(
        (CODE / "entry" / "api" / name).read_text()
        for name in ("metrics.py", "status.py", "skew.py", "source_quality.py")
    )
    page = (REFERENCE / "http.md").read_text()
    metrics = set(re.findall(r"\"(treadle_[a-z_]+)\"", text))
    assert set(re.findall(r"`(treadle_[a-z_]+)`", page)) == metrics
    codes = {status for _, status in STATUSES} | set(SHOWN_NAMES) | {200, 500}
    assert {int(code) for code in re.findall(r"^\| (\d{3}) \|", page, re.MULTILINE)} == codes


def test_every_route_is_named():
    code = (CODE / "entry" / "api" / "routes.py").read_text()
    page = (REFERENCE / "http.md").read_text()
    plain = re.findall(r"Route\(\"GET\", \"([^\"]+)\"", code)
    assert len(plain) >= 5
    assert [path for path in plain if f"`GET {path}`" not in page] == []
