"""Files of a folder with tables: read, written whole, removed, brought to the disk."""

from __future__ import annotations

import os
from pathlib import Path


def read_file(path: Path) -> bytes | None:
    """Return the bytes of a file; None without one."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, on the disk when this returns."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    fsync(part)
    part.replace(path)
    fsync(path.parent)


def remove_file(path: Path) -> bool:
    """Remove a file; returns whether it was there."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def fsync(path: Path) -> None:
    """Bring a file, or the list of a folder's files, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
