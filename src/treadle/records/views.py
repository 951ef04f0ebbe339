"""Names in the online store: of views and of cursors."""

from __future__ import annotations

from treadle.records.errors import InvalidInput

_LONGEST_NAME = 200


def check_view_name(name: str) -> bytes:
    """Return the bytes of a view's or a cursor's name: printable characters, 1 to 200 bytes of UTF-8.

    Raises:
        InvalidInput: it is not such a name.
    """
    if name.isprintable():
        data = name.encode()
        if 0 < len(data) <= _LONGEST_NAME:
            return data
    raise InvalidInput(
        f"{name[:80]!r} is not the name of an online view or cursor",
        fix=f"use printable characters, 1 to {_LONGEST_NAME} bytes of UTF-8",
    )
