"""Row features: values computed from the request itself, from the prediction time and from other features.

A row feature is a plain Python function of columns, traced once into an expression. Training runs the
expression over whole frames, serving runs Python generated from it, with equal results
(`treadle.stages.features.rows`).
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import overload

from treadle.define import expressions
from treadle.define.columns import parameter, traced
from treadle.define.expressions import Expression
from treadle.define.names import listed, name_fault, words_faults
from treadle.define.trace_sites import OTHERWISE
from treadle.define.trace_source import refuse_unseen
from treadle.records.digests import Digest, Json
from treadle.records.errors import InvalidInput, refuse

RESULT_TYPES = ("float", "int", "string", "bool", "time", "duration")
"""What the function of an opaque feature may give."""


@dataclass(frozen=True, slots=True)
class RowFeature:
    """A feature computed from one row.

    Its type is known once the types of its inputs are: see `treadle.define.binding`.
    """

    name: str
    inputs: tuple[str, ...]
    """The request fields, features, and `at` (the prediction time) it reads."""
    expression: Expression
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    deprecated: str = ""
    """What to use instead, once it is not to be used any more."""
    where: str = field(default="", compare=False)
    """The file and line of its definition, for messages."""

    @property
    def portable(self) -> bool:
        """Whether every engine can compute it; not so for the Python function of an `opaque_feature`."""
        return not any(isinstance(node, expressions.OpaqueCall) for node in expressions.walk(self.expression))

    @property
    def digest(self) -> Digest:
        """The content address of what it computes; name, words and place don't count."""
        return expressions.digest(self.expression)

    def as_json(self) -> dict[str, Json]:
        """The feature as JSON, without the place of its definition: equal features are equal bytes."""
        return {
            "name": self.name,
            "inputs": list(self.inputs),
            "expression": expressions.as_json(self.expression),
            "description": self.description,
            "owner": self.owner,
            "tags": list(self.tags),
            **({"deprecated": self.deprecated} if self.deprecated else {}),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> RowFeature:
        """Build a feature from its JSON form.

        Raises:
            InvalidInput: a part is missing, of another type, or outside the closed set.
        """
        expression = expressions.from_json(value.get("expression"))
        name, inputs, tags = value.get("name"), value.get("inputs"), value.get("tags", [])
        description, owner = value.get("description", ""), value.get("owner", "")
        deprecated = value.get("deprecated", "")
        faults = [fault for fault in [name_fault("row feature", name)] if fault]
        if not _texts(inputs) or set(_tuple(inputs)) != set(expressions.fields(expression)):
            faults.append("inputs are the names of the fields the expression reads")
        if not all(isinstance(words, str) for words in (description, owner, deprecated)) or not _texts(tags):
            faults.append("description, owner and deprecated are text, tags a list of text")
        refuse("the row feature cannot be read", faults)
        words = (str(description), str(owner), _tuple(tags), str(deprecated))
        return cls(str(name), _tuple(inputs), expression, *words)


@overload
def row_feature(function: Callable[..., object], /) -> RowFeature: ...
@overload
def row_feature(
    *, name: str | None = None, owner: str = "", tags: Sequence[str] | str = (), deprecated: str = ""
) -> Callable[[Callable[..., object]], RowFeature]: ...
def row_feature(
    function: Callable[..., object] | None = None,
    /,
    *,
    name: str | None = None,
    owner: str = "",
    tags: Sequence[str] | str = (),
    deprecated: str = "",
) -> RowFeature | Callable[[Callable[..., object]], RowFeature]:
    """Make a feature from a function of one row.

    Parameters name request fields, `at` (the prediction time), or other features. The function is called
    once, here.

    Args:
        function: what to trace; its docstring describes the feature.
        name: the feature's name when it is not the function's.
        owner: for people: who answers for it.
        tags: for people: where to find it.
        deprecated: what to use instead, once it is not to be used any more.

    Raises:
        InvalidInput: the function does what can't be traced; the message names line and form to write.
    """
    if function is None:
        return lambda decorated: _trace(decorated, name, owner, tags, deprecated)
    return _trace(function, name, owner, tags, deprecated)


def opaque_feature(
    *,
    returns: str,
    name: str | None = None,
    owner: str = "",
    tags: Sequence[str] | str = (),
    deprecated: str = "",
) -> Callable[[Callable[..., object]], RowFeature]:
    """Make a feature of any Python function of one row, for what a row feature cannot say.

    The function is called for each row, in training and in serving, with the plain values of its parameters: None for
    null, aware datetimes in UTC, timedeltas. It must give the same for the same values. It is slow over frames, and not
    portable: DuckDB and Spark cannot compute it. What it computes is known by a digest of its source.

    Args:
        returns: what it gives, unless None: `float`, `int`, `string`, `bool`, `time` or `duration`.
        name: the feature's name when it is not the function's.
        owner: for people: who answers for it.
        tags: for people: where to find it.
        deprecated: what to use instead, once it is not to be used any more.

    Raises:
        InvalidInput: the function's parameters or its type are not those of a row feature; every fault is listed.
    """

    def decorate(function: Callable[..., object]) -> RowFeature:
        from treadle.define.code import source_digest

        called, where, inputs, faults = _signature(function, name)
        faults += words_faults("row feature", owner, tags, deprecated)
        if returns not in RESULT_TYPES:
            faults.append(f"it returns {returns!r}; types are {', '.join(RESULT_TYPES)}")
        if called in inputs:
            faults.append(f"it reads itself: rename the feature or the parameter {called!r}")
        refuse(f"the opaque feature {called!r} cannot be defined", faults, where=where)
        read = tuple(expressions.Field(p) for p in inputs)
        made = expressions.OpaqueCall("opaque", read, called, returns, source_digest(function), function)
        description = inspect.cleandoc(function.__doc__ or "")
        return RowFeature(called, inputs, made, description, owner, listed(tags), deprecated, where)

    return decorate


def _trace(
    function: Callable[..., object],
    name: str | None,
    owner: str,
    tags: Sequence[str] | str,
    deprecated: str,
) -> RowFeature:
    called, where, inputs, faults = _signature(function, name)
    faults += words_faults("row feature", owner, tags, deprecated)
    refuse(f"the row feature {called!r} cannot be defined", faults, where=where)
    refuse_unseen(function)
    expression = _result(_called(function, inputs, where), called, where)
    unused = [p for p in inputs if p not in expressions.fields(expression)]
    faults = [f"parameter {p!r} is not used; remove it, so that a request need not carry it" for p in unused]
    if called in inputs:
        faults.append(f"it reads itself: rename the feature or the parameter {called!r}")
    refuse(f"the row feature {called!r} cannot be defined", faults, where=where)
    description = inspect.cleandoc(function.__doc__ or "")
    return RowFeature(called, inputs, expression, description, owner, listed(tags), deprecated, where)


def _signature(
    function: Callable[..., object], name: str | None
) -> tuple[str, str, tuple[str, ...], list[str]]:
    """Return the feature's name, its place, what it reads, and what is wrong with that."""
    code: CodeType | None = getattr(function, "__code__", None)
    if code is None:
        raise InvalidInput(f"{function!r} is not a Python function", fix="decorate a plain `def`")
    called = name or function.__name__
    where = f"{code.co_filename}:{code.co_firstlineno}, in {function.__name__}"
    parameters = inspect.signature(function).parameters.values()
    faults = [fault for fault in [name_fault("row feature", called)] if fault]
    faults += [
        f"parameter {p} is not a plain one: name the request fields and features the row feature reads"
        for p in parameters
        if p.kind is not p.POSITIONAL_OR_KEYWORD or p.default is not p.empty
    ]
    if not parameters:
        faults.append("it has no parameters: name the request fields and features it reads")
    return called, where, tuple(p.name for p in parameters), faults


def _called(function: Callable[..., object], inputs: Sequence[str], where: str) -> object:
    try:
        return function(*(parameter(name) for name in inputs))
    except InvalidInput:
        raise  # it names the line already
    except Exception as error:
        filename = function.__code__.co_filename
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == filename]
        method = "'method'" in str(error) or "'builtin_function_or_method'" in str(error)
        raise InvalidInput(
            f"the row feature failed while it was traced: {error}",
            where=f"{filename}:{lines[-1]}, in {function.__name__}" if lines else where,
            fix="call the method, with parentheses: x.dt.year()"
            if method
            else f"use the operators and methods of columns only; parameters hold no values yet; {OTHERWISE}",
        ) from error


def _result(value: object, name: str, where: str) -> Expression:
    expression = traced(value)
    if expression is not None:
        return expression
    if hasattr(value, "unfinished"):
        what, fix = str(value.unfinished), "finish it with .otherwise(value)"
    elif isinstance(value, tuple | list):
        what, fix = "several values", "return one; make a row feature for each (of tr.cyclic too)"
    elif value is None:
        what, fix = "nothing", "end the function with `return ...`"
    else:
        what, fix = f"a {type(value).__name__}", "return something computed from the parameters"
    raise InvalidInput(f"the row feature {name!r} returns {what}", where=where, fix=fix)


def _texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def _tuple(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else ()
