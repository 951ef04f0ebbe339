"""What a manifest says of a definition: the columns that identify a row, and the digest of the code."""

from __future__ import annotations

import json

from treadle.define.code import source_digest
from treadle.define.sources import Rows, Table
from treadle.records.datasets import UNIQUE
from treadle.records.digests import Digest


def code_digest(definition: Rows) -> Digest | None:
    """Return the digest of a table's code; None for a source, whose rows come from outside."""
    return source_digest(definition.build) if isinstance(definition, Table) else None


def declared(definition: Rows) -> dict[str, str]:
    """Return what a manifest notes of a definition. Pure."""
    return {UNIQUE: json.dumps(list(definition.unique))} if definition.unique else {}
