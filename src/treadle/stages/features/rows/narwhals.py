"""The Narwhals lowering: row features as expressions of `narwhals.stable.v2`, for engines that Polars does not run.

What Narwhals means by an operator is what its engine means, and engines differ from our rules: DuckDB refuses
integers that overflow, rounds halves away from zero and orders NaN above infinity. The expressions here therefore
say everything that our rules say: integers are computed with 128 bits and folded back to 64, halves are rounded by
hand, NaN is asked for. What an engine cannot be made to do is refused, by name (`UNAVAILABLE`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import narwhals.stable.v2 as nw

from treadle.define.binding import Bound
from treadle.define.graph import Node
from treadle.records.errors import InvalidInput
from treadle.records.instants import DAY
from treadle.stages.features.rows.narwhals_operations import DTYPES, LOWERINGS, literal, spread
from treadle.stages.features.rows.opaque import refuse_opaque
from treadle.stages.features.rows.portability import UNAVAILABLE
from treadle.stages.features.rows.steps import LEAVES, Steps, steps_of

if TYPE_CHECKING:
    from narwhals.stable.v2.typing import IntoLazyFrameT


def refuse_unavailable(bound: Bound, engine: str) -> None:
    """Refuse a graph that uses what an engine does not have.

    Raises:
        InvalidInput: every feature with such an operator is listed, with engine and reason.
    """
    known = UNAVAILABLE[engine]
    faults = []
    for name, nodes in bound.operations().items():
        used = sorted({node.operator for node in nodes if node.operator in known})
        faults += [
            f"row feature {name!r} uses {operator!r}, which {engine} does not have: {known[operator]}"
            for operator in used
        ]
    if faults:
        raise InvalidInput(
            f"the row features cannot be computed by {engine}",
            faults=faults,
            fix="compute them on a Polars, pandas or PyArrow frame, or leave these features out",
        )


def with_features(
    frame: nw.LazyFrame[IntoLazyFrameT],
    bound: Bound,
    engine: str,
    reads: Mapping[str, str] = MappingProxyType({}),
) -> nw.LazyFrame[IntoLazyFrameT]:
    """Return a frame with the features as further columns; instants and durations are integers of microseconds.

    Args:
        frame: has the inputs of the graph as columns, instants and durations as integers of microseconds.
        bound: the features.
        engine: `duckdb` or `polars`.
        reads: the inputs that lie in columns of other names; those columns are left out of the result.

    Raises:
        InvalidInput: the engine does not have an operator, or a table is too large.
    """
    refuse_opaque(bound, engine)
    refuse_unavailable(bound, engine)
    names = frame.collect_schema().names()
    steps = steps_of(bound, [*names, *bound.outputs])
    lowered = _Lowering(steps, engine, reads, nw.col(names[0]))
    for layer in steps.layers:
        frame = frame.with_columns(*(lowered.of(node).alias(steps.names[id(node)]) for node in layer))
    kept = [nw.col(name) for name in names if name not in reads.values()]
    return frame.select(*kept, *(lowered.read(node).alias(name) for name, node in bound.outputs.items()))


class _Lowering:
    """Expressions of operations over the columns of the steps before."""

    def __init__(self, steps: Steps, engine: str, reads: Mapping[str, str], first: nw.Expr) -> None:
        self.first = first
        self.steps = steps
        self.engine = engine
        self.reads = reads

    def of(self, node: Node) -> nw.Expr:
        arguments = [self.read(argument) for argument in node.arguments]
        if node.operator == "date" and self.engine == "polars":
            return (arguments[0] // DAY).cast(nw.Int32).cast(nw.Date)
        return LOWERINGS[node.operator](node, *arguments)

    def read(self, node: Node) -> nw.Expr:
        if node.operator not in LEAVES:
            return nw.col(self.steps.names[id(node)])
        if node.operator == "field":
            name = str(node.constants[0])
            return nw.col(self.reads.get(name, name)).cast(DTYPES[node.type])
        found = literal(node.constants[0], node.type)
        # Polars takes short cuts beside single floats that our rules don't know: it divides by the rounded reciprocal.
        return spread(found, self.first) if self.engine == "polars" and node.type == "float" else found
