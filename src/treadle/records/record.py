"""The base of records that are stored and sent whole: frozen, typed, with one JSON form."""

from __future__ import annotations

from typing import Self

import msgspec

from treadle.records.digests import Json
from treadle.records.errors import Corrupt


class Record(msgspec.Struct, frozen=True):
    """A frozen value with a JSON form.

    Fields added later get a default, so that older JSON stays readable; unknown fields are passed over, so
    that an older treadle can read what a newer one wrote.
    """

    def as_json(self) -> Json:
        """Return the record as plain JSON values, equal for equal records."""
        plain: Json = msgspec.json.decode(msgspec.json.encode(self))
        return plain

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Return the record that `as_json` wrote.

        Raises:
            Corrupt: the value is not such a record; the message names the field.
        """
        try:
            return msgspec.convert(value, cls)
        except msgspec.ValidationError as error:
            raise Corrupt(
                f"this is not a stored {cls.__name__}: {error}",
                fix="read it with the treadle that wrote it, or a newer one",
            ) from None
