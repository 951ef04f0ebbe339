"""Who may do what: tokens and their permissions, and which Host and Origin are believed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from enum import Enum

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Permission(Enum):
    """What a route needs of its caller."""

    PUBLIC = "public"
    """Nothing: for liveness alone."""
    PREDICT = "predict"
    """Ask models."""
    PUSH = "push"
    """Push events of sources."""
    READ = "read"
    """See which models there are, how the server is and what it measures."""


REMEMBERED = 8
CHALLENGE = ((b"www-authenticate", b"Bearer"),)
ADMIN = frozenset(Permission)
"""What the admin token may do: everything."""


class RefusedError(Exception):
    """A request that is turned away before it reaches a handler."""

    def __init__(self, status: int, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


def token_digest(token: str) -> bytes:
    """Return the digest under which a token is kept and looked up."""
    return hashlib.sha256(token.encode()).digest()


class Access:
    """What is accepted.

    Args:
        grants: token digest → what its bearer may do.
        hosts: accepted names in the Host header, without port, lower case.
        origins: accepted Origin headers, such as `http://127.0.0.1:8080`; requests without one are no browser's
            cross-site requests and are accepted.
    """

    def __init__(
        self, grants: Mapping[bytes, frozenset[Permission]], hosts: frozenset[str], origins: frozenset[str]
    ) -> None:
        self._grants = dict(grants)
        self._hosts = hosts
        self._origins = origins
        # Headers that have been accepted before: every caller sends the same ones again and again, and looking
        # closely takes a tenth of the time of an answer. Tokens among them are still compared in constant time.
        self._good_hosts: set[bytes] = set()
        self._good_tokens: list[tuple[bytes, frozenset[Permission]]] = []

    def check_place(self, host: bytes | None, origin: bytes | None) -> None:
        """Refuse requests that a foreign page, or a foreign name for this machine, brought here.

        Raises:
            RefusedError: Host or Origin is not accepted.
        """
        if host not in self._good_hosts:
            header = host or b""
            name = host_name(header.decode("latin-1"))
            if name not in self._hosts:
                text = f"the Host {name!r} is not served here; allow it with --allow-host {name}"
                raise RefusedError(403, text)
            if len(self._good_hosts) < REMEMBERED:
                self._good_hosts.add(header)
        if origin is not None and origin.decode("latin-1").lower() not in self._origins:
            raise RefusedError(403, "requests from pages of another origin are refused")

    def check_token(self, authorization: bytes | None, needed: Permission) -> None:
        """Refuse callers whose token is missing, unknown or not enough.

        Raises:
            RefusedError: with 401 or 403.
        """
        header = authorization or b""
        granted: frozenset[Permission] | None = None
        for known, permissions in self._good_tokens:
            if hmac.compare_digest(known, header):
                granted = permissions
        if granted is None:
            granted = self._granted(header)
            if len(self._good_tokens) < REMEMBERED:
                self._good_tokens.append((header, granted))
        if needed not in granted:
            raise RefusedError(403, f"the token lacks the permission {needed.value!r}")

    def _granted(self, header: bytes) -> frozenset[Permission]:
        scheme, _, token = header.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise RefusedError(
                401, "a token is needed: send the header `Authorization: Bearer TOKEN`", CHALLENGE
            )
        digest = hashlib.sha256(token.strip().encode("latin-1")).digest()
        granted: frozenset[Permission] | None = None
        for known, permissions in self._grants.items():
            if hmac.compare_digest(known, digest):
                granted = permissions
        if granted is None:
            raise RefusedError(
                401, "the token is not known; the server showed it when it was first started", CHALLENGE
            )
        return granted


def host_name(header: str) -> str:
    """Return the name in a Host header, without port, lower case. Pure."""
    header = header.strip().lower()
    if header.startswith("["):
        return header.partition("]")[0] + "]"
    return header.partition(":")[0]
