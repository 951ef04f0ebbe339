"""The reference page of the operators of row features, made from the closed set.

`python docs/generate_operators.py > docs/reference/operators.md` writes it; `tests/docs/test_operators_reference.py`
holds that the page is fresh.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from treadle.define.operators import OPERATORS
from treadle.stages.features import rows
from treadle.stages.features.rows.portability import APPROXIMATE, UNAVAILABLE

HEAD = """\
# Operators of row features

The closed set that a [row feature](definitions.md#row-features) is made of. Made from the code:
`python docs/generate_operators.py > docs/reference/operators.md`.

Training runs them as Polars expressions, serving as generated Python, `tr.compute` on
[other frames](../how-to/compute-on-other-frames.md) too. Everywhere the values are equal to the bit, but for the operators
with a number below: those come from an engine's own mathematics, and may differ by so many units in the last place (`power`
only where its exponent is neither whole nor 0.5).

| operator | written | arguments | DuckDB | Spark |
|---|---|---|---|---|
"""

WORDS = """
Pandas and PyArrow frames are computed by Polars. An [opaque feature](definitions.md#tropaque_feature) is Python of any
kind: it runs in training, serving, and over Polars, pandas and PyArrow frames, not in DuckDB or Spark.

## What they mean
"""


def operators_page() -> str:
    """Return the page as Markdown."""
    return HEAD + "\n".join(_rows()) + "\n" + WORDS + "\n" + "\n".join(_meaning()) + "\n"


def _rows() -> Iterator[str]:
    for name, operator in OPERATORS.items():
        form = operator.form.replace("|", "\\|")
        engines = " | ".join(_engine(name, engine) for engine in ("duckdb", "pyspark"))
        yield f"| {name} | `{form}` | {operator.count} | {engines} |"


def _engine(operator: str, engine: str) -> str:
    if operator in UNAVAILABLE[engine]:
        return f"no: {UNAVAILABLE[engine][operator]}"
    near = APPROXIMATE[engine].get(operator)
    return "equal" if near is None else f"within {near}"


def _meaning() -> Iterator[str]:
    """Yield the rules as they stand in the package that follows them."""
    for line in (rows.__doc__ or "").strip().splitlines()[4:]:
        if line and not line.startswith(" "):
            yield line if line.endswith(".") else f"### {line}\n"
        else:
            yield line.strip()


if __name__ == "__main__":
    sys.stdout.write(operators_page())
