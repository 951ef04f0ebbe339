"""The flights data, read once; the project under test."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.flights.data import read_table, write_tables
from treadle.bootstrap import load_project
from treadle.stages.data.reading import read_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def flights_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flights-data")
    write_tables(folder)
    return folder


@pytest.fixture(scope="session")
def flights_project():
    return load_project(ROOT / "examples" / "flights").project


@pytest.fixture(scope="session")
def flights_rows(flights_folder, flights_project):
    return read_folder(flights_project.sources, flights_folder)


@pytest.fixture(scope="session")
def raw_tables():
    return {name: read_table(name).to_dicts() for name in ("flights", "weather", "planes", "airports")}
