import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import lmdb
import pytest

from treadle.adapters import online_environment
from treadle.adapters.filesystems import NETWORK, filesystem_of, network_filesystem
from treadle.adapters.online import LmdbOnline
from treadle.adapters.online_memory import MemoryOnline
from treadle.ports.online import Online
from treadle.records.errors import Conflict, NotReady
from treadle.testing.online import OnlineContract, fill

DEADLINE = 60.0
SMALL = 128 * 1024


class TestLmdbOnline(OnlineContract):
    @pytest.fixture
    def online(self, tmp_path: Path) -> Iterator[Online]:
        store = LmdbOnline(tmp_path / "online", durable=False)
        yield store
        store.close()


class TestLmdbOnlineThatGrows(OnlineContract):
    """The whole contract again with a map so small that the larger tests fill it."""

    @pytest.fixture
    def online(self, tmp_path: Path) -> Iterator[Online]:
        store = LmdbOnline(tmp_path / "online", durable=False, map_size=48 * 1024)
        yield store
        store.close()


class TestMemoryOnline(OnlineContract):
    @pytest.fixture
    def online(self) -> Iterator[Online]:
        store = MemoryOnline()
        yield store
        store.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[LmdbOnline]:
    store = LmdbOnline(tmp_path / "online", durable=False, map_size=SMALL)
    yield store
    store.close()


def python(code: str, *arguments: object, failpoints: str = "") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TREADLE_FAILPOINTS": failpoints},
    )


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finished(process: "subprocess.Popen[str]", text: str = "") -> str:
    output, _ = process.communicate(text, timeout=DEADLINE)
    assert process.returncode == 0
    return output.strip()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.0005)


# --- the map grows


def test_full_map_grows_and_the_batch_is_not_lost(small: LmdbOnline) -> None:
    items = {n.to_bytes(4, "big"): os.urandom(400) for n in range(5_000)}  # 2 MB into 128 KiB
    with small.begin() as batch:
        for key, value in items.items():
            batch.put("v", key, value)
        batch.set_cursor("offset", b"5000")
    assert dict(small.scan("v")) == items
    assert (small.count("v"), small.cursor("offset")) == (5_000, b"5000")


