"""Tables and blobs in object storage keep the contracts of those on disk."""

import json
import subprocess
import sys

import obstore
import polars as pl
import pytest
from obstore.store import from_url

from tests.adapters.s3 import bucket, s3_server  # noqa: F401 - fixtures
from treadle.adapters.blobs import ObstoreBlobs
from treadle.adapters.storage import open_bucket
from treadle.adapters.tables_objects import ObjectTables
from treadle.testing.blobs import BlobsContract
from treadle.testing.tables import TablesContract, held


class TestObjectTables(TablesContract):
    @pytest.fixture
    def tables(self, request):
        return ObjectTables(f"{request.getfixturevalue('bucket')}/tables", {})

    @pytest.fixture
    def other(self, request, tables):
        return ObjectTables(f"{request.getfixturevalue('bucket')}/tables", {})


class TestObjectBlobs(BlobsContract):
    @pytest.fixture
    def blobs(self, request):
        self.store = open_bucket(f"{request.getfixturevalue('bucket')}/blobs", {})
        return ObstoreBlobs(self.store)

    def damage(self, blobs, digest, data):
        obstore.put(self.store, f"{digest[:2]}/{digest[2:]}", data)


APPEND = """
import sys
import polars as pl
from treadle.adapters.tables_objects import ObjectTables
tables = ObjectTables(sys.argv[1], {})
for n in range(8):
    tables.append("a", pl.DataFrame({"n": [n]}), writer=("w", n))
    tables.append("a", pl.DataFrame({"n": [int(sys.argv[2]) + n]}))
"""


def test_appends_of_two_processes_land_and_a_transaction_of_both_lands_once(request):
    url = f"{request.getfixturevalue('bucket')}/tables"
    processes = [subprocess.Popen([sys.executable, "-c", APPEND, url, str(first)]) for first in (100, 200)]
    assert [process.wait(120) for process in processes] == [0, 0]
    assert held(ObjectTables(url, {}), "a") == [*range(8), *range(100, 108), *range(200, 208)]


def test_a_commit_is_a_conditional_put_that_another_writer_cannot_overwrite(request):
    url = request.getfixturevalue("bucket")
    tables, other = ObjectTables(url, {}), ObjectTables(url, {})
    tables.append("a", pl.DataFrame({"n": [1]}))
    other.append("a", pl.DataFrame({"n": [2]}))
    tables.append("a", pl.DataFrame({"n": [3]}))  # its handle stands at version 0
    assert held(tables, "a") == [1, 2, 3]
    store = from_url(url)
    logs = [entry["path"] for page in obstore.list(store, prefix="a/_delta_log") for entry in page]
    commits = [bytes(obstore.get(store, path).bytes()) for path in sorted(logs) if path.endswith(".json")]
    added = [sum("add" in json.loads(line) for line in text.splitlines()) for text in commits]
    assert added == [1, 1, 1]
