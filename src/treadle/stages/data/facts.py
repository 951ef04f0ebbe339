"""What a manifest says of a definition: the columns that identify a row, and the digest of the code."""

from __future__ import annotations

import json

from treadle.define.code import source_digest
from treadle.define.sources import Rows, Table
from treadle.records.datasets import UNIQUE
from treadle.records.digests import Digest, digest_value


def code_digest(definition: Rows) -> Digest | None:
    """Return the digest of a table's code; None for a source, whose rows come from outside."""
    if not isinstance(definition, Table):
        return None
    if definition.build is None:
        return digest_value({"sql": definition.sql})
    return source_digest(definition.build)


def declared(definition: Rows) -> dict[str, str]:
    """Return what a manifest notes of a definition. Pure."""
    return {UNIQUE: json.dumps(list(definition.unique))} if definition.unique else {}