def test_readers_at_work_are_unharmed_when_the_map_grows(small: LmdbOnline) -> None:
    fill(small, "v", {b"k": b"fixed"})
    stop = threading.Event()
    seen: set[bytes | None] = set()
    errors: list[Exception] = []

    def watch() -> None:
        while not stop.is_set():
            try:
                seen.add(small.get("v", b"k"))
                with small.read() as reader:
                    seen.add(reader.get("v", b"k"))
                    seen.add(small.get("v", b"k"))
            except Exception as error:  # noqa: BLE001 - reported below
                errors.append(error)
                return

    watchers = [threading.Thread(target=watch) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    for n in range(6):
        fill(small, "w", {i.to_bytes(4, "big"): os.urandom(400) for i in range(n * 1_000, (n + 1) * 1_000)})
    stop.set()
    for watcher in watchers:
        watcher.join(DEADLINE)
    assert errors == []
    assert seen == {b"fixed"}
    assert small.count("w") == 6_000


def test_abort_does_not_starve_under_busy_readers(small: LmdbOnline) -> None:
    fill(small, "v", {b"k": b"1"})
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            small.get("v", b"k")

    watchers = [threading.Thread(target=watch) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    began = time.monotonic()
    for _ in range(20):
        batch = small.begin()
        batch.put("v", b"k", b"2")
        batch.abort()
    took = time.monotonic() - began
    stop.set()
    for watcher in watchers:
        watcher.join(DEADLINE)
    assert took < 10
    assert small.get("v", b"k") == b"1"


def test_growing_waits_for_an_open_snapshot_of_another_thread(small: LmdbOnline) -> None:
    fill(small, "v", {b"k": b"1"})
    opened, finish = threading.Event(), threading.Event()
    seen: list[bytes | None] = []

    def hold() -> None:
        with small.read() as reader:
            opened.set()
            finish.wait(DEADLINE)
            seen.append(small.get("v", b"k"))  # let in, although readers are held back
            seen.append(reader.get("v", b"k"))

    def write() -> None:
        fill(small, "v", {b"k": b"2", **{n.to_bytes(4, "big"): b"x" * 400 for n in range(2_000)}})

    holder, writer = threading.Thread(target=hold), threading.Thread(target=write)
    holder.start()
    assert opened.wait(DEADLINE)
    writer.start()
    wait_until(lambda: small._environment.holding_back)
    finish.set()
    for thread in (holder, writer):
        thread.join(DEADLINE)
    assert seen == [b"1", b"1"]
    assert small.get("v", b"k") == b"2"


def test_growing_is_refused_under_a_snapshot_of_the_same_thread(small: LmdbOnline) -> None:
    fill(small, "v", {b"k": b"1"})
    with small.read(), pytest.raises(Conflict) as caught:
        fill(small, "v", {b"k": b"2", **{n.to_bytes(4, "big"): b"x" * 400 for n in range(2_000)}})
    assert "close the reader" in str(caught.value)
    assert small.get("v", b"k") == b"1"
    fill(small, "v", {b"k": b"3"})
    assert small.get("v", b"k") == b"3"


def test_growing_gives_up_on_a_snapshot_that_stays_open(
    small: LmdbOnline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online_environment, "_PATIENCE_SECONDS", 0.05)
    opened, finish = threading.Event(), threading.Event()

    def hold() -> None:
        with small.read():
            opened.set()
            finish.wait(DEADLINE)

    holder = threading.Thread(target=hold)
    holder.start()
    assert opened.wait(DEADLINE)
    with pytest.raises(Conflict):
        fill(small, "v", {n.to_bytes(4, "big"): b"x" * 400 for n in range(2_000)})
    finish.set()
    holder.join(DEADLINE)
    fill(small, "v", {b"k": b"1"})
    assert list(small.scan("v")) == [(b"k", b"1")]


def test_drop_of_a_view_that_fills_the_map_works(small: LmdbOnline) -> None:
    fill(small, "v", {n.to_bytes(4, "big"): b"x" * 200 for n in range(3_000)})
    small.drop("v")
    assert (small.count("v"), list(small.scan("v")), small.views()) == (0, [], [])


def test_smaller_map_size_opens_a_larger_store(tmp_path: Path) -> None:
    items = {n.to_bytes(4, "big"): b"x" * 400 for n in range(3_000)}
    first = LmdbOnline(tmp_path, durable=False)
    fill(first, "v", items)
    first.close()
    second = LmdbOnline(tmp_path, durable=False, map_size=SMALL)
    assert dict(second.scan("v")) == items
    fill(second, "v", {b"more": b"1"})
    assert second.count("v") == 3_001
    second.close()


# --- several processes

WRITER = """
import sys
from treadle.adapters.online import LmdbOnline
store = LmdbOnline(sys.argv[1], durable=False, map_size=int(sys.argv[2]))
first, last = int(sys.argv[3]), int(sys.argv[4])
print("ready", flush=True)
sys.stdin.readline()
for n in range(first, last, 100):
    with store.begin() as batch:
        for i in range(n, n + 100):
            batch.put("v", i.to_bytes(4, "big"), b"x" * 400)
        batch.set_cursor(f"writer {first}", str(n + 100).encode())
        batch.put("sum", b"n", str(int(batch.get("sum", b"n") or b"0") + 100).encode())
print("done", flush=True)
sys.stdin.readline()
"""


def test_reader_follows_when_another_process_grows_the_map(tmp_path: Path) -> None:
    store = LmdbOnline(tmp_path, durable=False, map_size=SMALL)
    fill(store, "v", {b"k": b"1"})
    assert store.get("v", b"k") == b"1"
    process = python(WRITER, tmp_path, SMALL, 0, 3_000)
    assert said(process) == "ready"
    with store.read() as reader:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        assert said(process) == "done"
        assert (reader.get("v", b"k"), reader.get("v", bytes(4))) == (b"1", None)
    assert store.get("v", bytes(4)) == b"x" * 400
    fill(store, "v", {b"k": b"2"})
    assert store.count("v") == 3_001
    finished(process, "\n")
    store.close()


def test_two_processes_that_fill_the_map_lose_nothing(tmp_path: Path) -> None:
    """A batch that met another's in the moment of growing says Conflict and is repeated by its consumer."""
    repeating = WRITER.replace(
        "    with store.begin() as batch:", "    while True:\n     try:\n      with store.begin() as batch:"
    )
    head, tail = repeating.split("      with store.begin() as batch:\n")
    body, end = tail.split('print("done"')
    body = "".join("  " + line + "\n" for line in body.splitlines())
    code = (
        "from treadle.records.errors import Conflict\n"
        + head
        + "      with store.begin() as batch:\n"
        + body
        + '      break\n     except Conflict:\n      pass\nprint("done"'
        + end
    )
    processes = [python(code, tmp_path, SMALL, first, first + 2_000) for first in (0, 10_000)]
    assert [said(process) for process in processes] == ["ready", "ready"]
    for process in processes:
        finished(process, "\n\n")
    store = LmdbOnline(tmp_path, durable=False)
    assert store.count("v") == 4_000
    assert [store.cursor(f"writer {first}") for first in (0, 10_000)] == [b"2000", b"12000"]
    assert store.get("sum", b"n") == b"4000"
    store.close()


KILLED = """
import sys
from treadle.adapters.online import LmdbOnline
store = LmdbOnline(sys.argv[1], durable=sys.argv[2] == "True")
with store.begin() as batch:
    for n in range(1_000):
        batch.put("v", n.to_bytes(4, "big"), b"new")
    batch.delete("v", b"gone")
    batch.set_cursor("offset", b"2")
"""


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("point", ["online.before_commit", "online.after_commit"])
def test_killed_writer_leaves_the_old_state_or_the_new_one(tmp_path: Path, point: str, durable: bool) -> None:
    store = LmdbOnline(tmp_path, durable=durable)
    with store.begin() as batch:
        batch.put("v", bytes(4), b"old")
        batch.put("v", b"gone", b"old")
        batch.set_cursor("offset", b"1")
    process = python(KILLED, tmp_path, durable, failpoints=f"{point}:kill")
    process.communicate(timeout=DEADLINE)
    assert process.returncode == -signal.SIGKILL
    old = ([(bytes(4), b"old"), (b"gone", b"old")], 2, b"1")
    new = ([(n.to_bytes(4, "big"), b"new") for n in range(1_000)], 1_000, b"2")
    state = (list(store.scan("v")), store.count("v"), store.cursor("offset"))
    assert state == (new if point == "online.after_commit" else old)
    fill(store, "v", {b"again": b"1"})  # the dead writer's lock and place are free
    assert store.get("v", b"again") == b"1"
    store.close()


HOLDER = """
import sys
from treadle.adapters.online import LmdbOnline
store = LmdbOnline(sys.argv[1], durable=False)
reader = store.read()
reader.__enter__()
print("open", flush=True)
sys.stdin.readline()
"""


def test_place_of_a_killed_reader_is_freed_by_the_next_batch(tmp_path: Path) -> None:
    store = LmdbOnline(tmp_path, durable=False)
    process = python(HOLDER, tmp_path)
    assert said(process) == "open"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=DEADLINE)
    environment = store._environment.handle
    assert isinstance(environment, lmdb.Environment)
    assert f" {process.pid} " in environment.readers()
    fill(store, "v", {b"k": b"1"})
    assert f" {process.pid} " not in environment.readers()
    store.close()


def in_child(action: Callable[[], bytes | None]) -> bytes:
    """Return what the action gives in a forked process, or the name of the error it raises."""
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = action() or b"None"
        except BaseException as error:  # noqa: BLE001 - told to the parent
            answer = type(error).__name__.encode()
        os.write(send, answer)
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return answer


def test_idle_store_reopens_by_itself_in_a_forked_child(small: LmdbOnline) -> None:
    fill(small, "v", {b"k": b"1"})
    assert small.get("v", b"k") == b"1"

    def use() -> bytes | None:
        fill(small, "v", {b"child": small.get("v", b"k") or b""})
        return small.get("v", b"child")

    assert in_child(use) == b"1"
    assert small.get("v", b"child") == b"1"
    fill(small, "v", {b"k": b"2"})
    assert in_child(lambda: small.get("v", b"k")) == b"2"


def test_store_in_use_at_the_fork_is_refused_in_the_child_and_unharmed_in_the_parent(
    tmp_path: Path,
) -> None:
    store = LmdbOnline(tmp_path, durable=False)
    fill(store, "v", {b"k": b"1"})
    with store.read() as reader:
        assert in_child(lambda: store.get("v", b"k")) == b"NotReady"
        assert in_child(lambda: reader.get("v", b"k")) == b"Conflict"
        assert in_child(lambda: reader.__exit__(None, None, None)) == b"None"
        for n in range(50):  # the snapshot's pages would be overwritten had the child freed its place
            fill(store, "v", {b"k": str(n).encode()})
        assert reader.get("v", b"k") == b"1"
    with store.begin() as batch:
        batch.put("v", b"k", b"2")

        def commit() -> None:
            batch.commit()

        assert in_child(commit) == b"Conflict"
    assert store.get("v", b"k") == b"2"
    store.close()


# --- opening


def test_second_opening_in_a_process_is_refused(small: LmdbOnline, tmp_path: Path) -> None:
    with pytest.raises(NotReady):
        LmdbOnline(tmp_path / "online")
    fill(small, "v", {b"k": b"1"})
    small.close()
    again = LmdbOnline(tmp_path / "online")
    assert again.get("v", b"k") == b"1"
    again.close()


def test_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"something else entirely" * 1_000)
    with pytest.raises(NotReady) as caught:
        LmdbOnline(tmp_path)
    assert str(tmp_path) in str(caught.value)


MOUNTS = r"""/dev/vda / ext4 rw,relatime 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/me/local\040disk xfs rw 0 0
tmpfs /tmp tmpfs rw 0 0
overlay /tmp overlay rw 0 0
host:x /mnt/remote fuse.sshfs rw 0 0
odd line"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/x", "ext4"),
        ("/", "ext4"),
        ("/home/you", "nfs4"),
        ("/homestead", "ext4"),
        ("/home/me/local disk/x", "xfs"),
        ("/home/me/local", "nfs4"),
        ("/tmp/x", "overlay"),
        ("/mnt/remote/deep/er", "fuse.sshfs"),
    ],
)
def test_file_system_is_that_of_the_last_and_deepest_mount(path: str, kind: str) -> None:
    assert filesystem_of(PurePosixPath(path), MOUNTS) == kind


def test_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert network_filesystem(tmp_path) is None
    assert {"nfs4", "cifs", "fuse.sshfs"} <= NETWORK
    monkeypatch.setattr(online_environment, "network_filesystem", lambda path: "nfs4")
    with pytest.raises(NotReady) as caught:
        LmdbOnline(tmp_path / "online")
    assert "nfs4" in str(caught.value)
    assert not (tmp_path / "online").exists()
