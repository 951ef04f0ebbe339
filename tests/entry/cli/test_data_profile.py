"""`treadle data profile` and `tr.profile`: files, tables and frames in; a table, JSON and a page out."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import treadle as tr
from treadle.bootstrap import Home
from treadle.entry.cli import main
from treadle.stages.validation.profile.builder import BLOCK, parquet_batches, profile_frame


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


def treadle(*words: object) -> Said:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(word) for word in words])
    return Said(code, out.getvalue(), err.getvalue())


def orders(n: int = 500, shift: float = 0.0) -> pl.DataFrame:
    r = np.random.default_rng(2)
    paid = r.random(n) < 0.5
    return pl.DataFrame(
        {
            "price": pl.Series(r.normal(10 + shift, 2, n)).set(pl.Series(r.random(n) < 0.1), None),
            "city": r.choice(["Rome", "Oslo"], n),
            "refund": np.where(paid, 1.5, 0.0),
            "paid": paid.astype(int),
        }
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    orders().write_parquet(tmp_path / "orders.parquet")
    return tmp_path / "orders.parquet"


def test_a_file_is_shown_column_by_column_with_what_stands_out(file: Path) -> None:
    said = treadle("data", "profile", file, "--label", "paid")
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0].split() == [
        "column",
        "kind",
        "missing",
        "distinct",
        "low",
        "median",
        "high",
        "most_frequent",
    ]
    assert [line.split()[0] for line in lines[1:5]] == ["price", "city", "refund", "paid"]
    assert "refund" in said.out.partition("what stands out")[2]
    assert "a leak?" in said.out
    assert "500 rows" in said.err


def test_json_and_a_page_are_written(file: Path, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "orders.html"
    said = treadle("data", "profile", file, "--json", "--out", page)
    found: dict[str, Any] = json.loads(said.out)
    assert (found["name"], found["rows"]) == ("orders", 500)
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("suffix", ["csv", "json", "ndjson"])
def test_other_files_give_the_same_profile(file: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"orders.{suffix}"
    getattr(orders(), f"write_{suffix}")(path)
    one, two = (json.loads(treadle("data", "profile", f, "--json").out) for f in (file, path))
    assert one["columns"] == two["columns"]


def test_what_has_moved_since_another_file_is_told_first_where_most(file: Path, tmp_path: Path) -> None:
    orders(shift=3.0).write_parquet(tmp_path / "new.parquet")
    said = treadle("data", "profile", tmp_path / "new.parquet", "--reference", file)
    moved = said.out.partition("what has moved")[2].splitlines()
    assert moved[2].split()[0] == "price"
    assert float(moved[2].split()[1]) > 0.4


def test_a_table_of_a_home_is_profiled_by_name(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home", create=True)
    home.tables().append("orders", orders())
    said = treadle("data", "profile", "orders", "--home", tmp_path / "home", "--json")
    assert json.loads(said.out)["rows"] == 500
    assert tr.profile("orders", home=tmp_path / "home").profile.rows == 500


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("nothing.parquet",), "there is no file nothing.parquet"),
        (("orderz", "--home", "HOME"), "no file, nor a table, named 'orderz'"),
        (("orders", "--home", "NO HOME"), "no home"),
        (("FILE", "--label", "payd"), "no column named 'payd'"),
        (("FILE", "--time", "when"), "no column named 'when'"),
        (("TEXT",), "is of a kind that cannot be read"),
        (("BROKEN",), "cannot be read"),
    ],
)
def test_what_is_not_there_or_cannot_be_read_is_refused(
    file: Path, tmp_path: Path, words: tuple[str, ...], what: str
) -> None:
    Home.at(tmp_path / "home", create=True).tables().append("orders", orders(5))
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no PAR1")
    places = {
        "FILE": file,
        "TEXT": tmp_path / "a.txt",
        "BROKEN": tmp_path / "broken.parquet",
        "HOME": tmp_path / "home",
        "NO HOME": tmp_path / "elsewhere",
    }
    said = treadle("data", "profile", *(places.get(word, word) for word in words))
    assert said.code != 0
    assert what in said.err
    assert "Traceback" not in said.err


def test_a_frame_of_any_kind_is_profiled_from_python() -> None:
    rows = orders()

    class Stream:
        """A frame of another library: all that is known of it is its Arrow stream."""

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return rows.__arrow_c_stream__(requested_schema)

    found = [tr.profile(data).profile.to_bytes() for data in (rows, rows.lazy(), Stream())]
    assert found == [profile_frame(rows, "frame").to_bytes()] * 3
    with pytest.raises(tr.InvalidInput, match="a list is no data"):
        tr.profile([1, 2])  # type: ignore[arg-type]  # what a person might try


def test_a_stored_profile_can_be_the_reference() -> None:
    before = tr.profile(orders()).profile
    comparison = tr.profile(orders(shift=3.0), reference=before).comparison
    assert comparison is not None
    assert (comparison["price"].ks or 0.0) > 0.4
    assert tr.profile(orders()).comparison is None


def test_a_file_in_blocks_is_the_file(tmp_path: Path) -> None:
    rows = pl.concat([orders(2 * BLOCK + 17)])
    rows.write_parquet(tmp_path / "big.parquet", row_group_size=10_000)
    parts = list(parquet_batches(tmp_path / "big.parquet"))
    assert [part.height for part in parts] == [BLOCK, BLOCK, 17]
    assert pl.concat(parts).equals(rows)
    rows.clear().write_parquet(tmp_path / "none.parquet")
    assert tr.profile(tmp_path / "none.parquet").profile.names() == tuple(rows.columns)


@pytest.mark.parametrize("text", [b"a,b\n1\n1,2,3\n", b"a\ncaf\xe9\n"])
@pytest.mark.parametrize("command", ["profile", "infer"])
def test_a_damaged_csv_is_refused_in_words(text, command, tmp_path):
    (tmp_path / "bad.csv").write_bytes(text)
    said = treadle("data", command, tmp_path / "bad.csv", "--json")
    assert said.code != 0
    assert "cannot be read" in json.loads(said.err)["error"]["what"]
