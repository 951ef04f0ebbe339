"""Which columns a table stores, converts or refuses. Pure: frames and schemas in, faults out.

The rules are the contract of `ports/tables.py`; they are narrower than what Delta Lake would take, because a
type that it changes silently (unsigned integers, nanoseconds, naive times) comes back as something else.
"""

from __future__ import annotations

import polars as pl
from polars.datatypes import DataTypeClass

from treadle.records.errors import InvalidInput

_KEPT = (
    pl.Boolean,
    pl.Int8,
    pl.Int16,
    pl.Int32,
    pl.Int64,
    pl.Float32,
    pl.Float64,
    pl.String,
    pl.Binary,
    pl.Date,
    pl.Decimal,
)
_WIDENED: dict[type[pl.DataType], type[pl.DataType]] = {
    pl.UInt8: pl.Int16,
    pl.UInt16: pl.Int32,
    pl.UInt32: pl.Int64,
}
_ADVICE: dict[type[pl.DataType], str] = {
    pl.UInt64: "cast it to Int64, or to String when it is an identifier",
    pl.Null: "every value is null and the type unknown: cast it to the type it will have",
    pl.Duration: "cast it to Int64 microseconds",
    pl.Time: "cast it to Int64 microseconds since midnight, or String",
    pl.Array: "cast it to List",
    pl.Object: "turn it into columns of plain types",
}
MICROSECONDS_UTC = pl.Datetime("us", "UTC")


def storable(frame: pl.DataFrame, *, where: str) -> pl.DataFrame:
    """Return the frame in the types a table stores; zero-copy for columns that need no conversion.

    Raises:
        InvalidInput: a column has a type or a value that cannot be stored; every such column is a fault.
    """
    faults = [] if frame.width else ["the frame has no columns"]
    casts = []
    for name, dtype in frame.schema.items():
        try:
            target = stored_type(dtype)
        except InvalidInput as error:
            faults.append(f"{name}: {error.what}")
            continue
        if target == dtype:
            continue
        if lossy := _lost_nanoseconds(frame[name]):
            faults.append(f"{name}: {lossy} values are finer than a microsecond; truncate them first")
        casts.append(pl.col(name).cast(target))
    if faults:
        raise InvalidInput("the frame holds columns that a table cannot store", where=where, faults=faults)
    return frame.with_columns(casts) if casts else frame


def stored_type(dtype: pl.DataType) -> pl.DataType:
    """Return the type a column of the given one is stored as.

    Raises:
        InvalidInput: it cannot be stored; the message says what to do instead.
    """
    if isinstance(dtype, _KEPT):
        return dtype
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return pl.String()
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            raise InvalidInput(f"{dtype} has no zone; attach one with dt.replace_time_zone")
        return MICROSECONDS_UTC
    if isinstance(dtype, pl.List):
        return pl.List(_unchanged(_concrete(dtype.inner)))
    if isinstance(dtype, pl.Struct):
        return pl.Struct({field.name: _unchanged(_concrete(field.dtype)) for field in dtype.fields})
    wider = _WIDENED.get(type(dtype))
    if wider is not None:
        return wider()
    advice = _ADVICE.get(type(dtype), "cast it to a type that is")
    raise InvalidInput(f"{dtype} is not a stored type; {advice}")


def schema_faults(given: pl.Schema, stored: pl.Schema, *, evolve: bool) -> list[str]:
    """Return what keeps rows out of a table: missing, new and differently typed columns.

    Args:
        given: the frame's schema, in stored types.
        stored: the table's schema.
        evolve: new columns are welcome.
    """
    faults = [
        f"{name} is missing (the table has {dtype})" for name, dtype in stored.items() if name not in given
    ]
    for name, dtype in given.items():
        if name not in stored:
            if not evolve:
                faults.append(f"{name} is new ({dtype}); give evolve=True to add it")
        elif stored[name] != dtype:
            faults.append(f"{name} is {dtype}, the table has {stored[name]}")
    return faults


def _concrete(dtype: pl.DataType | DataTypeClass) -> pl.DataType:
    """Return a type object; Polars lets a class stand for its parameterless type (`List(Int64)`)."""
    return dtype() if isinstance(dtype, DataTypeClass) else dtype


def _unchanged(dtype: pl.DataType) -> pl.DataType:
    """Inside lists and structs nothing is converted: a value there is stored as it is, or refused."""
    if stored_type(dtype) != dtype:
        raise InvalidInput(
            f"{dtype} inside a list or struct is not converted; cast it to {stored_type(dtype)}"
        )
    return dtype


def _lost_nanoseconds(column: pl.Series) -> int:
    if not isinstance(column.dtype, pl.Datetime) or column.dtype.time_unit != "ns":
        return 0
    return int((column.to_physical() % 1000 != 0).sum())
