"""The online store in Redis, on a real server: the contract, and what is Redis' own."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from tests.redis_server import DEADLINE, redis_server
from treadle.adapters import online_redis
from treadle.adapters.online_redis import RedisOnline
from treadle.ports.online import Online
from treadle.records.errors import Conflict, InvalidInput, NotReady
from treadle.testing.online import OnlineContract, fill


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def raw(url: str) -> Iterator[Redis]:
    client = Redis.from_url(url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def store(url: str, raw: Redis) -> Iterator[RedisOnline]:
    store = RedisOnline(url, namespace="treadle:test")
    yield store
    store.close()


class TestRedisOnline(OnlineContract):
    @pytest.fixture
    def online(self, store: RedisOnline) -> Online:
        return store


def test_a_snapshot_fetches_what_is_wanted_with_itself(store: RedisOnline, raw: Redis) -> None:
    fill(store, "a", {b"k": b"1"})
    fill(store, "b", {b"k": b"2"})
    asked = raw.info("stats")["total_commands_processed"]
    with store.read([("a", b"k"), ("b", b"k"), ("b", b"x")]) as reader:
        found = [reader.get("a", b"k"), reader.get("b", b"k"), reader.get("b", b"x")]
        found += reader.get_many("b", [b"k", b"x"])
    # The MGET, and the INFO that counts.
    assert raw.info("stats")["total_commands_processed"] - asked == 2
    assert found == [b"1", b"2", None, b"2", None]


def test_what_was_wanted_and_what_was_not_are_of_one_moment(store: RedisOnline) -> None:
    fill(store, "v", {b"a": b"1", b"b": b"1"})
    with store.read([("v", b"a")]) as reader:
        fill(store, "v", {b"a": b"2", b"b": b"2", b"c": b"2"})
        fill(store, "v", {b"b": b"3"})
        assert reader.get_many("v", [b"a", b"b", b"c"]) == [b"1", b"1", None]


def test_two_stores_on_one_server_do_not_meet(store: RedisOnline, url: str) -> None:
    other = RedisOnline(url, namespace="treadle:test2")
    fill(store, "v", {b"k": b"1"})
    fill(other, "v", {b"k*": b"2"})
    assert (store.get("v", b"k"), other.get("v", b"k")) == (b"1", None)
    assert (list(store.scan("v")), list(other.scan("v"))) == ([(b"k", b"1")], [(b"k*", b"2")])
    other.drop("v")
    assert store.count("v") == 1
    other.close()


def test_a_snapshot_whose_undo_is_gone_says_so(store: RedisOnline, raw: Redis) -> None:
    fill(store, "v", {b"k": b"1"})
    with store.read() as reader:
        fill(store, "v", {b"k": b"2"})
        for name in raw.scan_iter("*undo*"):
            raw.delete(name)
        with pytest.raises(Conflict, match="too old"):
            reader.get("v", b"k")


def test_a_snapshot_of_a_store_that_was_emptied_says_so(store: RedisOnline, raw: Redis) -> None:
    fill(store, "v", {b"k": b"1"})
    with store.read() as reader:
        raw.flushall()
        with pytest.raises(Conflict):
            reader.get("v", b"k")
    assert store.cursor("c") is None


def test_undo_goes_by_itself(store: RedisOnline, raw: Redis) -> None:
    fill(store, "v", {b"k": b"1"})
    (undo,) = raw.scan_iter("*undo*")
    assert 0 < raw.pttl(undo) <= online_redis.UNDO_MS


def test_a_batch_that_lost_its_lease_writes_nothing(store: RedisOnline, raw: Redis, url: str) -> None:
    fill(store, "v", {b"k": b"1"})
    batch = store.begin()
    batch.put("v", b"k", b"late")
    (lock,) = raw.scan_iter("*lock")
    raw.delete(lock)  # as the server does when the lease ends
    other = RedisOnline(url, namespace="treadle:test")
    fill(other, "v", {b"k": b"2"})
    with pytest.raises(Conflict, match="turn"):
        batch.commit()
    assert store.get("v", b"k") == b"2"
    assert list(raw.scan_iter("*stage*")) == []
    fill(store, "v", {b"k": b"3"})
    assert other.get("v", b"k") == b"3"
    other.close()


def test_a_batch_at_work_keeps_its_lease(
    store: RedisOnline, raw: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.begin() as batch:
        (lock,) = raw.scan_iter("*lock")
        raw.pexpire(lock, 5_000)
        monkeypatch.setattr(online_redis.time, "monotonic", lambda: 1e9)
        batch.put("v", b"k", b"1")
        assert raw.pttl(lock) > 20_000


def test_batches_of_two_stores_follow_one_another(store: RedisOnline, url: str) -> None:
    others = [RedisOnline(url, namespace="treadle:test") for _ in range(3)]

    def count_up(online: RedisOnline) -> None:
        for _ in range(30):
            with online.begin() as batch:
                batch.put("v", b"n", str(int(batch.get("v", b"n") or b"0") + 1).encode())

    workers = [threading.Thread(target=count_up, args=[online]) for online in others]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(DEADLINE)
    assert store.get("v", b"n") == b"90"
    for online in others:
        online.close()


def test_a_batch_larger_than_one_command_is_whole(store: RedisOnline) -> None:
    items = {str(n).encode(): b"x" * (n % 7) for n in range(10_000)}
    with store.begin() as batch:
        for key, value in items.items():
            batch.put("v", key, value)
        batch.set_cursor("c", b"end")
    assert dict(store.scan("v")) == items
    assert (store.count("v"), store.cursor("c")) == (10_000, b"end")


WRITER = """
import sys
from treadle.adapters.online_redis import RedisOnline
store = RedisOnline(sys.argv[1], namespace="treadle:test")
n = int(store.cursor("c") or b"0")
print("ready", flush=True)
while True:
    n += 1
    with store.begin() as batch:
        batch.put("a", b"k", str(n).encode())
        batch.put("b", b"k", str(n).encode())
        batch.set_cursor("c", str(n).encode())
    print(n, flush=True)
