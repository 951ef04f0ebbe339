"""Secrets: the values that definitions and settings only name."""

from __future__ import annotations

from typing import Protocol

from treadle.records.secrets import SecretRef


class Secrets(Protocol):
    """Looks up secrets when they are needed. What it returns must reach no store, log or message."""

    def get(self, ref: SecretRef) -> str:
        """Return the secret's value.

        Raises:
            NotReady: it is not set; the error names every place that was looked at.
        """
        ...
