"""Opaque features: a person's Python function, called for each row with plain values, its result held to its type."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from numbers import Integral, Real

from treadle.define.binding import Bound
from treadle.define.graph import Node
from treadle.define.operators import ConstantValue
from treadle.records.errors import InvalidInput, TreadleError
from treadle.records.instants import instant
from treadle.stages.features.rows.zones import EARLIEST, LATEST

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = (-(2**63), 2**63 - 1)


def runner(node: Node) -> Callable[..., ConstantValue]:
    """Return what calls an opaque node's function: from values of the graph to a value of the graph.

    Instants and durations are integers of microseconds outside, aware datetimes (null outside the years 1 to 9999) and
    timedeltas inside. Called, it raises `InvalidInput` with file and line when the function fails, or returns what its
    type does not hold.
    """
    function, name = node.function, str(node.constants[0])
    assert function is not None  # the binder puts one there
    kinds = [argument.type for argument in node.arguments]
    plain = not {"time", "duration"} & {*kinds}

    def run(*values: ConstantValue) -> ConstantValue:
        given = values if plain else [_shown(v, kind) for v, kind in zip(values, kinds, strict=True)]
        try:
            found = function(*given)
        except TreadleError:
            raise
        except Exception as error:
            raise InvalidInput(
                f"the opaque feature {name!r} failed: {type(error).__name__}: {error}",
                where=_line(error, function),
                fix=f"let it return None for values it cannot take; it was given {_written(given)}",
            ) from error
        return found if found is None else _held(found, node.type, name, function)

    return run


def refuse_opaque(bound: Bound, engine: str) -> None:
    """Refuse Python functions where only an engine's own operators run.

    Raises:
        InvalidInput: every feature that is opaque, or reads one that is, is listed.
    """
    faults = [
        f"row feature {name!r} calls the opaque feature {node.constants[0]!r}"
        for name, nodes in bound.operations().items()
        for node in nodes
        if node.operator == "opaque"
    ]
    if faults:
        raise InvalidInput(
            f"opaque features cannot be computed by {engine}: their Python is not portable",
            faults=faults,
            fix="compute them on a Polars, pandas or PyArrow frame, or write them with tr.row_feature",
        )


def _shown(value: ConstantValue, kind: str) -> object:
    if not isinstance(value, int) or kind not in ("time", "duration"):
        return value
    if kind == "duration":
        return timedelta(microseconds=value)
    return _EPOCH + timedelta(microseconds=value) if EARLIEST <= value <= LATEST else None


def _held(found: object, kind: str, name: str, function: Callable[..., object]) -> ConstantValue:
    """Return a result as a value of its type."""
    truth = isinstance(found, bool)
    match kind:
        case "float" if isinstance(found, Real) and not truth:
            return float(found)
        case "int" if isinstance(found, Integral) and not truth and _INT64[0] <= int(found) <= _INT64[1]:
            return int(found)
        case "string" if isinstance(found, str) and not any("\ud800" <= c <= "\udfff" for c in found):
            return str(found)
        case "bool" if truth:
            return bool(found)
        case "time" if isinstance(found, datetime) and found.tzinfo is not None:
            return instant(found)
        case "duration" if isinstance(found, timedelta):
            return found // timedelta(microseconds=1)
    code = function.__code__
    raise InvalidInput(
        f"the opaque feature {name!r} returned {_trimmed(repr(found))}, a {type(found).__name__}; it returns {kind}",
        where=f"{code.co_filename}:{code.co_firstlineno}, in {function.__name__}",
        fix="return a value of that type or None, or change `returns`; times carry a zone",
    )


def _line(error: Exception, function: Callable[..., object]) -> str:
    """Return the innermost line of the function's own file that the error came through."""
    code = function.__code__
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == code.co_filename]
    line = frames[-1].lineno if frames else code.co_firstlineno
    return f"{code.co_filename}:{line}, in {frames[-1].name if frames else function.__name__}"


def _written(values: Sequence[object]) -> str:
    return _trimmed(", ".join(map(repr, values)))


def _trimmed(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}…"
