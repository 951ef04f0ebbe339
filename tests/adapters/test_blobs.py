"""Folder and memory keep the contract of blobs; in the folder nothing is ever visible half."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore

from treadle.adapters.blobs import LocalBlobs, ObstoreBlobs, local_blobs
from treadle.ports.blobs import Blobs
from treadle.records import failpoints
from treadle.records.digests import Digest
from treadle.testing.blobs import BlobsContract

BIG = bytes(range(256)) * 4_000
BIG_DIGEST = hashlib.sha256(BIG).hexdigest()

PUT_BIG = """
import sys
from treadle.adapters.blobs import local_blobs
print(local_blobs(sys.argv[1]).put(bytes(range(256)) * 4_000), flush=True)
"""


class TestLocalBlobs(BlobsContract):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        self.folder = tmp_path / "deep" / "blobs"
        return local_blobs(self.folder)

    def damage(self, blobs: Blobs, digest: Digest, data: bytes) -> None:
        path = self.folder / digest[:2] / digest[2:]
        path.unlink()
        path.write_bytes(data)


class TestMemoryBlobs(BlobsContract):
    @pytest.fixture
    def blobs(self) -> Blobs:
        self.store = MemoryStore()
        return ObstoreBlobs(self.store)

    def damage(self, blobs: Blobs, digest: Digest, data: bytes) -> None:
        obstore.put(self.store, f"{digest[:2]}/{digest[2:]}", data)


def put_big_until(point: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PUT_BIG, str(folder)],
        env={failpoints.VARIABLE: point},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def staged(folder: Path) -> list[Path]:
    return [path for path in (folder / ".staging").iterdir() if path.name != "lock"]


@pytest.mark.parametrize(
    "point", ["blob.half_written:kill", "blob.half_written:kill@2", "blob.before_publish:kill"]
)
def test_a_blob_whose_writer_is_killed_before_publishing_is_not_there(tmp_path: Path, point: str) -> None:
    onlooker = local_blobs(tmp_path)
    assert put_big_until(point, tmp_path).returncode == -signal.SIGKILL
    assert len(staged(tmp_path)) == 1, "the process was to be killed in the middle"
    assert not onlooker.has(BIG_DIGEST)
    assert list(onlooker.list()) == []
    assert onlooker.put(BIG) == BIG_DIGEST
    assert onlooker.get(BIG_DIGEST) == BIG


def test_a_blob_whose_writer_is_killed_after_publishing_is_whole(tmp_path: Path) -> None:
    killed = put_big_until("blob.after_publish:kill", tmp_path)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "")
    assert local_blobs(tmp_path).get(BIG_DIGEST) == BIG


def test_a_blob_is_never_seen_half_while_it_is_written(tmp_path: Path) -> None:
    blobs = local_blobs(tmp_path)
    with subprocess.Popen([sys.executable, "-c", PUT_BIG, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        while writer.poll() is None:
            if blobs.has(BIG_DIGEST):
                assert blobs.get(BIG_DIGEST) == BIG
    assert blobs.get(BIG_DIGEST) == BIG


def test_leftovers_of_killed_writers_go_when_nobody_else_has_the_store_open(tmp_path: Path) -> None:
    put_big_until("blob.half_written:kill", tmp_path)
    (leftover,) = staged(tmp_path)
    first = local_blobs(tmp_path)
    assert not leftover.exists()
    leftover.write_bytes(b"another process is writing this now")
    second = local_blobs(tmp_path)
    assert leftover.exists()
    first.close()
    second.close()
    local_blobs(tmp_path).close()
    assert not leftover.exists()


def test_a_failed_put_leaves_nothing_behind(tmp_path: Path) -> None:
    blobs = local_blobs(tmp_path)
    failpoints.arm("blob.before_publish:raise")
    try:
        with pytest.raises(failpoints.FailpointError):
            blobs.put(BIG)
    finally:
        failpoints.arm("")
    assert staged(tmp_path) == []
    assert list(blobs.list()) == []


def test_file_and_folders_are_synced_around_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = LocalBlobs(tmp_path)
    happened: list[str] = []
    real_fsync, real_rename = os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        happened.append(
            f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().relative_to(tmp_path).parts[:1]}"
        )
        real_fsync(descriptor)

    def rename(path: Path, target: Path) -> Path:
        happened.append("rename")
        return real_rename(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    blobs.put(BIG)
    shard = BIG_DIGEST[:2]
    assert happened == ["fsync ()", "fsync ('.staging',)", "rename", f"fsync ('{shard}',)"]


def test_blobs_are_sharded_and_read_only_and_foreign_files_are_passed_over(tmp_path: Path) -> None:
    blobs = local_blobs(tmp_path)
    digest = blobs.put(b"bytes")
    path = tmp_path / digest[:2] / digest[2:]
    assert path.read_bytes() == b"bytes"
    assert path.stat().st_mode & 0o222 == 0
    (tmp_path / "README").write_text("not a blob")
    (tmp_path / "ab").mkdir(exist_ok=True)
    (tmp_path / "ab" / "short").write_text("not a blob either")
    assert list(blobs.list()) == [digest]


def test_a_store_opened_anew_has_what_was_put(tmp_path: Path) -> None:
    digest = local_blobs(tmp_path).put(b"kept")
    assert local_blobs(str(tmp_path)).get(digest) == b"kept"