"""


def test_a_killed_writer_leaves_whole_batches_and_the_next_goes_on(
    store: RedisOnline, raw: Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(20)]
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split()
        writer.wait(DEADLINE)
        writer.stdout.close()
        said = int(rest[-1] if rest and rest[-1].isdigit() else lines[-1])
        with store.read() as reader:
            seen = {reader.get("a", b"k"), reader.get("b", b"k"), reader.cursor("c")}
        assert len(seen) == 1
        assert int(seen.pop() or b"0") in (said, said + 1)
        for lock in raw.scan_iter("*lock"):
            assert raw.pexpire(lock, 1)  # the lease of the dead ends: time moved on


def test_a_server_that_is_gone_says_so_and_a_returning_one_is_used(tmp_path: Path) -> None:
    with redis_server(tmp_path) as url:
        store = RedisOnline(url, namespace="n")
        fill(store, "v", {b"k": b"1"})
    for call in (
        lambda: store.get("v", b"k"),
        store.begin,
        lambda: store.cursor("c"),
        lambda: fill(store, "v", {}),
    ):
        with pytest.raises(NotReady, match="Redis"):
            call()
    with redis_server(tmp_path, port=urlsplit(url).port):
        assert store.get("v", b"k") is None
        fill(store, "v", {b"k": b"2"})
        assert store.get("v", b"k") == b"2"
    store.close()


def test_a_server_that_evicts_is_refused(tmp_path: Path) -> None:
    with (
        redis_server(tmp_path, "--maxmemory-policy", "allkeys-lru") as url,
        pytest.raises(NotReady, match="allkeys-lru"),
    ):
        RedisOnline(url, namespace="n")


@pytest.mark.parametrize("namespace", ["", "a b", "a{b", "é"])
def test_a_namespace_that_would_break_keys_is_refused(namespace: str) -> None:
    with pytest.raises(InvalidInput):
        RedisOnline("redis://127.0.0.1:1/0", namespace=namespace)


def test_a_wrong_url_is_refused_without_its_password() -> None:
    with pytest.raises(InvalidInput) as caught:
        RedisOnline("http://:secret@host", namespace="n")
    assert "secret" not in str(caught.value)
