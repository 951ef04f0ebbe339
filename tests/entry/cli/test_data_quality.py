"""`treadle data quality`: what it shows of watched sources and of those that nobody watches."""

import pytest

from tests.entry.cli.conftest import treadle

PROJECT = """
import treadle as tr

visits = tr.Source.parquet("visits", path="visits.parquet", columns={"shop": "string", "wait": "float", "at": "time"},
                           event_time="at", backdated=True)
project = tr.Project(name="NAME", sources=[visits], source_monitors=[tr.SourceMonitor("visits", source="visits")])
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A home with three days of visits; the third has none after noon, and the second lacks a value."""
    import polars as pl

    folder = tmp_path_factory.mktemp("quality")
    name = "quality_of_the_cli_tests"
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(PROJECT.replace("NAME", name))
    (folder / "data").mkdir()
    hours = [hour for hour in range(72) if hour < 60]
    rows = {
        "shop": ["a"] * len(hours),
        "wait": [None if hour == 30 else float(hour) for hour in hours],
        "at": [f"2025-03-{1 + hour // 24:02}T{hour % 24:02}:00:00Z" for hour in hours],
    }
    frame = pl.DataFrame(rows).with_columns(pl.col("at").str.to_datetime(time_unit="us", time_zone="UTC"))
    frame.write_parquet(folder / "data" / "visits.parquet")
    words = ("--data", folder / "data", "--project", folder / name, "--home", folder / "home")
    assert treadle("data", "load", *words).code == 0
    return folder, ("--project", folder / name, "--home", folder / "home")


def quality(place, *words):
    return treadle("data", "quality", *words, *place[1])


def test_every_number_of_every_window_is_told(place):
    [found] = quality(place, "visits", "--json").json
    by_day = {
        window["start"][:10]: {(one["column"], one["metric"]): one["value"] for one in window["metrics"]}
        for window in found["windows"]
    }
    assert [day[(None, "rows")] for day in by_day.values()][:3] == [24, 24, 12]
    assert by_day["2025-03-02"][("wait", "null_share")] == pytest.approx(1 / 24)
    assert by_day["2025-03-03"][(None, "freshness_seconds")] == 13 * 3_600
    assert found["monitor"] is None  # nothing has run yet that could have measured it


def test_windows_end_with_the_last_rows_where_nobody_expects_more(place):
    [found] = quality(place, "visits", "--json").json
    assert [window["start"][:10] for window in found["windows"]] == ["2025-03-01", "2025-03-02", "2025-03-03"]


def test_people_get_a_line_a_source_and_a_line_a_number(place):
    assert quality(place).out.splitlines()[1].startswith("visits")
    page = quality(place, "visits").out
    assert "not watched: measured now, from its rows" in page
    assert any(line.startswith("null_share") and "wait" in line for line in page.splitlines())


def test_since_leaves_out_what_was_before(place):
    [found] = quality(place, "visits", "--since", "2025-03-03", "--json").json
    assert found["windows"][0]["start"] == "2025-03-03T00:00:00Z"


def test_a_source_that_is_not_there_is_told_with_those_that_are(place):
    said = quality(place, "visit")
    assert said.code != 0
    assert "visits" in said.err
