"""Secrets from environment variables and from files in a folder, as container platforms mount them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.records.errors import NotReady
from treadle.records.secrets import SecretRef

if TYPE_CHECKING:
    from treadle.ports.secrets import Secrets

FOLDER_VARIABLE = "TREADLE_SECRETS"
"""The environment variable that names the folder of secrets."""


class LocalSecrets:
    """Secrets of this machine: the environment's first, then the folder's, a file each.

    Args:
        environment: the variables.
        folder: the folder of files; None has none. A file's last line break is not part of its secret.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path | None) -> None:
        self._environment = environment
        self._folder = folder

    @classmethod
    def of_process(cls) -> LocalSecrets:
        """Return the secrets of this process: its environment, and the folder that `TREADLE_SECRETS` names."""
        folder = os.environ.get(FOLDER_VARIABLE)
        return cls(os.environ, Path(folder) if folder else None)

    def get(self, ref: SecretRef) -> str:
        """See `Secrets.get`."""
        value = self._environment.get(ref.name)
        if value:
            return value
        if self._folder is not None:
            try:
                text = (self._folder / ref.name).read_text()  # a name has no separators in it
            except (OSError, UnicodeDecodeError):
                text = ""
            if text.strip():
                return text.removesuffix("\n").removesuffix("\r")
        place = (
            f"or write the file {self._folder / ref.name}"
            if self._folder
            else f"or name a folder in {FOLDER_VARIABLE}"
        )
        raise NotReady(
            f"the secret {ref.name} is not set", fix=f"set the environment variable {ref.name}, {place}"
        )


if TYPE_CHECKING:
    _proof: type[Secrets] = LocalSecrets
