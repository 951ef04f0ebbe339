"""A request from the command line: texts like `carrier=UA` to the types its fields have. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from treadle.records.errors import InvalidInput, TreadleError, near_names
from treadle.records.instants import instant
from treadle.records.predictions import Value

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def request_fields(given: Sequence[str], fields: Mapping[str, str]) -> dict[str, Value]:
    """Return every field's value, in the fields' order; `name=` means that there is no value.

    Args:
        given: one text for each field.
        fields: the request's fields and their types.

    Raises:
        InvalidInput: an unknown name, a missing or repeated one, or a text that is not of the field's type;
            every fault is listed.
    """
    faults: list[str] = []
    found: dict[str, Value] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            faults.append(f"{text!r} is not written name=value")
        elif name not in fields:
            near = near_names(name, fields, 1)
            faults.append(f"there is no field {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        elif name in found:
            faults.append(f"{name!r} is given twice")
        else:
            found[name] = None
            try:
                found[name] = _typed(value, fields[name])
            except (ValueError, TreadleError) as error:
                why = error.what if isinstance(error, TreadleError) else f"{value!r} is not {fields[name]}"
                faults.append(f"{name}: {why}")
    missing = [name for name in fields if name not in found]
    faults += [f"{name!r} ({fields[name]}) is missing; write {name}= if there is none" for name in missing]
    if faults:
        listed = ", ".join(f"{name} ({kind})" for name, kind in fields.items())
        raise InvalidInput("the request cannot be asked so", faults=faults, fix=f"its fields: {listed}")
    return {name: found[name] for name in fields}


def _typed(text: str, kind: str) -> Value:
    if not text:
        return None
    if kind == "float":
        return _finite(float(text), text)
    if kind == "int":
        return int(text)
    if kind == "bool":
        if text.lower() not in _TRUTH:
            raise ValueError
        return _TRUTH[text.lower()]
    return instant(text) if kind == "time" else text


def _finite(number: float, text: str) -> float:
    if number - number != 0.0:
        raise InvalidInput(f"{text!r} is not a finite number")
    return number
