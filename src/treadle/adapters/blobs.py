"""Blobs over any object store that obstore speaks to: a folder, memory, S3, GCS, Azure."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.store import LocalStore, MemoryStore

from treadle.adapters.folders import fsync_folder
from treadle.records.digests import Digest, digest_bytes
from treadle.records.errors import Corrupt, InvalidInput, NotFound
from treadle.records.failpoints import failpoint

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from treadle.ports.blobs import Blobs

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{62}", re.ASCII)
_STAGING = ".staging"


class ObstoreBlobs:
    """Blobs in an object store, under `ab/cdef…` (the digest, cut after two characters).

    Object storage publishes an object atomically and durably by itself, so a put is one request.

    Args:
        store: any store of obstore; for a folder take `local_blobs`, which also makes the bytes durable.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def close(self) -> None:
        """Let go of what is held open: nothing, in object storage."""

    def put(self, data: bytes) -> Digest:
        """Store the bytes under their digest; see `Blobs.put`. Costs a read when they are there already."""
        digest = digest_bytes(data)
        if not self._holds(digest, data):
            self._publish(digest, data)
        return digest

    def get(self, digest: Digest) -> bytes:
        """Return the checked bytes; see `Blobs.get`."""
        key = _key(digest)
        try:
            data = bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError:
            raise _missing(digest) from None
        if digest_bytes(data) != digest:
            raise Corrupt(
                f"the blob {digest} holds {len(data)} bytes of another digest",
                where=f"{self._store!r}, {key}",
                fix="restore the file from a backup, or run again what made it: `treadle doctor` has the command",
            )
        return data

    def has(self, digest: Digest) -> bool:
        """Tell whether the blob is there; see `Blobs.has`."""
        try:
            obstore.head(self._store, _key(digest))
        except FileNotFoundError:
            return False
        return True

    def size(self, digest: Digest) -> int:
        """Return the blob's size in bytes; see `Blobs.size`."""
        try:
            return obstore.head(self._store, _key(digest))["size"]
        except FileNotFoundError:
            raise _missing(digest) from None

    def delete(self, digest: Digest) -> None:
        """Remove the blob if it is there; see `Blobs.delete`."""
        try:
            obstore.delete(self._store, _key(digest))
        except FileNotFoundError:  # some stores say so, others don't
            pass

    def list(self) -> Iterator[Digest]:
        """Yield all digests, a page of the store's listing at a time; what is no blob is passed over."""
        for page in obstore.list(self._store, chunk_size=1_000):
            for entry in page:
                if _KEY.fullmatch(entry["path"]):
                    yield entry["path"].replace("/", "")

    def _holds(self, digest: Digest, data: bytes) -> bool:
        """Tell whether the very bytes are there; damaged ones are not, so that a put mends them."""
        try:
            if obstore.head(self._store, _key(digest))["size"] != len(data):
                return False
            return memoryview(obstore.get(self._store, _key(digest)).bytes()) == memoryview(data)
        except FileNotFoundError:  # also when it was deleted between the two requests
            return False

    def _publish(self, digest: Digest, data: bytes) -> None:
        failpoint("blob.before_publish")
        obstore.put(self._store, _key(digest), data, mode="overwrite")
        failpoint("blob.after_publish")


class LocalBlobs(ObstoreBlobs):
    """Blobs in a folder, durable when `put` returns.

    obstore's LocalStore writes a temporary file and renames it, which survives a kill, but it never calls
    fsync (0.12): after loss of power a blob may be there under its name with no bytes in it. So writing is
    done
    here: write to the staging folder, fsync, rename, fsync the folder. Reading and listing are obstore's.

    What a killed writer left in the staging folder is removed by the next process that opens the store while
    nobody else has it open (each holds a shared lock on it).

    Args:
        folder: where the blobs are; made if it is not there.
    """

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder).absolute()
        self._staging = self._folder / _STAGING
        self._staging.mkdir(parents=True, exist_ok=True)
        self._lock = self._enter()
        super().__init__(LocalStore(self._folder))

    def close(self) -> None:
        """Let go of the shared lock; the object must not be used afterwards. Closing twice is allowed."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __del__(self) -> None:
        if hasattr(self, "_lock"):
            self.close()

    def put(self, data: bytes) -> Digest:
        """Store the bytes under their digest; two fsyncs when they are new, one when they are there."""
        digest = super().put(data)
        # Also for bytes that were there: the one who put them may not have come to this point yet.
        fsync_folder((self._folder / _key(digest)).parent)
        return digest

    def _publish(self, digest: Digest, data: bytes) -> None:
        target = self._folder / _key(digest)
        if not target.parent.exists():
            target.parent.mkdir(exist_ok=True)
            fsync_folder(self._folder)
        staged = self._staging / f"{digest}-{secrets.token_hex(8)}"
        try:
            _write_durably(staged, data)
            failpoint("blob.before_publish")
            staged.rename(target)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise
        failpoint("blob.after_publish")

    def _enter(self) -> int:
        """Take the shared lock, and sweep the staging folder when nobody else is in."""
        lock = os.open(self._staging / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            for leftover in self._staging.iterdir():
                if leftover.name != "lock":
                    leftover.unlink()
        fcntl.flock(lock, fcntl.LOCK_SH)
        return lock


def local_blobs(folder: Path | str) -> LocalBlobs:
    """Return the blobs in a folder, which is made if it is not there."""
    return LocalBlobs(folder)


def memory_blobs() -> ObstoreBlobs:
    """Return blobs that live as long as the object, for tests."""
    return ObstoreBlobs(MemoryStore())


def _key(digest: Digest) -> str:
    if not _DIGEST.fullmatch(digest):
        raise InvalidInput(
            f"{digest[:80]!r} is not a digest",
            fix="give the 64 lower-case hexadecimal characters of a SHA-256",
        )
    return f"{digest[:2]}/{digest[2:]}"


def _missing(digest: Digest) -> NotFound:
    return NotFound(f"there is no blob {digest}")


def _write_durably(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    try:
        rest = memoryview(data)
        half = len(rest) // 2
        written = 0
        while written < len(rest):
            # In two parts at least, so that there is a moment at which half is written.
            written += os.write(descriptor, rest[written:half] if written < half else rest[written:])
            failpoint("blob.half_written")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if TYPE_CHECKING:
    _blobs: list[Blobs] = [local_blobs(""), memory_blobs()]
