"""Which kind of file system a path lies on; memory-mapped stores are refused on network ones."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

_FUSE = (
    "sshfs",
    "s3fs",
    "gcsfuse",
    "goofys",
    "rclone",
    "glusterfs",
    "ceph",
    "blobfuse",
    "blobfuse2",
    "juicefs",
)
NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "glusterfs", "lustre"}
    | {"beegfs", "gpfs", "orangefs", "ocfs2", "gfs2"}
    | {f"fuse.{name}" for name in _FUSE}
)
"""Types whose memory maps or locks do not hold between machines. Not 9p: containers use it for local
disks."""

_ESCAPED = re.compile(r"\\([0-7]{3})")


def network_filesystem(path: Path) -> str | None:
    """Return the type of the network file system a path lies on; None when it is local or cannot be told."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None  # not Linux: there is no way to tell without a privileged call
    kind = filesystem_of(path.resolve(), mounts)
    return kind if kind in NETWORK else None


def filesystem_of(path: PurePath, mounts: str) -> str | None:
    """Return the type of the file system an absolute path lies on, given the text of `/proc/self/mounts`."""
    best, found = -1, None
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        # Spaces and backslashes in a mount point are written as octal escapes.
        point = PurePath(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[1]))
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, found = len(point.parts), fields[2]
    return found
