"""The contract every store of blobs keeps.

An adapter's author writes:

    class TestMyBlobs(BlobsContract):
        @pytest.fixture
        def blobs(self) -> Blobs:
            return MyBlobs(...)          # empty

        def damage(self, blobs, digest, data):
            ...                          # put other bytes where the store keeps this blob
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from treadle.ports.blobs import Blobs
from treadle.records.digests import Digest
from treadle.records.errors import Corrupt, InvalidInput, NotFound

ABSENT = hashlib.sha256(b"this is never put").hexdigest()

SAMPLES = {
    "empty": b"",
    "one byte": b"\x00",
    "text": "naïve ✓\r\n".encode(),
    "every byte": bytes(range(256)) * 9,
    "12 MiB": bytes(range(251)) * 50_131,  # more than one part of a multipart upload
}

NOT_DIGESTS = {
    "nothing": "",
    "short": "ab" * 31,
    "long": "ab" * 33,
    "upper case": "AB" * 32,
    "not hexadecimal": "xy" * 32,
    "a way out": "../" + "a" * 61,
    "absolute": "/" + "a" * 63,
    "with a line end": "a" * 64 + "\n",
    "with a prefix": "sha256:" + "a" * 64,
    "other digits": "٣" * 64,
}


class BlobsContract:
    """Subclass with a fixture `blobs` (an empty store) and the method `damage`."""

    @pytest.fixture
    def blobs(self) -> Blobs:
        """Return an empty store."""
        raise NotImplementedError("give the store to be tested as a fixture")

    def damage(self, blobs: Blobs, digest: Digest, data: bytes) -> None:
        """Replace what the store keeps under the digest by other bytes, behind the adapter's back."""
        raise NotImplementedError("put other bytes where the store keeps this blob")

    @pytest.mark.parametrize("data", SAMPLES.values(), ids=SAMPLES.keys())
    def test_what_is_put_is_got_under_its_sha256(self, blobs: Blobs, data: bytes) -> None:
        """Whatever the bytes are."""
        digest = blobs.put(data)
        assert digest == hashlib.sha256(data).hexdigest()
        assert blobs.get(digest) == data
        assert type(blobs.get(digest)) is bytes
        assert blobs.has(digest)
        assert blobs.size(digest) == len(data)

    def test_putting_twice_is_putting_once(self, blobs: Blobs) -> None:
        """Content addresses make it so."""
        assert blobs.put(b"twice") == blobs.put(b"twice")
        assert len(list(blobs.list())) == 1

    def test_the_list_names_every_blob_once(self, blobs: Blobs) -> None:
        """More of them than stores put on one page of a listing."""
        assert list(blobs.list()) == []
        with ThreadPoolExecutor(8) as pool:
            put = list(pool.map(blobs.put, (str(number).encode() for number in range(1_100))))
        assert sorted(blobs.list()) == sorted(put)

    def test_an_absent_blob_is_not_found(self, blobs: Blobs) -> None:
        """Reading says so; asking is allowed."""
        blobs.put(b"another")
        assert not blobs.has(ABSENT)
        with pytest.raises(NotFound, match=ABSENT):
            blobs.get(ABSENT)
        with pytest.raises(NotFound, match=ABSENT):
            blobs.size(ABSENT)

    def test_a_deleted_blob_is_gone_and_may_come_back(self, blobs: Blobs) -> None:
        """Deleting touches no other blob, and deleting twice is deleting once."""
        kept, gone = blobs.put(b"kept"), blobs.put(b"gone")
        blobs.delete(gone)
        blobs.delete(gone)
        assert not blobs.has(gone)
        assert list(blobs.list()) == [kept]
        assert blobs.put(b"gone") == gone
        assert blobs.get(gone) == b"gone"

    @pytest.mark.parametrize("text", NOT_DIGESTS.values(), ids=NOT_DIGESTS.keys())
    def test_what_is_no_digest_is_refused(self, blobs: Blobs, text: str) -> None:
        """No path is ever made from a caller's text."""
        for method in (blobs.get, blobs.has, blobs.size, blobs.delete):
            with pytest.raises(InvalidInput, match="not a digest"):
                method(text)

    @pytest.mark.parametrize("damaged", [b"", b"the original byteS", b"longer than the original bytes"])
    def test_damaged_bytes_are_never_returned_and_a_put_mends_them(
        self, blobs: Blobs, damaged: bytes
    ) -> None:
        """Each read is checked against the digest."""
        digest = blobs.put(b"the original bytes")
        self.damage(blobs, digest, damaged)
        with pytest.raises(Corrupt, match=digest):
            blobs.get(digest)
        assert blobs.put(b"the original bytes") == digest
        assert blobs.get(digest) == b"the original bytes"

    def test_many_writers_of_the_same_bytes_agree(self, blobs: Blobs) -> None:
        """Nobody reads anything but the whole."""
        data = bytes(range(256)) * 2_000
        digest = hashlib.sha256(data).hexdigest()

        def put_and_get(_: int) -> bool:
            return blobs.put(data) == digest and blobs.get(digest) == data

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(put_and_get, range(40)))
        assert list(blobs.list()) == [digest]
