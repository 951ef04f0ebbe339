"""What the core needs from a store of immutable bytes: each under its own SHA-256, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from treadle.records.digests import Digest


class Blobs(Protocol):
    """Content-addressed bytes.

    Rules every adapter keeps:

    - The address is the SHA-256 of the bytes, so a blob never changes and putting it twice is putting it
      once.
    - A blob is visible whole or not at all, also when the writer is killed in the middle.
    - Nothing but 64 lower-case hexadecimal characters is an address: anything else is `InvalidInput`, and
      no path is ever made from it.
    - Several processes and threads may use the same store at once.
    """

    def put(self, data: bytes) -> Digest:
        """Store the bytes; return their digest once they are visible whole and survive loss of power.

        Stored bytes that were damaged since are replaced by the good ones.
        """
        ...

    def get(self, digest: Digest) -> bytes:
        """Return the bytes under the digest, checked against it on every read.

        Raises:
            NotFound: there is no such blob.
            Corrupt: the stored bytes no longer have this digest.
            InvalidInput: this is not a digest.
        """
        ...

    def has(self, digest: Digest) -> bool:
        """Tell whether the blob is there; its bytes are not read."""
        ...

    def size(self, digest: Digest) -> int:
        """Return the number of bytes stored under the digest.

        Raises:
            NotFound: there is no such blob.
        """
        ...

    def delete(self, digest: Digest) -> None:
        """Remove the blob; one that is not there is already deleted."""
        ...

    def list(self) -> Iterator[Digest]:
        """Yield the digest of every blob, in no particular order.

        A blob put or deleted meanwhile may or may not show.
        """
        ...
