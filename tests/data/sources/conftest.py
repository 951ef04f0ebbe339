"""A home of a test's own."""

import pytest

from tests.data.sources.source_homes import Stores


@pytest.fixture
def stores(tmp_path):
    for name in ("home", "data"):
        (tmp_path / name).mkdir()
    opened = Stores(tmp_path / "home", tmp_path / "data")
    yield opened
    opened.metadata.close()
