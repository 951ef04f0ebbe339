"""A pipeline's parameters from the command line: text to the types that its function declares. Pure."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Sequence
from typing import Union, get_args, get_origin, get_type_hints

from treadle.define.steps import Pipeline
from treadle.records.digests import Json
from treadle.records.errors import InvalidInput, TreadleError, near_names
from treadle.records.instants import instant

UNTIL = "until"
"""The parameter that is filled in by itself: just after the newest known label."""

_NOTHING = frozenset({"", "none", "null"})
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def pipeline_parameters(pipeline: Pipeline[..., object], given: Sequence[str]) -> dict[str, Json]:
    """Return a pipeline's parameters from texts like `learning_rate=0.1`.

    Args:
        pipeline: whose function declares the parameters, with annotations and defaults.
        given: one text for each parameter; those left out keep their defaults.

    Raises:
        InvalidInput: an unknown name, a text that is not of the declared type, or a parameter without a
            default that is missing; every fault is listed.
    """
    declared = inspect.signature(pipeline.function).parameters
    hints = get_type_hints(pipeline.function)
    values: dict[str, Json] = {}
    faults: list[str] = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            faults.append(f"{text!r} is not written name=value")
        elif name not in declared:
            faults.append(_unknown(name, pipeline.parameters))
        elif name in values:
            faults.append(f"{name!r} is given twice")
        else:
            try:
                values[name] = converted(value, _kinds(declared[name], hints.get(name)))
            except TreadleError as error:
                faults.append(f"{name}={value}: {error.what}")
                values[name] = None
    faults += [
        f"{name!r} has no default and is missing"
        for name, parameter in declared.items()
        if parameter.default is parameter.empty and name not in values and name != UNTIL
    ]
    if faults:
        raise InvalidInput(
            f"pipeline {pipeline.name!r} cannot be run so",
            faults=faults,
            fix=f"its parameters: {', '.join(described(pipeline))}",
        )
    return values


def described(pipeline: Pipeline[..., object]) -> list[str]:
    """Return a pipeline's parameters with their defaults, as people write them."""
    parameters = inspect.signature(pipeline.function).parameters
    return [
        name if parameter.default is parameter.empty else f"{name}={parameter.default}"
        for name, parameter in parameters.items()
    ]


def converted(text: str, kinds: Sequence[type]) -> Json:
    """Return a text as the first of the kinds that it fits.

    A whole number and an instant are both `int` in Python, so `int` takes `2025-06-01` too.

    Raises:
        InvalidInput: it fits none.
    """
    for kind, convert in _CONVERT.items():
        if kind in kinds:
            try:
                return convert(text)
            except ValueError:
                continue
    names = [_NAMES.get(kind, kind.__name__) for kind in kinds]
    raise InvalidInput(f"not {' or '.join(names)}")


def _kinds(parameter: inspect.Parameter, hint: object) -> list[type]:
    """Return the types a parameter may have: those of its annotation, or its default's; text if it has none."""
    if get_origin(hint) in (Union, types.UnionType):
        found = [part for part in get_args(hint) if isinstance(part, type)]
    elif isinstance(hint, type):
        found = [hint]
    else:
        found = []
    default = parameter.default
    if not found and default is not parameter.empty and default is not None:
        found = [type(default)]
    known = [kind for kind in found if kind in _CONVERT]
    return known or [str]


def _unknown(name: str, known: Sequence[str]) -> str:
    near = near_names(name, known, 1)
    return f"there is no parameter {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _nothing(text: str) -> None:
    if text.lower() not in _NOTHING:
        raise ValueError(text)


def _truth(text: str) -> bool:
    if text.lower() not in _TRUTH:
        raise ValueError(text)
    return _TRUTH[text.lower()]


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        try:
            return instant(text)
        except InvalidInput:
            raise ValueError(text) from None


# In the order in which they are tried: text fits everything, so it comes last.
_CONVERT: dict[type, Callable[[str], Json]] = {
    type(None): _nothing,
    bool: _truth,
    int: _whole,
    float: float,
    str: str,
}
_NAMES = {
    type(None): "none",
    bool: "true or false",
    int: "a whole number or a time such as 2025-06-01",
    float: "a number",
    str: "text",
}
