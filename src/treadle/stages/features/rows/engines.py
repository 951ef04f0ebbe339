"""`tr.compute`: row features over the frame a person has, each kind of frame by the lowering made for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

from treadle.define.binding import BOUND_TYPES, Bound, bind
from treadle.define.row_features import RowFeature
from treadle.records.errors import InvalidInput, NotReady, refuse

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from pyspark.sql import DataFrame as SparkFrame

FrameT = TypeVar("FrameT")

ENGINES = ("polars", "pandas", "pyarrow", "duckdb", "pyspark")
"""The libraries whose frames `compute` takes."""


def compute(
    features: RowFeature | Sequence[RowFeature], frame: FrameT, *, types: Mapping[str, str] | None = None
) -> FrameT:
    """Compute row features over a frame: the same values as in training and serving, in the same kind of frame.

    Takes Polars frames, lazy or not, pandas data frames, PyArrow tables, DuckDB relations and Spark data frames. Lazy
    kinds stay lazy: the features become part of the query. Integers wrap around, division by zero gives what it gives
    elsewhere, whatever the engine's own rules are.

    In numpy columns of pandas NaN is null, for pandas has no other; the new columns of a pandas frame have Arrow types.
    On DuckDB and Spark durations are integers of microseconds, coming in (say so in `types`) and going out.

    Args:
        features: one row feature or several; one may read another.
        frame: has their inputs as columns; instants without a zone are read as UTC.
        types: the types of columns where the frame's own don't say it: integers of microseconds that are a `time` or
            a `duration`.

    Raises:
        InvalidInput: a column is missing or of a type that no feature reads, types don't fit, the engine lacks an
            operator, or the frame is of another kind; every fault is listed.
    """
    wanted = [features] if isinstance(features, RowFeature) else list(features)
    stated = dict(types or {})
    for name in ENGINES:
        if any(kind.__module__.split(".")[0] == name for kind in type(frame).__mro__):
            try:
                return cast("FrameT", _COMPUTE[name](frame, wanted, stated))
            except ModuleNotFoundError as error:
                raise NotReady(
                    f"computing on a frame of {name} needs {error.name}", fix=f"pip install {error.name}"
                ) from error
    raise InvalidInput(
        f"a {type(frame).__module__}.{type(frame).__qualname__} is no frame that row features are computed on",
        fix="give a frame of Polars, pandas, PyArrow, DuckDB or Spark",
    )


def _bound(
    features: Sequence[RowFeature], columns: Mapping[str, str | None], stated: Mapping[str, str]
) -> Bound:
    """Bind features to a frame's columns, whose types are None where no feature can read them."""
    ours = {feature.name for feature in features}
    faults = [
        f"types names {name!r}, which the frame does not have" for name in stated if name not in columns
    ]
    faults += [
        f"types calls {name!r} a {kind!r}; types are {', '.join(BOUND_TYPES)}"
        for name, kind in stated.items()
        if kind not in BOUND_TYPES
    ]
    faults += [f"the frame already has a column {name!r}" for name in columns if name in ours]
    found: dict[str, str] = {}
    for name in dict.fromkeys(name for feature in features for name in feature.inputs if name not in ours):
        kind = stated.get(name) or columns.get(name)
        if name not in columns:
            faults.append(f"the frame has no column {name!r}")
        elif kind is None:
            faults.append(f"column {name!r} is of a type that no row feature reads")
        else:
            found[name] = kind
    refuse("the row features cannot be computed on this frame", faults)
    return bind(features, found)


def _on_polars(
    frame: pl.DataFrame | pl.LazyFrame, features: Sequence[RowFeature], stated: Mapping[str, str]
) -> pl.DataFrame | pl.LazyFrame:
    from treadle.stages.features.rows.frame import expressions

    columns = {name: _polars_kind(dtype) for name, dtype in frame.collect_schema().items()}
    return frame.with_columns(expressions(_bound(features, columns, stated)))


def _polars_kind(dtype: pl.DataType) -> str | None:
    import polars as pl

    if dtype.is_integer():
        return "int"
    if dtype.is_float():
        return "float"
    kinds: list[tuple[type[pl.DataType] | pl.DataType, str]] = [
        (pl.Boolean, "bool"), (pl.String, "string"), (pl.Categorical, "string"), (pl.Enum, "string"),
        (pl.Datetime, "time"), (pl.Duration, "duration"),
    ]  # fmt: skip
    return next((kind for known, kind in kinds if dtype == known), None)


