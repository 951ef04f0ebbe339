"""The base of small tagged definitions: frozen, compared by value, with one JSON form."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from treadle.records.digests import Json
from treadle.records.errors import InvalidInput

T = TypeVar("T")


class Rule(msgspec.Struct, frozen=True, tag_field="is", forbid_unknown_fields=True):
    """A definition that says what it is in its JSON form, under the key `is`."""

    def as_json(self) -> Json:
        """Return the rule as plain JSON values, equal for equal rules."""
        plain: Json = msgspec.json.decode(msgspec.json.encode(self))
        return plain


def rule_from_json(value: Json, kind: type[T], what: str) -> T:
    """Return the rule that `as_json` wrote.

    Args:
        value: what `as_json` gave.
        kind: the type, or union of types, that it must be.
        what: how to call it in the error, such as `gate`.

    Raises:
        InvalidInput: the value is none of the rules of this kind; the message names the field.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"this is not a {what}: {error}") from None


def refuse(what: str, faults: list[str]) -> None:
    """Raise with all the faults, if there are any."""
    if faults:
        raise InvalidInput(f"the {what} cannot be defined", faults=faults)


def share_fault(name: str, value: float) -> str | None:
    """Return what is wrong with a number that must lie strictly between 0 and 1, or None."""
    return None if 0.0 < value < 1.0 else f"{name}={value!r} must lie between 0 and 1"


def positive_fault(name: str, value: float) -> str | None:
    """Return what is wrong with a number that must be above zero, or None."""
    return None if value > 0 else f"{name}={value!r} must be above 0"
