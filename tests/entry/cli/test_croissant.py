"""`treadle data croissant`: a version of data for other tools, taken by the real one."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest


def exported(shop, folder, *words):
    shop.treadle("data", "croissant", "orders", "--out", folder, *words)
    return json.loads((folder / "croissant.json").read_text())


def test_the_file_is_the_version_and_its_digest_is_true(shop, tmp_path):
    found = exported(shop, tmp_path / "out", "--license", "CC0-1.0")
    (file,) = found["distribution"]
    path = tmp_path / "out" / file["contentUrl"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
    rows = pl.read_parquet(path)
    assert rows.columns == [one["name"] for one in found["recordSet"][0]["field"]]
    assert rows.height > 0
    assert not [name for name in rows.columns if name.startswith("__")]
    assert found["license"] == "CC0-1.0"


def test_an_unknown_name_is_told_with_its_neighbour(shop, tmp_path):
    error = shop.treadle("data", "croissant", "order", "--out", tmp_path, "--json").error
    assert "orders" in str(error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.clients
def test_the_real_tool_takes_it_and_reads_the_rows(shop, tmp_path):
    exported(shop, tmp_path)
    tool = [Path(sys.executable).with_name("mlcroissant")]
    place = ["--jsonld", tmp_path / "croissant.json"]
    checked = subprocess.run([*tool, "validate", *place], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr
    words = [*tool, "load", *place, "--record_set", "rows", "--num_records", "3"]
    read = subprocess.run(words, capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr
    assert "rows/price" in read.stdout
