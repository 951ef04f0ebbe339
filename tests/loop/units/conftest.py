"""A world a test, and one that has a champion, copied for each test that starts from there."""

from __future__ import annotations

import shutil

import pytest

from tests.loop.units.shops import START, make_store, make_world, turn
from treadle.records.instants import DAY

FIRST = START + 20 * DAY


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A home with stored rows and a champion."""
    folder = tmp_path_factory.mktemp("template")
    world = make_world(folder, at=FIRST)
    store = make_store(world)
    turn(world, store, FIRST, key="first")
    world.predictions.close()
    return folder, store


@pytest.fixture
def store(template):
    return template[1]


@pytest.fixture
def world(template, tmp_path):
    """A world with a champion since day 20."""
    folder = tmp_path / "home"
    shutil.copytree(template[0], folder)
    world = make_world(folder, at=FIRST)
    yield world
    world.predictions.close()
