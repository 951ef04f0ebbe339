"""The reference page of anomalies, made from the catalogue of kinds.

`python docs/generate_anomalies.py > docs/reference/anomalies.md` writes it; `tests/docs/test_anomalies_reference.py`
holds that the page is fresh.
"""

from __future__ import annotations

import sys
from itertools import groupby

from treadle.records.anomaly_kinds import KINDS, NOT_FOR_TABLES, SCHEMA_FAULTS, Kind

HEAD = """\
# Anomalies

Every kind of anomaly that validation, comparison and the leak checks find. Made from the catalogue:
`python docs/generate_anomalies.py > docs/reference/anomalies.md`.

An anomaly says what was found, in which column, key or rule, how often, in which rows, and which lines of the
[schema](schemas.md) would accept it; `treadle data accept` writes them. Its **nature** decides what follows:

| nature | meaning | what follows |
|---|---|---|
| broken | the data are not what the schema says | with severity `stop`: a pipeline stops, a batch is refused whole |
| changed | the schema holds, values are distributed otherwise | the event `data.changed`; watch if it lasts |
| leaked | the data know what a request could not have known | with severity `stop`: no training |
| unknown | a rule could not be checked | told, never silently passed over |

**Seen from** says what is needed. *Profile*: a profile and the schema, as far as it counted values; with rows the counts are
exact. *Rows*: only rows show it. *Two profiles*: it is a comparison. *Training set*: the checks of a training set and its
split. **Severity** is the one when the schema says none; a rule's `severity` changes it. The last column names the anomaly
types of TensorFlow Data Validation that a kind covers.
"""

_TITLES = {
    "columns": "Columns and types",
    "presence": "Presence and number of values",
    "domain": "Values allowed",
    "rows": "Rows, keys and rules",
    "time": "Time",
    "change": "Changes",
    "leak": "Leaks",
}


def anomalies_page() -> str:
    """Return the page."""
    parts = [HEAD]
    for group, kinds in groupby(KINDS.values(), key=lambda kind: kind.group):
        rows = "\n".join(_row(kind) for kind in kinds)
        parts.append(
            f"## {_TITLES[group]}\n\n| kind | meaning | decided by | seen from | nature | severity | covers |\n"
            f"|---|---|---|---|---|---|---|\n{rows}\n"
        )
    parts.append(
        "## Refused when a schema is read\n\nThese are faults of the schema file, listed with their lines:\n\n"
        "| type of the peer | what is refused |\n|---|---|\n" + _pairs(SCHEMA_FAULTS)
    )
    parts.append(
        "## Not found\n\nWhat the peer detects and has no meaning for tables here:\n\n"
        "| type of the peer | why not |\n|---|---|\n" + _pairs(NOT_FOR_TABLES)
    )
    return "\n".join(parts)


def _row(kind: Kind) -> str:
    covers = ", ".join(f"`{name}`" for name in kind.peer)
    cells = [
        f"`{kind.name}`",
        kind.meaning,
        f"`{kind.rule}`",
        str(kind.seen),
        str(kind.nature),
        str(kind.severity),
        covers,
    ]
    return f"| {' | '.join(cells)} |"


def _pairs(pairs: dict[str, str]) -> str:
    return "".join(f"| `{name}` | {words} |\n" for name, words in pairs.items())


if __name__ == "__main__":
    sys.stdout.write(anomalies_page())
