"""A home made with `TREADLE_STORAGE_URL` keeps its tables and blobs there, and keeps to it."""

import polars as pl
import pytest

from tests.adapters.s3 import bucket, s3_server  # noqa: F401 - fixtures
from treadle.bootstrap import Home
from treadle.records.errors import InvalidInput


@pytest.fixture
def url(request, monkeypatch):
    found = f"{request.getfixturevalue('bucket')}/homes"
    monkeypatch.setenv("TREADLE_STORAGE_URL", found)
    return found


def test_tables_and_blobs_are_at_the_url_and_stay_there_when_the_variable_is_gone(url, tmp_path, monkeypatch):
    home = Home.at(tmp_path / "home", create=True)
    home.tables().append("a", pl.DataFrame({"n": [1]}))
    digest = home.blobs().put(b"model")
    monkeypatch.delenv("TREADLE_STORAGE_URL")
    again = Home.at(tmp_path / "home", create=False)
    assert again.storage().startswith(f"{url}/")
    assert again.tables().read("a").collect()["n"].to_list() == [1]
    assert again.blobs().get(digest) == b"model"
    assert not (tmp_path / "home" / "tables").exists()
    assert not (tmp_path / "home" / "blobs").exists()


@pytest.mark.usefixtures("url")
def test_two_homes_share_nothing_and_an_emptied_one_begins_anew(tmp_path):
    one, two = (Home.at(tmp_path / name, create=True) for name in ("one", "two"))
    one.tables().append("a", pl.DataFrame({"n": [1]}))
    assert two.tables().names() == []
    one.empty()
    assert one.tables().names() == []


@pytest.mark.parametrize("text", ["/folder", "http://host/x", "s3://user:hidden@bucket/x"])
def test_what_is_no_place_for_a_home_is_refused_and_leaves_none_behind(text, tmp_path, monkeypatch):
    monkeypatch.setenv("TREADLE_STORAGE_URL", text)
    with pytest.raises(InvalidInput, match="TREADLE_STORAGE_URL") as caught:
        Home.at(tmp_path / "home", create=True)
    assert "hidden" not in str(caught.value)
    assert not (tmp_path / "home" / "home.json").exists()
