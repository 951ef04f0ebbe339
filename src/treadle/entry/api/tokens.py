"""The admin token: from the environment, or made once and kept only as its digest."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from treadle.entry.api.access import token_digest
from treadle.records.errors import Corrupt, InvalidInput

VARIABLE = "TREADLE_TOKEN"
FILE = "token.sha256"
SHORTEST = 8


@dataclass(frozen=True, slots=True)
class AdminToken:
    """The digest that is accepted, and where the token came from."""

    digest: bytes
    source: str
    """`environment`, `home` (made at an earlier start) or `generated` (now)."""
    shown: str | None = None
    """The token itself, only when it was made now: the one time it can be shown."""


def admin_token(home: Path, given: str | None, *, renew: bool = False) -> AdminToken:
    """Return the admin token's digest.

    Args:
        home: the home's folder.
        given: the value of TREADLE_TOKEN; an empty one counts as none.
        renew: make a new one even where the home has one.

    Raises:
        InvalidInput: the given token is too short or has characters a header cannot carry.
        Corrupt: the home's file is not a digest.
    """
    if given:
        if len(given) < SHORTEST or not given.isascii() or not given.isprintable() or " " in given:
            raise InvalidInput(
                f"{VARIABLE} must be {SHORTEST} or more printable ASCII characters without spaces",
                fix='make one: python -c "import secrets; print(secrets.token_urlsafe())"',
            )
        return AdminToken(token_digest(given), "environment")
    path = home / FILE
    if path.is_file() and not renew:
        try:
            digest = bytes.fromhex(path.read_text().strip())
        except ValueError:
            digest = b""
        if len(digest) != 32:
            raise Corrupt(
                "the home's token digest is damaged", where=str(path), command="treadle up --new-token"
            )
        return AdminToken(digest, "home")
    token = secrets.token_urlsafe(32)
    _write_private(path, token_digest(token).hex() + "\n")
    return AdminToken(token_digest(token), "generated", token)


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    part.replace(path)
