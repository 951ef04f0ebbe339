"""Files and Delta tables in object storage are read as those of a folder, by URL."""

import obstore
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from obstore.store import from_url

from tests.adapters.s3 import bucket, s3_server  # noqa: F401 - fixtures
from treadle.adapters.outside import OutsideWorld
from treadle.adapters.secrets import LocalSecrets
from treadle.define.sources import Source
from treadle.records.errors import InvalidInput, NotReady
from treadle.records.secrets import secret

COLUMNS = {"n": "int"}


@pytest.fixture
def outside(stores):
    stores.outside = OutsideWorld(LocalSecrets({}, None))
    return stores.outside


def put(url, path, data):
    obstore.put(from_url(url), path, data)


def numbers(stores):
    return stores.stored("x")["n"].to_list()


@pytest.mark.usefixtures("outside")
def test_new_objects_under_a_prefix_are_added_and_changed_ones_are_read_again(stores, request):
    url = request.getfixturevalue("bucket")
    source = Source.csv("x", path=f"{url}/in", columns=COLUMNS)
    put(url, "in/a.csv", b"n\n1\n")
    put(url, "in/_temporary/b.csv", b"n\n9\n")
    put(url, "inner/c.csv", b"n\n9\n")
    stores.bring(source)
    put(url, "in/deep/b.csv", b"n\n2\n")
    stores.bring(source)
    assert numbers(stores) == [1, 2]
    stores.bring(source)
    assert stores.versions("x") == 2
    put(url, "in/a.csv", b"n\n3\n")
    stores.bring(source)
    assert numbers(stores) == [2, 3]


@pytest.mark.usefixtures("outside")
def test_an_object_a_glob_and_a_data_place_in_a_bucket_are_read_in_every_format(stores, request, tmp_path):
    url = request.getfixturevalue("bucket")
    pl.DataFrame({"n": [1]}).write_parquet(tmp_path / "a.parquet")
    put(url, "in/a.parquet", (tmp_path / "a.parquet").read_bytes())
    put(url, "in/a.jsonl", b'{"n": 2}\n')
    put(url, "in/b.csv", b"n\n3\n")
    stores.data = f"{url}/in"
    for kind, path in {"parquet": "a.parquet", "json": "*.jsonl", "csv": f"{url}/**/?.csv"}.items():
        source = getattr(Source, kind)("x", path=path, columns=COLUMNS)
        stores.bring(source)
        assert numbers(stores) == [{"parquet": 1, "json": 2, "csv": 3}[kind]]


@pytest.mark.usefixtures("outside")
def test_what_is_not_there_and_what_cannot_be_reached_is_said(stores, request):
    url = request.getfixturevalue("bucket")
    with pytest.raises(InvalidInput, match="has no such files"):
        stores.bring(Source.csv("x", path=f"{url}/in", columns=COLUMNS))
    with pytest.raises(NotReady, match="cannot be reached"):
        stores.bring(Source.csv("x", path="s3://no-such-bucket/in", columns=COLUMNS))
    put(url, "a.csv", b"n\nx\n")
    with pytest.raises(InvalidInput) as caught:
        stores.bring(Source.csv("x", path=f"{url}/a.csv", columns=COLUMNS))
    assert caught.value.faults == (f"source 'x' ({url}/a.csv): line 2, column 'n': 'x' is no whole number",)


def test_the_options_of_a_storage_come_from_a_secret(stores, request, monkeypatch, s3_server):  # noqa: F811
    url = request.getfixturevalue("bucket")
    put(url, "a.csv", b"n\n1\n")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    options = f'{{"aws_endpoint": "{s3_server}", "aws_allow_http": "true"}}'
    stores.outside = OutsideWorld(LocalSecrets({"STORAGE": options}, None))
    stores.bring(Source.csv("x", path=f"{url}/a.csv", columns=COLUMNS, storage=secret("STORAGE")))
    assert numbers(stores) == [1]


@pytest.fixture(params=["folder", "bucket"])
def delta(request, stores):
    """Where a Delta table of another program is, and how a source names it."""
    if request.param == "folder":
        return str(stores.data / "table"), "table"
    place = f"{request.getfixturevalue('bucket')}/table"
    return place, place


@pytest.mark.usefixtures("outside")
def test_appended_rows_of_a_delta_table_are_added_and_a_compaction_brings_none(stores, delta):
    place, path = delta
    source = Source.delta("x", path=path, columns=COLUMNS)
    write_deltalake(place, pl.DataFrame({"n": [2, 1], "more": ["a", "b"]}))
    stores.bring(source)
    write_deltalake(place, pl.DataFrame({"n": [1], "more": ["c"]}), mode="append")
    stores.bring(source)
    assert numbers(stores) == [1, 2, 1]
    DeltaTable(place).optimize.compact()
    stores.bring(source)
    assert stores.versions("x") == 2
    write_deltalake(place, pl.DataFrame({"n": [5], "more": ["c"]}), mode="append")
    stores.bring(source)
    assert numbers(stores) == [1, 2, 1, 5]


@pytest.mark.usefixtures("outside")
def test_deleted_rows_and_another_table_in_the_place_of_a_delta_table_are_seen(stores, delta):
    place, path = delta
    source = Source.delta("x", path=path, columns=COLUMNS)
    write_deltalake(place, pl.DataFrame({"n": [1, 2, 3]}))
    stores.bring(source)
    DeltaTable(place).delete("n = 2")
    stores.bring(source)
    assert numbers(stores) == [1, 3]
    write_deltalake(place, pl.DataFrame({"n": [3, 4]}), mode="overwrite")
    stores.bring(source)
    assert numbers(stores) == [3, 4]


@pytest.mark.usefixtures("outside")
def test_a_partitioned_delta_table_has_the_columns_that_its_files_lack(stores, delta):
    place, path = delta
    source = Source.delta("x", path=path, columns={"n": "int", "day": "string"})
    write_deltalake(place, pl.DataFrame({"n": [1], "day": ["mon"]}), partition_by=["day"])
    stores.bring(source)
    write_deltalake(place, pl.DataFrame({"n": [2], "day": ["tue"]}), mode="append")
    stores.bring(source)
    assert stores.stored("x").select("n", "day").rows() == [(1, "mon"), (2, "tue")]


@pytest.mark.usefixtures("outside")
def test_a_folder_that_is_no_delta_table_is_said_to_be_none(stores):
    (stores.data / "table").mkdir()
    with pytest.raises(NotReady, match="is not a Delta table"):
        stores.bring(Source.delta("x", path="table", columns=COLUMNS))
