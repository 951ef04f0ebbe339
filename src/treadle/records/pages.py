"""One page of a longer listing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items in order, and where to go on.

    `after` is an opaque token to pass back for the next page; None means that there is nothing more.
    """

    items: tuple[Item, ...]
    after: str | None = None
