"""Entities: the things features are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.define.names import duplicates, listed, name_fault, text, words_faults
from treadle.records.errors import InvalidInput


@dataclass(frozen=True, slots=True, init=False)
class Entity:
    """A thing that features describe, found by the values of its key columns.

    Args:
        name: the entity's name, e.g. `origin`.
        keys: the columns (and request fields) that identify one; several columns compare as a tuple. An empty list: there
            is only one, as of an exchange rate or a shop's opening hours, and every request is about it.
        description: one sentence for people.
        must_exist: whether a request about one that no view has seen is refused; without it, its features are null.
        owner, tags: for people.
        deprecated: what to use instead, once it is not to be used any more.

    Raises:
        InvalidInput: the definition contradicts itself; every fault is listed.
    """

    name: str
    keys: tuple[str, ...]
    description: str
    must_exist: bool
    owner: str
    tags: tuple[str, ...]
    deprecated: str

    def __init__(
        self,
        name: str,
        keys: Sequence[str] | str,
        description: str = "",
        *,
        must_exist: bool = False,
        owner: str = "",
        tags: Sequence[str] | str = (),
        deprecated: str = "",
    ) -> None:
        columns = listed(keys)
        faults = [fault for fault in [name_fault("entity", name)] if fault]
        faults += [
            f"entity {name!r}: key {key!r} is not the name of a column" for key in columns if not text(key)
        ]
        faults += [f"entity {name!r} lists the key {key!r} twice" for key in duplicates(columns)]
        faults += words_faults(f"entity {name!r}", owner, tags, deprecated)
        if faults:
            raise InvalidInput("the entity cannot be defined", faults=faults)
        values = (name, columns, description, must_exist, owner, listed(tags), deprecated)
        for slot, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, slot, value)
