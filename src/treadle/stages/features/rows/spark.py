"""The Spark lowering: row features as columns of `pyspark.sql`, the same in ANSI mode and out of it.

Spark answers overflow, division by zero and casts that fail with an error or with null, as `spark.sql.ansi.enabled`
says. The columns here ask for nothing that could fail: integers are computed as decimals of 38 digits and folded back
to 64 bits, divisors of zero are replaced before they divide, and text is cast only where it is a number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name all of Spark's users know

from treadle.define.binding import Bound
from treadle.define.graph import Node
from treadle.stages.features.rows.opaque import refuse_opaque
from treadle.stages.features.rows.spark_operations import LOWERINGS, TYPES, literal
from treadle.stages.features.rows.steps import LEAVES, Steps, steps_of

_KINDS = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), "int"),
    "double": "float",
    "float": "float",
    "string": "string",
    "boolean": "bool",
    "timestamp": "time",
}
"""The type of a row feature that a column of Spark can be."""


def compute_on(frame: DataFrame, bind: Callable[[Mapping[str, str | None]], Bound]) -> DataFrame:
    """Return a data frame with the features as further columns; instants come out as `TIMESTAMP`.

    Args:
        frame: has the inputs as columns; instants may be `TIMESTAMP` or integers of microseconds.
        bind: makes the graph once the types of the frame's columns are known.
    """
    dtypes = dict(frame.dtypes)
    bound = bind({name: _KINDS.get(dtype) for name, dtype in dtypes.items()})
    instants = [name for name in bound.inputs if dtypes[name] == "timestamp"]
    reads = {name: f"treadle_instant_{position}" for position, name in enumerate(instants)}
    frame = frame.withColumns({held: F.unix_micros(_column(name)) for name, held in reads.items()})
    found = with_features(frame, bound, reads)
    times = [name for name, node in bound.outputs.items() if node.type == "time"]
    return found.withColumns({name: F.timestamp_micros(_column(name)) for name in times})


def with_features(
    frame: DataFrame, bound: Bound, reads: Mapping[str, str] = MappingProxyType({})
) -> DataFrame:
    """Return a data frame with the features as further columns; instants and durations are `BIGINT`.

    Args:
        frame: has the inputs of the graph as columns, instants and durations as integers of microseconds.
        bound: the features.
        reads: the inputs that lie in columns of other names; those columns are left out of the result.
    """
    refuse_opaque(bound, "pyspark")
    names = frame.columns
    steps = steps_of(bound, [*names, *bound.outputs])
    lowered = _Lowering(steps, reads)
    for layer in steps.layers:
        frame = frame.withColumns({steps.names[id(node)]: lowered.of(node) for node in layer})
    kept = [_column(name) for name in names if name not in reads.values()]
    return frame.select(*kept, *(lowered.read(node).alias(name) for name, node in bound.outputs.items()))


class _Lowering:
    """Columns of operations over the columns of the steps before."""

    def __init__(self, steps: Steps, reads: Mapping[str, str]) -> None:
        self.steps = steps
        self.reads = reads

    def of(self, node: Node) -> Column:
        return LOWERINGS[node.operator](node, *(self.read(argument) for argument in node.arguments))

    def read(self, node: Node) -> Column:
        if node.operator not in LEAVES:
            return F.col(self.steps.names[id(node)])
        if node.operator == "field":
            name = str(node.constants[0])
            return _column(self.reads.get(name, name)).cast(TYPES[node.type])
        return literal(node.constants[0], node.type)


def _column(name: str) -> Column:
    return F.col("`" + name.replace("`", "``") + "`")
