"""A world that takes in events, with a little history of orders."""

from __future__ import annotations

import pytest

from tests.intake.places import NOW, Taking, opened, order, write_orders
from treadle.loop.stored import ingest


@pytest.fixture
def home(tmp_path):
    """A folder with three loaded orders."""
    write_orders(tmp_path / "data", [order(n) for n in (1, 2, 3)])
    with opened(tmp_path / "home") as world:
        ingest(world, tmp_path / "data", NOW)
    return tmp_path


@pytest.fixture
def world(home):
    with opened(home / "home") as world:
        yield world


@pytest.fixture
def taking(world):
    return Taking.of(world)
