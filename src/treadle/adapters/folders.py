"""What adapters that keep files need of a folder besides pathlib."""

from __future__ import annotations

import os
from pathlib import Path


def fsync_folder(folder: Path) -> None:
    """Return when the names in the folder survive loss of power: files made, renamed or removed in it before.

    Syncing a file makes its bytes durable, not its name.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
