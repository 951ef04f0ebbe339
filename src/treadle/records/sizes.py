"""Sizes of memory and files: whole numbers of bytes inside, short text such as `256MiB` outside."""

from __future__ import annotations

import re

from treadle.records.errors import InvalidInput

_UNITS = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


def size(value: str | int) -> int:
    """Return a number of bytes.

    Args:
        value: bytes already, or text such as `256MiB`, `1.5GiB` (units of 1024) or `2GB` (units of 1000).

    Raises:
        InvalidInput: the text is no size, or the size is not above zero.
    """
    found = _SIZE.fullmatch(str(value))
    if found is None or found[2] not in _UNITS:
        raise InvalidInput(
            f"{value!r} is not a size", fix=f"write it like 256MiB; units: {', '.join(_UNITS)[2:]}"
        )
    count = int(float(found[1]) * _UNITS[found[2]])
    if count < 1:
        raise InvalidInput(f"the size {value!r} holds nothing", fix="give at least a few MiB")
    return count