def _on_pandas(
    frame: pd.DataFrame, features: Sequence[RowFeature], stated: Mapping[str, str]
) -> pd.DataFrame:
    import pandas as pd
    import polars as pl

    read = [name for name in _inputs(features) if name in frame.columns]
    held = pl.DataFrame({name: _polars_series(frame[name]) for name in read}) if read else pl.DataFrame()
    made = _computed(held, features, stated, [str(name) for name in frame.columns])
    table = made.to_arrow()
    new = {
        name: pd.Series(pd.arrays.ArrowExtensionArray(table.column(name)), index=frame.index)
        for name in table.column_names
    }
    return frame.assign(**new)


def _polars_series(series: pd.Series) -> pl.Series:
    """Return a pandas column; NaN of a numpy column is null, NaN of an Arrow column is NaN."""
    import numpy as np
    import polars as pl
    import pyarrow as pa

    missing = isinstance(series.dtype, np.dtype)
    held = pa.array(series, from_pandas=missing)
    return cast("pl.Series", pl.from_arrow(held))


def _on_pyarrow(frame: pa.Table, features: Sequence[RowFeature], stated: Mapping[str, str]) -> pa.Table:
    import polars as pl

    read = [name for name in _inputs(features) if name in frame.column_names]
    held = cast("pl.DataFrame", pl.from_arrow(frame.select(read)))
    made = _computed(held, features, stated, frame.column_names).to_arrow()
    for name in made.column_names:
        frame = frame.append_column(name, made.column(name))
    return frame


def _computed(
    held: pl.DataFrame, features: Sequence[RowFeature], stated: Mapping[str, str], columns: Sequence[str]
) -> pl.DataFrame:
    """Return the features alone, computed by Polars from the inputs alone."""
    from treadle.stages.features.rows.frame import expressions

    kinds = {name: _polars_kind(dtype) for name, dtype in held.schema.items()}
    bound = _bound(features, dict.fromkeys(columns) | kinds, stated)
    return held.with_columns(expressions(bound)).select([feature.name for feature in features])


def _inputs(features: Sequence[RowFeature]) -> Iterator[str]:
    return iter(dict.fromkeys(name for feature in features for name in feature.inputs))


_DUCKDB_KINDS = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), "int"),
    "DOUBLE": "float",
    "FLOAT": "float",
    "VARCHAR": "string",
    "BOOLEAN": "bool",
    "TIMESTAMP": "time",
    "TIMESTAMP WITH TIME ZONE": "time",
}


def _on_duckdb(
    frame: duckdb.DuckDBPyRelation, features: Sequence[RowFeature], stated: Mapping[str, str]
) -> duckdb.DuckDBPyRelation:
    import narwhals.stable.v2 as nw

    from treadle.stages.features.rows.narwhals import with_features

    dtypes = dict(zip(frame.columns, map(str, frame.types), strict=True))
    bound = _bound(features, {name: _DUCKDB_KINDS.get(dtype) for name, dtype in dtypes.items()}, stated)
    instants = [name for name in bound.inputs if dtypes[name].startswith("TIMESTAMP")]
    reads = {name: f"treadle_instant_{position}" for position, name in enumerate(instants)}
    made = ", ".join(f"epoch_us({_quoted(name)}) AS {_quoted(held)}" for name, held in reads.items())
    source = frame.project(f"*, {made}") if made else frame
    found = with_features(nw.from_native(source), bound, "duckdb", reads).to_native()
    times = [name for name, node in bound.outputs.items() if node.type == "time"]
    shown = ", ".join(f"make_timestamptz({_quoted(name)}) AS {_quoted(name)}" for name in times)
    return found.project(f"* REPLACE ({shown})") if shown else found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _on_spark(frame: SparkFrame, features: Sequence[RowFeature], stated: Mapping[str, str]) -> SparkFrame:
    from treadle.stages.features.rows.spark import compute_on

    return compute_on(frame, lambda columns: _bound(features, columns, stated))


# Each takes and gives the frames of its own library, which only a reader who has them all could type.
_COMPUTE: dict[str, Callable[..., object]] = {
    "polars": _on_polars,
    "pandas": _on_pandas,
    "pyarrow": _on_pyarrow,
    "duckdb": _on_duckdb,
    "pyspark": _on_spark,
}
