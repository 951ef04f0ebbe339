"""Where data is: the folder of `--data`, or its URL in object storage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from treadle.bootstrap import open_outside
from treadle.define.origins import is_object_url

if TYPE_CHECKING:
    from treadle.stages.data.places import DataPlace


def data_root(data: str) -> str:
    """Return the absolute path of a folder; a URL as it is."""
    return data if is_object_url(data) else str(Path(data).resolve())


def data_place(data: str) -> DataPlace:
    """Return the place that sources are read from."""
    from treadle.stages.data.places import DataPlace

    return DataPlace.of(data_root(data), open_outside())
