"""SELECT over frames that are handed over, by DuckDB: no files, no network, no extensions, no Python variables.

The frames are read through Arrow's C stream, so nothing is copied on the way in and PyArrow is not needed. One thread: with
several, the order of rows and the last bits of sums of floats differ from run to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import polars as pl

from treadle.records.errors import InvalidInput, NotReady

_LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "threads": "1",
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
}


class _HasStream(Protocol):
    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...


class _Stream:
    """Rows as an Arrow stream and nothing else.

    What DuckDB knows of Polars would ask for PyArrow; and Polars remembers types it has been given, which keeps DuckDB's
    alive until it complains at the end of the process.
    """

    def __init__(self, rows: _HasStream) -> None:
        self._rows = rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._rows.__arrow_c_stream__(requested_schema)


def select_rows(sql: str, inputs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """See `Outside.select`."""
    try:
        import duckdb
    except ImportError as error:
        raise NotReady(
            "tables in SQL need DuckDB, which is not installed",
            fix="install the extra: pip install 'treadle[sql]'",
        ) from error
    # The engine is read in full before it closes: what comes back is Polars' own memory.
    with duckdb.connect(":memory:", config=_LOCKED) as connection:
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET lock_configuration = true")
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise InvalidInput("the SQL is not one SELECT")
            for name, frame in inputs.items():
                connection.register(name, _Stream(frame))
            return _plain(pl.DataFrame(_Stream(connection.sql(sql))))
        except duckdb.Error as error:
            raise InvalidInput(str(error).strip().splitlines()[0]) from error


def _plain(rows: pl.DataFrame) -> pl.DataFrame:
    """Return whole numbers as Int64: sums of integers come as decimals or as 128 bits.

    Raises:
        InvalidInput: one of them is too large.
    """
    wide = [
        name
        for name, dtype in rows.schema.items()
        if dtype == pl.Int128 or (isinstance(dtype, pl.Decimal) and dtype.scale == 0)
    ]
    try:
        return rows.with_columns(pl.col(name).cast(pl.Int64) for name in wide)
    except pl.exceptions.PolarsError:
        raise InvalidInput(f"a whole number in {', '.join(wide)} is larger than 64 bits hold") from None
