"""A trained model as it passes between steps: its manifest and its bytes, in a format that executes nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass

from treadle.records.digests import canonical
from treadle.records.errors import Corrupt
from treadle.records.packages import ModelPackage


@dataclass(frozen=True, slots=True)
class Model:
    """A packaged model."""

    package: ModelPackage
    data: bytes
    """The model's own bytes, such as ONNX."""

    def to_bytes(self) -> bytes:
        """Return manifest and model as one block of bytes; the same model gives the same bytes."""
        return canonical(self.package.as_json()) + b"\n" + self.data

    @classmethod
    def from_bytes(cls, block: bytes) -> Model:
        """Return the model that `to_bytes` wrote.

        Raises:
            Corrupt: the bytes are not such a block.
        """
        head, newline, data = block.partition(b"\n")
        try:
            manifest = json.loads(head)
        except ValueError:
            newline, manifest = b"", None
        if not newline:
            raise Corrupt(
                "these bytes are not a packaged model", fix="restore the blob from a backup, or train again"
            )
        return cls(ModelPackage.from_json(manifest), data)
